/** The counts that the index keeps, and what they answer without looking at a single operation. */
import { COUNT_MAX, type Count } from '../src/authority/monitoring.ts'
import type { OperationFilter } from '../src/authority/monitoring-filters.ts'
import type { PresentStatus } from '../src/authority/status.ts'
import { allOf, isAmong } from './condition.ts'
import { statusesAsked } from './operation-conditions.ts'
import { COUNTS, LABELS, OPERATIONS } from './operation-index.ts'
import type { SqlValue } from './projection.ts'
import type { ReadSession } from './read-session.ts'

export function capped(count: number): Count {
  return count > COUNT_MAX ? { count: COUNT_MAX, isExact: false } : { count, isExact: true }
}

export interface CountGroup {
  readonly kind: string
  readonly status: PresentStatus
  readonly reason_code: string
  readonly is_reconciled: 0 | 1
  readonly needs_follow_up: 0 | 1
  readonly operations: number
}

/** Filters that the counts tell apart. */
export function isCounted(filter: OperationFilter): boolean {
  const {
    workspaces: _w,
    statuses: _s,
    kinds: _k,
    resultClasses: _c,
    reasonCodes: _r,
    reconciled: _d,
    active: _a,
    ...others
  } = filter
  return Object.values(others).every((value) => value === undefined)
}

/** Hidden operations that are looked at for their labels. */
const HIDDEN_MAX = 1_000

/** How many have one label, without looking at them; undefined where the filter says something else, or too many are hidden. */
export function countOfLabel(session: ReadSession, { labels = {}, ...others }: OperationFilter): Count | undefined {
  const [label, ...further] = Object.entries(labels)
  if (label === undefined || further.length > 0) return undefined
  if (Object.values(others).some((value) => value !== undefined)) return undefined
  const hidden = `SELECT stream, number FROM ${session.table(OPERATIONS)} WHERE marked_at IS NOT NULL`
  const ofLabel = `FROM ${session.table(LABELS)} l WHERE l.label = ? AND l.value = ?`
  const counted = (sql: string, parameters: readonly SqlValue[]) =>
    session.get<{ readonly count: number }>(`SELECT count(*) AS count FROM (${sql})`, parameters)?.count ?? 0
  const hiddenInAll = counted(`${hidden} LIMIT ?`, [HIDDEN_MAX + 1])
  if (hiddenInAll > HIDDEN_MAX) return undefined
  const all = counted(`SELECT 1 ${ofLabel} LIMIT ?`, [...label, COUNT_MAX + 1 + hiddenInAll])
  const hiddenOfIt =
    hiddenInAll === 0
      ? 0
      : counted(
          `SELECT 1 FROM (${hidden}) h WHERE EXISTS (SELECT 1 ${ofLabel} AND l.stream = h.stream AND l.number = h.number)`,
          label,
        )
  return capped(all - hiddenOfIt)
}

/** The counts that a filter leaves, which must be one of those. */
export function countRowsOf(session: ReadSession, filter: OperationFilter): readonly CountGroup[] {
  const { kinds, workspaces, reasonCodes, reconciled } = filter
  const statuses = statusesAsked(filter)
  const conditions = [
    ...(statuses === undefined ? [] : [isAmong('o.status', statuses)]),
    ...(kinds === undefined ? [] : [isAmong('o.kind', kinds)]),
    ...(workspaces === undefined ? [] : [isAmong('o.workspace', workspaces)]),
    ...(reasonCodes === undefined ? [] : [isAmong('o.reason_code', reasonCodes)]),
    ...(reconciled === undefined ? [] : [isAmong('o.is_reconciled', [reconciled ? 1 : 0])]),
  ]
  const { sql, parameters } = allOf(conditions)
  return session.all(
    `SELECT kind, status, reason_code, is_reconciled, needs_follow_up, sum(operations) AS operations
     FROM ${session.table(COUNTS)} o WHERE ${sql} GROUP BY kind, status, reason_code, is_reconciled, needs_follow_up`,
    parameters,
  )
}
