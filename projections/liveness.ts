/**
 * Read model: the operations and waits that are under way, by when they fall due. What a reconciler scans: due first, and
 * nothing that has ended. The deadline is the one that the authority computes; here it is stored and compared, never worked
 * out anew. What is asked of it stands in liveness-questions.ts.
 */
import { earliestDeadline, movesDeadlines } from '../src/authority/deadlines.ts'
import type { Operation } from '../src/authority/operation.ts'
import { lifeAfter, livesTouchedBy } from '../src/authority/operation-life.ts'
import { isTerminal } from '../src/authority/status.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import { operationOf, recordOf } from './operation-record.ts'
import type { ProjectedEvent, Projection, ProjectionTable, RowsBefore } from './projection.ts'
import { slimOperation } from './slim-operation.ts'
import { waitTables } from './waits-under-way.ts'

export interface LivenessRow {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  /** Without payloads, name and labels. */
  readonly operation: Operation
  readonly basis: Basis
}

/** The event that the deadline of an operation rests on. */
export interface Basis {
  readonly position: bigint
  /** By the clock of the node that wrote it. */
  readonly at: number
  /** How far behind the newest time before it: then the clock of its node was, too. */
  readonly behindMs: number
}

export const LIVENESS_TABLE: ProjectionTable<LivenessRow> = {
  name: 'liveness',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'number', type: 'integer' },
    { name: 'workspace', type: 'text' },
    { name: 'owner', type: 'text' },
    { name: 'kind', type: 'text' },
    { name: 'deadline_at', type: 'integer', nullable: true },
    // From here on it may be doubted: late, where its rule knows lateness.
    { name: 'suspect_at', type: 'integer', nullable: true },
    { name: 'is_raised', type: 'integer' },
    { name: 'basis_position', type: 'bigint' },
    { name: 'basis_at', type: 'integer' },
    { name: 'basis_behind_ms', type: 'integer' },
    { name: 'record', type: 'text' },
  ],
  key: ['stream', 'number'],
  indexes: [
    { name: 'due', columns: ['deadline_at', 'stream', 'number'], where: 'deadline_at IS NOT NULL' },
    { name: 'suspect', columns: ['suspect_at', 'stream', 'number'], where: 'suspect_at IS NOT NULL' },
    { name: 'raised', columns: ['stream', 'number'], where: 'is_raised = 1' },
    // Not the whole key: so rows lie in the order of their birth, where new ones go to the end and split no page.
    { name: 'by_kind', columns: ['kind'] },
  ],
  write: ({ stream, workspace, owner, operation, basis }) => {
    const deadline = earliestDeadline(operation)
    const { deadlineAt = null, lateAt = deadlineAt } = deadline ?? {}
    const { number, kind, attention } = operation
    const suspectAt = deadlineAt === null || lateAt === null ? null : Math.min(deadlineAt, lateAt)
    const isRaised = attention.some(({ raised }) => raised) ? 1 : 0
    const { position, at, behindMs } = basis
    const record = recordOf(operation)
    return [stream, number, workspace, owner, kind, deadlineAt, suspectAt, isRaised, position, at, behindMs, record]
  },
  read: ([stream, , workspace, owner, , , , , position, at, behindMs, record]) => ({
    stream: String(stream),
    workspace: String(workspace),
    owner: String(owner),
    operation: operationOf(String(record)),
    basis: { position: position as bigint, at: Number(at), behindMs: Number(behindMs) }, // a column of bigints
  }),
  targets: (recorded) => livesTouchedBy(recorded).map((number) => [recorded.stream, number]),
  begins: lifeBegins,
  ends: lifeEnds,
  evolve: (row, recorded, before, [, number]) => {
    const { event, stream, workspace, owner } = recorded
    // A late report that contradicts the truth comes after the end.
    if (row === undefined && event.type === 'ContradictionRecorded') return undefined
    const operation = lifeAfter(row?.operation, recorded, Number(number))
    if (operation === undefined || isTerminal(operation.status)) return undefined
    const isMoved = row === undefined || hasOtherDeadline(row.operation, operation)
    const basis = isMoved ? basisOf(recorded, before) : row.basis
    return { stream, workspace, owner, operation: withoutWords(operation), basis }
  },
}

/** One row: the newest time that any event bears. A clock that is far behind it judges nobody. */
export const NEWEST_TIME_TABLE: ProjectionTable<number> = {
  name: 'liveness_newest',
  columns: [
    { name: 'id', type: 'integer' },
    { name: 'newest_at', type: 'integer' },
  ],
  key: ['id'],
  indexes: [],
  write: (newestAt) => [NEWEST, newestAt],
  read: ([, newestAt]) => Number(newestAt),
  targets: () => NEWEST_KEYS,
  evolve: (newestAt = 0, { metadata }) => Math.max(newestAt, metadata.at),
}

function hasOtherDeadline(before: Operation, after: Operation): boolean {
  if (!movesDeadlines(before, after)) return false
  const [one, other] = [earliestDeadline(before), earliestDeadline(after)]
  return one?.rule !== other?.rule || one?.deadlineAt !== other?.deadlineAt
}

function basisOf({ position, metadata: { at } }: ProjectedEvent, before: RowsBefore): Basis {
  const newestAt = before.row(NEWEST_TIME_TABLE, [NEWEST]) ?? at
  return { position, at, behindMs: Math.max(0, newestAt - at) }
}

const NEWEST = 0
const NEWEST_KEYS = [[NEWEST]] as const

export const { members: WAIT_MEMBER_TABLE, waits: WAIT_TABLE } = waitTables(LIVENESS_TABLE)

export const LIVENESS: Projection = {
  name: 'liveness',
  version: 5,
  tables: [LIVENESS_TABLE, WAIT_MEMBER_TABLE, WAIT_TABLE, NEWEST_TIME_TABLE],
  unknownEvents: 'stop',
}

function withoutWords(operation: Operation): Operation {
  const { name, source, labels, ...rest } = operation
  const isWithout = name === undefined && source === undefined && labels === undefined
  return slimOperation(isWithout ? operation : rest)
}
