/**
 * Retention, carried over to rows that are folded anew, so that a check finds what is wrong and not what was let go. What ended
 * first goes first: a row that is missing behind one that is still listed is no matter of retention.
 */

import { physicalName, quoted } from './generation-tables.ts'
import { STORIES } from './operation-history.ts'
import { OPERATIONS } from './operation-index.ts'
import { deleteOne, forgetStories, markOne, type Place } from './operation-retention.ts'
import type { Projector } from './projector.ts'
import type { Generation, ReadDatabase } from './read-database.ts'

export function retainOperationsAs(
  database: ReadDatabase,
  served: Pick<Generation, 'generation'>,
  fresh: ReadDatabase,
  folded: Projector,
  at: number,
): void {
  const mine = quoted(physicalName(OPERATIONS, served.generation))
  const theirs = quoted(physicalName(OPERATIONS, folded.generation.generation))
  const oldest = database.connection
    .prepare(
      `SELECT ended_at AS endedAt, registered_position AS position FROM ${mine}
       WHERE ended_at IS NOT NULL AND marked_at IS NULL ORDER BY ended_at, registered_position LIMIT 1`,
    )
    .safeIntegers()
    .get() as { readonly endedAt: bigint; readonly position: bigint } | undefined
  const before = oldest === undefined ? '' : 'AND (ended_at, registered_position) < (?, ?)'
  const ended = fresh.connection
    .prepare(`SELECT stream, number FROM ${theirs} WHERE ended_at IS NOT NULL ${before}`)
    .all(...(oldest === undefined ? [] : [oldest.endedAt, oldest.position])) as readonly Place[]
  const held = database.connection.prepare(`SELECT 1 FROM ${mine} WHERE stream = ? AND number = ?`)
  const hidden = database.connection
    .prepare(`SELECT stream, number, marked_at AS markedAt FROM ${mine} WHERE marked_at IS NOT NULL`)
    .all() as readonly (Place & { readonly markedAt: number })[]
  folded.amend((rows) => {
    for (const place of hidden) markOne(rows, place, place.markedAt)
    for (const place of ended) {
      if (held.get(place.stream, place.number) !== undefined) continue
      // Deleted is what was marked before.
      markOne(rows, place, at)
      deleteOne(rows, place)
    }
  }, at)
}

/** Stories go with their operations, which `index` holds. */
export function retainStoriesAs(
  database: ReadDatabase,
  served: Pick<Generation, 'generation'>,
  index: Pick<Generation, 'generation'>,
  fresh: ReadDatabase,
  folded: Projector,
  at: number,
): void {
  const stories = quoted(physicalName(STORIES, served.generation))
  const operations = quoted(physicalName(OPERATIONS, index.generation))
  const all = fresh.connection
    .prepare(`SELECT stream, number FROM ${quoted(physicalName(STORIES, folded.generation.generation))}`)
    .all() as readonly Place[]
  const held = database.connection.prepare(
    `SELECT 1 WHERE EXISTS (SELECT 1 FROM ${stories} WHERE stream = ? AND number = ?)
                 OR EXISTS (SELECT 1 FROM ${operations} WHERE stream = ? AND number = ?)`,
  )
  forgetStories(
    folded,
    all.filter(({ stream, number }) => held.get(stream, number, stream, number) === undefined),
    at,
  )
}
