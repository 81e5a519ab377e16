/**
 * Read model: how much happens, by kind and time, for charts. Counts of transitions and histograms of queue wait and run
 * time, by the minute and by the hour; a chart of a month reads hours, so that it costs what a chart of an hour costs.
 *
 *     event -> operation under way (kind, since when) -> the minute and the hour of its kind
 */
import type { LifecycleEvent } from '../src/authority/events.ts'
import { TRANSITIONS, type Transition, type TransitionCounts } from '../src/authority/monitoring.ts'
import { livesTouchedBy } from '../src/authority/operation-life.ts'
import { type DurationHistogram, EMPTY_HISTOGRAM, withDuration } from './duration-histogram.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import type { ProjectedEvent, Projection, ProjectionTable, RowKey, RowsBefore } from './projection.ts'

export const NO_TRANSITIONS = Object.fromEntries(TRANSITIONS.map((name) => [name, 0])) as TransitionCounts // one for each name

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
const GRAINS_MS = [MINUTE_MS, HOUR_MS] as const

/** An operation that has not ended: what has to be known of it when it moves on. */
interface Underway {
  readonly stream: string
  readonly number: number
  readonly kind: string
  /** Since when it waits for a worker: its registration or the end of the last attempt, or when it fell due. */
  readonly queuedAt: number
  readonly claimedAt: number | null
}

export interface RateRow {
  readonly workspace: string
  readonly kind: string
  /** Length of the span of time, ms. */
  readonly grainMs: number
  /** Its beginning, epoch ms: by the stored time of the events. */
  readonly fromAt: number
  readonly counts: TransitionCounts
  /** From due to claimed, of each attempt claimed in the span. */
  readonly queueWait: DurationHistogram
  /** From claimed to the end of the attempt, of each attempt that ended in the span. */
  readonly runTime: DurationHistogram
}

const UNDERWAY: ProjectionTable<Underway> = {
  name: 'rates-underway',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
    { name: 'kind', type: 'text' },
    { name: 'queued_at', type: 'integer' },
    { name: 'claimed_at', type: 'integer', nullable: true },
  ],
  key: ['stream', 'number'],
  indexes: [],
  write: ({ stream, number, kind, queuedAt, claimedAt }) => [stream, number, kind, queuedAt, claimedAt],
  read: ([stream, number, kind, queuedAt, claimedAt]) => ({
    stream: String(stream),
    number: Number(number),
    kind: String(kind),
    queuedAt: Number(queuedAt),
    claimedAt: claimedAt === null ? null : Number(claimedAt),
  }),
  targets: (event) => (movesAnything(event.event) ? livesTouchedBy(event).map((number) => [event.stream, number]) : []),
  begins: lifeBegins,
  ends: lifeEnds,
  evolve: (row, { event, stream, metadata: { at }, revision }, _before, key) => {
    switch (event.type) {
      case 'OperationRegistered':
        return {
          stream,
          number: revision,
          kind: event.facts.kind,
          queuedAt: Math.max(at, event.facts.notBeforeAt ?? at),
          claimedAt: null,
        }
      case 'OperationStarted':
        return { ...known(row, key), claimedAt: at }
      case 'AttemptFailed':
      case 'AttemptLost':
        return { ...known(row, key), queuedAt: Math.max(at, event.facts.notBeforeAt), claimedAt: null }
      default:
        known(row, key)
        return undefined
    }
  },
}

export const RATES_TABLE: ProjectionTable<RateRow> = {
  name: 'rates',
  columns: [
    { name: 'workspace', type: 'text' },
    { name: 'grain_ms', type: 'integer' },
    { name: 'from_at', type: 'integer' },
    { name: 'kind', type: 'text' },
    ...TRANSITIONS.map((name) => ({ name, type: 'integer' }) as const),
    { name: 'queue_wait', type: 'text' },
    { name: 'run_time', type: 'text' },
  ],
  key: ['workspace', 'grain_ms', 'from_at', 'kind'],
  indexes: [],
  write: ({ workspace, kind, grainMs, fromAt, counts, queueWait, runTime }) => [
    workspace,
    grainMs,
    fromAt,
    kind,
    ...TRANSITIONS.map((name) => counts[name]),
    JSON.stringify(queueWait),
    JSON.stringify(runTime),
  ],
  read: ([workspace, grainMs, fromAt, kind, ...rest]) => ({
    workspace: String(workspace),
    kind: String(kind),
    grainMs: Number(grainMs),
    fromAt: Number(fromAt),
    counts: Object.fromEntries(TRANSITIONS.map((name, i) => [name, Number(rest[i])])) as TransitionCounts, // one for each name
    queueWait: JSON.parse(String(rest[TRANSITIONS.length])),
    runTime: JSON.parse(String(rest[TRANSITIONS.length + 1])),
  }),
  targets: (event, before) => {
    if (!movesAnything(event.event)) return []
    const moved = movedBy(event, before)
    const { workspace, metadata } = event
    const keys: RowKey[] = []
    for (const kind of moved.length === 1 ? [(moved[0] as Moved).kind] : new Set(moved.map((one) => one.kind))) {
      for (const grainMs of GRAINS_MS)
        keys.push([workspace, grainMs, Math.floor(metadata.at / grainMs) * grainMs, kind])
    }
    return keys
  },
  evolve: (row, event, before, key) => {
    const [workspace, grainMs, fromAt, kind] = key as readonly [string, number, number, string] // as `targets` gave it
    const all = movedBy(event, before)
    const moved = all.length === 1 ? all : all.filter((one) => one.kind === kind)
    const { at } = event.metadata
    const empty = { workspace, kind, grainMs, fromAt, counts: NO_TRANSITIONS }
    const { counts, queueWait, runTime } = row ?? { ...empty, queueWait: EMPTY_HISTOGRAM, runTime: EMPTY_HISTOGRAM }
    const next = { ...counts }
    for (const transition of transitionsOf(event.event)) next[transition] += moved.length
    return {
      ...empty,
      counts: next,
      queueWait:
        event.event.type === 'OperationStarted'
          ? moved.reduce((sum, { queuedAt }) => withDuration(sum, at - queuedAt), queueWait)
          : queueWait,
      runTime: endsAttempt(event.event)
        ? moved.reduce((sum, { claimedAt }) => (claimedAt === null ? sum : withDuration(sum, at - claimedAt)), runTime)
        : runTime,
    }
  },
}

export const RATES: Projection = {
  name: 'rates',
  version: 1,
  tables: [UNDERWAY, RATES_TABLE],
  unknownEvents: 'skip',
}

/** What an event counts as: an end by the reconciler is also counted as reconciled. */
function transitionsOf(event: LifecycleEvent): readonly Transition[] {
  switch (event.type) {
    case 'OperationRegistered':
      return ['registered']
    case 'OperationStarted':
      return ['started']
    case 'AttemptFailed':
      return ['attempts_failed']
    case 'AttemptLost':
      return ['attempts_lost']
    case 'OperationCompleted':
      return event.facts.reconciliation === undefined ? ['completed'] : ['completed', 'reconciled']
    case 'OperationFailed':
      return event.facts.reconciliation === undefined ? ['failed'] : ['failed', 'reconciled']
    case 'OperationCancelled':
      return event.facts.reconciliation === undefined ? ['cancelled'] : ['cancelled', 'reconciled']
    case 'OperationAborted':
      return ['aborted']
    case 'OperationRetired':
      return ['retired']
    case 'OwnerTerminated':
      return ['terminated']
    default:
      return []
  }
}

/** A registration that was rolled back was one all the same, but it is under way no more. */
function movesAnything(event: LifecycleEvent): boolean {
  return event.type === 'RegistrationRolledBack' || transitionsOf(event).length > 0
}

function endsAttempt(event: LifecycleEvent): boolean {
  return movesAnything(event) && event.type !== 'OperationRegistered' && event.type !== 'OperationStarted'
}

type Moved = Pick<Underway, 'kind' | 'queuedAt' | 'claimedAt'>

/** The operations that an event moves, as they were; a new one as it will be. */
function movedBy(event: ProjectedEvent, before: RowsBefore): readonly Moved[] {
  const { event: moving } = event
  if (moving.type === 'OperationRegistered') return [{ kind: moving.facts.kind, queuedAt: 0, claimedAt: null }]
  if (moving.type === 'RegistrationRolledBack') return []
  return livesTouchedBy(event).map((number) => {
    const key = [event.stream, number]
    return known(before.row(UNDERWAY, key), key)
  })
}

function known(row: Underway | undefined, key: RowKey): Underway {
  if (row === undefined) throw new Error(`operation #${key[1]} of ${key[0]} is not under way`)
  return row
}
