/**
 * How long the index keeps operations that have ended, in two steps: first they are marked and gone from every list and count,
 * later they are deleted, and that is told by their ids alone. Their history stays in the log; a rebuild brings them
 * back until the next pass.
 */

import { physicalName, quoted } from './generation-tables.ts'
import { PART_EVENTS, PARTS, STORIES } from './operation-history.ts'
import { COUNTS, LABELS, labelKeys, OPERATIONS } from './operation-index.ts'
import { counted, countKey, standingOf } from './operation-standing.ts'
import type { AmendedRows, Projector } from './projector.ts'
import type { ReadDatabase } from './read-database.ts'

export interface OperationRetention {
  /** Since their end; null keeps them whatever their age. */
  readonly keepMs: number | null
  /** Operations that have ended, the newest ends first; null keeps any number. */
  readonly keepMax: number | null
  /** From being marked to being deleted. */
  readonly deleteAfterMs: number
}

export interface DeletedOperation {
  readonly stream: string
  readonly number: number
  readonly workspace: string
  readonly owner: string
  readonly id: string
}

export interface RetentionPass {
  readonly marked: number
  readonly deleted: readonly DeletedOperation[]
  /** The limit was reached: another pass has more to do. */
  readonly hasMore: boolean
}

/** Rows of one step in one transaction: others wait for it. */
export const RETENTION_ROWS_MAX = 1_000

/** One pass over the rows of an index: at most `limit` are marked and as many deleted. */
export function retentionPass(
  database: ReadDatabase,
  index: Projector,
  retention: OperationRetention,
  at: number,
  limit = RETENTION_ROWS_MAX,
): RetentionPass {
  const operations = quoted(physicalName(OPERATIONS, index.generation.generation))
  const counts = quoted(physicalName(COUNTS, index.generation.generation))
  return index.amend((rows) => {
    const overdue = overdueOperations(database, index, retention, at, limit)
    const deleted = overdue.map((place) => deleteOne(rows, place))
    const aged = `SELECT stream, number, ended_at FROM ${operations} WHERE ended_at IS NOT NULL AND marked_at IS NULL`
    const ended = database.connection
      .prepare(
        `SELECT coalesce(sum(operations), 0) FROM ${counts} WHERE status NOT IN ('provisioning', 'running', 'retiring')`,
      )
      .pluck()
      .get() as number
    const surplus = retention.keepMax === null ? 0 : Math.max(0, ended - retention.keepMax)
    const oldest = database.connection
      .prepare(`${aged} ORDER BY ended_at, registered_position LIMIT ?`)
      .all(limit) as readonly (Place & { readonly ended_at: number })[]
    const keptFrom = retention.keepMs === null ? Number.NEGATIVE_INFINITY : at - retention.keepMs
    const marked = oldest.filter(({ ended_at }, i) => i < surplus || ended_at < keptFrom)
    for (const place of marked) markOne(rows, place, at)
    return { marked: marked.length, deleted, hasMore: marked.length === limit || deleted.length === limit }
  }, at)
}

/** Those that the next pass deletes: what else is known of them is to go before. */
export function overdueOperations(
  database: ReadDatabase,
  index: Projector,
  { deleteAfterMs }: OperationRetention,
  at: number,
  limit = RETENTION_ROWS_MAX,
): readonly Place[] {
  const operations = quoted(physicalName(OPERATIONS, index.generation.generation))
  return database.connection
    .prepare(`SELECT stream, number FROM ${operations} WHERE marked_at <= ? ORDER BY marked_at LIMIT ?`)
    .all(at - deleteAfterMs, limit) as readonly Place[]
}

/** Operations that are marked: hidden, and not deleted yet. */
export function hiddenOperations(database: ReadDatabase, generation: number): number {
  const operations = quoted(physicalName(OPERATIONS, generation))
  const counted = database.connection.prepare(`SELECT count(*) FROM ${operations} WHERE marked_at IS NOT NULL`)
  return counted.pluck().get() as number
}

/** Forgets where the stories of deleted operations stand; the events stay in the log. */
export function forgetStories(history: Projector, deleted: readonly Place[], at: number): void {
  history.amend((rows) => {
    for (const { stream, number } of deleted) {
      const events = rows.row(STORIES, [stream, number])?.events ?? 0
      rows.put(STORIES, [stream, number], undefined)
      for (let part = 1; part * PART_EVENTS < events; part++) rows.put(PARTS, [stream, number, part], undefined)
    }
  }, at)
}

export interface Place {
  readonly stream: string
  readonly number: number
}

export function markOne(rows: AmendedRows, { stream, number }: Place, at: number): void {
  const row = rows.row(OPERATIONS, [stream, number])
  if (row === undefined) return
  rows.put(OPERATIONS, [stream, number], { ...row, markedAt: at })
  const key = countKey(standingOf(row))
  rows.put(COUNTS, key, counted(rows.row(COUNTS, key), key, -1))
}

export function deleteOne(rows: AmendedRows, { stream, number }: Place): DeletedOperation {
  const row = rows.row(OPERATIONS, [stream, number])
  if (row === undefined) throw new Error(`operation #${number} of ${stream} is marked and not there`)
  for (const key of labelKeys(stream, number, row.operation.labels)) rows.put(LABELS, key, undefined)
  rows.put(OPERATIONS, [stream, number], undefined)
  const { workspace, owner, operation } = row
  return { stream, number, workspace, owner, id: operation.id }
}
