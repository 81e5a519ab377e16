/**
 * The filter in SQL: each condition beside what it means, and how it could be begun with. A condition is said with the columns
 * that the indexes hold wherever it can be: what is under way is told by its status.
 */

import type { OperationFilter } from '../src/authority/monitoring-filters.ts'
import { isActive, isTerminal, PRESENT_STATUSES, type PresentStatus, statusesOf } from '../src/authority/status.ts'
import { allOf, anyOf, beginsWith, type Condition, isAmong } from './condition.ts'
import {
  deadlineConditions,
  freshnessIs,
  IS_ACTIVE,
  IS_OVER,
  type Moment,
  problemClassIs,
} from './operation-freshness.ts'
import { foldedName, LABELS, OPERATIONS, VISIBLE } from './operation-index.ts'
import type { ReadSession } from './read-session.ts'

/** A condition that rows can be found by. */
export interface Selection extends Condition {
  readonly begin: Along | Apart
  /** What it asks for stands in the counts and in every wide index. */
  readonly isCounted?: true
  /** It says more of what the statuses leave, and nothing of other rows. */
  readonly isOfStatuses?: true
  /** No other index holds what it asks for. */
  readonly isInItsIndexAlone?: true
  /** Its rows lie together: in any other order they may come last. */
  readonly isRange?: true
}

/** Found along an index of operations. */
export interface Along {
  readonly index: string
  readonly where: Condition
  /** The column that the index is sorted by within each of the branches. */
  readonly order?: { readonly column: string; readonly branches: readonly Condition[] }
  /** All that filters mostly ask for stands in the index, */
  readonly isWide?: true
  /** and what may be sorted by. */
  readonly holds?: readonly string[]
}

/** Found by their row ids, which a statement gives as `place`. */
export interface Apart {
  readonly from: Condition
  /** Gives as many rows for less. */
  readonly asMany?: Condition
  /** Of one row, in entries of an index that holds all that is asked for. */
  readonly rowCost: number
}

export interface FilterParts {
  readonly selections: readonly Selection[]
  /** No rows are found by these; in indexes they stand or they don't. */
  readonly conditions: readonly (Condition & { readonly isWide?: true })[]
  /** By all that the filter says; undefined where any will do. */
  readonly statuses: readonly PresentStatus[] | undefined
}

export const IS_VISIBLE: Condition = { sql: `o.${VISIBLE}`, parameters: [] }
/** What is looked up in the row costs so many entries of an index. */
export const LOOKED_UP_COST = 12

/** The times that the indexes of all operations hold. */
export const TIMES: readonly string[] = ['last_activity_at', 'status_since_at']
/** Indexes of what is under way: that is never hidden, and they need not say so. */
const OF_ACTIVE: Condition = { sql: 'o.is_active = 1', parameters: [] }

export function partsOf(session: ReadSession, filter: OperationFilter, moment: Moment): FilterParts {
  const selections: Selection[] = []
  const conditions: (Condition & { readonly isWide?: true })[] = []
  const deadlines = deadlineConditions(session, moment)
  const statuses = statusesAsked(filter)
  const { owners, kinds, workspaces, reasonCodes } = filter
  if (statuses !== undefined) selections.push({ ...wide('status', statuses, 'status_since_at'), isCounted: true })
  if (kinds !== undefined) selections.push({ ...wide('kind', kinds, 'last_activity_at'), isCounted: true })
  if (owners !== undefined) selections.push(wide('owner', owners, 'last_activity_at'))
  if (workspaces !== undefined) {
    selections.push({ ...narrow('workspace', isAmong('o.workspace', workspaces)), isCounted: true })
  }
  if (reasonCodes !== undefined) {
    const isCoded = { sql: 'o.reason_code IS NOT NULL', parameters: [] }
    selections.push({ ...narrow('reason', isAmong('o.reason_code', reasonCodes), isCoded), isCounted: true })
  }
  const endedAt = filter.ended === undefined ? undefined : within('o.status_since_at', filter.ended)
  if (endedAt !== undefined) selections.push(endedWithin(statuses ?? [], endedAt))
  if (needsFollowUp(filter)) selections.push(...followUps(statuses, endedAt))
  if (filter.ids !== undefined) selections.push(narrow('id', isAmong('o.id', filter.ids)))
  if (filter.key !== undefined) {
    selections.push(narrow('key', isAmong('o.key', [filter.key]), { sql: 'o.key IS NOT NULL', parameters: [] }))
  }
  if (filter.retryOf !== undefined) {
    const isRetry = { sql: 'o.retry_of IS NOT NULL', parameters: [] }
    selections.push(narrow('retry_of', isAmong('o.retry_of', [filter.retryOf]), isRetry))
  }
  if (filter.attemptAtLeast !== undefined && filter.attemptAtLeast > 1) {
    const attempts = { sql: 'o.attempt >= ?', parameters: [filter.attemptAtLeast] }
    selections.push(narrow('attempts', attempts, { sql: 'o.attempt > 1', parameters: [] }))
  }
  if (filter.freshness !== undefined) conditions.push(anyOf(filter.freshness.map((one) => freshnessIs(one, deadlines))))
  if (filter.problemClasses !== undefined) {
    conditions.push(anyOf(filter.problemClasses.map((one) => problemClassIs(one, deadlines))))
  }
  if (filter.attention !== undefined) conditions.push(when(filter.attention, freshnessIs('likely_stale', deadlines)))
  if (statuses?.every(isActive)) selections.push(underWay(filter, moment.now))
  if (filter.active !== undefined) conditions.push({ ...(filter.active ? IS_ACTIVE : IS_OVER), isWide: true })
  if (filter.reconciled !== undefined) {
    conditions.push({ sql: `o.is_reconciled = ${filter.reconciled ? 1 : 0}`, parameters: [], isWide: true })
  }
  if (filter.contradicted === true) {
    selections.push(narrow('contradicted', { sql: 'o.is_contradicted = 1', parameters: [] }))
  } else if (filter.contradicted === false) {
    conditions.push({ sql: 'o.is_contradicted = 0', parameters: [] })
  }
  selections.push(...ranges(filter))
  if (filter.started !== undefined) conditions.push(within('o.started_at', filter.started))
  if (filter.text !== undefined) selections.push(textBegins(session, filter.text))
  for (const [label, value] of Object.entries(filter.labels ?? {})) selections.push(labelIs(session, label, value))
  return { selections, conditions, statuses }
}

/** Of a column that leads a wide index. */
function wide(column: string, values: readonly string[], orderedBy: string): Selection {
  const condition = isAmong(`o.${column}`, values)
  const each = [...new Set(values)]
  const branches = each.map((value) => allOf([isAmong(`o.${column}`, [value]), IS_VISIBLE]))
  return {
    ...condition,
    begin: {
      index: column,
      where: allOf([condition, IS_VISIBLE]),
      order: { column: orderedBy, branches },
      isWide: true,
      holds: TIMES,
    },
  }
}

/** The end is when the status began that it has since. */
function endedWithin(statuses: readonly PresentStatus[], endedAt: Condition): Selection {
  const branches = statuses.map((status) => allOf([isAmong('o.status', [status]), endedAt, IS_VISIBLE]))
  const where = allOf([isAmong('o.status', statuses), endedAt, IS_VISIBLE])
  return {
    ...endedAt,
    begin: { index: 'status', where, order: { column: 'status_since_at', branches }, isWide: true, holds: TIMES },
    isOfStatuses: true,
    isRange: true,
  }
}

/** Of a column whose index holds nothing else; `also` is what the index says of all its rows. */
function narrow(index: string, condition: Condition, also?: Condition): Selection {
  return {
    ...condition,
    begin: { index, where: allOf([condition, ...(also === undefined ? [] : [also]), IS_VISIBLE]) },
  }
}

/** The same rows, once by their activity and once by their status. */
function followUps(
  statuses: readonly PresentStatus[] | undefined,
  endedAt: Condition | undefined,
): readonly Selection[] {
  const condition = { sql: 'o.needs_follow_up = 1', parameters: [] }
  const where = allOf([condition, IS_VISIBLE])
  const each = statuses ?? PRESENT_STATUSES
  const since = allOf([where, ...(endedAt === undefined ? [] : [endedAt])])
  const branches = each.map((status) => allOf([isAmong('o.status', [status]), since]))
  const order = { column: 'status_since_at', branches }
  return [
    {
      ...condition,
      begin: {
        index: 'follow_up',
        where,
        order: { column: 'last_activity_at', branches: [where] },
        isWide: true,
        holds: TIMES,
      },
      isCounted: true,
    },
    {
      ...condition,
      begin: {
        index: 'follow_up_status',
        where: allOf([isAmong('o.status', each), since]),
        order,
        isWide: true,
        holds: ['status_since_at'],
      },
      ...(endedAt === undefined ? { isCounted: true } : {}),
    },
  ]
}

/** By their deadlines where only those are meant whose deadline has passed. */
function underWay({ attention, freshness, problemClasses }: OperationFilter, now: number): Selection {
  const isStale =
    attention === true ||
    freshness?.every((one) => one === 'likely_stale') === true ||
    problemClasses?.every((one) => one === 'active_attention') === true
  const isLate = freshness?.every((one) => one === 'late' || one === 'likely_stale') === true
  const past = (column: string): Condition => ({ sql: `o.${column} <= ?`, parameters: [now] })
  const found = (index: string, where: Condition): Along => ({ index, where, isWide: true })
  const rest = { isOfStatuses: true } as const
  if (isStale) {
    const where = allOf([OF_ACTIVE, past('deadline_at')])
    const order = { column: 'deadline_at', branches: [where] }
    return {
      ...allOf([IS_ACTIVE, past('deadline_at')]),
      begin: { ...found('standing', where), order, holds: ['deadline_at'] },
      ...rest,
    }
  }
  if (isLate && freshness?.includes('likely_stale') === false) {
    const where = allOf([{ sql: 'o.late_at IS NOT NULL', parameters: [] }, past('late_at')])
    return { ...allOf([IS_ACTIVE, past('late_at')]), begin: found('late', where), ...rest }
  }
  return { ...IS_ACTIVE, begin: { ...found('standing', OF_ACTIVE), holds: ['deadline_at'] }, ...rest }
}

function ranges({ registered, activity }: OperationFilter): readonly Selection[] {
  const selections: Selection[] = []
  if (registered !== undefined) {
    const condition = within('o.registered_at', registered)
    const where = allOf([condition, IS_VISIBLE])
    selections.push({
      ...condition,
      begin: { index: 'registered', where, isWide: true, holds: TIMES },
      isRange: true,
      isInItsIndexAlone: true,
    })
  }
  if (activity !== undefined) {
    const condition = within('o.last_activity_at', activity)
    const where = allOf([condition, IS_VISIBLE])
    const order = { column: 'last_activity_at', branches: [where] }
    selections.push({
      ...condition,
      begin: { index: 'activity', where, order, isWide: true, holds: TIMES },
      isRange: true,
    })
  }
  return selections
}

function within(column: string, { from, until }: { readonly from?: number; readonly until?: number }): Condition {
  return allOf([
    ...(from === undefined ? [] : [{ sql: `${column} >= ?`, parameters: [from] }]),
    ...(until === undefined ? [] : [{ sql: `${column} < ?`, parameters: [until] }]),
    { sql: `${column} IS NOT NULL`, parameters: [] },
  ])
}

/** Statuses that the filter leaves, also by what it says otherwise; undefined where any will do. */
export function statusesAsked(filter: OperationFilter): readonly PresentStatus[] | undefined {
  const { statuses, resultClasses, active, attention, reconciled, reasonCodes, freshness, problemClasses, ended } =
    filter
  const isOf = (some: readonly string[]) => freshness?.every((one) => some.includes(one)) ?? false
  const isEnded = active === false || reconciled === true || reasonCodes !== undefined || ended !== undefined
  const isOver = isEnded || isOf(['reconciled', 'terminal'])
  const isStale = attention === true || problemClasses?.every((one) => one === 'active_attention') === true
  const isUnderWay = active === true || isStale || isOf(['fresh', 'late', 'likely_stale', 'no_policy'])
  if (statuses === undefined && resultClasses === undefined && !isOver && !isUnderWay) return undefined
  const ofClasses = resultClasses?.flatMap((one) => statusesOf(one))
  return PRESENT_STATUSES.filter(
    (status) =>
      (statuses?.includes(status) ?? true) &&
      (ofClasses?.includes(status) ?? true) &&
      !(isOver && isActive(status)) &&
      !(isUnderWay && isTerminal(status)),
  )
}

function needsFollowUp({ reconciled, contradicted, reasonCodes, freshness, problemClasses }: OperationFilter): boolean {
  return (
    reconciled === true ||
    contradicted === true ||
    reasonCodes !== undefined ||
    freshness?.every((one) => one === 'reconciled') === true ||
    problemClasses?.every((one) => one === 'terminal_follow_up') === true
  )
}

function labelIs(session: ReadSession, label: string, value: string): Selection {
  const labels = session.table(LABELS)
  const parameters = [label, value]
  return {
    sql: `EXISTS (SELECT 1 FROM ${labels} WHERE label = ? AND value = ? AND stream = o.stream AND number = o.number)`,
    parameters,
    begin: {
      // CROSS JOIN keeps SQLite from beginning with the other side.
      from: {
        sql: `SELECT o.rowid AS place FROM ${labels} l
              CROSS JOIN ${session.table(OPERATIONS)} o ON o.stream = l.stream AND o.number = l.number
              WHERE l.label = ? AND l.value = ?`,
        parameters,
      },
      rowCost: 2 * LOOKED_UP_COST,
      asMany: { sql: `SELECT 1 FROM ${labels} WHERE label = ? AND value = ?`, parameters },
    },
  }
}

function textBegins(session: ReadSession, text: string): Selection {
  const ofId = beginsWith('o.id', text)
  const ofName = beginsWith('o.name_folded', foldedName(text))
  // Not by the index of ids, which is that of the other half.
  const ofIdAsWell = beginsWith('+o.id', text)
  const places = `SELECT o.rowid AS place FROM ${session.table(OPERATIONS)} o WHERE`
  return {
    ...anyOf([ofId, ofName]),
    begin: {
      rowCost: LOOKED_UP_COST,
      from: {
        // Each once, without keeping all of them to compare: who counts stops early.
        sql: `${places} ${ofId.sql} UNION ALL ${places} ${ofName.sql} AND NOT (${ofIdAsWell.sql})`,
        parameters: [...ofId.parameters, ...ofName.parameters, ...ofIdAsWell.parameters],
      },
    },
  }
}

/** A comparison with nothing is neither true nor false: what is not known to be so is not so. */
function when(expected: boolean, { sql, parameters }: Condition): Condition {
  return { sql: expected ? sql : `(${sql}) IS NOT TRUE`, parameters }
}
