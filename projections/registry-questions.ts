/**
 * What is asked of the registries: a page of their owners, one of them, its waits, how many wait in all. Pages are read behind
 * the last row seen, as those of operations are: what has moved before the first page since is told (`newer`), never shown
 * twice.
 */
import {
  type ListedRegistry,
  type ListedWait,
  NEWER_MAX,
  type OwnersQuestion,
  PAGE_SIZE,
  PAGE_SIZE_MAX,
  REGISTRY_SORTS,
  type RegistryPage,
  type RegistrySort,
} from '../src/authority/monitoring.ts'
import { type RegistryFilter, registryFilterSchema } from '../src/authority/monitoring-filters.ts'
import { afterAll, allOf, type Condition, filterBy, placeholders } from './operation-filter.ts'
import { markOf, type Place, pageToken } from './page-token.ts'
import { QuestionError } from './question-error.ts'
import type { ReadSession } from './read-session.ts'
import { REGISTRIES_TABLE } from './registries.ts'
import { WAITS_TABLE } from './registry-waiting.ts'

interface Sort {
  readonly column: string
  readonly index: string
  readonly direction: 'ASC' | 'DESC'
  /** What the sort itself leaves out. */
  readonly among: string
}

const SORTS = {
  newest_activity: { column: 'newest_at', index: 'activity', direction: 'DESC', among: 'TRUE' },
  most_active: { column: 'active', index: 'active', direction: 'DESC', among: 'r.active > 0' },
  most_waits: { column: 'waits', index: 'waiting', direction: 'DESC', among: 'r.waits > 0' },
  owner: { column: 'owner', index: 'owner', direction: 'ASC', among: 'TRUE' },
} as const satisfies Readonly<Record<RegistrySort, Sort>>
export type RegistriesQuestion = Pick<OwnersQuestion, 'filter' | 'sort' | 'pageSize' | 'pageToken'>

/** Owners of one beginning that are sorted rather than looked for along the order. */
const SELECTED_MAX = 2_000

/** One page. Throws QuestionError. */
export function registriesAsked(session: ReadSession, question: RegistriesQuestion): RegistryPage {
  const { sort = 'newest_activity', pageSize = PAGE_SIZE } = question
  const filter = filterBy(registryFilterSchema, question.filter ?? {})
  if (!Object.hasOwn(SORTS, sort)) {
    throw new QuestionError('bad_sort', `sort: expected one of ${REGISTRY_SORTS.join(', ')}, got ${sort}`)
  }
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > PAGE_SIZE_MAX) {
    throw new QuestionError('page_out_of_bounds', `a page has 1 to ${PAGE_SIZE_MAX} registries, got ${pageSize}`)
  }
  const asked = { filter, sort, of: 'registries' }
  const { checkpoint } = session
  const mark = question.pageToken === undefined ? undefined : markOf(question.pageToken, asked, checkpoint)
  const order: Sort = SORTS[sort]
  const conditions = conditionsOf(filter, order)
  const index = indexFor(session, filter, order)
  const behind = mark === undefined ? [] : [beyond(session, order, mark.last, order.direction === 'DESC' ? '<' : '>')]
  const rows = rowsAlong(session, index, order, [...conditions, ...behind], pageSize + 1)
  const page = rows.slice(0, pageSize)
  const [first] = page
  const last = page.at(-1)
  const hasMore = rows.length > pageSize && first !== undefined && last !== undefined
  const next = hasMore ? { top: mark?.top ?? placeOf(first), last: placeOf(last) } : undefined
  const before =
    mark === undefined ? undefined : beyond(session, order, mark.top, order.direction === 'DESC' ? '>' : '<')
  return {
    registries: page.map(listed),
    nextPageToken: next === undefined ? undefined : pageToken(next, asked, checkpoint),
    newer: before === undefined ? 0 : countAlong(session, index, [...conditions, before], NEWER_MAX),
  }
}

/** The registry of one owner; undefined where it was never opened. */
export function registryAsked(session: ReadSession, stream: string): ListedRegistry | undefined {
  const row = session.get<RegistryRecord>(
    `SELECT ${RECORD_COLUMNS}, 0 AS value FROM ${session.table(REGISTRIES_TABLE)} r WHERE r.stream = ?`,
    [stream],
  )
  return row === undefined ? undefined : listed(row)
}

export const WAITS_PAGE_MAX = 1_000

/** Active waits of one registry, oldest first; one whose deadline has passed is active until somebody ends it. */
export function waitsAsked(session: ReadSession, stream: string): readonly ListedWait[] {
  return session
    .all<Omit<ListedWait, 'runId'> & { readonly runId: string | null }>(
      `SELECT wait_id AS waitId, mode, members, missing, run_id AS runId, began_at AS beganAt, deadline_at AS deadlineAt
       FROM ${session.table(WAITS_TABLE)} WHERE stream = ? ORDER BY revision LIMIT ?`,
      [stream, WAITS_PAGE_MAX],
    )
    .map(({ runId, ...wait }) => ({ ...wait, ...(runId === null ? {} : { runId }) }))
}

/** Active waits of all registries together. */
export function openWaitsAsked(session: ReadSession): number {
  const row = session.get<{ readonly waits: number | null }>(
    `SELECT sum(waits) AS waits FROM ${session.table(REGISTRIES_TABLE)} WHERE waits > 0`,
    [],
  )
  return row?.waits ?? 0
}

interface RegistryRecord extends Omit<ListedRegistry, 'limits' | 'retired'> {
  readonly limits: string
  readonly retiredAt: number | null
  readonly retiredReason: string | null
  readonly value: number
  readonly place: string
}

const RECORD_COLUMNS = `r.workspace, r.owner, r.registry_id AS registryId, r.opened_at AS openedAt, r.newest_at AS newestAt,
  r.revision, r.active, r.retained, r.waits, r.watermark, r.limits, r.retired_at AS retiredAt,
  r.retired_reason AS retiredReason, CAST(r.opened_position AS TEXT) AS place`

function listed(row: RegistryRecord): ListedRegistry {
  const { limits, retiredAt, retiredReason, value: _value, place: _place, ...rest } = row
  const retired = retiredAt === null ? {} : { retired: { at: retiredAt, reason: retiredReason ?? '' } }
  return { ...rest, limits: JSON.parse(limits), ...retired }
}

function placeOf({ value, place }: RegistryRecord): Place {
  return { value, position: BigInt(place) }
}

function rowsAlong(
  session: ReadSession,
  index: string,
  { column, direction }: Sort,
  conditions: readonly Condition[],
  limit: number,
): readonly RegistryRecord[] {
  const { sql, parameters } = allOf(conditions)
  // Of an owner, which is no number, its place alone tells where a page ended.
  const value = column === 'owner' ? '0' : `r.${column}`
  return session.all(
    `SELECT ${RECORD_COLUMNS}, ${value} AS value ${from(session, index)} WHERE ${sql}
     ORDER BY r.${column} ${direction}, r.opened_position ${direction} LIMIT ?`,
    [...parameters, limit],
  )
}

function countAlong(session: ReadSession, index: string, conditions: readonly Condition[], limit: number): number {
  const { sql, parameters } = allOf(conditions)
  const row = session.get<{ readonly count: number }>(
    `SELECT count(*) AS count FROM (SELECT 1 ${from(session, index)} WHERE ${sql} LIMIT ?)`,
    [...parameters, limit],
  )
  return row?.count ?? 0
}

function from(session: ReadSession, index: string): string {
  return `FROM ${session.table(REGISTRIES_TABLE)} r INDEXED BY ${session.index(REGISTRIES_TABLE, index)}`
}

/** The index that has the order, or the one of owners where few are named. */
function indexFor(session: ReadSession, filter: RegistryFilter, sort: Sort): string {
  const { owners, text, workspaces, active } = filter
  if (owners !== undefined) return 'owner'
  if (text !== undefined && countAlong(session, 'owner', [beginsWith(text)], SELECTED_MAX + 1) <= SELECTED_MAX)
    return 'owner'
  if (sort.index !== 'activity') return sort.index
  if (active === true) return 'active_activity'
  return workspaces?.length === 1 ? 'workspace_activity' : sort.index
}

function conditionsOf(filter: RegistryFilter, { among }: Sort): readonly Condition[] {
  const { workspaces, owners, text, active, waiting, retired } = filter
  const conditions: Condition[] = [{ sql: among, parameters: [] }]
  const add = (sql: string, parameters: readonly string[] = []) => conditions.push({ sql, parameters })
  if (workspaces !== undefined) add(`r.workspace IN (${placeholders(workspaces)})`, workspaces)
  if (owners !== undefined) add(`r.owner IN (${placeholders(owners)})`, owners)
  if (text !== undefined) conditions.push(beginsWith(text))
  if (active !== undefined) add(active ? 'r.active > 0' : 'r.active = 0')
  if (waiting !== undefined) add(waiting ? 'r.waits > 0' : 'r.waits = 0')
  if (retired !== undefined) add(retired ? 'r.retired_at IS NOT NULL' : 'r.retired_at IS NULL')
  return conditions
}

function beginsWith(text: string): Condition {
  return { sql: 'r.owner >= ? AND r.owner < ?', parameters: [text, afterAll(text)] }
}

function beyond(session: ReadSession, { column }: Sort, place: Place, comparison: '<' | '>'): Condition {
  const { value, position } = place
  if (column !== 'owner') {
    return { sql: `(r.${column}, r.opened_position) ${comparison} (?, ?)`, parameters: [value, position] }
  }
  const owner = `(SELECT owner FROM ${session.table(REGISTRIES_TABLE)} WHERE opened_position = ?)`
  return { sql: `(r.owner, r.opened_position) ${comparison} (${owner}, ?)`, parameters: [position, position] }
}
