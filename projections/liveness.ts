/**
 * Read model: the operations and waits that are under way, by when they fall due. What a reconciler scans: due first, and
 * nothing that has ended. The deadline is the one that the authority computes; here it is stored and compared, never worked
 * out anew. What is asked of it stands in liveness-questions.ts.
 */
import { earliestDeadline } from '../src/authority/deadlines.ts'
import type { Operation } from '../src/authority/operation.ts'
import { lifeAfter, livesTouchedBy } from '../src/authority/operation-life.ts'
import { isTerminal } from '../src/authority/status.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import { operationOf, recordOf } from './operation-record.ts'
import type { Projection, ProjectionTable } from './projection.ts'
import { slimOperation } from './slim-operation.ts'
import { waitTables } from './waits-under-way.ts'

export interface LivenessRow {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  /** Without payloads, name and labels. */
  readonly operation: Operation
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
    { name: 'record', type: 'text' },
  ],
  key: ['stream', 'number'],
  indexes: [
    { name: 'due', columns: ['deadline_at', 'stream', 'number'], where: 'deadline_at IS NOT NULL' },
    { name: 'suspect', columns: ['suspect_at', 'stream', 'number'], where: 'suspect_at IS NOT NULL' },
    { name: 'raised', columns: ['stream', 'number'], where: 'is_raised = 1' },
    { name: 'by_kind', columns: ['kind', 'stream', 'number'] },
  ],
  write: ({ stream, workspace, owner, operation }) => {
    const deadline = earliestDeadline(operation)
    const { deadlineAt = null, lateAt = deadlineAt } = deadline ?? {}
    const { number, kind, attention } = operation
    const suspectAt = deadlineAt === null || lateAt === null ? null : Math.min(deadlineAt, lateAt)
    const isRaised = attention.some(({ raised }) => raised) ? 1 : 0
    return [stream, number, workspace, owner, kind, deadlineAt, suspectAt, isRaised, recordOf(operation)]
  },
  read: ([stream, , workspace, owner, , , , , record]) => ({
    stream: String(stream),
    workspace: String(workspace),
    owner: String(owner),
    operation: operationOf(String(record)),
  }),
  targets: (recorded) => livesTouchedBy(recorded).map((number) => [recorded.stream, number]),
  begins: lifeBegins,
  ends: lifeEnds,
  evolve: (row, recorded, _before, [, number]) => {
    const { event, stream, workspace, owner } = recorded
    // A late report that contradicts the truth comes after the end.
    if (row === undefined && event.type === 'ContradictionRecorded') return undefined
    const operation = lifeAfter(row?.operation, recorded, Number(number))
    if (operation === undefined || isTerminal(operation.status)) return undefined
    return { stream, workspace, owner, operation: withoutWords(operation) }
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

const NEWEST = 0
const NEWEST_KEYS = [[NEWEST]] as const

export const { members: WAIT_MEMBER_TABLE, waits: WAIT_TABLE } = waitTables(LIVENESS_TABLE)

export const LIVENESS: Projection = {
  name: 'liveness',
  version: 3,
  tables: [LIVENESS_TABLE, WAIT_MEMBER_TABLE, WAIT_TABLE, NEWEST_TIME_TABLE],
  unknownEvents: 'stop',
}

function withoutWords(operation: Operation): Operation {
  const { name, source, labels, ...rest } = operation
  const isWithout = name === undefined && source === undefined && labels === undefined
  return slimOperation(isWithout ? operation : rest)
}
