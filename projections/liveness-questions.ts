/** What the reconciler asks of the read model `liveness`: each question bounded, and answered from an index. */
import { type Deadline, earliestDeadline } from '../src/authority/deadlines.ts'
import type { Policy } from '../src/authority/lifecycle-policy.ts'
import type { Operation } from '../src/authority/operation.ts'
import type { ActiveStatus } from '../src/authority/status.ts'
import { type Basis, LIVENESS_TABLE, NEWEST_TIME_TABLE, WAIT_TABLE } from './liveness.ts'
import { operationOf } from './operation-record.ts'
import type { SqlValue } from './projection.ts'
import { QuestionError } from './question-error.ts'
import type { ReadSession } from './read-session.ts'

/** An active operation with what its facts say of its earliest deadline. */
export interface ThreatenedOperation {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  readonly id: string
  readonly number: number
  readonly kind: string
  readonly status: ActiveStatus
  readonly attempt: number
  readonly policy: Policy | null
  readonly deadline: Deadline
  readonly lastRevision: number
  readonly lastSignAt?: number
  readonly isCancelRequested: boolean
  readonly attention: Operation['attention']
  readonly basis: Basis
}

/** A wait that nobody ended although its deadline has passed. */
export interface OverdueWait {
  readonly workspace: string
  readonly owner: string
  readonly waitId: string
  readonly deadlineAt: number
}

/** Whom a question is about; what is not named is not restricted, and an empty list names nobody. */
export interface LivenessScope {
  readonly kinds?: readonly string[] | undefined
  readonly owners?: readonly string[] | undefined
  readonly workspaces?: readonly string[] | undefined
}

/** The end of a page, to go on behind it. */
export interface PageEnd {
  readonly at: number
  readonly stream: string
  readonly number: number
}

/** By name: they are asked on another thread. */
export interface LivenessQuestions {
  readonly dueAsked: typeof dueAsked
  readonly lateAsked: typeof lateAsked
  readonly recoveredAsked: typeof recoveredAsked
  readonly earliestDueAsked: typeof earliestDueAsked
  readonly activeByKindAsked: typeof activeByKindAsked
  readonly overdueWaitsAsked: typeof overdueWaitsAsked
  readonly newestTimeAsked: typeof newestTimeAsked
}

/** As many as the API lets anybody name. */
const SCOPE_VALUES_MAX = 1_000
export const DUE_PAGE_MAX = 1_000

/** Operations whose deadline has passed by a time, grace left aside; longest overdue first. Throws QuestionError. */
export function dueAsked(
  session: ReadSession,
  until: number,
  scope: LivenessScope = {},
  limit = DUE_PAGE_MAX,
  after?: PageEnd,
): readonly ThreatenedOperation[] {
  return asked(session, 'deadline_at', 'deadline_at <= ?', [until], scope, limit, after)
}

/** Operations that are late by a time, and not due by then: in doubt, and no more. Longest late first. */
export function lateAsked(
  session: ReadSession,
  until: number,
  scope: LivenessScope = {},
  limit = DUE_PAGE_MAX,
  after?: PageEnd,
): readonly ThreatenedOperation[] {
  const condition = 'suspect_at <= ? AND deadline_at > ?'
  return asked(session, 'suspect_at', condition, [until, until], scope, limit, after)
}

/** Operations under attention though their deadline is ahead at a time. */
export function recoveredAsked(
  session: ReadSession,
  at: number,
  scope: LivenessScope = {},
  limit = DUE_PAGE_MAX,
  after: Omit<PageEnd, 'at'> = BEFORE_ALL,
): readonly ThreatenedOperation[] {
  assertPage(limit)
  if (isOfNobody(scope)) return []
  const within = scopeCondition(scope, ['workspace', 'owner', 'kind'])
  const table = session.table(LIVENESS_TABLE)
  return session
    .all<StoredRow>(
      `SELECT ${COLUMNS} FROM ${table} INDEXED BY ${session.index(LIVENESS_TABLE, 'raised')}
       WHERE is_raised = 1 AND deadline_at > ? AND (stream, number) > (?, ?) ${within.sql}
       ORDER BY stream, number LIMIT ?`,
      [at, after.stream, after.number, ...within.parameters, limit],
    )
    .flatMap(threatened)
}

const BEFORE_ALL = { stream: '', number: -1 }

/** The first deadline behind a time, of operations and waits; undefined where nothing threatens. */
export function earliestDueAsked(session: ReadSession, after: number): number | undefined {
  const first = (table: string) =>
    session.get<{ readonly at: number }>(
      `SELECT deadline_at AS at FROM ${table} WHERE deadline_at > ? ORDER BY deadline_at LIMIT 1`,
      [after],
    )?.at ?? Number.POSITIVE_INFINITY
  const earliest = Math.min(first(session.table(LIVENESS_TABLE)), first(session.table(WAIT_TABLE)))
  return earliest === Number.POSITIVE_INFINITY ? undefined : earliest
}

/** Operations under way, by kind: what a breaker measures a pass against. */
export function activeByKindAsked(session: ReadSession): ReadonlyMap<string, number> {
  const rows = session.all<{ readonly kind: string; readonly active: number }>(
    `SELECT kind, count(*) AS active FROM ${session.table(LIVENESS_TABLE)} GROUP BY kind`,
    [],
  )
  return new Map(rows.map(({ kind, active }) => [kind, active]))
}

/** Longest overdue first. A wait has no kind: it lies in no scope that names kinds. */
export function overdueWaitsAsked(
  session: ReadSession,
  until: number,
  { kinds, ...scope }: LivenessScope = {},
  limit = DUE_PAGE_MAX,
): readonly OverdueWait[] {
  assertPage(limit)
  if (kinds !== undefined || isOfNobody(scope)) return []
  const within = scopeCondition(scope, ['workspace', 'owner'])
  return session.all<OverdueWait>(
    `SELECT workspace, owner, wait_id AS waitId, deadline_at AS deadlineAt FROM ${session.table(WAIT_TABLE)}
     WHERE deadline_at <= ? ${within.sql} ORDER BY deadline_at LIMIT ?`,
    [until, ...within.parameters, limit],
  )
}

/** The newest time that any event bears; 0 in a log without events. */
export function newestTimeAsked(session: ReadSession): number {
  const sql = `SELECT newest_at AS at FROM ${session.table(NEWEST_TIME_TABLE)}`
  return session.get<{ readonly at: number }>(sql, [])?.at ?? 0
}

function asked(
  session: ReadSession,
  column: 'deadline_at' | 'suspect_at',
  condition: string,
  values: readonly SqlValue[],
  scope: LivenessScope,
  limit: number,
  after: PageEnd | undefined,
): readonly ThreatenedOperation[] {
  assertPage(limit)
  if (isOfNobody(scope)) return []
  const within = scopeCondition(scope, ['workspace', 'owner', 'kind'])
  const behind = after === undefined ? '' : `AND (${column}, stream, number) > (?, ?, ?)`
  return session
    .all<StoredRow>(
      `SELECT ${COLUMNS} FROM ${session.table(LIVENESS_TABLE)}
       WHERE ${column} IS NOT NULL AND ${condition} ${behind} ${within.sql}
       ORDER BY ${column}, stream, number LIMIT ?`,
      [...values, ...(after === undefined ? [] : [after.at, after.stream, after.number]), ...within.parameters, limit],
    )
    .flatMap(threatened)
}

const COLUMNS =
  'stream, workspace, owner, record, CAST(basis_position AS TEXT) AS position, basis_at AS at, basis_behind_ms AS behindMs'

interface StoredRow {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  readonly record: string
  readonly position: string
  readonly at: number
  readonly behindMs: number
}

function threatened(row: StoredRow): readonly ThreatenedOperation[] {
  const { stream, workspace, owner, record, position, at, behindMs } = row
  const operation = operationOf(record)
  const deadline = earliestDeadline(operation)
  if (deadline === undefined) return []
  const { id, number, kind, status, attempt, policy, lastRevision, lastSignAt, cancel, attention } = operation
  return [
    {
      stream,
      workspace,
      owner,
      id,
      number,
      kind,
      // Rows are of active operations only.
      status: status as ActiveStatus,
      attempt,
      policy,
      deadline,
      lastRevision,
      ...(lastSignAt === undefined ? {} : { lastSignAt }),
      isCancelRequested: cancel !== undefined,
      attention,
      basis: { position: BigInt(position), at, behindMs },
    },
  ]
}

function assertPage(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= DUE_PAGE_MAX) return
  throw new QuestionError('page_out_of_bounds', `a page has 1 to ${DUE_PAGE_MAX} rows, got ${limit}`)
}

/** For a list without values SQLite has no way along an index that it is told to go along. */
function isOfNobody({ kinds, owners, workspaces }: LivenessScope): boolean {
  return [kinds, owners, workspaces].some((names) => names?.length === 0)
}

function scopeCondition(
  scope: LivenessScope,
  columns: readonly ('workspace' | 'owner' | 'kind')[],
): { readonly sql: string; readonly parameters: readonly SqlValue[] } {
  const parts: string[] = []
  const parameters: SqlValue[] = []
  for (const column of columns) {
    const values = scope[`${column}s`]
    if (values === undefined) continue
    if (values.length > SCOPE_VALUES_MAX) {
      throw new QuestionError(
        'scope_out_of_bounds',
        `at most ${SCOPE_VALUES_MAX} values of ${column} may be named, got ${values.length}`,
      )
    }
    parts.push(`AND ${column} IN (${values.map(() => '?').join(', ')})`)
    parameters.push(...values)
  }
  return { sql: parts.join(' '), parameters }
}
