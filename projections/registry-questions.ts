/** What is asked of the registries: a page of their owners, one of them, its waits, how many wait in all. */
import type {
  ListedRegistry,
  ListedWait,
  OwnersQuestion,
  RegistryPage,
  RegistrySort,
} from '../src/authority/monitoring.ts'
import { type RegistryFilter, registryFilterSchema } from '../src/authority/monitoring-filters.ts'
import { allOf, beginsWith, type Condition, isAmong } from './condition.ts'
import { type KeysetSort, keysetPage } from './keyset-page.ts'
import { filterBy } from './operation-filter.ts'
import type { ReadSession } from './read-session.ts'
import { REGISTRIES_TABLE } from './registries.ts'
import { WAITS_TABLE } from './registry-waiting.ts'

interface Sort extends KeysetSort {
  readonly index: string
  /** What the sort itself leaves out. */
  readonly among: string
}

const TIE = 'r.opened_position'

const SORTS = {
  newest_activity: { column: 'r.newest_at', tie: TIE, index: 'activity', direction: 'DESC', among: 'TRUE' },
  most_active: { column: 'r.active', tie: TIE, index: 'active', direction: 'DESC', among: 'r.active > 0' },
  most_waits: { column: 'r.waits', tie: TIE, index: 'waiting', direction: 'DESC', among: 'r.waits > 0' },
  owner: { column: 'r.owner', tie: TIE, index: 'owner', direction: 'ASC', among: 'TRUE' },
} as const satisfies Readonly<Record<RegistrySort, Sort>>
export type RegistriesQuestion = Pick<OwnersQuestion, 'filter' | 'sort' | 'pageSize' | 'pageToken'>

/** Owners of one beginning that are sorted rather than looked for along the order. */
const SELECTED_MAX = 2_000

/** One page. Throws QuestionError. */
export function registriesAsked(session: ReadSession, question: RegistriesQuestion): RegistryPage {
  const filter = filterBy(registryFilterSchema, question.filter ?? {})
  const { rows, nextPageToken, newer } = keysetPage<RegistryRecord, Sort>(session, question, {
    of: 'registries',
    sorts: SORTS,
    filter,
    rowsBehind: (sort, behind, limit) =>
      rowsAlong(session, indexFor(session, filter, sort), sort, [...conditionsOf(filter, sort), behind], limit),
    count: (sort, before, limit) =>
      countAlong(session, indexFor(session, filter, sort), [...conditionsOf(filter, sort), before], limit),
  })
  return { registries: rows.map(listed), nextPageToken, newer }
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
  readonly value: number | string
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

function rowsAlong(
  session: ReadSession,
  index: string,
  { column, tie, direction }: Sort,
  conditions: readonly (Condition | undefined)[],
  limit: number,
): readonly RegistryRecord[] {
  const { sql, parameters } = allOf(conditions.filter((one) => one !== undefined))
  return session.all(
    `SELECT ${RECORD_COLUMNS}, ${column} AS value ${from(session, index)} WHERE ${sql}
     ORDER BY ${column} ${direction}, ${tie} ${direction} LIMIT ?`,
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
  if (
    text !== undefined &&
    countAlong(session, 'owner', [beginsWith('r.owner', text)], SELECTED_MAX + 1) <= SELECTED_MAX
  )
    return 'owner'
  if (sort.index !== 'activity') return sort.index
  if (active === true) return 'active_activity'
  return workspaces?.length === 1 ? 'workspace_activity' : sort.index
}

function conditionsOf(filter: RegistryFilter, { among }: Sort): readonly Condition[] {
  const { workspaces, owners, text, active, waiting, retired } = filter
  const conditions: Condition[] = [{ sql: among, parameters: [] }]
  const add = (sql: string) => conditions.push({ sql, parameters: [] })
  if (workspaces !== undefined) conditions.push(isAmong('r.workspace', workspaces))
  if (owners !== undefined) conditions.push(isAmong('r.owner', owners))
  if (text !== undefined) conditions.push(beginsWith('r.owner', text))
  if (active !== undefined) add(active ? 'r.active > 0' : 'r.active = 0')
  if (waiting !== undefined) add(waiting ? 'r.waits > 0' : 'r.waits = 0')
  if (retired !== undefined) add(retired ? 'r.retired_at IS NOT NULL' : 'r.retired_at IS NULL')
  return conditions
}
