/**
 * What the summary of a registry needs beside its own row: which of its operations are under way, in which waits, and how many
 * members each wait still misses. From the two follows what an event ends.
 */
import type { WaitMode } from '../src/authority/events.ts'
import { livesTouchedBy } from '../src/authority/operation-life.ts'
import { outcomeIn } from '../src/authority/terminal-facts.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import type { ProjectedEvent, ProjectionTable, RowKey, RowsBefore } from './projection.ts'

/** An operation under way: what its end will mean for its registry. */
interface Underway {
  readonly stream: string
  readonly number: number
  /** Kept whole after its end, for as long as there is room. */
  readonly isRetained: boolean
  /** Waits that it was made a member of; one of another revision is another wait under the same id. */
  readonly waits: readonly { readonly waitId: string; readonly revision: number }[]
}

export const UNDERWAY: ProjectionTable<Underway> = {
  name: 'registry-underway',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
    { name: 'is_retained', type: 'integer' },
    { name: 'waits', type: 'text' },
  ],
  key: ['stream', 'number'],
  indexes: [],
  write: ({ stream, number, isRetained, waits }) => [stream, number, isRetained ? 1 : 0, JSON.stringify(waits)],
  read: ([stream, number, isRetained, waits]) => ({
    stream: String(stream),
    number: Number(number),
    isRetained: isRetained === 1,
    waits: JSON.parse(String(waits)),
  }),
  targets: (recorded, before) => {
    const { event, stream, revision } = recorded
    if (event.type === 'OperationRegistered') return [[stream, revision]]
    if (event.type === 'RegistrationRolledBack') return [[stream, event.facts.number]]
    return event.type === 'WaitBegan'
      ? missingKeys(recorded, event.facts.numbers, before)
      : endedIn(recorded).map((number) => [stream, number])
  },
  begins: lifeBegins,
  ends: lifeEnds,
  evolve: (row, { event, stream, revision }, before, key) => {
    if (event.type === 'OperationRegistered') {
      return { stream, number: revision, isRetained: event.facts.kindFacts.retention === 'retain', waits: [] }
    }
    const known = underway(row, key)
    if (event.type !== 'WaitBegan') return undefined
    const active = known.waits.filter((one) => isStillWaiting(one, stream, before))
    return { ...known, waits: [...active, { waitId: event.facts.waitId, revision }] }
  },
}

export interface WaitRow {
  readonly stream: string
  readonly waitId: string
  readonly revision: number
  readonly mode: WaitMode
  readonly members: number
  /** Members that have not ended. */
  readonly missing: number
  readonly runId: string | null
  readonly beganAt: number
  readonly deadlineAt: number
}

export const WAITS_TABLE: ProjectionTable<WaitRow> = {
  name: 'registry-waits',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'wait_id', type: 'text' },
    { name: 'revision', type: 'integer' },
    { name: 'mode', type: 'text' },
    { name: 'members', type: 'integer' },
    { name: 'missing', type: 'integer' },
    { name: 'run_id', type: 'text', nullable: true },
    { name: 'began_at', type: 'integer' },
    { name: 'deadline_at', type: 'integer' },
  ],
  key: ['stream', 'wait_id'],
  indexes: [{ name: 'began', columns: ['stream', 'revision'] }],
  write: ({ stream, waitId, revision, mode, members, missing, runId, beganAt, deadlineAt }) => [
    stream,
    waitId,
    revision,
    mode,
    members,
    missing,
    runId,
    beganAt,
    deadlineAt,
  ],
  read: ([stream, waitId, revision, mode, members, missing, runId, beganAt, deadlineAt]) => ({
    stream: String(stream),
    waitId: String(waitId),
    revision: Number(revision),
    mode: mode === 'any' ? 'any' : 'all',
    members: Number(members),
    missing: Number(missing),
    runId: runId === null ? null : String(runId),
    beganAt: Number(beganAt),
    deadlineAt: Number(deadlineAt),
  }),
  targets: (recorded, before) => {
    const { event, stream } = recorded
    if (event.type === 'WaitBegan' || event.type === 'WaitExpired' || event.type === 'WaitCancelled')
      return [[stream, event.facts.waitId]]
    return [...endingOf(recorded, before).reached.keys()].map((waitId) => [stream, waitId])
  },
  evolve: (row, recorded, before, [, waitId]) => {
    const { event, stream, metadata, revision } = recorded
    if (event.type === 'WaitBegan') {
      if (row !== undefined) throw new Error(`the wait ${waitId} of ${stream} is active already`)
      const { mode, numbers, runId = null, deadlineAt, waitId: began } = event.facts
      const missing = missingKeys(recorded, numbers, before).length
      const members = numbers.length
      return { stream, waitId: began, revision, mode, members, missing, runId, beganAt: metadata.at, deadlineAt }
    }
    if (row === undefined) throw new Error(`the wait ${waitId} of ${stream} is not active`)
    const reached = endingOf(recorded, before).reached.get(row.waitId)
    return reached === undefined || isOver(row, reached) ? undefined : { ...row, missing: row.missing - reached }
  },
}

/** What an event ends in its registry. */
interface Ending {
  readonly ended: number
  /** Of those that ended: how many are kept whole. */
  readonly retained: number
  /** How many members each wait has reached by it. */
  readonly reached: ReadonlyMap<string, number>
  readonly waitsEnded: number
}

const NOTHING_ENDS: Ending = { ended: 0, retained: 0, reached: new Map(), waitsEnded: 0 }

/** An event may end ten thousand operations: it is looked at once for all rows that it touches. */
const endings = new WeakMap<ProjectedEvent, { readonly before: RowsBefore; readonly ending: Ending }>()

export function endingOf(recorded: ProjectedEvent, before: RowsBefore): Ending {
  const numbers = endedIn(recorded)
  if (numbers.length === 0) return NOTHING_ENDS
  const known = endings.get(recorded)
  if (known?.before === before) return known.ending
  const { stream } = recorded
  const reached = new Map<string, number>()
  let retained = 0
  for (const number of numbers) {
    const key = [stream, number]
    const { isRetained, waits } = underway(before.row(UNDERWAY, key), key)
    if (isRetained) retained++
    for (const wait of waits) {
      if (isStillWaiting(wait, stream, before)) reached.set(wait.waitId, (reached.get(wait.waitId) ?? 0) + 1)
    }
  }
  const over = [...reached].filter(([waitId, count]) => {
    const wait = before.row(WAITS_TABLE, [stream, waitId])
    return wait !== undefined && isOver(wait, count)
  })
  const ending = { ended: numbers.length, retained, reached, waitsEnded: over.length }
  endings.set(recorded, { before, ending })
  return ending
}

/** Numbers of the operations that an event ends. */
function endedIn({ event, metadata, revision }: ProjectedEvent): readonly number[] {
  return outcomeIn(event) === undefined ? [] : livesTouchedBy({ event, metadata, revision })
}

function isOver({ mode, missing }: WaitRow, reached: number): boolean {
  return mode === 'any' || missing === reached
}

function isStillWaiting({ waitId, revision }: Underway['waits'][number], stream: string, before: RowsBefore): boolean {
  return before.row(WAITS_TABLE, [stream, waitId])?.revision === revision
}

/** Of the members that a wait begins with, those that have not ended. */
function missingKeys({ stream }: ProjectedEvent, numbers: readonly number[], before: RowsBefore): readonly RowKey[] {
  return numbers.map((number) => [stream, number]).filter((key) => before.row(UNDERWAY, key) !== undefined)
}

function underway(row: Underway | undefined, key: RowKey): Underway {
  if (row === undefined) throw new Error(`operation #${key[1]} of ${key[0]} is not under way`)
  return row
}
