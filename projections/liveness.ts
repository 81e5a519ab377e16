/**
 * Read model: the operations that are under way, by when they fall due. What a reconciler scans: due first, and nothing that
 * has ended. The deadline is the one that the authority computes; here it is stored and compared, never worked out anew.
 */
import { earliestDeadline } from '../src/authority/deadlines.ts'
import type { Operation } from '../src/authority/operation.ts'
import { lifeAfter, livesTouchedBy } from '../src/authority/operation-life.ts'
import { isTerminal } from '../src/authority/status.ts'
import { lifeBegins, lifeEnds } from './lives.ts'
import { operationOf, recordOf } from './operation-record.ts'
import type { Projection, ProjectionTable, SqlValue } from './projection.ts'
import { QuestionError } from './question-error.ts'
import type { ReadSession } from './read-session.ts'
import { slimOperation } from './slim-operation.ts'

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
    { name: 'rule', type: 'text', nullable: true },
    { name: 'deadline_at', type: 'integer', nullable: true },
    { name: 'reconcile_at', type: 'integer', nullable: true },
    { name: 'not_before_at', type: 'integer', nullable: true },
    { name: 'is_raised', type: 'integer' },
    { name: 'is_attended', type: 'integer' },
    { name: 'record', type: 'text' },
  ],
  key: ['stream', 'number'],
  indexes: [
    { name: 'due', columns: ['reconcile_at', 'stream', 'number'], where: 'reconcile_at IS NOT NULL' },
    { name: 'unattended', columns: ['deadline_at', 'stream', 'number'], where: 'is_attended = 0' },
    { name: 'scheduled', columns: ['not_before_at'], where: 'not_before_at IS NOT NULL' },
    { name: 'raised', columns: ['stream', 'number'], where: 'is_raised = 1' },
    { name: 'by_kind', columns: ['kind'] },
  ],
  write: ({ stream, workspace, owner, operation }) => {
    const deadline = earliestDeadline(operation)
    const { number, kind, policy, notBeforeAt = null, attention } = operation
    return [
      stream,
      number,
      workspace,
      owner,
      kind,
      deadline?.rule ?? null,
      deadline?.deadlineAt ?? null,
      deadline === undefined ? null : deadline.deadlineAt + (policy?.reconcileDelayMs ?? 0),
      notBeforeAt,
      attention.some(({ raised }) => raised) ? 1 : 0,
      deadline === undefined || attention.some(({ rule }) => rule === deadline.rule) ? 1 : 0,
      recordOf(operation),
    ]
  },
  read: ([stream, , workspace, owner, , , , , , , , record]) => ({
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

export const LIVENESS: Projection = {
  name: 'liveness',
  version: 2,
  tables: [LIVENESS_TABLE],
  unknownEvents: 'stop',
}

function withoutWords(operation: Operation): Operation {
  const { name, source, labels, ...rest } = operation
  const isWithout = name === undefined && source === undefined && labels === undefined
  return slimOperation(isWithout ? operation : rest)
}

/** Which operations are meant; all of them where nothing is named. */
export interface LivenessScope {
  readonly workspaces?: readonly string[]
  readonly owners?: readonly string[]
  readonly kinds?: readonly string[]
}

const SCOPE_VALUES_MAX = 100
export const DUE_PAGE_MAX = 1_000

export interface DueQuestion {
  /** Epoch ms: those whose time to be reconciled has come by then, grace left aside. */
  readonly until: number
  readonly scope?: LivenessScope
  /** Default and most: DUE_PAGE_MAX. */
  readonly limit?: number
  /** The last one of the page before, to go on behind it. */
  readonly after?: { readonly reconcileAt: number; readonly stream: string; readonly number: number }
}

/** Due operations, longest due first. Throws QuestionError. */
export function dueAsked(session: ReadSession, question: DueQuestion): readonly LivenessRow[] {
  const { until, scope = {}, limit = DUE_PAGE_MAX, after } = question
  if (!Number.isInteger(limit) || limit < 1 || limit > DUE_PAGE_MAX) {
    throw new QuestionError('page_out_of_bounds', `a page of due operations has 1 to ${DUE_PAGE_MAX}, got ${limit}`)
  }
  const within = scopeCondition(scope)
  const behind = after === undefined ? '' : 'AND (reconcile_at, stream, number) > (?, ?, ?)'
  return session
    .all<StoredRow>(
      `SELECT stream, workspace, owner, record FROM ${session.table(LIVENESS_TABLE)}
       WHERE reconcile_at IS NOT NULL AND reconcile_at <= ? ${behind} ${within.sql}
       ORDER BY reconcile_at, stream, number LIMIT ?`,
      [
        until,
        ...(after === undefined ? [] : [after.reconcileAt, after.stream, after.number]),
        ...within.parameters,
        limit,
      ],
    )
    .map(rowOf)
}

/** When the next one falls due after a time; undefined where nothing threatens. */
export function nextDueAsked(session: ReadSession, after: number): number | undefined {
  return session.get<{ readonly at: number }>(
    `SELECT reconcile_at AS at FROM ${session.table(LIVENESS_TABLE)}
     WHERE reconcile_at IS NOT NULL AND reconcile_at > ? ORDER BY reconcile_at LIMIT 1`,
    [after],
  )?.at
}

/** Operations past their deadline by a time, of which that was not said yet in this attempt; longest overdue first. */
export function unattendedAsked(session: ReadSession, until: number, limit = DUE_PAGE_MAX): readonly LivenessRow[] {
  return session
    .all<StoredRow>(
      `SELECT stream, workspace, owner, record FROM ${session.table(LIVENESS_TABLE)}
       WHERE is_attended = 0 AND deadline_at <= ? ORDER BY deadline_at, stream, number LIMIT ?`,
      [until, limit],
    )
    .map(rowOf)
}

/** Operations under attention, page by page: each is cleared once its deadline has moved away. */
export function raisedAsked(
  session: ReadSession,
  after: { readonly stream: string; readonly number: number } = { stream: '', number: -1 },
  limit = DUE_PAGE_MAX,
): readonly LivenessRow[] {
  return session
    .all<StoredRow>(
      `SELECT stream, workspace, owner, record FROM ${session.table(LIVENESS_TABLE)}
       WHERE is_raised = 1 AND (stream, number) > (?, ?) ORDER BY stream, number LIMIT ?`,
      [after.stream, after.number, limit],
    )
    .map(rowOf)
}

/** Operations under way, by kind: what a breaker measures a pass against. */
export function activeByKindAsked(session: ReadSession): ReadonlyMap<string, number> {
  const rows = session.all<{ readonly kind: string; readonly active: number }>(
    `SELECT kind, count(*) AS active FROM ${session.table(LIVENESS_TABLE)} GROUP BY kind`,
    [],
  )
  return new Map(rows.map(({ kind, active }) => [kind, active]))
}

interface StoredRow {
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  readonly record: string
}

function rowOf({ stream, workspace, owner, record }: StoredRow): LivenessRow {
  return { stream, workspace, owner, operation: operationOf(record) }
}

function scopeCondition(scope: LivenessScope): { readonly sql: string; readonly parameters: readonly SqlValue[] } {
  const named = [
    ['workspace', scope.workspaces],
    ['owner', scope.owners],
    ['kind', scope.kinds],
  ] as const
  const parts: string[] = []
  const parameters: SqlValue[] = []
  for (const [column, values] of named) {
    if (values === undefined) continue
    if (values.length === 0 || values.length > SCOPE_VALUES_MAX) {
      throw new QuestionError(
        'scope_out_of_bounds',
        `1 to ${SCOPE_VALUES_MAX} values of ${column} may be named, got ${values.length}`,
      )
    }
    parts.push(`AND ${column} IN (${values.map(() => '?').join(', ')})`)
    parameters.push(...values)
  }
  return { sql: parts.join(' '), parameters }
}
