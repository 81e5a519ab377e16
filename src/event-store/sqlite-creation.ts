/**
 * How the file of an embedded log comes to be: it is written whole under another name and linked to its own at the end. So a
 * file under that name is complete or not there, and an empty file is damage and never an invitation.
 *
 *     log.db.creating-<id>  --linked-->  log.db          the name before is taken away
 *                           '--killed: it stays, until the log is opened the next time
 */
import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { LogError, type NewEvent } from './event-store.ts'
import { exportedLine } from './exported-line.ts'
import { appendCrc, headCrc } from './sqlite-checksums.ts'

/** `VERD`, in the header of every log file: what `file` and SQLite's own tools show. Stored. */
export const APPLICATION_ID = 0x56455244

/** Stored. Read by people in the sqlite3 shell as well: every row of `appends` is its exported lines. */
const SCHEMA = `
  -- The last event of each stream: what an append is checked against.
  CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash TEXT NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  -- One row per append. Its events take the positions (position - count, position] and the revisions
  -- (revision - count, revision] of their stream; previous is the position of the stream's append before, 0 for none.
  CREATE TABLE appends (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    count INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    lines BLOB NOT NULL
  ) STRICT;
  -- Where in the log a stream has reached a revision: an entry about every 64 events, the way on is by back links.
  CREATE TABLE marks (
    stream INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (stream, revision)
  ) STRICT, WITHOUT ROWID;
`

/** What a new log begins with. */
export interface FirstAppend {
  readonly stream: string
  readonly events: readonly NewEvent[]
}

const CREATING = '.creating-'
const SUFFIXES = ['', '-wal', '-shm', '-journal']
const LEFT_OVER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-wal|-shm|-journal)?$/

/**
 * Several may do it at once: one wins, and its log is the log for all of them. Throws LogError where it can't be made.
 */
export function createLogFile(path: string, first: FirstAppend, version: number): void {
  const target = join(realpathSync(dirname(resolve(path))), basename(path))
  const building = `${target}${CREATING}${randomUUID()}`
  let isOurs = false
  try {
    const db = new Database(building)
    try {
      db.pragma('journal_mode = WAL')
      db.pragma('synchronous = FULL')
      db.pragma('fullfsync = ON')
      db.transaction(() => {
        db.exec(SCHEMA)
        db.pragma(`application_id = ${APPLICATION_ID}`)
        db.pragma(`user_version = ${version}`)
        insertFirst(db, first)
      })()
    } finally {
      db.close()
    }
    sync(building)
    linkSync(building, target)
    isOurs = true
    sync(dirname(target))
  } catch (error) {
    // Another process was faster: its log is the log, and what it met of this one it may have taken away.
    if (isOurs || statSync(target, { throwIfNoEntry: false }) === undefined) throw creationError(error, path)
  } finally {
    for (const suffix of SUFFIXES) rmSync(building + suffix, { force: true })
  }
}

/**
 * Takes away what creators of this log have left that were killed. Only where the log is there: whoever is still about it has
 * lost then, and goes on with the log that is there, whether its file is taken from it or not. So nobody has to be asked whether
 * it lives.
 */
export function clearLeftOvers(path: string): void {
  const target = realpathSync(path)
  const directory = dirname(target)
  const begin = basename(target) + CREATING
  try {
    for (const name of readdirSync(directory)) {
      if (name.startsWith(begin) && LEFT_OVER.test(name.slice(begin.length)))
        rmSync(join(directory, name), { force: true })
    }
  } catch {
    // Who may only read the log leaves it to others; it is in nobody's way.
  }
}

function creationError(error: unknown, path: string): LogError {
  const why = error instanceof Error ? error.message : String(error)
  return new LogError('log_unusable', `The log '${path}' can't be created: ${why}.`, { cause: error })
}

function insertFirst(db: Database.Database, { stream, events }: FirstAppend): void {
  const position = BigInt(events.length)
  const revision = events.length - 1
  const hash = events.at(-1)?.hash ?? ''
  const lines = Buffer.from(events.map(exportedLine).join(''))
  db.prepare('INSERT INTO streams (id, name, revision, position, hash, crc) VALUES (1, ?, ?, ?, ?, ?)').run(
    stream,
    revision,
    position,
    hash,
    headCrc(stream, revision, position, hash),
  )
  db.prepare(
    'INSERT INTO appends (position, stream, revision, count, previous, crc, lines) VALUES (?, 1, ?, ?, 0, ?, ?)',
  ).run(position, revision, events.length, appendCrc(position, 1, revision, events.length, 0n, lines), lines)
}

function sync(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
