/**
 * What monitors ask of the operation index: a page of a list, a count, one operation. Each within bounds: a page is read
 * along the cheapest index, a count stops at its cap. Every answer rests on one moment of the rows, and names its position.
 */
import { graceMsFor } from '../src/authority/grace.ts'
import {
  COUNT_MAX,
  type Count,
  type ListedOperation,
  type OperationPage,
  type OperationSort,
  type OperationsQuestion,
} from '../src/authority/monitoring.ts'
import type { OperationFilter } from '../src/authority/monitoring-filters.ts'
import { viewOf } from '../src/authority/operation-view.ts'
import { allOf, type Condition } from './condition.ts'
import { keysetPage } from './keyset-page.ts'
import { partsOf } from './operation-conditions.ts'
import { capped, countOfLabel, countRowsOf, isCounted } from './operation-counts.ts'
import { checkedFilter } from './operation-filter.ts'
import { IS_ACTIVE, type Moment } from './operation-freshness.ts'
import { OPERATIONS } from './operation-index.ts'
import { ALL, BY_STATUS, countAlong, over, type Sort, type Way, wayTo } from './operation-plan.ts'
import { operationOf } from './operation-record.ts'
import type { ReadSession } from './read-session.ts'

const BY_START = {
  column: 'started_at',
  branches: [{ sql: '(o.is_active = 1 AND o.started_at IS NOT NULL)', parameters: [] }],
}
const BY_DEADLINE = {
  column: 'deadline_at',
  branches: [{ sql: '(o.is_active = 1 AND o.deadline_at IS NOT NULL)', parameters: [] }],
}

const TIE = 'o.registered_position'
const SORTS = {
  newest_activity: { ...sorted('last_activity_at', 'DESC'), among: allOf([]), base: ALL },
  oldest_in_status: { ...sorted('status_since_at', 'ASC'), among: allOf([]), base: BY_STATUS },
  /** Of those that have started and not ended. */
  longest_running: {
    ...sorted('started_at', 'ASC'),
    among: allOf([IS_ACTIVE, { sql: 'o.started_at IS NOT NULL', parameters: [] }]),
    isOfActive: true,
    base: { index: 'running', where: allOf(BY_START.branches), order: BY_START, isWide: true, holds: ['started_at'] },
  },
  /** Of those that have a deadline, the first one first, as the policy has it: time that was not heard moves no row. */
  most_overdue: {
    ...sorted('deadline_at', 'ASC'),
    among: allOf([IS_ACTIVE, { sql: 'o.deadline_at IS NOT NULL', parameters: [] }]),
    isOfActive: true,
    base: {
      index: 'standing',
      where: allOf(BY_DEADLINE.branches),
      order: BY_DEADLINE,
      isWide: true,
      holds: ['deadline_at'],
    },
  },
} as const satisfies Record<OperationSort, Sort>

/** Sorted by newest activity where nothing else is said. */
export interface ListQuestion extends Moment, Pick<OperationsQuestion, 'filter' | 'sort' | 'pageSize' | 'pageToken'> {}

/** One page. Throws QuestionError. */
export function listAsked(session: ReadSession, question: ListQuestion): OperationPage {
  const filter = checkedFilter(question.filter ?? {})
  const parts = partsOf(session, filter, question)
  let way: Way | undefined
  const { rows, nextPageToken, newer } = keysetPage<ListRow, Sort>(session, question, {
    of: 'operations',
    sorts: SORTS,
    filter,
    rowsBehind: (sort, behind, limit) => {
      way = wayTo(session, parts, limit, sort)
      return way === undefined ? [] : rowsAlong(session, way, sort, behind, limit)
    },
    count: (_sort, before, limit) => countAlong(session, way, limit, [before]),
  })
  const operations = rows.map((row) => listed(row, question))
  return { operations, nextPageToken, newer }
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
  if (isCounted(filter)) {
    const count = countRowsOf(session, filter).reduce((sum, { operations }) => sum + operations, 0)
    return { count, isExact: true }
  }
  const ofLabel = countOfLabel(session, filter)
  if (ofLabel !== undefined) return ofLabel
  const way = wayTo(session, partsOf(session, filter, question), COUNT_MAX + 1)
  return capped(countAlong(session, way, COUNT_MAX + 1))
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

function sorted(name: string, direction: Sort['direction']) {
  return { name, column: `o.${name}`, tie: TIE, direction }
}

function listed(row: ListRow, { now, unheard }: Moment): ListedOperation {
  const { workspace, owner, last_activity_at: lastActivityAt, status_since_at: statusSinceAt, record } = row
  const operation = operationOf(record)
  const view = viewOf(operation, now, graceMsFor(operation, unheard, now))
  return { ...view, workspace, owner, lastActivityAt, statusSinceAt }
}

function rowsAlong(
  session: ReadSession,
  { branches, isOrdered }: Way,
  { column, tie, direction }: Sort,
  behind: Condition | undefined,
  limit: number,
): readonly ListRow[] {
  const further = behind === undefined ? [] : [behind]
  const rows = branches.flatMap((branch) => {
    // What is sorted is sorted by what it is sorted by alone: records are read for those that the page shows.
    const { sql, parameters } = over(
      branch,
      isOrdered ? `${LIST_COLUMNS}, ${column} AS value` : 'o.rowid AS place',
      further,
    )
    const page = `${sql} ORDER BY ${column} ${direction}, ${tie} ${direction} LIMIT ?`
    if (isOrdered) return session.all<ListRow>(page, [...parameters, limit])
    return session.all<ListRow>(
      `SELECT ${LIST_COLUMNS}, ${column} AS value
       FROM (${page}) p CROSS JOIN ${session.table(OPERATIONS)} o ON o.rowid = p.place`,
      [...parameters, limit],
    )
  })
  // Each branch is in order: only where there are several is there something to merge.
  return branches.length === 1 && isOrdered ? rows : rows.toSorted(inOrderOf(direction)).slice(0, limit)
}

function inOrderOf(direction: Sort['direction']): (one: ListRow, other: ListRow) => number {
  const sign = direction === 'ASC' ? 1 : -1
  return (one, other) => sign * (one.value - other.value || (BigInt(one.place) < BigInt(other.place) ? -1 : 1))
}
