/**
 * What monitors ask of the operation index: a page of a list, a count, facets, one operation. Each within bounds: a page is read
 * along an index of its sort, a count stops at its cap.
 *
 * Pages are read behind the last row seen (keyset). A row whose activity is newer than the first page moves before it; it is
 * never shown twice, and how many there are is told with each page (`newer`), so nothing is lost silently.
 */
import type { Freshness, ProblemClass } from '../src/authority/freshness.ts'
import { type OperationView, viewOf } from '../src/authority/operation-view.ts'
import { PRESENT_STATUSES, type PresentStatus } from '../src/authority/status.ts'
import {
  allOf,
  type Condition,
  checkedFilter,
  type FilterParts,
  FRESHNESSES,
  type OperationFilter,
  PROBLEM_CLASSES,
  partsOf,
  placeholders,
  type Selection,
} from './operation-filter.ts'
import { COUNTS, OPERATIONS } from './operation-index.ts'
import { markOf, type PageMark, type Place, pageToken } from './page-token.ts'
import type { SqlValue } from './projection.ts'
import { QuestionError } from './question-error.ts'
import type { ReadSession } from './read-session.ts'

/** The time of the question, and by how much deadlines are put off because nobody could be heard: both epoch ms. */
export interface Moment {
  readonly now: number
  readonly graceMs: number
}

export interface ListedOperation extends OperationView {
  readonly workspace: string
  readonly owner: string
  readonly lastActivityAt: number
  readonly statusSinceAt: number
}

interface Sort {
  readonly column: string
  /** The index that has its order; `status_since` has it within a status. */
  readonly index: string
  readonly direction: 'ASC' | 'DESC'
  /** What the sort itself leaves out. */
  readonly among: string
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
  },
  /** Of those that have a deadline, the first one first. */
  most_overdue: {
    column: 'deadline_at',
    index: 'deadline',
    direction: 'ASC',
    among: 'o.deadline_at IS NOT NULL',
  },
} as const satisfies Record<string, Sort>

export type OperationSort = keyof typeof SORTS
export const OPERATION_SORTS = Object.keys(SORTS) as readonly OperationSort[]

export interface ListQuestion extends Moment {
  readonly filter?: OperationFilter
  /** Default: newest activity. */
  readonly sort?: OperationSort
  /** Default PAGE_SIZE, at most PAGE_SIZE_MAX. */
  readonly pageSize?: number
  /** Of the page before. */
  readonly pageToken?: string
}

export interface OperationPage {
  readonly operations: readonly ListedOperation[]
  /** For the page behind this one; undefined on the last one. */
  readonly nextPageToken: string | undefined
  /** Rows that have come before the first page since it was read, counted up to NEWER_MAX. */
  readonly newer: number
}

export const PAGE_SIZE = 50
export const PAGE_SIZE_MAX = 1_000
export const NEWER_MAX = 100
/** Statuses times kinds that are read each along its own index and merged. */
const BRANCHES_MAX = 36
/** A condition that leaves no more rows than this is begun with, and its rows are sorted. */
const SELECTED_MAX = 5_000

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
  const parts = partsOf(session, filter, now - graceMs)
  const rows = rowsBehind(session, parts, SORTS[sort], mark?.last, pageSize + 1)
  const page = rows.slice(0, pageSize)
  const next = markBehind(page, mark)
  return {
    operations: page.map((row) => listed(row, question)),
    nextPageToken: rows.length > pageSize && next !== undefined ? pageToken(next, asked, checkpoint) : undefined,
    newer: mark === undefined ? 0 : countBefore(session, parts, SORTS[sort], mark.top),
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

export interface Count {
  readonly count: number
  /** False where counting stopped at the cap: at least so many. */
  readonly isExact: boolean
}

/** Counting stops here: "10,000+" tells as much. */
export const COUNT_MAX = 10_000

/** Throws QuestionError. */
export function countAsked(session: ReadSession, question: Moment & { readonly filter?: OperationFilter }): Count {
  const filter = checkedFilter(question.filter ?? {})
  const counted = countFromCounts(session, filter)
  if (counted !== undefined) return { count: counted, isExact: true }
  const parts = partsOf(session, filter, question.now - question.graceMs)
  return capped(countRows(session, parts, [], COUNT_MAX + 1))
}

export interface Facets {
  readonly statuses: Readonly<Partial<Record<PresentStatus, Count>>>
  readonly kinds: Readonly<Record<string, Count>>
  readonly reasonCodes: Readonly<Record<string, Count>>
  readonly freshness: Readonly<Record<Freshness, Count>>
  readonly problemClasses: Readonly<Record<ProblemClass, Count>>
}

/** Kinds that facets tell, the most frequent first. */
const FACET_KINDS_MAX = 100

/**
 * How many there are of each status, kind, reason code, freshness and problem class, among what the filter leaves. Exact
 * and up to the cap where the filter names workspaces, statuses and kinds alone; else of the first COUNT_MAX rows, and said to
 * be no more than that.
 */
export function facetsAsked(session: ReadSession, question: Moment & { readonly filter?: OperationFilter }): Facets {
  const filter = checkedFilter(question.filter ?? {})
  const staleFrom = question.now - question.graceMs
  const groups = isCounted(filter)
    ? { rows: countRowsOf(session, filter), isExact: true }
    : groupsOf(session, partsOf(session, filter, staleFrom))
  const sums = <K extends string>(keyOf: (row: CountGroup) => K | undefined) => {
    const found = new Map<K, number>()
    for (const row of groups.rows) {
      const key = keyOf(row)
      if (key !== undefined) found.set(key, (found.get(key) ?? 0) + row.operations)
    }
    const counts = [...found].sort(([, one], [, other]) => other - one).slice(0, FACET_KINDS_MAX)
    return Object.fromEntries(counts.map(([key, count]) => [key, { count, isExact: groups.isExact }]))
  }
  const among = <T extends string>(all: readonly T[], of: (one: T) => OperationFilter) =>
    Object.fromEntries(all.map((one) => [one, countAmong(session, filter, of(one), staleFrom)])) as Record<T, Count> // one for each
  return {
    statuses: sums((row) => row.status),
    kinds: sums((row) => row.kind),
    reasonCodes: sums((row) => (row.reason_code === '' || row.reason_code === null ? undefined : row.reason_code)),
    freshness: among(FRESHNESSES, (one) => ({ freshness: [one] })),
    problemClasses: among(PROBLEM_CLASSES, (one) => ({ problemClasses: [one] })),
  }
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
  return { ...viewOf(JSON.parse(record), now, graceMs), workspace, owner, lastActivityAt, statusSinceAt }
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
  const further: Condition[] = [{ sql: sort.among, parameters: [] }]
  if (behind !== undefined) further.push(beyond(sort, direction === 'DESC' ? '<' : '>', behind))
  const order = `ORDER BY o.${column} ${direction}, o.registered_position ${direction} LIMIT ?`
  const { selection, rest } = begunWith(session, parts)
  const branches = selection === undefined ? branchesOf(sort, parts) : [{ index: undefined, condition: allOf([]) }]
  const rows = branches.flatMap(({ index, condition }) => {
    const { from, where } = source(session, selection, [condition, ...rest, ...further], index)
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

function countBefore(session: ReadSession, parts: FilterParts, sort: Sort, top: Place): number {
  const among = { sql: sort.among, parameters: [] }
  return countRows(session, parts, [among, beyond(sort, sort.direction === 'DESC' ? '>' : '<', top)], NEWER_MAX)
}

function beyond({ column }: Sort, comparison: '<' | '>', { value, position }: Place): Condition {
  return { sql: `(o.${column}, o.registered_position) ${comparison} (?, ?)`, parameters: [value, position] }
}

function countRows(session: ReadSession, parts: FilterParts, further: readonly Condition[], limit: number): number {
  const { selection, rest } = begunWith(session, parts)
  const { from, where } = source(session, selection, [...rest, ...further])
  const row = session.get<{ readonly count: number }>(
    `SELECT count(*) AS count FROM (SELECT 1 ${from.sql} WHERE ${where.sql} LIMIT ?)`,
    [...from.parameters, ...where.parameters, limit],
  )
  return row?.count ?? 0
}

/** The selection that leaves the fewest rows, if they are few; the others are conditions like all others. */
function begunWith(
  session: ReadSession,
  { selections, conditions }: FilterParts,
): { readonly selection: Selection | undefined; readonly rest: readonly Condition[] } {
  let fewest = SELECTED_MAX + 1
  let selection: Selection | undefined
  for (const one of selections) {
    const row = session.get<{ readonly count: number }>(
      `SELECT count(*) AS count FROM (SELECT 1 FROM (${one.from.sql}) LIMIT ?)`,
      [...one.from.parameters, fewest],
    )
    if (row === undefined || row.count >= fewest) continue
    fewest = row.count
    selection = one
  }
  return { selection, rest: [...selections.filter((one) => one !== selection), ...conditions] }
}

function source(
  session: ReadSession,
  selection: Selection | undefined,
  conditions: readonly Condition[],
  index?: string,
): { readonly from: Condition; readonly where: Condition } {
  const where = allOf(conditions)
  const operations = session.table(OPERATIONS)
  if (selection !== undefined) {
    // CROSS JOIN keeps SQLite from beginning with the other side.
    const on = 'o.stream = s.stream AND o.number = s.number'
    const sql = `FROM (${selection.from.sql}) s CROSS JOIN ${operations} o ON ${on}`
    return { from: { sql, parameters: selection.from.parameters }, where }
  }
  // Which index has the order is known here, and a planner that knows no numbers would rather sort a million rows.
  const along = index === undefined ? '' : ` INDEXED BY ${session.index(OPERATIONS, index)}`
  return { from: { sql: `FROM ${operations} o${along}`, parameters: [] }, where }
}

interface Branch {
  readonly index: string | undefined
  readonly condition: Condition
}

/** One branch for each status, or kind and status, so that each is read in order along its own index; else one for all. */
function branchesOf(sort: Sort, { statuses, kinds }: FilterParts): readonly Branch[] {
  const all = { index: sort.index, condition: allOf([]) }
  if (sort.index === 'status_since') return statusBranches(sort.index, statuses ?? PRESENT_STATUSES)
  if (sort.index !== 'activity') return [all]
  if (kinds === undefined) return statuses === undefined ? [all] : statusBranches('status_activity', statuses)
  const each = statuses ?? PRESENT_STATUSES
  if (each.length * kinds.length > BRANCHES_MAX) return [all]
  return kinds.flatMap((kind) =>
    each.map((status) => ({
      index: 'kind_status_activity',
      condition: { sql: 'o.kind = ? AND o.status = ?', parameters: [kind, status] },
    })),
  )
}

function statusBranches(index: string, statuses: readonly string[]): readonly Branch[] {
  return statuses.map((status) => ({ index, condition: { sql: 'o.status = ?', parameters: [status] } }))
}

function inLists({ statuses, kinds }: Pick<FilterParts, 'statuses' | 'kinds'>): readonly Condition[] {
  const conditions: Condition[] = []
  if (statuses !== undefined) conditions.push({ sql: `o.status IN (${placeholders(statuses)})`, parameters: statuses })
  if (kinds !== undefined) conditions.push({ sql: `o.kind IN (${placeholders(kinds)})`, parameters: kinds })
  return conditions
}

interface CountGroup {
  readonly kind: string
  readonly status: PresentStatus
  readonly reason_code: string | null
  readonly operations: number
}

/** Filters that the counts tell apart. */
function isCounted(filter: OperationFilter): boolean {
  const {
    workspaces: _w,
    statuses: _s,
    kinds: _k,
    resultClasses: _c,
    reasonCodes: _r,
    reconciled: _d,
    ...others
  } = filter
  return Object.values(others).every((value) => value === undefined)
}

function countFromCounts(session: ReadSession, filter: OperationFilter): number | undefined {
  if (!isCounted(filter)) return undefined
  return countRowsOf(session, filter).reduce((sum, { operations }) => sum + operations, 0)
}

function countRowsOf(session: ReadSession, filter: OperationFilter): readonly CountGroup[] {
  const { statuses, kinds } = partsOf(session, filter, 0)
  const conditions = [...inLists({ statuses, kinds })]
  const either = (column: string, given: readonly string[] | undefined) => {
    if (given !== undefined) conditions.push({ sql: `o.${column} IN (${placeholders(given)})`, parameters: given })
  }
  either('workspace', filter.workspaces)
  either('reason_code', filter.reasonCodes)
  if (filter.reconciled !== undefined) {
    conditions.push({ sql: `o.is_reconciled = ${filter.reconciled ? 1 : 0}`, parameters: [] })
  }
  const { sql, parameters } = allOf(conditions)
  return session.all(
    `SELECT kind, status, reason_code, sum(operations) AS operations FROM ${session.table(COUNTS)} o
     WHERE ${sql} GROUP BY kind, status, reason_code`,
    parameters,
  )
}

/** Groups among the first rows that the filter leaves. */
function groupsOf(session: ReadSession, parts: FilterParts) {
  const { selection, rest } = begunWith(session, parts)
  const { from, where } = source(session, selection, rest)
  const rows = session.all<CountGroup>(
    `SELECT kind, status, reason_code, count(*) AS operations
     FROM (SELECT o.kind, o.status, o.reason_code ${from.sql} WHERE ${where.sql} LIMIT ?)
     GROUP BY kind, status, reason_code`,
    [...from.parameters, ...where.parameters, COUNT_MAX] satisfies readonly SqlValue[],
  )
  const total = rows.reduce((sum, { operations }) => sum + operations, 0)
  return { rows, isExact: total < COUNT_MAX }
}

/** What the filter and one condition more leave: nothing where the filter rules it out. */
function countAmong(session: ReadSession, filter: OperationFilter, more: OperationFilter, staleFrom: number): Count {
  const [[name, wanted] = []] = Object.entries(more)
  const asked = name === undefined ? undefined : (filter as Readonly<Record<string, unknown>>)[name]
  if (Array.isArray(asked) && !asked.includes((wanted as readonly unknown[])[0])) return { count: 0, isExact: true }
  const parts = partsOf(session, { ...filter, ...more }, staleFrom)
  return capped(countRows(session, parts, [], COUNT_MAX + 1))
}

function capped(count: number): Count {
  return count > COUNT_MAX ? { count: COUNT_MAX, isExact: false } : { count, isExact: true }
}
