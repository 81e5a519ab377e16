/**
 * What operations may be asked for, and the SQL that finds them. Each condition stands beside what it means; freshness is
 * what `judgeDeadline` says, put as a comparison of the stored deadline, and a test holds the two together.
 */
import type { z } from 'zod'
import {
  type FRESHNESSES,
  type OperationFilter,
  operationFilterSchema,
  type PROBLEM_CLASSES,
} from '../src/authority/monitoring-filters.ts'
import { isActive, isTerminal, PRESENT_STATUSES, type PresentStatus, statusesOf } from '../src/authority/status.ts'
import { foldedName, LABELS, OPERATIONS, VISIBLE } from './operation-index.ts'
import type { SqlValue } from './projection.ts'
import { QuestionError } from './question-error.ts'
import type { ReadSession } from './read-session.ts'

/** The filter as it may be asked. Throws QuestionError naming the condition and what is expected of it. */
export function checkedFilter(filter: unknown): OperationFilter {
  return filterBy(operationFilterSchema, filter)
}

/** The same for any filter that has a schema. */
export function filterBy<Filter>(schema: z.ZodType<Filter>, filter: unknown): Filter {
  const parsed = schema.safeParse(filter)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.map(String).join('.') ?? ''
  throw new QuestionError('bad_filter', `filter${place === '' ? '' : ` ${place}`}: ${issue?.message ?? 'not valid'}`)
}

export interface Condition {
  readonly sql: string
  readonly parameters: readonly SqlValue[]
}

/** A condition that leaves so few rows that it pays to begin with them. */
export interface Selection extends Condition {
  /** A statement that gives the row ids of the operations as `place`. */
  readonly from: Condition
  /** One that gives as many rows for less; `from` where there is none. */
  readonly asMany?: Condition
  /** Its rows lie together, so that no order but their own comes by them soon. */
  readonly isClustered?: true
  /** Its rows lie in a table of their own, so that whoever looks at operations first looks there for each. */
  readonly isApart?: true
}

export interface FilterParts {
  /** Conditions on columns, with `o` for the row. */
  readonly conditions: readonly Condition[]
  readonly selections: readonly Selection[]
  /** These two stand among the selections as well. Undefined where any will do. */
  readonly statuses: readonly PresentStatus[] | undefined
  readonly kinds: readonly string[] | undefined
  /** Whatever is asked for needs follow-up: there are indexes of those alone. */
  readonly isFollowUp: boolean
}

/** `staleFrom`: what has a deadline up to here is likely stale; the time less the grace. */
export function partsOf(session: ReadSession, filter: OperationFilter, staleFrom: number): FilterParts {
  const conditions: Condition[] = [{ sql: `o.${VISIBLE}`, parameters: [] }]
  const selections: Selection[] = []
  const add = (sql: string, ...parameters: readonly SqlValue[]) => conditions.push({ sql, parameters })
  const select = (column: string, given: readonly string[] | undefined) => {
    if (given !== undefined) selections.push(columnIsAmong(session, column, given))
  }
  const statuses = statusesAsked(filter)
  select('id', filter.ids)
  select('key', filter.key === undefined ? undefined : [filter.key])
  select('owner', filter.owners)
  select('reason_code', filter.reasonCodes)
  select('status', statuses)
  select('kind', filter.kinds)
  select('workspace', filter.workspaces)
  if (filter.freshness !== undefined) conditions.push(anyOf(filter.freshness, (one) => freshnessIs(one, staleFrom)))
  if (filter.problemClasses !== undefined) {
    conditions.push(anyOf(filter.problemClasses, (one) => problemClassIs(one, staleFrom)))
  }
  if (filter.attention !== undefined) conditions.push(when(filter.attention, freshnessIs('likely_stale', staleFrom)))
  const isFollowUp = needsFollowUp(filter)
  if (isFollowUp) selections.push(among(session, { sql: 'needs_follow_up = 1', parameters: [] }))
  if (filter.contradicted === true) selections.push(among(session, { sql: 'is_contradicted = 1', parameters: [] }))
  const soon = onlyOne(filter)
  if (soon === 'likely_stale')
    selections.push(amongActive(session, { sql: 'deadline_at <= ?', parameters: [staleFrom] }))
  if (soon === 'late') selections.push(amongActive(session, { sql: 'late_at <= ?', parameters: [staleFrom] }))
  if (filter.active === true) selections.push(amongActive(session, { sql: 'is_active = 1', parameters: [] }))
  const flags = { is_active: filter.active, is_reconciled: filter.reconciled, is_contradicted: filter.contradicted }
  for (const [column, flag] of Object.entries(flags)) if (flag !== undefined) add(`o.${column} = ${flag ? 1 : 0}`)
  if (filter.attemptAtLeast !== undefined && filter.attemptAtLeast > 1) {
    // Said with a number of its own, so that the index of the few is found.
    add('o.attempt > 1')
    selections.push(among(session, { sql: 'attempt >= ?', parameters: [filter.attemptAtLeast] }, 'attempt > 1 AND '))
  }
  if (filter.retryOf !== undefined)
    selections.push(among(session, { sql: 'retry_of = ?', parameters: [filter.retryOf] }))
  const ranges = {
    registered_at: filter.registered,
    started_at: filter.started,
    ended_at: filter.ended,
    last_activity_at: filter.activity,
  }
  for (const [column, given] of Object.entries(ranges)) {
    if (given?.from === undefined && given?.until === undefined) continue
    const { from = Number.MIN_SAFE_INTEGER, until = Number.MAX_SAFE_INTEGER } = given
    const within = { sql: `${column} >= ? AND o.${column} < ?`, parameters: [from, until] }
    // Starts have no index of their own: they are looked at one by one.
    if (column === 'started_at') add(`o.${within.sql}`, from, until)
    else if (column === 'last_activity_at') selections.push(among(session, within))
    else selections.push({ ...among(session, within), isClustered: true })
  }
  if (filter.text !== undefined) selections.push(beginsWith(session, filter.text))
  for (const [label, value] of Object.entries(filter.labels ?? {})) selections.push(labelIs(session, label, value))
  return { conditions, selections, statuses, kinds: filter.kinds, isFollowUp }
}

/** What `judgeDeadline` calls so, of the stored deadline: late and stale include their moment. */
export function freshnessIs(freshness: (typeof FRESHNESSES)[number], staleFrom: number): Condition {
  switch (freshness) {
    case 'likely_stale':
      return { sql: 'o.deadline_at <= ?', parameters: [staleFrom] }
    case 'late':
      return { sql: '(o.late_at <= ? AND o.deadline_at > ?)', parameters: [staleFrom, staleFrom] }
    case 'fresh':
      return {
        sql: `(o.is_active = 1 AND (o.deadline_at IS NULL AND o.has_policy = 1
               OR o.deadline_at > ? AND (o.late_at IS NULL OR o.late_at > ?)))`,
        parameters: [staleFrom, staleFrom],
      }
    case 'no_policy':
      return { sql: '(o.is_active = 1 AND o.deadline_at IS NULL AND o.has_policy = 0)', parameters: [] }
    case 'reconciled':
      // Who was reconciled needs follow-up: said once more, so that its index is found.
      return { sql: '(o.needs_follow_up = 1 AND o.is_reconciled = 1)', parameters: [] }
    case 'terminal':
      return { sql: '(o.is_active = 0 AND o.is_reconciled = 0)', parameters: [] }
    default:
      return freshness satisfies never
  }
}

export function problemClassIs(problem: (typeof PROBLEM_CLASSES)[number], staleFrom: number): Condition {
  switch (problem) {
    case 'active_attention':
      return freshnessIs('likely_stale', staleFrom)
    case 'terminal_follow_up':
      return {
        sql: '(o.needs_follow_up = 1 AND (o.deadline_at IS NULL OR o.deadline_at > ?))',
        parameters: [staleFrom],
      }
    case 'none':
      return {
        sql: '(o.needs_follow_up = 0 AND (o.deadline_at IS NULL OR o.deadline_at > ?))',
        parameters: [staleFrom],
      }
    default:
      return problem satisfies never
  }
}

/** Statuses that the filter leaves, also by what it says otherwise; undefined where any will do. */
function statusesAsked(filter: OperationFilter): readonly PresentStatus[] | undefined {
  const { statuses, resultClasses, active, attention, reconciled, reasonCodes, freshness, ended } = filter
  const isOf = (some: readonly string[]) => freshness?.every((one) => some.includes(one)) ?? false
  const isEnded = active === false || reconciled === true || reasonCodes !== undefined || ended !== undefined
  const isOver = isEnded || isOf(['reconciled', 'terminal'])
  const isUnderWay = active === true || attention === true || isOf(['fresh', 'late', 'likely_stale', 'no_policy'])
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

/** The one freshness that the filter leaves, where it leaves but one. */
function onlyOne({ attention, freshness, problemClasses }: OperationFilter): string | undefined {
  if (attention === true || problemClasses?.every((one) => one === 'active_attention')) return 'likely_stale'
  const [only, ...others] = freshness ?? []
  return others.length === 0 ? only : undefined
}

function labelIs(session: ReadSession, label: string, value: string): Selection {
  const labels = session.table(LABELS)
  const parameters = [label, value]
  return {
    sql: `EXISTS (SELECT 1 FROM ${labels} WHERE label = ? AND value = ? AND stream = o.stream AND number = o.number)`,
    parameters,
    from: {
      sql: `SELECT o.rowid AS place FROM ${labels} l
            CROSS JOIN ${session.table(OPERATIONS)} o ON o.stream = l.stream AND o.number = l.number
            WHERE l.label = ? AND l.value = ?`,
      parameters,
    },
    asMany: { sql: `SELECT 1 FROM ${labels} WHERE label = ? AND value = ?`, parameters },
    isApart: true,
  }
}

function columnIsAmong(session: ReadSession, column: string, given: readonly string[]): Selection {
  return among(session, { sql: `${column} IN (${placeholders(given)})`, parameters: given })
}

/** `also` stands before the condition where only the rows are looked for. */
function among(session: ReadSession, { sql, parameters }: Condition, also = ''): Selection {
  return { sql: `o.${sql}`, parameters, from: placesOf(session, `${also}o.${sql} AND o.${VISIBLE}`, parameters) }
}

/** What is under way is never hidden: its indexes need not say so. */
function amongActive(session: ReadSession, { sql, parameters }: Condition): Selection {
  return { sql: `o.${sql}`, parameters, from: placesOf(session, `o.${sql}`, parameters) }
}

function beginsWith(session: ReadSession, text: string): Selection {
  const folded = foldedName(text)
  const ofId = [text, afterAll(text)]
  const ofName = [folded, afterAll(folded)]
  const byId = placesOf(session, 'o.id >= ? AND o.id < ?', ofId)
  // Each once, without keeping all of them to compare: who counts stops early.
  const byName = placesOf(session, 'o.name_folded >= ? AND o.name_folded < ? AND NOT (+o.id >= ? AND +o.id < ?)', [
    ...ofName,
    ...ofId,
  ])
  return {
    sql: '(o.id >= ? AND o.id < ? OR o.name_folded >= ? AND o.name_folded < ?)',
    parameters: [...ofId, ...ofName],
    from: { sql: `${byId.sql} UNION ALL ${byName.sql}`, parameters: [...byId.parameters, ...byName.parameters] },
  }
}

function placesOf(session: ReadSession, where: string, parameters: readonly SqlValue[]): Condition {
  return { sql: `SELECT o.rowid AS place FROM ${session.table(OPERATIONS)} o WHERE ${where}`, parameters }
}

/** Behind every text that begins with this one, in the order of SQLite's bytes: no character is higher. */
export function afterAll(text: string): string {
  return `${text}\u{10ffff}`
}

function anyOf<T>(given: readonly T[], conditionOf: (one: T) => Condition): Condition {
  const all = given.map(conditionOf)
  return {
    sql: `(${all.map(({ sql }) => sql).join(' OR ')})`,
    parameters: all.flatMap(({ parameters }) => parameters),
  }
}

/** A comparison with nothing is neither true nor false: what is not known to be so is not so. */
function when(expected: boolean, { sql, parameters }: Condition): Condition {
  return { sql: expected ? sql : `(${sql}) IS NOT TRUE`, parameters }
}

export function placeholders(given: readonly unknown[]): string {
  return given.map(() => '?').join(', ')
}

/** All of them hold; where there are none, always. */
export function allOf(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: 'TRUE', parameters: [] }
  return {
    sql: conditions.map(({ sql }) => sql).join(' AND '),
    parameters: conditions.flatMap(({ parameters }) => parameters),
  }
}

/** Statuses and kinds as conditions on columns. */
export function inLists({ statuses, kinds }: Pick<FilterParts, 'statuses' | 'kinds'>): readonly Condition[] {
  const conditions: Condition[] = []
  if (statuses !== undefined) conditions.push({ sql: `o.status IN (${placeholders(statuses)})`, parameters: statuses })
  if (kinds !== undefined) conditions.push({ sql: `o.kind IN (${placeholders(kinds)})`, parameters: kinds })
  return conditions
}
