/** What scrapers of metrics ask of the operation index: numbers by kind and status, and how long the worst is overdue. */

import { COUNT_MAX } from '../src/authority/monitoring.ts'
import type { PresentStatus } from '../src/authority/status.ts'
import { allOf } from './condition.ts'
import { deadlineConditions, type Moment } from './operation-freshness.ts'
import { COUNTS, OPERATIONS } from './operation-index.ts'
import type { ReadSession } from './read-session.ts'

export interface OperationNumbers {
  /** All workspaces together, the most frequent first, at most SERIES_MAX. */
  readonly operations: readonly { readonly kind: string; readonly status: PresentStatus; readonly count: number }[]
  /** Operations that are likely stale, counted up to COUNT_MAX. */
  readonly stale: number
  /** For how long the one has been stale that became it first, of those; undefined where none is. */
  readonly oldestStaleMs: number | undefined
}

/** Kinds are named by callers: so many series of kind and status a scraper is given, and no more. */
const SERIES_MAX = 1_000

/** As lists and facets judge it at the same moment. */
export function operationsByKindAndStatus(session: ReadSession, moment: Moment): OperationNumbers {
  const operations = session.all<OperationNumbers['operations'][number]>(
    `SELECT kind, status, sum(operations) AS count FROM ${session.table(COUNTS)}
     GROUP BY kind, status ORDER BY count DESC, kind, status LIMIT ?`,
    [SERIES_MAX],
  )
  const { isPast, dueAt } = deadlineConditions(session, moment)
  const { sql, parameters } = allOf([{ sql: 'o.is_active = 1', parameters: [] }, isPast('deadline_at')])
  const stale = session.get<{ readonly count: number; readonly first: number | null }>(
    `SELECT count(*) AS count, min(due) AS first FROM (
       SELECT ${dueAt} AS due FROM ${session.table(OPERATIONS)} o
       INDEXED BY ${session.index(OPERATIONS, 'standing')} WHERE ${sql} ORDER BY o.deadline_at LIMIT ?)`,
    [...parameters, COUNT_MAX],
  )
  const first = stale?.first ?? undefined
  return { operations, stale: stale?.count ?? 0, oldestStaleMs: first === undefined ? undefined : moment.now - first }
}
