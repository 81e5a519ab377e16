/**
 * What monitors ask of the operation index: a page of a list, a count, one operation. Each within bounds: a page is read
 * along an index of its sort, a count stops at its cap.
 *
 * Pages are read behind the last row seen (keyset). A row whose activity is newer than the first page moves before it; it is
 * never shown twice, and how many there are is told with each page (`newer`), so nothing is lost silently.
 */
import {
  COUNT_MAX,
  type Count,
  type ListedOperation,
  NEWER_MAX,
  OPERATION_SORTS,
  type OperationPage,
  type OperationSort,
  type OperationsQuestion,
  PAGE_SIZE,
  PAGE_SIZE_MAX,
} from '../src/authority/monitoring.ts'
import type { OperationFilter } from '../src/authority/monitoring-filters.ts'
import { viewOf } from '../src/authority/operation-view.ts'
import { capped, countRowsOf, isCounted } from './operation-counts.ts'
import { type Condition, checkedFilter, type FilterParts, partsOf } from './operation-filter.ts'
import { OPERATIONS } from './operation-index.ts'
import {
  begunWith,
  beyond,
  branchesOf,
  countedFrom,
  countOf,
  leavesNothing,
  type Sort,
  source,
} from './operation-plan.ts'
import { operationOf } from './operation-record.ts'
import { markOf, type PageMark, type Place, pageToken } from './page-token.ts'
import { QuestionError } from './question-error.ts'
import type { ReadSession } from './read-session.ts'

/** The time of the question, and by how much deadlines are put off because nobody could be heard: both epoch ms. */
export interface Moment {
  readonly now: number
  readonly graceMs: number
}

const SORTS = {
  newest_activity: { column: 'last_activity_at', index: 'activity', direction: 'DESC', among: 'TRUE' },
  oldest_in_status: { column: 'status_since_at', index: 'status_since', direction: 'ASC', among: 'TRUE' },
  /** Of those that have started and not ended. */
  longest_running: {
    column: 'started_at',
    index: 'running',
    direction: 'ASC',
    among: 'o.is_active = 1 AND o.started_at IS NOT NULL',
    ofActive: true,
  },
  /** Of those that have a deadline, the first one first. */
  most_overdue: {
    column: 'deadline_at',
    index: 'deadline',
    direction: 'ASC',
    among: 'o.deadline_at IS NOT NULL',
    ofActive: true,
  },
} as const satisfies Record<OperationSort, Sort>

export interface ListQuestion extends Moment, Pick<OperationsQuestion, 'filter' | 'sort' | 'pageSize' | 'pageToken'> {}

/** One page. Throws QuestionError. */
export function listAsked(session: ReadSession, question: ListQuestion): OperationPage {
  const { now, graceMs, sort = 'newest_activity', pageSize = PAGE_SIZE } = question
  const filter = checkedFilter(question.filter ?? {})
  if (!Object.hasOwn(SORTS, sort)) {
    throw new QuestionError('bad_sort', `sort: expected one of ${OPERATION_SORTS.join(', ')}, got ${sort}`)
  }
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > PAGE_SIZE_MAX) {
    throw new QuestionError('page_out_of_bounds', `a page has 1 to ${PAGE_SIZE_MAX} operations, got ${pageSize}`)
  }
  const asked = { filter, sort }
  const { checkpoint } = session
  const mark = question.pageToken === undefined ? undefined : markOf(question.pageToken, asked, checkpoint)
  const order: Sort = SORTS[sort]
  const parts = partsOf(session, filter, now - graceMs)
  const rows = rowsBehind(session, parts, order, mark?.last, pageSize + 1)
  const page = rows.slice(0, pageSize)
  const next = markBehind(page, mark)
  return {
    operations: page.map((row) => listed(row, question)),
    nextPageToken: rows.length > pageSize && next !== undefined ? pageToken(next, asked, checkpoint) : undefined,
    newer: mark === undefined ? 0 : countBefore(session, parts, order, mark.top),
  }
}

/** The operation of this number, or the newest life of an id; undefined where it is not known. */
export function operationAsked(
  session: ReadSession,
  question: Moment & { readonly stream: string } & ({ readonly number: number } | { readonly id: string }),
): ListedOperation | undefined {
  const { stream } = question
  const [condition, parameter] = 'number' in question ? ['number = ?', question.number] : ['id = ?', question.id]
  const row = session.get<ListRow>(
    `SELECT ${LIST_COLUMNS}, 0 AS value FROM ${session.table(OPERATIONS)} o
     WHERE o.stream = ? AND o.${condition} ORDER BY o.registered_position DESC LIMIT 1`,
    [stream, parameter],
  )
  return row === undefined ? undefined : listed(row, question)
}

/** Throws QuestionError. */
export function countAsked(session: ReadSession, question: Moment & { readonly filter?: OperationFilter }): Count {
  const filter = checkedFilter(question.filter ?? {})
  const counted = countFromCounts(session, filter)
  if (counted !== undefined) return { count: counted, isExact: true }
  const parts = partsOf(session, filter, question.now - question.graceMs)
  const { selection, rest } = countedFrom(session, parts)
  return capped(countOf(session, selection, rest, COUNT_MAX + 1))
}

interface ListRow {
  readonly workspace: string
  readonly owner: string
  readonly last_activity_at: number
  readonly status_since_at: number
  readonly record: string
  readonly value: number
  readonly place: string
}

const LIST_COLUMNS = `o.workspace, o.owner, o.last_activity_at, o.status_since_at, o.record,
  CAST(o.registered_position AS TEXT) AS place`

function listed(row: ListRow, { now, graceMs }: Moment): ListedOperation {
  const { workspace, owner, last_activity_at: lastActivityAt, status_since_at: statusSinceAt, record } = row
  return { ...viewOf(operationOf(record), now, graceMs), workspace, owner, lastActivityAt, statusSinceAt }
}

function markBehind(page: readonly ListRow[], before: PageMark | undefined): PageMark | undefined {
  const [first] = page
  const last = page.at(-1)
  if (first === undefined || last === undefined) return undefined
  return { top: before?.top ?? placeOf(first), last: placeOf(last) }
}

function placeOf({ value, place }: ListRow): Place {
  return { value, position: BigInt(place) }
}

function rowsBehind(
  session: ReadSession,
  parts: FilterParts,
  sort: Sort,
  behind: Place | undefined,
  limit: number,
): readonly ListRow[] {
  const { column, direction } = sort
  if (leavesNothing(sort, parts)) return []
  const further: Condition[] = [{ sql: sort.among, parameters: [] }]
  if (behind !== undefined) further.push(beyond(sort, direction === 'DESC' ? '<' : '>', behind))
  const order = `ORDER BY o.${column} ${direction}, o.registered_position ${direction} LIMIT ?`
  const { selection, rest } = begunWith(session, parts)
  if (selection !== undefined) {
    const { from, where } = source(session, selection, [...rest, ...further])
    const operations = session.table(OPERATIONS)
    // Sorted by what they are sorted by alone: records are read for those that the page shows.
    const rows = session.all<ListRow>(
      `SELECT ${LIST_COLUMNS}, o.${column} AS value
       FROM (SELECT o.rowid AS place ${from.sql} WHERE ${where.sql} ${order}) p
       CROSS JOIN ${operations} o ON o.rowid = p.place`,
      [...from.parameters, ...where.parameters, limit],
    )
    return rows.toSorted(inOrderOf(direction))
  }
  const branches = branchesOf(sort, parts)
  const rows = branches.flatMap(({ index, condition }) => {
    const { from, where } = source(session, undefined, [condition, ...rest, ...further], index)
    return session.all<ListRow>(
      `SELECT ${LIST_COLUMNS}, o.${column} AS value ${from.sql} WHERE ${where.sql} ${order}`,
      [...from.parameters, ...where.parameters, limit],
    )
  })
  // Each branch is in order: only where there are several is there something to merge.
  return branches.length === 1 ? rows : rows.sort(inOrderOf(direction)).slice(0, limit)
}

function inOrderOf(direction: Sort['direction']): (one: ListRow, other: ListRow) => number {
  const sign = direction === 'ASC' ? 1 : -1
  return (one, other) => sign * (one.value - other.value || (BigInt(one.place) < BigInt(other.place) ? -1 : 1))
}

/** Along the same indexes as the pages: only what is newer is looked at. */
function countBefore(session: ReadSession, parts: FilterParts, sort: Sort, top: Place): number {
  if (leavesNothing(sort, parts)) return 0
  const newer = beyond(sort, sort.direction === 'DESC' ? '>' : '<', top)
  const further = [{ sql: sort.among, parameters: [] }, newer]
  const { selection, rest } = begunWith(session, parts)
  if (selection !== undefined) return countOf(session, selection, [...rest, ...further], NEWER_MAX)
  const counts = branchesOf(sort, parts).map(({ index, condition }) =>
    countOf(session, undefined, [condition, ...rest, ...further], NEWER_MAX, index),
  )
  return Math.min(
    NEWER_MAX,
    counts.reduce((sum, count) => sum + count, 0),
  )
}

function countFromCounts(session: ReadSession, filter: OperationFilter): number | undefined {
  if (!isCounted(filter)) return undefined
  return countRowsOf(session, filter).reduce((sum, { operations }) => sum + operations, 0)
}
