/**
 * Read model: every operation that the log knows, to be listed, filtered, counted and sorted. One row for each life (an id may
 * be used again, a number never), one for each of its labels, and a few rows of counts, so that a million operations are
 * counted without looking at each.
 *
 * The row is the operation as the authority folds it, without payloads. Its deadline is stored as the authority computes it;
 * no question has a threshold of its own.
 */
import { earliestDeadline } from '../src/authority/deadlines.ts'
import { heartbeatMs, silentSinceAt } from '../src/authority/grace.ts'
import type { Operation } from '../src/authority/operation.ts'
import { lifeAfter, livesTouchedBy } from '../src/authority/operation-life.ts'
import { isTerminal } from '../src/authority/status.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import { operationOf, recordOf } from './operation-record.ts'
import {
  type CountRow,
  counted,
  countKey,
  isSameStanding,
  keepsStanding,
  type Standing,
  standingOf,
  standingOfKey,
} from './operation-standing.ts'
import type { ProjectedEvent, Projection, ProjectionTable, RowKey, RowsBefore } from './projection.ts'
import { slimOperation } from './slim-operation.ts'

export interface IndexedOperation {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  /** Of its registration: the same in every build, so pages break ties by it. */
  readonly registeredPosition: bigint
  readonly lastPosition: bigint
  /** Stored time of its last event, signs of life left aside; never before the one before. */
  readonly lastActivityAt: number
  /** Of what has ended: the time of its end. */
  readonly statusSinceAt: number
  /** Since when retention hides it, before it is deleted. */
  readonly markedAt: number | null
  readonly operation: Operation
}

/** What is hidden by retention is in no list and in no count. */
export const VISIBLE = 'marked_at IS NULL'

const NAMED = ['kind', 'owner', 'workspace']
const FACTS = ['status', ...NAMED, 'reason_code', 'is_reconciled', 'needs_follow_up']
const factsBut = (first: string) => FACTS.filter((column) => column !== first)
const GRACE = ['silent_since_at', 'heartbeat_ms']

export const OPERATIONS: ProjectionTable<IndexedOperation> = {
  name: 'operations',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
    { name: 'registered_position', type: 'bigint' },
    { name: 'last_position', type: 'bigint' },
    { name: 'workspace', type: 'text' },
    { name: 'owner', type: 'text' },
    { name: 'id', type: 'text' },
    { name: 'name_folded', type: 'text' },
    { name: 'kind', type: 'text' },
    { name: 'status', type: 'text' },
    { name: 'is_active', type: 'integer' },
    { name: 'key', type: 'text', nullable: true },
    { name: 'attempt', type: 'integer' },
    { name: 'retry_of', type: 'text', nullable: true },
    { name: 'reason_code', type: 'text', nullable: true },
    { name: 'is_reconciled', type: 'integer' },
    { name: 'is_contradicted', type: 'integer' },
    { name: 'needs_follow_up', type: 'integer' },
    { name: 'has_policy', type: 'integer' },
    { name: 'deadline_at', type: 'integer', nullable: true },
    { name: 'late_at', type: 'integer', nullable: true },
    // What the grace of the deadline follows from.
    { name: 'silent_since_at', type: 'integer', nullable: true },
    { name: 'heartbeat_ms', type: 'integer', nullable: true },
    { name: 'registered_at', type: 'integer' },
    { name: 'started_at', type: 'integer', nullable: true },
    { name: 'ended_at', type: 'integer', nullable: true },
    { name: 'last_activity_at', type: 'integer' },
    { name: 'status_since_at', type: 'integer' },
    { name: 'marked_at', type: 'integer', nullable: true },
    { name: 'record', type: 'text' },
  ],
  key: ['stream', 'number'],
  // Questions walk them without looking at rows: what filters ask for most stands in each, and moves only when the row's place
  // in the index moves anyway. Signs of life move `standing` and `late` alone.
  indexes: [
    {
      name: 'activity',
      columns: ['last_activity_at', 'registered_position', 'status_since_at', ...FACTS],
      where: VISIBLE,
    },
    {
      name: 'kind',
      columns: ['kind', 'last_activity_at', 'registered_position', 'status_since_at', ...factsBut('kind')],
      where: VISIBLE,
    },
    {
      name: 'owner',
      columns: ['owner', 'last_activity_at', 'registered_position', 'status_since_at', ...factsBut('owner')],
      where: VISIBLE,
    },
    {
      name: 'status',
      columns: ['status', 'status_since_at', 'registered_position', 'last_activity_at', ...factsBut('status')],
      where: VISIBLE,
    },
    {
      name: 'running',
      columns: ['started_at', 'registered_position', 'status', ...NAMED],
      where: 'is_active = 1',
      isOfFew: true,
    },
    {
      name: 'standing',
      columns: [
        'deadline_at',
        'registered_position',
        'has_policy',
        'late_at',
        ...GRACE,
        'needs_follow_up',
        'status',
        ...NAMED,
      ],
      where: 'is_active = 1',
      isOfFew: true,
    },
    {
      name: 'late',
      columns: ['late_at', 'deadline_at', ...GRACE, 'status', ...NAMED],
      where: 'late_at IS NOT NULL',
      isOfFew: true,
    },
    {
      name: 'follow_up',
      columns: ['last_activity_at', 'registered_position', 'status_since_at', ...FACTS],
      where: `needs_follow_up = 1 AND ${VISIBLE}`,
      isOfFew: true,
    },
    {
      name: 'follow_up_status',
      columns: ['status', 'status_since_at', 'registered_position', ...factsBut('status')],
      where: `needs_follow_up = 1 AND ${VISIBLE}`,
      isOfFew: true,
    },
    {
      name: 'contradicted',
      columns: ['is_active', 'deadline_at'],
      where: `is_contradicted = 1 AND ${VISIBLE}`,
      isOfFew: true,
    },
    // Days of registration lie all over the order of any sort: all of one are read, without their rows.
    {
      name: 'registered',
      columns: ['registered_at', 'registered_position', 'last_activity_at', 'status_since_at', ...FACTS],
      where: VISIBLE,
    },
    // Retention's alone: for questions, whoever has ended is in the index of the statuses since that very time.
    { name: 'ended', columns: ['ended_at', 'registered_position'], where: `ended_at IS NOT NULL AND ${VISIBLE}` },
    { name: 'reason', columns: ['reason_code'], where: `reason_code IS NOT NULL AND ${VISIBLE}`, isOfFew: true },
    { name: 'attempts', columns: ['attempt'], where: `attempt > 1 AND ${VISIBLE}`, isOfFew: true },
    { name: 'retry_of', columns: ['retry_of'], where: `retry_of IS NOT NULL AND ${VISIBLE}`, isOfFew: true },
    { name: 'workspace', columns: ['workspace'], where: VISIBLE },
    { name: 'id', columns: ['id', 'registered_position'] },
    { name: 'name', columns: ['name_folded', 'id'] },
    { name: 'key', columns: ['key'], where: `key IS NOT NULL AND ${VISIBLE}` },
    { name: 'marked', columns: ['marked_at'], where: 'marked_at IS NOT NULL', isOfFew: true },
  ],
  write: (row) => {
    const { operation } = row
    const { number, id, kind, name, status, key = null, attempt, retryOf, policy, contradictions } = operation
    const { registeredAt, startedAt = null, completedAt = null } = operation
    const standing = standingOf(row)
    const deadline = earliestDeadline(operation)
    return [
      row.stream,
      number,
      row.registeredPosition,
      row.lastPosition,
      row.workspace,
      row.owner,
      id,
      foldedName(name ?? kind),
      kind,
      status,
      isTerminal(status) ? 0 : 1,
      key,
      attempt,
      retryOf?.id ?? null,
      standing.reasonCode === '' ? null : standing.reasonCode,
      standing.isReconciled,
      contradictions.length > 0 ? 1 : 0,
      standing.needsFollowUp,
      policy === null ? 0 : 1,
      deadline?.deadlineAt ?? null,
      deadline?.lateAt ?? null,
      deadline === undefined ? null : silentSinceAt(deadline, policy),
      deadline === undefined ? null : heartbeatMs(policy),
      registeredAt,
      startedAt,
      completedAt,
      row.lastActivityAt,
      row.statusSinceAt,
      row.markedAt,
      recordOf(operation),
    ]
  },
  read: (values) => ({
    stream: String(values[0]),
    workspace: String(values[4]),
    owner: String(values[5]),
    registeredPosition: values[2] as bigint, // its column is one of bigints, as is the next
    lastPosition: values[3] as bigint,
    lastActivityAt: Number(values[26]),
    statusSinceAt: Number(values[27]),
    markedAt: values[28] === null ? null : Number(values[28]),
    operation: operationOf(String(values[29])),
  }),
  targets: (event) => livesTouchedBy(event).map((number) => [event.stream, number]),
  begins: lifeBegins,
  ends: lifeEnds,
  evolve: (row, event, _before, [, number]) => rowAfter(row, event, Number(number)),
}

export interface LabelRow {
  readonly label: string
  readonly value: string
  readonly stream: string
  readonly number: number
}

/** Labels are given at registration and stay. */
export const LABELS: ProjectionTable<LabelRow> = {
  name: 'operation-labels',
  columns: [
    { name: 'label', type: 'text' },
    { name: 'value', type: 'text' },
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
  ],
  key: ['label', 'value', 'stream', 'number'],
  indexes: [],
  write: ({ label, value, stream, number }) => [label, value, stream, number],
  read: ([label, value, stream, number]) => ({
    label: String(label),
    value: String(value),
    stream: String(stream),
    number: Number(number),
  }),
  targets: ({ event, stream, revision }, before) => {
    if (event.type === 'OperationRegistered') return labelKeys(stream, revision, event.content.labels)
    if (event.type !== 'RegistrationRolledBack') return []
    const { number } = event.facts
    return labelKeys(stream, number, before.row(OPERATIONS, [stream, number])?.operation.labels)
  },
  begins: lifeBegins,
  ends: lifeEnds,
  evolve: (_row, { event }, _before, key) => {
    const [label, value, stream, number] = key as readonly [string, string, string, number] // as `targets` gave it
    return event.type === 'OperationRegistered' ? { label, value, stream, number } : undefined
  },
}

export function labelKeys(
  stream: string,
  number: number,
  labels: Readonly<Record<string, string>> | undefined,
): readonly RowKey[] {
  return Object.entries(labels ?? {}).map(([label, value]) => [label, value, stream, number])
}

export const COUNTS: ProjectionTable<CountRow> = {
  name: 'operation-counts',
  columns: [
    { name: 'workspace', type: 'text' },
    { name: 'kind', type: 'text' },
    { name: 'status', type: 'text' },
    { name: 'reason_code', type: 'text' },
    { name: 'is_reconciled', type: 'integer' },
    { name: 'needs_follow_up', type: 'integer' },
    { name: 'operations', type: 'integer' },
  ],
  key: ['workspace', 'kind', 'status', 'reason_code', 'is_reconciled', 'needs_follow_up'],
  indexes: [],
  write: (row) => [...countKey(row), row.operations],
  read: (values) => ({ ...standingOfKey(values as RowKey), operations: Number(values[6]) }),
  targets: (event, before) => countChanges(event, before).map(({ key }) => key),
  // The key is one of those that `targets` gave.
  evolve: (row, event, before, key) =>
    counted(row, key, countChanges(event, before).find((one) => one.key === key)?.change ?? 0),
}

export const OPERATION_INDEX: Projection = {
  name: 'operation-index',
  version: 3,
  // Labels and counts look at operations as they were before the event.
  tables: [OPERATIONS, LABELS, COUNTS],
  unknownEvents: 'skip',
}

/** Names are compared without regard to case. */
export function foldedName(name: string): string {
  return name.toLowerCase()
}

/** Counts ask for the row that was just made: what was worked out last is remembered, and no more. */
let lastRow:
  | {
      readonly before: IndexedOperation | undefined
      readonly recorded: ProjectedEvent
      readonly number: number
      readonly after: IndexedOperation | undefined
    }
  | undefined

function rowAfter(
  row: IndexedOperation | undefined,
  recorded: ProjectedEvent,
  number: number,
): IndexedOperation | undefined {
  if (lastRow?.recorded === recorded && lastRow.number === number && lastRow.before === row) return lastRow.after
  const after = evolved(row, recorded, number)
  lastRow = { before: row, recorded, number, after }
  return after
}

function evolved(
  row: IndexedOperation | undefined,
  recorded: ProjectedEvent,
  number: number,
): IndexedOperation | undefined {
  const { event, metadata, stream, workspace, owner, position } = recorded
  // Said of one that retention has deleted.
  if (row === undefined && event.type === 'ContradictionRecorded') return undefined
  const life = lifeAfter(row?.operation, withoutInput(recorded), number)
  if (life === undefined) return undefined
  const operation = slimOperation(life)
  const isSign = event.type === 'SignsOfLifeRecorded'
  const at = Math.max(metadata.at, row?.lastActivityAt ?? 0)
  return {
    stream,
    workspace,
    owner,
    registeredPosition: row?.registeredPosition ?? position,
    lastPosition: position,
    lastActivityAt: isSign && row !== undefined ? row.lastActivityAt : at,
    statusSinceAt: row?.operation.status === operation.status ? row.statusSinceAt : (operation.completedAt ?? at),
    markedAt: row?.markedAt ?? null,
    operation,
  }
}

/** No row has it, and it is cheaper left out of what tells it than of all that is made of that. */
function withoutInput(recorded: ProjectedEvent): ProjectedEvent {
  const { event } = recorded
  if (event.type !== 'OperationRegistered' || event.content.input === undefined) return recorded
  const { input: _input, ...content } = event.content
  return { ...recorded, event: { ...event, content } }
}

interface CountChange {
  readonly key: RowKey
  change: number
}

const NO_CHANGES: readonly CountChange[] = []

/** `targets` and each `evolve` of an event ask one after the other: what was worked out last is remembered, and no more. */
let lastChanges:
  | {
      readonly event: ProjectedEvent
      /** Whose rows they follow from: the same event may be given to two builds, and again after retention has marked rows. */
      readonly before: RowsBefore
      readonly changes: readonly CountChange[]
    }
  | undefined

/** How the counts change by an event. */
function countChanges(event: ProjectedEvent, before: RowsBefore): readonly CountChange[] {
  if (keepsStanding(event.event)) return NO_CHANGES
  if (lastChanges?.event === event && lastChanges.before === before) return lastChanges.changes
  const numbers = livesTouchedBy(event)
  const [first] = numbers
  const changes =
    numbers.length === 1 ? changesOfOne(event, first as number, before) : changesOfMany(event, numbers, before)
  lastChanges = { event, before, changes }
  return changes
}

function changesOfOne(event: ProjectedEvent, number: number, before: RowsBefore): readonly CountChange[] {
  const row = before.row(OPERATIONS, [event.stream, number])
  const was = countedStanding(row)
  const is = countedStanding(rowAfter(row, event, number))
  if (was !== undefined && is !== undefined && isSameStanding(was, is)) return NO_CHANGES
  const changes: CountChange[] = []
  if (was !== undefined) changes.push({ key: countKey(was), change: -1 })
  if (is !== undefined) changes.push({ key: countKey(is), change: 1 })
  return changes
}

function changesOfMany(event: ProjectedEvent, numbers: readonly number[], before: RowsBefore): readonly CountChange[] {
  const changes = new Map<string, CountChange>()
  const add = (standing: Standing | undefined, change: number) => {
    if (standing === undefined) return
    const key = countKey(standing)
    const name = key.join('\u0000')
    const entry = changes.get(name)
    if (entry === undefined) changes.set(name, { key, change })
    else entry.change += change
  }
  for (const number of numbers) {
    const row = before.row(OPERATIONS, [event.stream, number])
    add(countedStanding(row), -1)
    add(countedStanding(rowAfter(row, event, number)), 1)
  }
  return [...changes.values()].filter(({ change }) => change !== 0)
}

/** Undefined for what is in no count. */
function countedStanding(row: IndexedOperation | undefined): Standing | undefined {
  return row === undefined || row.markedAt !== null ? undefined : standingOf(row)
}
