/**
 * How operations are spread over statuses, kinds, reason codes, freshness and problem classes. Filters that the counts tell apart
 * are answered from them, and what is under way is counted along indexes that hold all that is asked for; any other filter
 * is answered from the first COUNT_MAX rows that it leaves, in one pass.
 */
import type { Freshness, ProblemClass } from '../src/authority/freshness.ts'
import { COUNT_MAX, type Count, type Facets } from '../src/authority/monitoring.ts'
import { FRESHNESSES, type OperationFilter, PROBLEM_CLASSES } from '../src/authority/monitoring-filters.ts'
import { isActive } from '../src/authority/status.ts'
import { type CountGroup, capped, countRowsOf, isCounted } from './operation-counts.ts'
import {
  type Condition,
  checkedFilter,
  type FilterParts,
  freshnessIs,
  inLists,
  partsOf,
  placeholders,
  problemClassIs,
} from './operation-filter.ts'
import { VISIBLE } from './operation-index.ts'
import { countedFrom, countOf, source } from './operation-plan.ts'
import type { Moment } from './operation-questions.ts'
import type { ReadSession } from './read-session.ts'

/** Kinds that facets tell, the most frequent first. */
const FACET_KINDS_MAX = 100

/**
 * Facets of what the filter leaves. Exact where it names workspaces, statuses, kinds, reason codes and reconciled alone, but for
 * those under way of one freshness, which are counted up to COUNT_MAX; else of the first COUNT_MAX rows, and said to be no
 * more than that. Throws QuestionError.
 */
export function facetsAsked(session: ReadSession, question: Moment & { readonly filter?: OperationFilter }): Facets {
  const filter = checkedFilter(question.filter ?? {})
  const staleFrom = question.now - question.graceMs
  return isCounted(filter)
    ? facetsOfCounts(session, filter, countRowsOf(session, filter), staleFrom)
    : facetsOfRows(session, partsOf(session, filter, staleFrom), staleFrom)
}

function facetsOfCounts(
  session: ReadSession,
  filter: OperationFilter,
  groups: readonly CountGroup[],
  staleFrom: number,
): Facets {
  const sum = (isMeant: (group: CountGroup) => boolean) =>
    groups.reduce((total, group) => (isMeant(group) ? total + group.operations : total), 0)
  const total = sum(() => true)
  const active = sum(({ status }) => isActive(status))
  const reconciled = sum(({ is_reconciled }) => is_reconciled === 1)
  const followUp = sum(({ needs_follow_up }) => needs_follow_up === 1)
  const followUpEnded = sum(({ status, needs_follow_up }) => needs_follow_up === 1 && !isActive(status))
  const count = (index: string, sql: string, ...parameters: readonly number[]): Count =>
    active === 0 ? exactly(0) : countUnderWay(session, index, { sql, parameters }, filter)
  const stale = count('standing', 'o.is_active = 1 AND o.deadline_at <= ?', staleFrom)
  const late = count('late', 'o.late_at <= ? AND o.deadline_at > ?', staleFrom, staleFrom)
  const unruled = count('standing', 'o.is_active = 1 AND o.deadline_at IS NULL AND o.has_policy = 0')
  const { sql: freshSql } = freshnessIs('fresh', staleFrom)
  const staleAndContradicted = count(
    'contradicted',
    `o.is_contradicted = 1 AND o.${VISIBLE} AND o.is_active = 1 AND o.deadline_at <= ?`,
    staleFrom,
  )
  const isFollowUpExact = staleAndContradicted.isExact
  const following = isFollowUpExact ? followUp - staleAndContradicted.count : followUpEnded
  return {
    ...spread(groups, true),
    freshness: {
      // What is left, unless of the others no more is known than that they are many.
      fresh: [stale, late, unruled].every(({ isExact }) => isExact)
        ? exactly(active - stale.count - late.count - unruled.count)
        : count('standing', freshSql, staleFrom, staleFrom),
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
function countUnderWay(session: ReadSession, index: string, condition: Condition, filter: OperationFilter): Count {
  const { workspaces, kinds, statuses } = { ...filter, ...partsOf(session, filter, 0) }
  const conditions = [condition, ...inLists({ kinds, statuses })]
  if (workspaces !== undefined) {
    conditions.push({ sql: `o.workspace IN (${placeholders(workspaces)})`, parameters: workspaces })
  }
  return capped(countOf(session, undefined, conditions, COUNT_MAX + 1, index))
}

interface FacetGroup extends Pick<CountGroup, 'kind' | 'status' | 'operations'> {
  readonly reason_code: string | null
  readonly freshness: Freshness
  readonly problem: ProblemClass
}

function facetsOfRows(session: ReadSession, parts: FilterParts, staleFrom: number): Facets {
  const { selection, rest } = countedFrom(session, parts)
  const { from, where } = source(session, selection, rest)
  const freshness = named(FRESHNESSES, (one) => freshnessIs(one, staleFrom))
  const problem = named(PROBLEM_CLASSES, (one) => problemClassIs(one, staleFrom))
  const groups = session.all<FacetGroup>(
    `SELECT kind, status, reason_code, freshness, problem, count(*) AS operations
     FROM (SELECT o.kind, o.status, o.reason_code, ${freshness.sql} AS freshness, ${problem.sql} AS problem
           ${from.sql} WHERE ${where.sql} LIMIT ?)
     GROUP BY kind, status, reason_code, freshness, problem`,
    [...freshness.parameters, ...problem.parameters, ...from.parameters, ...where.parameters, COUNT_MAX],
  )
  const isExact = groups.reduce((total, { operations }) => total + operations, 0) < COUNT_MAX
  const each = <T extends string>(all: readonly T[], nameOf: (group: FacetGroup) => T) => {
    const none = Object.fromEntries(all.map((one) => [one, { count: 0, isExact }]))
    return { ...none, ...sums(groups, nameOf, isExact) } as Record<T, Count> // one for each
  }
  return {
    ...spread(groups, isExact),
    freshness: each(FRESHNESSES, (group) => group.freshness),
    problemClasses: each(PROBLEM_CLASSES, (group) => group.problem),
  }
}

/** The name of the condition that holds: exactly one of them does. */
function named<T extends string>(all: readonly T[], conditionOf: (one: T) => Condition): Condition {
  const conditions = all.map((one) => ({ name: one, ...conditionOf(one) }))
  return {
    sql: `CASE ${conditions.map(({ name, sql }) => `WHEN ${sql} THEN '${name}'`).join(' ')} END`,
    parameters: conditions.flatMap(({ parameters }) => parameters),
  }
}

type Spread = Pick<Facets, 'statuses' | 'kinds' | 'reasonCodes'>

function spread(
  groups: readonly (Pick<CountGroup, 'kind' | 'status' | 'operations'> & { readonly reason_code: string | null })[],
  isExact: boolean,
): Spread {
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
