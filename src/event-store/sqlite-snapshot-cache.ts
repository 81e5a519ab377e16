/**
 * Snapshots in a SQLite file of their own beside the log's. Nothing is flushed and nothing is repaired: a file that is
 * damaged or of another version is thrown away and begun anew, because it is a cache. What is not ours is left as it is.
 */
import { rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import { memorySnapshotCache, type SnapshotCache, type SnapshotEntry } from './snapshot-cache.ts'

/** "VRDS", in the file's header. */
const APPLICATION_ID = 0x56524453
const VERSION = 1

interface Row extends Omit<SnapshotEntry, 'logId'> {
  readonly log_id: string
}

/** An open file, or why there is none: another process holds it for now, or none can be had. */
type Place = SnapshotFile | 'busy' | 'none'

/** Never throws: where no file can be had, snapshots are kept in memory. */
export function openSnapshotCache(path: string): SnapshotCache {
  const place = open(path)
  return place === 'none' ? memorySnapshotCache() : cacheIn(path, place)
}

function cacheIn(path: string, first: SnapshotFile | 'busy'): SnapshotCache {
  let place: Place = first
  return {
    load: (stream) =>
      forgiving(({ select }) => {
        const row = select.get(stream)
        if (row === undefined) return undefined
        const { log_id: logId, timeline, revision, hash, schema, state } = row
        return { logId, timeline, stream, revision, hash, schema, state }
      }),
    save: ({ stream, logId, timeline, revision, hash, schema, state }) =>
      void forgiving(({ replace }) => replace.run(stream, logId, timeline, revision, hash, schema, state)),
    delete: (stream) => void forgiving(({ remove }) => remove.run(stream)),
    close() {
      if (typeof place !== 'string') place.db.close()
      place = 'none'
    },
  }

  /** The cache of another process at work, a full disk: no snapshot, no more. A damaged page: a new file. */
  function forgiving<T>(access: (file: SnapshotFile) => T): T | undefined {
    if (place === 'busy') place = open(path)
    if (typeof place === 'string') return undefined
    try {
      return access(place)
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error
      if (isWorthless(error)) {
        place.db.close()
        place = begunAnew(path)
      }
      return undefined
    }
  }
}

/** Opening meets whatever the place holds (a directory, no rights): all of it means the same for a cache. */
function open(path: string): Place {
  try {
    return opened(path)
  } catch (error) {
    return isWorthless(error) ? begunAnew(path) : isBusy(error) ? 'busy' : 'none'
  }
}

function begunAnew(path: string): Place {
  try {
    for (const file of [path, `${path}-journal`, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true })
    return opened(path)
  } catch (error) {
    return isBusy(error) ? 'busy' : 'none'
  }
}

type SnapshotFile = ReturnType<typeof opened>

function opened(path: string) {
  const db = new Database(path, { timeout: 0 })
  try {
    db.pragma('synchronous = OFF')
    if (db.pragma('schema_version', { simple: true }) === 0) create(db)
    if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) throw new Error(`'${path}' is not ours.`)
    if (db.pragma('user_version', { simple: true }) !== VERSION) throw new OtherVersion()
    return {
      db,
      select: db.prepare<[string], Row>('SELECT * FROM snapshots WHERE stream = ?'),
      replace: db.prepare<[string, string, number, number, string, number, string]>(
        `INSERT OR REPLACE INTO snapshots (stream, log_id, timeline, revision, hash, schema, state)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ),
      remove: db.prepare<[string]>('DELETE FROM snapshots WHERE stream = ?'),
    }
  } catch (error) {
    db.close()
    throw error
  }
}

/** In one transaction: who comes second finds it done, or busy, and never half of it. */
function create(db: Database.Database): void {
  const createIn = db.transaction(() => {
    if (db.pragma('schema_version', { simple: true }) !== 0) return
    db.pragma(`application_id = ${APPLICATION_ID}`)
    db.pragma(`user_version = ${VERSION}`)
    db.exec(
      `CREATE TABLE snapshots (stream TEXT PRIMARY KEY, log_id TEXT, timeline INTEGER, revision INTEGER, hash TEXT,
       schema INTEGER, state TEXT) WITHOUT ROWID`,
    )
  })
  createIn.immediate()
}

class OtherVersion extends Error {}

/** Damaged, or of ours with a table that is not: its snapshots can't be had any more. */
function isWorthless(error: unknown): boolean {
  if (error instanceof OtherVersion) return true
  return error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB|ERROR$)/.test(error.code)
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')
}
