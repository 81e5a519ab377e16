/**
 * How the operation index is read: which index has the order that is asked for, and when it pays to begin with the few rows that
 * one condition leaves and to sort those. SQLite's planner knows no numbers of ours and would rather sort a million rows; so
 * it is told.
 */
import { isTerminal, PRESENT_STATUSES } from '../src/authority/status.ts'
import { allOf, type Condition, type FilterParts, type Selection } from './operation-filter.ts'
import { OPERATIONS } from './operation-index.ts'
import type { Place } from './page-token.ts'
import type { ReadSession } from './read-session.ts'

export interface Sort {
  readonly column: string
  /** The index that has its order; `status_since` has it within a status. */
  readonly index: string
  readonly direction: 'ASC' | 'DESC'
  /** What the sort itself leaves out. */
  readonly among: string
  /** Of what is under way alone. */
  readonly ofActive?: true
}

/** Statuses times kinds that are read each along its own index and merged. */
const BRANCHES_MAX = 36
/** A condition that leaves no more rows than this is begun with, and its rows are sorted. */
const SELECTED_MAX = 5_000
/** The same of one whose rows lie together: read in another order, they may come last of a million. */
const CLUSTERED_MAX = 50_000

/** The selection that leaves the fewest rows, if they are few; the others are conditions like all others. */
export function begunWith(
  session: ReadSession,
  { selections, conditions }: FilterParts,
): { readonly selection: Selection | undefined; readonly rest: readonly Condition[] } {
  let fewest = Number.POSITIVE_INFINITY
  let selection: Selection | undefined
  for (const one of selections) {
    const { sql, parameters } = one.asMany ?? one.from
    const tooMany = Math.min(fewest, (one.isClustered ? CLUSTERED_MAX : SELECTED_MAX) + 1)
    const row = session.get<{ readonly count: number }>(
      `SELECT count(*) AS count FROM (SELECT 1 FROM (${sql}) LIMIT ?)`,
      [...parameters, tooMany],
    )
    if (row === undefined || row.count >= tooMany) continue
    fewest = row.count
    selection = one
  }
  return { selection, rest: [...selections.filter((one) => one !== selection), ...conditions] }
}

/** Where whoever counts begins, in whatever order: with few; in the table apart where nothing else is asked; else anywhere. */
export function countedFrom(session: ReadSession, parts: FilterParts): ReturnType<typeof begunWith> {
  const begun = begunWith(session, parts)
  const [first, ...others] = parts.selections
  if (begun.selection !== undefined || first?.isApart !== true || !others.every(({ isApart }) => isApart)) return begun
  return { selection: first, rest: begun.rest.filter((one) => one !== first) }
}

export function source(
  session: ReadSession,
  selection: Selection | undefined,
  conditions: readonly Condition[],
  index?: string,
): { readonly from: Condition; readonly where: Condition } {
  const where = allOf(conditions)
  const operations = session.table(OPERATIONS)
  if (selection !== undefined) {
    // CROSS JOIN keeps SQLite from beginning with the other side.
    const sql = `FROM (${selection.from.sql}) s CROSS JOIN ${operations} o ON o.rowid = s.place`
    return { from: { sql, parameters: selection.from.parameters }, where }
  }
  // Which index has the order is known here, and a planner that knows no numbers would rather sort a million rows.
  const along = index === undefined ? '' : ` INDEXED BY ${session.index(OPERATIONS, index)}`
  return { from: { sql: `FROM ${operations} o${along}`, parameters: [] }, where }
}

export function countOf(
  session: ReadSession,
  selection: Selection | undefined,
  conditions: readonly Condition[],
  limit: number,
  index?: string,
): number {
  const { from, where } = source(session, selection, conditions, index)
  const row = session.get<{ readonly count: number }>(
    `SELECT count(*) AS count FROM (SELECT 1 ${from.sql} WHERE ${where.sql} LIMIT ?)`,
    [...from.parameters, ...where.parameters, limit],
  )
  return row?.count ?? 0
}

export interface Branch {
  readonly index: string | undefined
  readonly condition: Condition
}

const NEEDS_FOLLOW_UP: Condition = { sql: 'o.needs_follow_up = 1', parameters: [] }

/** One branch for each status, or kind and status, so that each is read in order along its own index; else one for all. */
export function branchesOf(sort: Sort, { statuses, kinds, isFollowUp }: FilterParts): readonly Branch[] {
  const all = { index: sort.index, condition: allOf([]) }
  if (isFollowUp && sort.index === 'activity') return [{ index: 'follow_up', condition: NEEDS_FOLLOW_UP }]
  if (isFollowUp && sort.index === 'status_since') {
    return statusBranches('follow_up_since', statuses ?? PRESENT_STATUSES).map(({ index, condition }) => ({
      index,
      condition: allOf([condition, NEEDS_FOLLOW_UP]),
    }))
  }
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

/** No status is left that the filter and the sort both know. */
export function leavesNothing({ ofActive }: Sort, { statuses }: FilterParts): boolean {
  return statuses?.every((status) => ofActive === true && isTerminal(status)) ?? false
}

export function beyond({ column }: Sort, comparison: '<' | '>', { value, position }: Place): Condition {
  return { sql: `(o.${column}, o.registered_position) ${comparison} (?, ?)`, parameters: [value, position] }
}
