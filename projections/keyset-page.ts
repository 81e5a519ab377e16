/**
 * Pages that are read behind the last row seen (keyset), so that writes beside the reading neither repeat nor leave out a row that
 * stays where it is. A row that moves before the first page is never shown twice: how many there are is told with each page
 * (`newer`), so nothing is lost silently.
 */
import { NEWER_MAX, PAGE_SIZE, PAGE_SIZE_MAX } from '../src/authority/monitoring.ts'
import type { Condition } from './condition.ts'
import { markOf, type Place, pageToken } from './page-token.ts'
import { QuestionError } from './question-error.ts'
import type { ReadSession } from './read-session.ts'

export interface PageQuestion {
  readonly sort?: string
  /** Default PAGE_SIZE, at most PAGE_SIZE_MAX. */
  readonly pageSize?: number
  /** Of the page before. */
  readonly pageToken?: string
}

export interface KeysetSort {
  /** What is sorted by, and what breaks ties: the position at which the row came into being. */
  readonly column: string
  readonly tie: string
  readonly direction: 'ASC' | 'DESC'
}

/** What every row that is paged tells of its place. */
export interface PlacedRow {
  readonly value: number | string
  /** A position, as text. */
  readonly place: string
}

export interface KeysetRows<Row extends PlacedRow, Sort extends KeysetSort> {
  /** What is listed, in the plural: pages of one list are no pages of another. */
  readonly of: string
  /** The first is the default. */
  readonly sorts: Readonly<Record<string, Sort>>
  readonly filter: unknown
  /** The rows behind a place, or the first ones, in order. */
  rowsBehind(sort: Sort, behind: Condition | undefined, limit: number): readonly Row[]
  /** How many rows hold to it, counted up to the limit. */
  count(sort: Sort, before: Condition, limit: number): number
}

export interface KeysetPage<Row> {
  readonly rows: readonly Row[]
  /** For the page behind this one; undefined on the last one. */
  readonly nextPageToken: string | undefined
  /** Rows that have come before the first page since it was read, counted up to NEWER_MAX. */
  readonly newer: number
}

/** Throws QuestionError for a sort, a size or a token that makes no sense. */
export function keysetPage<Row extends PlacedRow, Sort extends KeysetSort>(
  session: ReadSession,
  { sort, pageSize = PAGE_SIZE, pageToken: token }: PageQuestion,
  from: KeysetRows<Row, Sort>,
): KeysetPage<Row> {
  const { of, sorts, filter } = from
  const [first] = Object.keys(sorts)
  const name = sort ?? first ?? ''
  const order = Object.hasOwn(sorts, name) ? sorts[name] : undefined
  if (order === undefined) {
    throw new QuestionError('bad_sort', `sort: expected one of ${Object.keys(sorts).join(', ')}, got ${name}`)
  }
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > PAGE_SIZE_MAX) {
    throw new QuestionError('page_out_of_bounds', `a page has 1 to ${PAGE_SIZE_MAX} ${of}, got ${pageSize}`)
  }
  const asked = { of, filter, sort: name }
  const mark = token === undefined ? undefined : markOf(token, asked, session.checkpoint)
  const behind = mark === undefined ? undefined : beyond(order, 'behind', mark.last)
  const found = from.rowsBehind(order, behind, pageSize + 1)
  const rows = found.slice(0, pageSize)
  const last = rows.at(-1)
  const top = mark?.top ?? (rows[0] && placeOf(rows[0]))
  const hasMore = found.length > pageSize && top !== undefined && last !== undefined
  return {
    rows,
    nextPageToken: hasMore ? pageToken({ top, last: placeOf(last) }, asked, session.checkpoint) : undefined,
    newer: mark === undefined ? 0 : from.count(order, beyond(order, 'before', mark.top), NEWER_MAX),
  }
}

function beyond({ column, tie, direction }: KeysetSort, side: 'before' | 'behind', at: Place): Condition {
  const comparison = (side === 'behind') === (direction === 'ASC') ? '>' : '<'
  return { sql: `(${column}, ${tie}) ${comparison} (?, ?)`, parameters: [at.value, at.position] }
}

function placeOf({ value, place }: PlacedRow): Place {
  return { value, position: BigInt(place) }
}
