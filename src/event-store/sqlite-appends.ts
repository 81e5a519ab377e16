/**
 * Writing the embedded log: what one append does within the transaction that it shares with others. The expected revision
 * is compared and set in one statement on the stream's head, so what this process remembers of a head is never trusted.
 */
import type Database from 'better-sqlite3'
import type { AppendAnswer, PackedAppend } from './append-packing.ts'
import { hashOfLine } from './exported-line.ts'
import { appendCrc, headCrc } from './sqlite-checksums.ts'
import { createReader } from './sqlite-reader.ts'

/** A mark lies behind the append that carries a stream over a multiple of this: so never more back links to one. */
const EVENTS_PER_MARK = 64
const HEADS_KEPT_MAX = 65_536
/** More of others' appends at once are told as one "unsure". */
const ADVANCES_TOLD_MAX = 10_000

export interface AppendsOfOthers {
  /** Stream and its last revision, in order; undefined when they are too many to tell. */
  readonly advances: readonly (readonly [stream: string, revision: number])[] | undefined
}

export interface AppendTable {
  /**
   * Within a transaction: stores the events, or tells that they stand there already, or that others do. Throws what
   * SQLite throws; then the transaction must be rolled back and `forget` called.
   */
  append(append: PackedAppend): AppendAnswer
  /** What other connections committed since the last look; undefined when nothing. Within a transaction or outside. */
  catchUp(): AppendsOfOthers | undefined
  /** After a commit, or a look outside of one: what was stored and seen until now counts. */
  keep(): void
  /** After a roll-back: only what counted before does, and others' appends are looked for again. */
  forget(): void
  /** Up to here everything is known that was committed. */
  keptPosition(): bigint
}

interface KnownHead {
  readonly id: number
  revision: number
  position: bigint
}

/** `knownPosition`: everything up to there was told before; undefined starts at the end of the log. */
export function createAppendTable(db: Database.Database, path: string, knownPosition?: bigint): AppendTable {
  const reader = createReader(db, path)
  const dataVersion = db.prepare<[], number>('PRAGMA data_version').pluck()
  const lastOf = db.prepare<[], bigint | null>('SELECT max(position) FROM appends').pluck().safeIntegers()
  const idOf = db.prepare<[string], number>('SELECT id FROM streams WHERE name = ?').pluck()
  const open = db.prepare<[string, number, bigint, string, number]>(
    'INSERT INTO streams (name, revision, position, hash, crc) VALUES (?, ?, ?, ?, ?)',
  )
  const advance = db.prepare<[number, bigint, string, number, number, number]>(
    'UPDATE streams SET revision = ?, position = ?, hash = ?, crc = ? WHERE id = ? AND revision = ?',
  )
  const insert = db.prepare<[bigint, number, number, number, bigint, number, Buffer]>(
    'INSERT INTO appends (position, stream, revision, count, previous, crc, lines) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const mark = db.prepare<[number, number, bigint]>('INSERT INTO marks (stream, revision, position) VALUES (?, ?, ?)')
  const others = db
    .prepare<[bigint, number], { position: bigint; name: string; revision: bigint }>(
      `SELECT a.position, s.name, a.revision FROM appends a JOIN streams s ON s.id = a.stream
       WHERE a.position > ? ORDER BY a.position LIMIT ?`,
    )
    .safeIntegers()

  const heads = new Map<string, KnownHead>()
  let kept = knownPosition ?? lastOf.get() ?? 0n
  let last = kept
  // A first look always searches: a commit of another between the two statements here must not be missed.
  let seenVersion: number | undefined

  return {
    append,
    catchUp,
    keep() {
      kept = last
    },
    forget() {
      last = kept
      heads.clear()
      seenVersion = undefined
    },
    keptPosition: () => kept,
  }

  function append(wanted: PackedAppend): AppendAnswer {
    const { stream, expected } = wanted
    try {
      const known = heads.get(stream)
      if (known && known.revision === expected && storeBehind(known, wanted)) return acknowledged(known)
      const head = loadHead(stream)
      if (head === undefined && expected === -1) return acknowledged(storeFirst(wanted))
      if (head?.revision === expected && storeBehind(head, wanted)) return acknowledged(head)
      return alreadyThere(wanted) ?? { type: 'conflict', actual: head?.revision ?? -1 }
    } catch (error) {
      if (error instanceof Error && error.name === 'LogError') {
        return { type: 'refused', reason: 'damaged', message: error.message }
      }
      throw error
    }
  }

  function acknowledged({ revision, position }: KnownHead): AppendAnswer {
    return { type: 'acknowledged', revision, position }
  }

  function loadHead(stream: string): KnownHead | undefined {
    heads.delete(stream)
    const head = reader.head(stream)
    const id = idOf.get(stream)
    if (head === undefined || id === undefined) return undefined
    if (heads.size >= HEADS_KEPT_MAX) heads.clear()
    const known = { id, revision: head.revision, position: head.position }
    heads.set(stream, known)
    return known
  }

  function storeFirst({ stream, count, hash, lines }: PackedAppend): KnownHead {
    const revision = count - 1
    const position = last + BigInt(count)
    const { lastInsertRowid } = open.run(stream, revision, position, hash, headCrc(stream, revision, position, hash))
    const head: KnownHead = { id: Number(lastInsertRowid), revision: -1, position: 0n }
    if (heads.size >= HEADS_KEPT_MAX) heads.clear()
    heads.set(stream, head)
    storeRow(head, revision, position, count, lines)
    return head
  }

  /** False when the head is not where it was believed to be; then nothing was changed. */
  function storeBehind(head: KnownHead, { stream, expected, count, hash, lines }: PackedAppend): boolean {
    const revision = expected + count
    const position = last + BigInt(count)
    const crc = headCrc(stream, revision, position, hash)
    if (advance.run(revision, position, hash, crc, head.id, expected).changes === 0) return false
    storeRow(head, revision, position, count, lines)
    return true
  }

  function storeRow(head: KnownHead, revision: number, position: bigint, count: number, lines: Buffer): void {
    const crc = appendCrc(position, head.id, revision, count, head.position, lines)
    insert.run(position, head.id, revision, count, head.position, crc, lines)
    if (Math.floor((revision + 1) / EVENTS_PER_MARK) > Math.floor((head.revision + 1) / EVENTS_PER_MARK)) {
      mark.run(head.id, revision, position)
    }
    head.revision = revision
    head.position = position
    last = position
  }

  /** The first answer again, when the very same events stand behind the expected revision. */
  function alreadyThere({ stream, expected, count, lines }: PackedAppend): AppendAnswer | undefined {
    const hashes = lines.toString('utf8').split('\n', count).map(hashOfLine)
    let found = 0
    for (let next: number | undefined = expected + 1; next !== undefined && found < count; ) {
      const page = reader.forwards(stream, next)
      for (const event of page.events) {
        if (event.hash !== hashes[found]) return undefined
        found++
        if (found === count) return { type: 'acknowledged', revision: event.revision, position: event.position }
      }
      next = page.next
    }
    return undefined
  }

  function catchUp(): AppendsOfOthers | undefined {
    const version = dataVersion.get()
    if (version === seenVersion) return undefined
    const rows = others.all(last, ADVANCES_TOLD_MAX + 1)
    seenVersion = version
    const end = rows.at(-1)
    if (end === undefined) return undefined
    if (rows.length > ADVANCES_TOLD_MAX) {
      heads.clear()
      last = lastOf.get() ?? 0n
      return { advances: undefined }
    }
    for (const { name } of rows) heads.delete(name)
    last = end.position
    return { advances: rows.map(({ name, revision }) => [name, Number(revision)]) }
  }
}
