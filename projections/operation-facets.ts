/**
 * How operations are spread over statuses, kinds, reason codes, freshness and problem classes. Filters that the counts tell apart
 * are answered from them, and what is under way is counted along indexes that hold all that is asked for; any other filter
 * is answered from the rows that can be looked at in the time of a blink, and said to be no more than that.
 */
import type { Freshness } from '../src/authority/freshness.ts'
import { COUNT_MAX, type Count, type Facets } from '../src/authority/monitoring.ts'
import { FRESHNESSES, type OperationFilter, PROBLEM_CLASSES } from '../src/authority/monitoring-filters.ts'
import { isActive } from '../src/authority/status.ts'
import { allOf, type Condition, isAmong } from './condition.ts'
import { type FilterParts, partsOf, statusesAsked } from './operation-conditions.ts'
import { type CountGroup, capped, countRowsOf, isCounted } from './operation-counts.ts'
import { checkedFilter } from './operation-filter.ts'
import {
  type DeadlineConditions,
  deadlineConditions,
  freshnessIs,
  IS_OVER,
  type Moment,
} from './operation-freshness.ts'
import { OPERATIONS, VISIBLE } from './operation-index.ts'
import { countAlong, type Way, wayTo } from './operation-plan.ts'
import type { ReadSession } from './read-session.ts'

/** Kinds that facets tell, the most frequent first. */
const FACET_KINDS_MAX = 100
/** Facets of rows look no further than this many entries of an index, or as many fewer rows as those cost more. */
const LOOK_COST_MAX = 60_000

/**
 * Facets of what the filter leaves. Exact where it names workspaces, statuses, kinds, reason codes and reconciled alone, but for
 * those under way of one freshness, which are counted up to COUNT_MAX; else of the first rows, COUNT_MAX at most, and said to
 * be no more than that. Throws QuestionError.
 */
export function facetsAsked(session: ReadSession, question: Moment & { readonly filter?: OperationFilter }): Facets {
  const filter = checkedFilter(question.filter ?? {})
  const deadlines = deadlineConditions(session, question)
  return isCounted(filter)
    ? facetsOfCounts(session, filter, countRowsOf(session, filter), deadlines)
    : facetsOfRows(session, partsOf(session, filter, question), deadlines)
}

function facetsOfCounts(
  session: ReadSession,
  filter: OperationFilter,
  groups: readonly CountGroup[],
  deadlines: DeadlineConditions,
): Facets {
  const sum = (isMeant: (group: CountGroup) => boolean) =>
    groups.reduce((total, group) => (isMeant(group) ? total + group.operations : total), 0)
  const total = sum(() => true)
  const active = sum(({ status }) => isActive(status))
  const reconciled = sum(({ is_reconciled }) => is_reconciled === 1)
  const followUp = sum(({ needs_follow_up }) => needs_follow_up === 1)
  const followUpEnded = sum(({ status, needs_follow_up }) => needs_follow_up === 1 && !isActive(status))
  const count = (index: string, ...conditions: readonly Condition[]): Count =>
    active === 0 ? exactly(0) : countUnderWay(session, index, conditions, filter)
  const isUnderWay: Condition = { sql: 'o.is_active = 1', parameters: [] }
  const isContradicted: Condition = { sql: `o.is_contradicted = 1 AND o.${VISIBLE}`, parameters: [] }
  const isTimed: Condition = { sql: 'o.late_at IS NOT NULL', parameters: [] }
  const stale = count('standing', isUnderWay, deadlines.isPast('deadline_at'))
  const late = count('late', isTimed, deadlines.isPast('late_at'), deadlines.isAhead('deadline_at'))
  const unruled = count('standing', isUnderWay, freshnessIs('no_policy', deadlines))
  const staleAndContradicted = count('contradicted', isContradicted, isUnderWay, deadlines.isPast('deadline_at'))
  const isFollowUpExact = staleAndContradicted.isExact
  const following = isFollowUpExact ? followUp - staleAndContradicted.count : followUpEnded
  return {
    ...spread(groups, true),
    freshness: {
      // What is left, unless of the others no more is known than that they are many.
      fresh: [stale, late, unruled].every(({ isExact }) => isExact)
        ? exactly(active - stale.count - late.count - unruled.count)
        : count('standing', isUnderWay, freshnessIs('fresh', deadlines)),
      late,
      likely_stale: stale,
      reconciled: exactly(reconciled),
      terminal: exactly(total - active - reconciled),
      no_policy: unruled,
    },
    problemClasses: {
      active_attention: stale,
      terminal_follow_up: { count: following, isExact: isFollowUpExact },
      none:
        stale.isExact && isFollowUpExact
          ? exactly(total - stale.count - following)
          : { count: total - active - followUpEnded, isExact: false },
    },
  }
}

/** Operations under way of the workspaces, kinds and statuses that the filter names, along an index that holds those columns. */
function countUnderWay(
  session: ReadSession,
  index: string,
  conditions: readonly Condition[],
  filter: OperationFilter,
): Count {
  const { workspaces, kinds } = filter
  const statuses = statusesAsked(filter)
  const { sql, parameters } = allOf([
    ...conditions,
    ...(statuses === undefined ? [] : [isAmong('o.status', statuses)]),
    ...(kinds === undefined ? [] : [isAmong('o.kind', kinds)]),
    ...(workspaces === undefined ? [] : [isAmong('o.workspace', workspaces)]),
  ])
  const along = `${session.table(OPERATIONS)} o INDEXED BY ${session.index(OPERATIONS, index)}`
  const row = session.get<{ readonly count: number }>(
    `SELECT count(*) AS count FROM (SELECT 1 FROM ${along} WHERE ${sql} LIMIT ?)`,
    [...parameters, COUNT_MAX + 1],
  )
  return capped(row?.count ?? 0)
}

interface FacetGroup extends Pick<CountGroup, 'kind' | 'status' | 'needs_follow_up' | 'operations'> {
  readonly reason_code: string | null
  readonly freshness: Freshness
}

function facetsOfRows(session: ReadSession, parts: FilterParts, deadlines: DeadlineConditions): Facets {
  const way = wayTo(session, parts, COUNT_MAX)
  const { groups, isExact } = way === undefined ? { groups: [], isExact: true } : groupsAlong(session, way, deadlines)
  const each = <T extends string>(all: readonly T[], nameOf: (group: FacetGroup) => T) => {
    const none = Object.fromEntries(all.map((one) => [one, { count: 0, isExact }]))
    return { ...none, ...sums(groups, nameOf, isExact) } as Record<T, Count> // one for each
  }
  return {
    ...spread(groups, isExact),
    freshness: each(FRESHNESSES, ({ freshness }) => freshness),
    problemClasses: each(PROBLEM_CLASSES, ({ freshness, needs_follow_up }) => {
      if (freshness === 'likely_stale') return 'active_attention'
      return needs_follow_up === 1 ? 'terminal_follow_up' : 'none'
    }),
  }
}

function groupsAlong(
  session: ReadSession,
  way: Way,
  deadlines: DeadlineConditions,
): { readonly groups: readonly FacetGroup[]; readonly isExact: boolean } {
  const [branch] = way.branches
  if (branch === undefined) return { groups: [], isExact: true }
  const looksMax = Math.ceil(LOOK_COST_MAX / way.rowCost)
  const { from, found, rest } = branch
  const named = freshnessNamed(deadlines)
  // The index of what is under way holds no reasons: such have none.
  const reason = `CASE WHEN ${IS_OVER.sql} THEN o.reason_code END AS reason_code`
  const looked = `SELECT o.kind, o.status, ${reason}, o.needs_follow_up,
    CASE WHEN ${rest.sql} THEN ${named.sql} END AS freshness ${from.sql} WHERE ${found.sql} LIMIT ?`
  const groups = session.all<FacetGroup>(
    `SELECT kind, status, reason_code, needs_follow_up, freshness, count(*) AS operations
     FROM (SELECT * FROM (${looked}) WHERE freshness IS NOT NULL LIMIT ?)
     GROUP BY kind, status, reason_code, needs_follow_up, freshness`,
    [...rest.parameters, ...named.parameters, ...from.parameters, ...found.parameters, looksMax, COUNT_MAX],
  )
  const meant = groups.reduce((total, { operations }) => total + operations, 0)
  if (meant === COUNT_MAX) return { groups, isExact: false }
  const all = { ...way, branches: [{ ...branch, rest: allOf([]) }] }
  return { groups, isExact: countAlong(session, all, looksMax) < looksMax }
}

/** The name of the freshness of a row. */
function freshnessNamed(deadlines: DeadlineConditions): Condition {
  const ofActive = (['no_policy', 'likely_stale', 'late'] as const).map((name) => {
    const { sql, parameters } = freshnessIs(name, deadlines)
    return { sql: `WHEN ${sql} THEN '${name}'`, parameters }
  })
  return {
    sql: `CASE WHEN ${IS_OVER.sql} THEN CASE WHEN o.is_reconciled = 1 THEN 'reconciled' ELSE 'terminal' END
      ${ofActive.map(({ sql }) => sql).join(' ')} ELSE 'fresh' END`,
    parameters: ofActive.flatMap(({ parameters }) => parameters),
  }
}

function spread(
  groups: readonly (Pick<CountGroup, 'kind' | 'status' | 'operations'> & { readonly reason_code: string | null })[],
  isExact: boolean,
): Pick<Facets, 'statuses' | 'kinds' | 'reasonCodes'> {
  return {
    statuses: sums(groups, ({ status }) => status, isExact),
    kinds: sums(groups, ({ kind }) => kind, isExact),
    reasonCodes: sums(groups, ({ reason_code }) => reason_code || undefined, isExact),
  }
}

function sums<Group extends { readonly operations: number }>(
  groups: readonly Group[],
  nameOf: (group: Group) => string | undefined,
  isExact: boolean,
): Readonly<Record<string, Count>> {
  const found = new Map<string, number>()
  for (const group of groups) {
    const name = nameOf(group)
    if (name !== undefined) found.set(name, (found.get(name) ?? 0) + group.operations)
  }
  const counts = [...found].sort(([, one], [, other]) => other - one).slice(0, FACET_KINDS_MAX)
  return Object.fromEntries(counts.map(([name, count]) => [name, { count, isExact }]))
}

function exactly(count: number): Count {
  return { count, isExact: true }
}
