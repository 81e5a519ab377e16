/**
 * Snapshots in a SQLite file of their own beside the log's. Nothing is flushed and nothing is repaired: a file that is
 * damaged, foreign or of another version is thrown away and begun anew, because it is a cache.
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

/** Never throws: where no file can be had, snapshots are kept in memory. */
export function openSnapshotCache(path: string): SnapshotCache {
  const db = opened(path) ?? begunAnew(path)
  return db === undefined ? memorySnapshotCache() : cacheOn(db)
}

function cacheOn(db: Database.Database): SnapshotCache {
  const select = db.prepare<[string], Row>('SELECT * FROM snapshots WHERE stream = ?')
  const replace = db.prepare<[string, string, number, number, string, number, string]>(
    `INSERT OR REPLACE INTO snapshots (stream, log_id, timeline, revision, hash, schema, state)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  )
  const remove = db.prepare<[string]>('DELETE FROM snapshots WHERE stream = ?')
  return {
    load: (stream) =>
      forgiving(() => {
        const row = select.get(stream)
        if (row === undefined) return undefined
        const { log_id: logId, timeline, revision, hash, schema, state } = row
        return { logId, timeline, stream, revision, hash, schema, state }
      }),
    save: ({ stream, logId, timeline, revision, hash, schema, state }) =>
      void forgiving(() => replace.run(stream, logId, timeline, revision, hash, schema, state)),
    delete: (stream) => void forgiving(() => remove.run(stream)),
    close: () => void forgiving(() => db.close()),
  }
}

/** The cache of another process at work, a full disk, a damaged page: no snapshot, no more. */
function forgiving<T>(access: () => T): T | undefined {
  try {
    return access()
  } catch (error) {
    if (error instanceof Database.SqliteError) return undefined
    throw error
  }
}

function opened(path: string): Database.Database | undefined {
  return forgivingOpen(() => {
    const db = new Database(path, { timeout: 0 })
    db.pragma('synchronous = OFF')
    const isNew = db.pragma('schema_version', { simple: true }) === 0
    if (isNew) {
      db.pragma(`application_id = ${APPLICATION_ID}`)
      db.pragma(`user_version = ${VERSION}`)
      db.exec(
        `CREATE TABLE snapshots (stream TEXT PRIMARY KEY, log_id TEXT, timeline INTEGER, revision INTEGER, hash TEXT,
         schema INTEGER, state TEXT) WITHOUT ROWID`,
      )
    }
    const isOurs = db.pragma('application_id', { simple: true }) === APPLICATION_ID
    if (isOurs && db.pragma('user_version', { simple: true }) === VERSION) return db
    db.close()
    return undefined
  })
}

function begunAnew(path: string): Database.Database | undefined {
  return forgivingOpen(() => {
    for (const file of [path, `${path}-journal`, `${path}-wal`, `${path}-shm`]) rmSync(file, { force: true })
    return opened(path)
  })
}

/** Opening meets whatever the place holds (a directory, no rights): all of it means the same for a cache. */
function forgivingOpen(open: () => Database.Database | undefined): Database.Database | undefined {
  try {
    return open()
  } catch {
    return undefined
  }
}
