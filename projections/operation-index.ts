/**
 * Read model: every operation that the log knows, to be listed, filtered, counted and sorted. One row for each life (an id may
 * be used again, a number never), one for each of its labels, and a few rows of counts, so that a million operations are
 * counted without looking at each.
 *
 * The row is the operation as the authority folds it, without payloads. Its deadline is stored as the authority computes it;
 * no question has a threshold of its own.
 */
import { earliestDeadline } from '../src/authority/deadlines.ts'
import type { LifecycleEvent } from '../src/authority/events.ts'
import type { Operation } from '../src/authority/operation.ts'
import { lifeAfter, livesTouchedBy } from '../src/authority/operation-life.ts'
import { isTerminal, type PresentStatus } from '../src/authority/status.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import { operationOf, recordOf } from './operation-record.ts'
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
  readonly statusSinceAt: number
  /** Since when retention hides it, before it is deleted. */
  readonly markedAt: number | null
  readonly operation: Operation
}

/** What is hidden by retention is in no list and in no count. */
export const VISIBLE = 'marked_at IS NULL'

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
    { name: 'registered_at', type: 'integer' },
    { name: 'started_at', type: 'integer', nullable: true },
    { name: 'ended_at', type: 'integer', nullable: true },
    { name: 'last_activity_at', type: 'integer' },
    { name: 'status_since_at', type: 'integer' },
    { name: 'marked_at', type: 'integer', nullable: true },
    { name: 'record', type: 'text' },
  ],
  key: ['stream', 'number'],
  indexes: [
    { name: 'activity', columns: ['last_activity_at', 'registered_position'], where: VISIBLE },
    { name: 'status_activity', columns: ['status', 'last_activity_at', 'registered_position'], where: VISIBLE },
    {
      name: 'kind_status_activity',
      columns: ['kind', 'status', 'last_activity_at', 'registered_position'],
      where: VISIBLE,
    },
    {
      name: 'owner_activity',
      columns: ['owner', 'last_activity_at', 'registered_position'],
      where: VISIBLE,
    },
    { name: 'status_since', columns: ['status', 'status_since_at', 'registered_position'], where: VISIBLE },
    { name: 'running', columns: ['started_at', 'registered_position'], where: 'is_active = 1' },
    { name: 'deadline', columns: ['deadline_at', 'registered_position'], where: 'deadline_at IS NOT NULL' },
    // The two that facets are counted along: nothing of a row is read but what stands here.
    {
      name: 'standing',
      columns: ['is_active', 'deadline_at', 'has_policy', 'late_at', 'workspace', 'kind', 'status'],
      where: 'is_active = 1',
    },
    {
      name: 'late',
      columns: ['late_at', 'deadline_at', 'workspace', 'kind', 'status'],
      where: 'late_at IS NOT NULL',
    },
    {
      name: 'follow_up',
      columns: ['last_activity_at', 'registered_position'],
      where: `needs_follow_up = 1 AND ${VISIBLE}`,
    },
    {
      name: 'follow_up_since',
      columns: ['status', 'status_since_at', 'registered_position'],
      where: `needs_follow_up = 1 AND ${VISIBLE}`,
    },
    { name: 'contradicted', columns: ['is_active', 'deadline_at'], where: `is_contradicted = 1 AND ${VISIBLE}` },
    { name: 'registered', columns: ['registered_at'], where: VISIBLE },
    { name: 'ended', columns: ['ended_at', 'registered_position'], where: `ended_at IS NOT NULL AND ${VISIBLE}` },
    { name: 'reason', columns: ['reason_code'], where: `reason_code IS NOT NULL AND ${VISIBLE}` },
    { name: 'attempts', columns: ['attempt'], where: `attempt > 1 AND ${VISIBLE}` },
    { name: 'retry_of', columns: ['retry_of'], where: `retry_of IS NOT NULL AND ${VISIBLE}` },
    { name: 'workspace', columns: ['workspace'], where: VISIBLE },
    { name: 'id', columns: ['id', 'registered_position'] },
    { name: 'name', columns: ['name_folded', 'id'] },
    { name: 'key', columns: ['key'], where: `key IS NOT NULL AND ${VISIBLE}` },
    { name: 'marked', columns: ['marked_at'], where: 'marked_at IS NOT NULL' },
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
    lastActivityAt: Number(values[24]),
    statusSinceAt: Number(values[25]),
    markedAt: values[26] === null ? null : Number(values[26]),
    operation: operationOf(String(values[27])),
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

/** What operations are counted by. */
export interface Standing {
  readonly workspace: string
  readonly kind: string
  readonly status: PresentStatus
  /** Empty where there is none. */
  readonly reasonCode: string
  readonly isReconciled: 0 | 1
  /** Somebody should look at it after its end, or because a late report contradicts what is known. */
  readonly needsFollowUp: 0 | 1
}

export interface CountRow extends Standing {
  readonly operations: number
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
  targets: (event, before) => [...countChanges(event, before).values()].map(({ key }) => key),
  evolve: (row, event, before, key) => {
    const change = countChanges(event, before).get(key.join('\u0000'))?.change ?? 0
    return counted(row, key, change)
  },
}

export const OPERATION_INDEX: Projection = {
  name: 'operation-index',
  version: 2,
  // Labels and counts look at operations as they were before the event.
  tables: [OPERATIONS, LABELS, COUNTS],
  unknownEvents: 'skip',
}

/** Names are compared without regard to case. */
export function foldedName(name: string): string {
  return name.toLowerCase()
}

export function countKey(standing: Standing): RowKey {
  const { workspace, kind, status, reasonCode, isReconciled, needsFollowUp } = standing
  return [workspace, kind, status, reasonCode, isReconciled, needsFollowUp]
}

/** The count after so many more; none is no row. */
export function counted(row: CountRow | undefined, key: RowKey, change: number): CountRow | undefined {
  const operations = (row?.operations ?? 0) + change
  return operations === 0 ? undefined : { ...standingOfKey(key), operations }
}

export function standingOf({ workspace, operation }: Pick<IndexedOperation, 'workspace' | 'operation'>): Standing {
  const { kind, status, outcome, contradictions } = operation
  const reconciliation = outcome !== undefined && 'reconciliation' in outcome ? outcome.reconciliation : undefined
  const reasonCode = outcome?.status === 'failed' ? outcome.reasonCode : undefined
  const isReconciled = reconciliation === undefined ? 0 : 1
  const needsFollowUp = isReconciled === 1 || status === 'failed' || contradictions.length > 0 ? 1 : 0
  return {
    workspace,
    kind,
    status,
    reasonCode: reasonCode ?? reconciliation?.reasonCode ?? '',
    isReconciled,
    needsFollowUp,
  }
}

function standingOfKey(key: RowKey): Standing {
  const [workspace, kind, status, reasonCode, isReconciled, needsFollowUp] = key
  return {
    workspace: String(workspace),
    kind: String(kind),
    status: status as PresentStatus, // written from one
    reasonCode: String(reasonCode),
    isReconciled: isReconciled === 1 ? 1 : 0,
    needsFollowUp: needsFollowUp === 1 ? 1 : 0,
  }
}

function rowAfter(
  row: IndexedOperation | undefined,
  recorded: ProjectedEvent,
  number: number,
): IndexedOperation | undefined {
  const { event, metadata, stream, workspace, owner, position } = recorded
  // Said of one that retention has deleted.
  if (row === undefined && event.type === 'ContradictionRecorded') return undefined
  const life = lifeAfter(row?.operation, recorded, number)
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
    statusSinceAt: row !== undefined && row.operation.status === operation.status ? row.statusSinceAt : at,
    markedAt: row?.markedAt ?? null,
    operation,
  }
}

/** Events that leave status and follow-up as they are: by far the most. */
function keepsStanding(event: LifecycleEvent): boolean {
  switch (event.type) {
    case 'ProgressReported':
    case 'SignsOfLifeRecorded':
    case 'PhaseStarted':
    case 'PhaseCompleted':
    case 'PhaseFailed':
    case 'PeerBecameReady':
    case 'CancelRequested':
    case 'RegistrationJoined':
    case 'AttentionRaised':
    case 'AttentionCleared':
      return true
    default:
      return false
  }
}

interface CountChange {
  readonly key: RowKey
  change: number
}

const NO_CHANGES: ReadonlyMap<string, CountChange> = new Map()

/** `targets` and each `evolve` of an event ask one after the other: what was worked out last is remembered, and no more. */
let lastChanges:
  | {
      readonly event: ProjectedEvent
      /** Whose rows they follow from: the same event may be given to two builds, and again after retention has marked rows. */
      readonly before: RowsBefore
      readonly changes: ReadonlyMap<string, CountChange>
    }
  | undefined

/** How the counts change by an event. */
function countChanges(event: ProjectedEvent, before: RowsBefore): ReadonlyMap<string, CountChange> {
  if (keepsStanding(event.event)) return NO_CHANGES
  if (lastChanges?.event === event && lastChanges.before === before) return lastChanges.changes
  const changes = new Map<string, CountChange>()
  const add = (row: IndexedOperation | undefined, change: number) => {
    if (row === undefined || row.markedAt !== null) return
    const key = countKey(standingOf(row))
    const name = key.join('\u0000')
    const entry = changes.get(name)
    if (entry === undefined) changes.set(name, { key, change })
    else entry.change += change
  }
  for (const number of livesTouchedBy(event)) {
    const row = before.row(OPERATIONS, [event.stream, number])
    add(row, -1)
    add(rowAfter(row, event, number), 1)
  }
  for (const [name, { change }] of changes) if (change === 0) changes.delete(name)
  lastChanges = { event, before, changes }
  return changes
}
