/**
 * How the operation index is read. SQLite's planner knows neither how many rows a condition leaves nor that a page needs but
 * fifty, and would rather sort a million; so each way is weighed here, and it is told which index to walk.
 *
 *     along an index that has the order, until the page is full:    rows of the index, times page / matches
 *     along any other, or by row ids, all of it, then sorted:       all of its rows
 */
import { PRESENT_STATUSES } from '../src/authority/status.ts'
import { allOf, type Condition, isAmong } from './condition.ts'
import type { KeysetSort } from './keyset-page.ts'
import {
  type Along,
  type Apart,
  type FilterParts,
  IS_VISIBLE,
  LOOKED_UP_COST,
  type Selection,
  TIMES,
} from './operation-conditions.ts'
import { IS_ACTIVE } from './operation-freshness.ts'
import { COUNTS, OPERATIONS } from './operation-index.ts'
import type { ReadSession } from './read-session.ts'

export interface Sort extends KeysetSort {
  /** Without its table. */
  readonly name: string
  /** What the sort itself leaves out. */
  readonly among: Condition
  readonly isOfActive?: true
  /** The index of all that it sorts. */
  readonly base: Along
}

/** Statements that together give the rows that a filter leaves. */
export interface Way {
  /** Each of them in the order of the sort; otherwise they have to be sorted. */
  readonly isOrdered: boolean
  readonly branches: readonly Branch[]
  /** What looking at one row costs, in entries of an index that holds all that is asked. */
  readonly rowCost: number
}

interface Branch {
  readonly from: Condition
  /** What the rows are found by. */
  readonly found: Condition
  readonly rest: Condition
}

/** Rows are counted so far to weigh a condition; what has more counts as everything. */
const WEIGHED_MAX = 50_000
const WEIGHED_APART_MAX = 5_000
/** Values that are each read along their own part of an index, and merged. */
const BRANCHES_MAX = 36

/** Everything, newest activity first. */
export const ALL: Along = {
  index: 'activity',
  where: IS_VISIBLE,
  order: { column: 'last_activity_at', branches: [IS_VISIBLE] },
  isWide: true,
  holds: TIMES,
}
/** By status, each since when. */
export const BY_STATUS: Along = {
  index: 'status',
  where: IS_VISIBLE,
  order: {
    column: 'status_since_at',
    branches: PRESENT_STATUSES.map((status) => allOf([isAmong('o.status', [status]), IS_VISIBLE])),
  },
  isWide: true,
  holds: TIMES,
}

/** The cheapest way to so many of the rows, in the order of the sort where there is one. Undefined where nothing is left. */
export function wayTo(session: ReadSession, parts: FilterParts, limit: number, sort?: Sort): Way | undefined {
  if (parts.statuses?.length === 0) return undefined
  const weighed = weigh(session, parts)
  if (weighed.matches === 0) return undefined
  const { total, activeShare } = weighed
  // A sort of what is under way leaves out all else, also where the filter does not say so.
  const sorted = sort?.isOfActive === true ? activeShare : 1
  const matches = parts.statuses === undefined ? Math.max(1, weighed.matches * sorted) : weighed.matches
  const isScattered = parts.selections.every(({ isRange, begin }) => isRange !== true || isSorted(begin, sort))
  const everything = { begin: sort?.base ?? ALL, rows: total * sorted, likely: total * sorted, own: undefined }
  const ways = [everything, ...weighed.ways].map(({ begin, rows, likely, own }) => {
    const isOrdered = isSorted(begin, sort)
    // A range may lie at the far end of an order that is not its own.
    const mayStop = sort === undefined || (isOrdered && isScattered)
    const looks = mayStop ? Math.min(rows, (limit * likely) / matches) : rows
    const others = parts.selections.filter((one) => one !== own)
    const rowCost = costOf(begin, others, parts, weighed, isOrdered ? undefined : sort)
    return { begin, own, isOrdered, cost: looks * rowCost, rowCost }
  })
  const best = ways.reduce((one, other) => (other.cost < one.cost ? other : one))
  const rest = [
    ...parts.selections.filter((one) => one !== best.own),
    ...parts.conditions,
    ...(sort === undefined ? [] : [sort.among]),
  ]
  return { isOrdered: best.isOrdered, rowCost: best.rowCost, branches: branchesOf(session, best, rest) }
}

interface Weighed {
  readonly total: number
  /** Rows that are likely left by all of them. */
  readonly matches: number
  readonly ways: readonly {
    readonly begin: Along | Apart
    /** At most. */
    readonly rows: number
    readonly likely: number
    readonly own: Selection
  }[]
  shareOf(selection: Selection): number
  readonly activeShare: number
}

function weigh(session: ReadSession, parts: FilterParts): Weighed {
  const { selections } = parts
  const counted = selections.filter(({ isCounted }) => isCounted)
  const ofStatuses = parts.statuses === undefined ? allOf([]) : isAmong('o.status', parts.statuses)
  const asked = [IS_ACTIVE, ofStatuses, allOf(counted), ...counted]
  const sums = asked.map(({ sql }, i) => `coalesce(sum(CASE WHEN ${sql} THEN operations END), 0) AS of${i}`)
  const counts = session.get<Record<string, number>>(
    `SELECT coalesce(sum(operations), 0) AS total, ${sums.join(', ')} FROM ${session.table(COUNTS)} o`,
    asked.flatMap(({ parameters }) => parameters),
  )
  const { total = 0, of0: active = 0, of1: ofStatus = 0, of2: joint = 0 } = counts ?? {}
  let matches = joint
  const shares = new Map<Selection, number>()
  const ways = selections.map((own) => {
    const known = own.isCounted ? counts?.[`of${asked.indexOf(own)}`] : undefined
    const likely = known ?? rowsOf(session, own.begin)
    const isMore = known === undefined && likely > ('index' in own.begin ? WEIGHED_MAX : WEIGHED_APART_MAX)
    const all = own.isOfStatuses ? ofStatus : total
    shares.set(own, all === 0 ? 0 : Math.min(1, likely / all))
    if (known === undefined && !isToldTwice(own, selections)) matches *= shares.get(own) ?? 1
    return { begin: own.begin, rows: isMore ? all : likely, likely, own }
  })
  return {
    total,
    matches: joint === 0 ? 0 : Math.max(1, matches),
    ways,
    shareOf: (one) => shares.get(one) ?? 1,
    activeShare: total === 0 ? 0 : active / total,
  }
}

/** The same condition may be begun with in two ways. */
function isToldTwice(own: Selection, selections: readonly Selection[]): boolean {
  return selections.some((one) => one !== own && one.sql === own.sql)
}

function rowsOf(session: ReadSession, begin: Along | Apart): number {
  const { sql, parameters } = 'index' in begin ? placesAlong(session, begin) : (begin.asMany ?? begin.from)
  const row = session.get<{ readonly count: number }>(
    `SELECT count(*) AS count FROM (SELECT 1 FROM (${sql}) LIMIT ?)`,
    [...parameters, ('index' in begin ? WEIGHED_MAX : WEIGHED_APART_MAX) + 1],
  )
  return row?.count ?? 0
}

function placesAlong(session: ReadSession, { index, where }: Along): Condition {
  return { sql: `SELECT 1 ${along(session, index).sql} WHERE ${where.sql}`, parameters: where.parameters }
}

function costOf(
  begin: Along | Apart,
  others: readonly Selection[],
  { conditions }: FilterParts,
  { shareOf, activeShare }: Weighed,
  sorted: Sort | undefined,
): number {
  if (!('index' in begin)) return begin.rowCost
  if (begin.isWide !== true) return LOOKED_UP_COST
  // Rows are looked at only where the index says that they may be meant.
  const isHeld = (one: Selection) =>
    one.isCounted === true || ('index' in one.begin && one.begin.isWide === true && one.isInItsIndexAlone !== true)
  const isSortHeld = sorted === undefined || begin.holds?.includes(sorted.name) === true
  const isLookedUp = !isSortHeld || !others.every(isHeld) || !conditions.every(({ isWide }) => isWide)
  const ofActive = sorted?.isOfActive === true && begin.index !== 'standing' ? activeShare : 1
  const share = others.filter(isHeld).reduce((product, one) => product * shareOf(one), ofActive)
  return isLookedUp ? 1 + LOOKED_UP_COST * share : 1
}

function isSorted(begin: Along | Apart, sort: Sort | undefined): boolean {
  if (sort === undefined || !('index' in begin) || begin.order === undefined) return false
  return begin.order.column === sort.name && begin.order.branches.length <= BRANCHES_MAX
}

function branchesOf(
  session: ReadSession,
  { begin, isOrdered }: { readonly begin: Along | Apart; readonly isOrdered: boolean },
  conditions: readonly Condition[],
): readonly Branch[] {
  const rest = allOf(conditions)
  if ('index' in begin) {
    const from = along(session, begin.index)
    const each = isOrdered && begin.order !== undefined ? begin.order.branches : [begin.where]
    return each.map((found) => ({ from, found, rest }))
  }
  // CROSS JOIN keeps SQLite from beginning with the other side.
  const { sql, parameters } = begin.from
  const from = { sql: `FROM (${sql}) s CROSS JOIN ${session.table(OPERATIONS)} o ON o.rowid = s.place`, parameters }
  return [{ from, found: IS_VISIBLE, rest }]
}

function along(session: ReadSession, index: string): Condition {
  const operations = session.table(OPERATIONS)
  return { sql: `FROM ${operations} o INDEXED BY ${session.index(OPERATIONS, index)}`, parameters: [] }
}

/** A statement over the rows of one branch. */
export function over({ from, found, rest }: Branch, columns: string, further: readonly Condition[] = []): Condition {
  const where = allOf([found, rest, ...further])
  return {
    sql: `SELECT ${columns} ${from.sql} WHERE ${where.sql}`,
    parameters: [...from.parameters, ...where.parameters],
  }
}

/** Rows along a way, counted up to a limit. */
export function countAlong(
  session: ReadSession,
  way: Way | undefined,
  limit: number,
  further: readonly Condition[] = [],
): number {
  let count = 0
  for (const branch of way?.branches ?? []) {
    const { sql, parameters } = over(branch, '1', further)
    const row = session.get<{ readonly count: number }>(`SELECT count(*) AS count FROM (${sql} LIMIT ?)`, [
      ...parameters,
      limit - count,
    ])
    count += row?.count ?? 0
    if (count >= limit) break
  }
  return count
}
