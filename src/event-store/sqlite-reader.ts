/**
 * Reading the embedded log, page by page. Each page is read to its end within one call, so that no read transaction ever
 * stays open while somebody waits: an open one would keep the write-ahead log from being cut.
 *
 *     forwards   revision r -> the mark at or after r (or the head) -> back links down to r -> turned round
 *     backwards  revision r -> the same place -> back links
 *     the log    rows in order of position; rows must follow each other without a gap
 *
 * No row is given before its checksum was seen to be right, and none is left out: a flipped bit that moves a row to a stream
 * that nobody asked for would hide it. So a filtered page reads every row whole.
 */
import type Database from 'better-sqlite3'
import { type Head, LogError, type StoredEvent } from './event-store.ts'
import { isFirstLineOf, isStreamName, parseExportedLine } from './exported-line.ts'
import type { LogPage } from './follow.ts'
import { type AppendRow, type HeadRow, hasItsIntegers, isWholeAppend, isWholeHead } from './sqlite-checksums.ts'

/** A page ends behind the row that goes over one of these. */
const PAGE_ROWS_MAX = 256
const PAGE_BYTES_MAX = 1024 * 1024
/** Rows that are left out take the time of a checksum. */
const FILTERED_PAGE_ROWS_MAX = 2_048
const STREAM_NAMES_KEPT_MAX = 65_536

export interface StreamPage {
  /** In the direction of reading. */
  readonly events: readonly StoredEvent[]
  /** Where the next page begins; undefined when there is nothing more in this direction. */
  readonly next: number | undefined
}

export interface SqliteReader {
  head(stream: string): Head | undefined
  /** The position of the last event; 0 where there is none. */
  end(): bigint
  /** From `from` (inclusive) upwards. */
  forwards(stream: string, from: number): StreamPage
  /** From `from` (inclusive; at most the head) downwards. */
  backwards(stream: string, from: number): StreamPage
  all(after: bigint, prefixes: readonly string[] | undefined): LogPage
}

/** Prepares its statements once. Throws what SQLite throws, and LogError `log_damaged` for bytes that contradict themselves. */
export function createReader(db: Database.Database, path: string): SqliteReader {
  const headOf = db
    .prepare<[string], StreamRow>('SELECT id, revision, position, hash, crc FROM streams WHERE name = ?')
    .safeIntegers()
  const nameOf = db.prepare<[number], unknown>('SELECT name FROM streams WHERE id = ?').pluck()
  const markAt = db
    .prepare<[number, number], bigint>(
      'SELECT position FROM marks WHERE stream = ? AND revision >= ? ORDER BY revision LIMIT 1',
    )
    .pluck()
    .safeIntegers()
  const rowAt = db
    .prepare<[bigint], AppendRow>(
      'SELECT position, stream, revision, count, previous, crc, lines FROM appends WHERE position = ?',
    )
    .safeIntegers()
  const rowsAfter = db
    .prepare<[bigint, number], AppendRow>(
      'SELECT position, stream, revision, count, previous, crc, lines FROM appends WHERE position > ? ORDER BY position LIMIT ?',
    )
    .safeIntegers()
  const lastPosition = db.prepare<[], bigint | null>('SELECT max(position) FROM appends').pluck().safeIntegers()
  const names = new Map<number, string>()

  return { head, end: () => lastPosition.get() ?? 0n, forwards, backwards, all }

  function head(stream: string): Head | undefined {
    const row = headRow(stream)
    return row && { revision: Number(row.revision), position: row.position, hash: row.hash }
  }

  function headRow(stream: string): StreamRow | undefined {
    if (!isStreamName(stream)) return undefined
    const row = headOf.get(stream)
    if (row && !isWholeHead(stream, row)) throw damaged(`the head of '${stream}' does not match its checksum`)
    return row
  }

  function forwards(stream: string, from: number): StreamPage {
    const top = headRow(stream)
    if (top === undefined || from > top.revision) return { events: [], next: undefined }
    const id = Number(top.id)
    const rows = rowsDownFrom(stream, id, from, markAt.get(id, from) ?? top.position)
    const events: StoredEvent[] = []
    let next = from
    // A page takes what stands before one mark: at most 64 rows, however large. Of large ones it takes fewer.
    let bytes = 0
    for (const row of rows.reverse()) {
      for (const event of eventsOf(row, stream)) if (event.revision >= from) events.push(event)
      next = Number(row.revision) + 1
      bytes += row.lines.length
      if (bytes > PAGE_BYTES_MAX) break
    }
    return { events, next: next > top.revision ? undefined : next }
  }

  function backwards(stream: string, from: number): StreamPage {
    const top = headRow(stream)
    if (top === undefined || from < 0) return { events: [], next: undefined }
    const start = Math.min(from, Number(top.revision))
    const id = Number(top.id)
    const found = rowsDownFrom(stream, id, start, markAt.get(id, start) ?? top.position).at(-1)
    const events: StoredEvent[] = []
    let bytes = 0
    for (let row = found; row !== undefined; row = before(row, stream)) {
      for (const event of eventsOf(row, stream).reverse()) if (event.revision <= start) events.push(event)
      bytes += row.lines.length
      if (bytes > PAGE_BYTES_MAX || events.length >= PAGE_ROWS_MAX) break
    }
    const last = events.at(-1)
    return { events, next: last === undefined || last.revision === 0 ? undefined : last.revision - 1 }
  }

  /** The rows from the one at `position` down to the one that holds `revision`, newest first. */
  function rowsDownFrom(stream: string, id: number, revision: number, position: bigint): AppendRow[] {
    const rows: AppendRow[] = []
    const top = rowOf(stream, id, position)
    if (top.revision < revision) {
      throw damaged(`'${stream}' has revision ${top.revision} at position ${position}, where ${revision} is looked for`)
    }
    for (let row = top; ; ) {
      rows.push(row)
      if (Number(row.revision - row.count) < revision) return rows
      const earlier = before(row, stream)
      if (earlier === undefined) throw damaged(`'${stream}' has no way back to revision ${revision}`)
      row = earlier
    }
  }

  /** The stream's append before this one; undefined where it is the first. */
  function before(row: AppendRow, stream: string): AppendRow | undefined {
    if (row.previous === 0n) {
      if (row.revision - row.count !== -1n) throw damaged(`'${stream}' does not go back to revision 0`)
      return undefined
    }
    const earlier = rowOf(stream, Number(row.stream), row.previous)
    if (earlier.revision !== row.revision - row.count) {
      throw damaged(`the append at position ${row.position} does not follow the one at ${row.previous}`)
    }
    return earlier
  }

  function rowOf(stream: string, id: number, position: bigint): AppendRow {
    const row = rowAt.get(position)
    if (row === undefined) throw damaged(`'${stream}' has lost its append at position ${position}`)
    if (!hasItsIntegers(row)) throw damagedNumbers(row)
    if (Number(row.stream) !== id) throw damaged(`the append at position ${position} is not of '${stream}'`)
    return row
  }

  function all(after: bigint, prefixes: readonly string[] | undefined): LogPage {
    const rowsMax = prefixes === undefined ? PAGE_ROWS_MAX : FILTERED_PAGE_ROWS_MAX
    const events: StoredEvent[] = []
    let through = after
    let rows = 0
    let bytes = 0
    for (const row of rowsAfter.iterate(after, rowsMax)) {
      if (!hasItsIntegers(row)) throw damagedNumbers(row)
      assertNext(row, through, rows === 0)
      const stream = streamName(row.stream)
      if (prefixes === undefined || prefixes.some((prefix) => stream.startsWith(prefix))) {
        for (const event of eventsOf(row, stream)) if (event.position > after) events.push(event)
      } else {
        assertLeftOut(row, stream)
      }
      through = row.position
      bytes += row.lines.length
      if (++rows === rowsMax || bytes > PAGE_BYTES_MAX) return { events, through, isLast: false }
    }
    return { events, through, isLast: true }
  }

  /** Only the first row of a page may have begun before it. */
  function assertNext({ position, count }: AppendRow, through: bigint, isFirst: boolean): void {
    const before = position - count
    if (before > through) throw damaged(`the positions ${through + 1n} to ${before} are missing`)
    if (before < through && !(isFirst && position > through)) {
      throw damaged(`the append at position ${position} takes positions up to ${through} once more`)
    }
  }

  function streamName(id: bigint): string {
    const known = names.get(Number(id))
    if (known !== undefined) return known
    const name = nameOf.get(Number(id))
    if (typeof name !== 'string') throw damaged(`stream ${id} has lost its name`)
    if (names.size >= STREAM_NAMES_KEPT_MAX) names.clear()
    names.set(Number(id), name)
    return name
  }

  function eventsOf(row: AppendRow, stream: string): StoredEvent[] {
    const revision = Number(row.revision)
    const count = Number(row.count)
    const events: StoredEvent[] = []
    if (isWholeAppend(row)) {
      const text = row.lines.toString('utf8')
      for (let at = 0; at < text.length; ) {
        const end = text.indexOf('\n', at) + 1 || text.length
        const back = count - 1 - events.length
        const line = at === 0 && end === text.length ? text : text.slice(at, end)
        const event = parseExportedLine(line, stream, revision - back, row.position - BigInt(back))
        if (event === undefined) break
        events.push(event)
        at = end
      }
    }
    if (events.length === count) return events
    throw damagedRow(row, stream)
  }

  /** What `eventsOf` finds, without the events. The name of a stream stands in its lines, under their checksum. */
  function assertLeftOut(row: AppendRow, stream: string): void {
    if (!isWholeAppend(row) || !isFirstLineOf(row.lines, stream, Number(row.revision - row.count) + 1)) {
      throw damagedRow(row, stream)
    }
  }

  function damagedNumbers({ position }: AppendRow): LogError {
    return damaged(`the append at position ${position} has lost its numbers`)
  }

  function damagedRow(row: AppendRow, stream: string): LogError {
    const first = row.revision - row.count + 1n
    return damaged(
      `the append at position ${row.position} ('${stream}', revisions ${first} to ${row.revision}) ` +
        (isWholeAppend(row) ? 'does not hold these events' : 'does not match its checksum'),
    )
  }

  function damaged(what: string): LogError {
    return new LogError(
      'log_damaged',
      `'${path}' is damaged: ${what}. It was left as it is; bring back a copy, or recover it with SQLite's tools.`,
    )
  }
}

interface StreamRow extends HeadRow {
  readonly id: bigint
}
