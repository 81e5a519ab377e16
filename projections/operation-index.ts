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
import { livesTouchedBy } from '../src/authority/operation-life.ts'
import { isTerminal } from '../src/authority/status.ts'
import { type CountChange, countChanges } from './count-changes.ts'
import { type IndexedOperation, rowAfter } from './indexed-operation.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import { operationOf, recordOf } from './operation-record.ts'
import { type CountRow, counted, countKey, standingOf, standingOfKey } from './operation-standing.ts'
import type { ProjectedEvent, Projection, ProjectionTable, RowKey, RowsBefore } from './projection.ts'

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
  targets: (event, before) => changesOf(event, before).map(({ key }) => key),
  // The key is one of those that `targets` gave.
  evolve: (row, event, before, key) =>
    counted(row, key, changesOf(event, before).find((one) => one.key === key)?.change ?? 0),
}

function changesOf(event: ProjectedEvent, before: RowsBefore): readonly CountChange[] {
  return countChanges(event, before, (number) => before.row(OPERATIONS, [event.stream, number]))
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
