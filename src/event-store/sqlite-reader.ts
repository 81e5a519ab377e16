/**
 * Reading the embedded log, page by page. Each page is read to its end within one call, so that no read transaction ever
 * stays open while somebody waits: an open one would keep the write-ahead log from being cut.
 *
 *     forwards   revision r -> the mark at or after r (or the head) -> back links down to r -> turned round
 *     backwards  revision r -> the same place -> back links
 *     the log    rows in order of position; rows must follow each other without a gap
 */
import type Database from 'better-sqlite3'
import { type Head, LogError, type StoredEvent } from './event-store.ts'
import { isStreamName, parseExportedLine } from './exported-line.ts'
import type { LogPage } from './follow.ts'
import { appendCrc, headCrc } from './sqlite-checksums.ts'

/** A page ends behind the row that goes over one of these. */
const PAGE_ROWS_MAX = 256
const PAGE_BYTES_MAX = 1024 * 1024
/** Rows of a filtered page are only looked at, and read where they are wanted. */
const PAGE_ROWS_LOOKED_AT_MAX = 2_048
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
    .prepare<[string], HeadRow>('SELECT id, revision, position, hash, crc FROM streams WHERE name = ?')
    .safeIntegers()
  const nameOf = db.prepare<[number], string>('SELECT name FROM streams WHERE id = ?').pluck()
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
  const headersAfter = db
    .prepare<[bigint, number], AppendHeader>(
      'SELECT position, stream, count FROM appends WHERE position > ? ORDER BY position LIMIT ?',
    )
    .safeIntegers()
  const lastPosition = db.prepare<[], bigint | null>('SELECT max(position) FROM appends').pluck().safeIntegers()
  const names = new Map<number, string>()

  return { head, end: () => lastPosition.get() ?? 0n, forwards, backwards, all }

  function head(stream: string): Head | undefined {
    const row = headRow(stream)
    return row && { revision: Number(row.revision), position: row.position, hash: row.hash }
  }

  function headRow(stream: string): HeadRow | undefined {
    if (!isStreamName(stream)) return undefined
    const row = headOf.get(stream)
    if (row && headCrc(stream, Number(row.revision), row.position, row.hash) !== Number(row.crc)) {
      throw damaged(`the head of '${stream}' does not match its checksum`)
    }
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
    if (Number(row.stream) !== id) throw damaged(`the append at position ${position} is not of '${stream}'`)
    return row
  }

  function all(after: bigint, prefixes: readonly string[] | undefined): LogPage {
    return prefixes === undefined ? unfiltered(after) : filtered(after, prefixes)
  }

  function unfiltered(after: bigint): LogPage {
    const events: StoredEvent[] = []
    let through = after
    let rows = 0
    let bytes = 0
    for (const row of rowsAfter.iterate(after, PAGE_ROWS_MAX)) {
      assertNoGap(row, through)
      for (const event of eventsOf(row, streamName(row.stream))) if (event.position > after) events.push(event)
      through = row.position
      bytes += row.lines.length
      if (++rows === PAGE_ROWS_MAX || bytes > PAGE_BYTES_MAX) return { events, through, isLast: false }
    }
    return { events, through, isLast: true }
  }

  function filtered(after: bigint, prefixes: readonly string[]): LogPage {
    const headers = headersAfter.all(after, PAGE_ROWS_LOOKED_AT_MAX)
    const events: StoredEvent[] = []
    let through = after
    let bytes = 0
    for (const header of headers) {
      assertNoGap(header, through)
      const stream = streamName(header.stream)
      if (prefixes.some((prefix) => stream.startsWith(prefix))) {
        const row = rowOf(stream, Number(header.stream), header.position)
        for (const event of eventsOf(row, stream)) if (event.position > after) events.push(event)
        bytes += row.lines.length
      }
      through = header.position
      if (bytes > PAGE_BYTES_MAX) return { events, through, isLast: false }
    }
    return { events, through, isLast: headers.length < PAGE_ROWS_LOOKED_AT_MAX }
  }

  function assertNoGap({ position, count }: AppendHeader, through: bigint): void {
    if (position - count > through) throw damaged(`the positions ${through + 1n} to ${position - count} are missing`)
  }

  function streamName(id: bigint): string {
    const known = names.get(Number(id))
    if (known !== undefined) return known
    const name = nameOf.get(Number(id))
    if (name === undefined) throw damaged(`stream ${id} has lost its name`)
    if (names.size >= STREAM_NAMES_KEPT_MAX) names.clear()
    names.set(Number(id), name)
    return name
  }

  function eventsOf(row: AppendRow, stream: string): StoredEvent[] {
    const revision = Number(row.revision)
    const count = Number(row.count)
    const crc = appendCrc(row.position, Number(row.stream), revision, count, row.previous, row.lines)
    const events: StoredEvent[] = []
    if (crc === Number(row.crc)) {
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
    const first = revision - count + 1
    throw damaged(
      `the append at position ${row.position} ('${stream}', revisions ${first} to ${revision}) ` +
        (crc === Number(row.crc) ? 'does not hold these events' : 'does not match its checksum'),
    )
  }

  function damaged(what: string): LogError {
    return new LogError(
      'log_damaged',
      `'${path}' is damaged: ${what}. It was left as it is; bring back a copy, or recover it with SQLite's tools.`,
    )
  }
}

interface HeadRow {
  readonly id: bigint
  readonly revision: bigint
  readonly position: bigint
  readonly hash: string
  readonly crc: bigint
}

interface AppendHeader {
  readonly position: bigint
  readonly stream: bigint
  readonly count: bigint
}

interface AppendRow extends AppendHeader {
  readonly revision: bigint
  readonly previous: bigint
  readonly crc: bigint
  readonly lines: Buffer
}
