/** The file of the embedded log: how it is recognised, and what is refused before anything is read. */
import { lstatSync, realpathSync, statfsSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { LogError } from './event-store.ts'
import { type AppendRow, type HeadRow, isWholeAppend, isWholeHead } from './sqlite-checksums.ts'
import { APPLICATION_ID, clearLeftOvers, createLogFile, type FirstAppend } from './sqlite-creation.ts'
import { commitsLostIn } from './sqlite-write-ahead.ts'

/** Brings a file of one format version to the next; the index is the version it takes, minus 1. */
export type Migration = (db: Database.Database) => void

const MIGRATIONS: readonly Migration[] = []

/**
 * Creates the log if nothing has its name, brings an older one forward, refuses what is not ours, newer or damaged. Throws
 * `log_locked` where another process is in the way: to be tried again.
 */
export function prepareFile(path: string, first: () => FirstAppend): void {
  try {
    assertPlace(path)
  } catch (error) {
    throw placeError(error, path)
  }
  if (statSync(path, { throwIfNoEntry: false }) === undefined) createLogFile(path, first(), MIGRATIONS.length + 1)
  clearLeftOvers(path)
  // Before SQLite looks at it: what it can't read it writes over.
  assertWriteAheadIsWhole(path)
  const db = connect(path)
  try {
    bringForward(db, path)
    assertStreamsAreFound(db, path)
    assertTailIsWhole(db, path)
    if (!isWritable(db)) return
    // A copy that SQLite's own tools made (VACUUM INTO) has lost this, and with it what the promises rest on.
    db.pragma('journal_mode = WAL')
    // What a crashed process left in the write-ahead log is visible, but perhaps not durable: it is before it counts.
    secureVisible(db, path)
  } finally {
    db.close()
  }
}

function assertWriteAheadIsWhole(path: string): void {
  const writeAhead = `${realpathSync(path)}-wal`
  const lost = commitsLostIn(writeAhead)
  if (lost === 0) return
  throw new LogError(
    'log_damaged',
    `'${path}' is damaged: its write-ahead log '${writeAhead}' can't be read up to its end, and at least ${lost} of the commits behind the damage were acknowledged. It was left as it is; bring back a copy of both.`,
  )
}

/** Copies all that is visible into the file and flushes it. Throws `log_locked` while another process keeps it from that. */
function secureVisible(db: Database.Database, path: string): void {
  // documented shape of its one row
  const [row] = db.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number; log: number; checkpointed: number }]
  // Who reads the newest state keeps the write-ahead log from being cut, but all of it is in the file, flushed.
  if (row.busy === 0 || row.checkpointed === row.log) return
  throw new LogError(
    'log_locked',
    `'${path}' holds ${row.log - row.checkpointed} pages in its write-ahead log that may not be secured, and another process keeps them from being copied. Nothing is lost; open it again when that process has finished reading or writing.`,
  )
}

/** Loads what SQLite is made of, which is else loaded with the first connection. */
export function loadSqlite(): void {
  new Database(':memory:').close()
}

/** A connection with the settings that the promises rest on. Waits for no lock: whoever uses it retries without blocking. */
export function connect(path: string, { readonly = false }: { readonly?: boolean } = {}): Database.Database {
  const db = new Database(path, { readonly, fileMustExist: true, timeout: 0 })
  try {
    db.pragma('synchronous = FULL')
    // Has an effect on macOS only, where fsync alone leaves the bytes in the drive's cache.
    db.pragma('fullfsync = ON')
    db.pragma('checkpoint_fullfsync = ON')
    // Checkpoints inside a commit are the latency peaks: the writer thread makes them between commits.
    db.pragma('wal_autocheckpoint = 0')
    db.pragma('trusted_schema = OFF')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Checks that the file is a log of ours, and of this version after the steps that it takes. Throws LogError. */
export function bringForward(db: Database.Database, path: string, migrations: readonly Migration[] = MIGRATIONS): void {
  const current = migrations.length + 1
  const application = db.pragma('application_id', { simple: true })
  let version = Number(db.pragma('user_version', { simple: true }))
  if (application !== APPLICATION_ID || version < 1) {
    throw new LogError(
      'log_damaged',
      `'${path}' is not a log of Verdict, or its beginning was overwritten. It was left as it is; give another path, or bring back a copy.`,
    )
  }
  if (version > current) {
    throw new LogError(
      'log_newer',
      `'${path}' has format ${version}, and this version of Verdict reads up to ${current}. It was left as it is; use the version that wrote it, or a later one.`,
    )
  }
  while (version < current) {
    const migration = migrations[version - 1]
    if (migration === undefined) throw new Error(`There is no migration from format ${version} of ${current}.`)
    db.transaction(() => {
      // Another process may have taken this step while we waited for the lock.
      if (Number(db.pragma('user_version', { simple: true })) !== version) return
      migration(db)
      db.pragma(`user_version = ${version + 1}`)
    }).immediate()
    version++
  }
}

/** What an error of SQLite means for whoever opens or reads the log. */
export function asLogError(error: unknown, path: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error
  const { code, message } = error
  const told = `${message} (${code})`
  // Our statements are right: SQLite finds one wrong only where the tables are not there any more.
  if (/^SQLITE_(CORRUPT|NOTADB$|IOERR_SHORT_READ$|ERROR$)/.test(code)) {
    return new LogError(
      'log_damaged',
      `'${path}' is damaged: ${told}. It was left as it is; bring back a copy, or recover it with SQLite's tools.`,
      { cause: error },
    )
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new LogError('log_locked', `'${path}' is locked by another process: ${told}.`, { cause: error })
  }
  if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY') || code === 'SQLITE_PERM') {
    return new LogError('log_unusable', `'${path}' can't be opened with the rights of this process: ${told}.`, {
      cause: error,
    })
  }
  if (code === 'SQLITE_FULL') {
    return new LogError(
      'log_unavailable',
      `'${path}' can't be opened, because the disk is full and what was written last can't be secured: ${told}. Nothing is lost; make room and open it again.`,
      { cause: error },
    )
  }
  return new LogError('log_unavailable', `'${path}' can't be read: ${told}.`, { cause: error })
}

/** Whether a file system of this type (statfs, Linux) lies on another machine, where SQLite's locks can't be trusted. */
export function networkFileSystem(type: number): string | undefined {
  return NETWORK_FILE_SYSTEMS.get(type >>> 0)
}

const NETWORK_FILE_SYSTEMS = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB2'],
  [0xff534d42, 'CIFS'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x73757245, 'Coda'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x47504653, 'GPFS'],
])

/** The usual 255 of file systems, less what is added while the log is made. */
const FILE_NAME_BYTES_MAX = 200

function assertPlace(path: string): void {
  if (path.endsWith('/'))
    throw new LogError('log_unusable', `The log '${path}' is to be a file, and this names a directory.`)
  const directory = dirname(resolve(path))
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new LogError('log_unusable', `The log '${path}' needs a directory to lie in, and '${directory}' is none.`)
  }
  const file = statSync(path, { throwIfNoEntry: false })
  const nameBytes = Buffer.byteLength(basename(path))
  if (file === undefined && nameBytes > FILE_NAME_BYTES_MAX) {
    const message = `The log '${path}' has a name of ${nameBytes} bytes, and ${FILE_NAME_BYTES_MAX} are the most: SQLite puts files with longer names beside it.`
    throw new LogError('log_unusable', message)
  }
  if (file === undefined && lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
    throw new LogError('log_unusable', `The log '${path}' is a link that leads nowhere.`)
  }
  // A link leads to where the file really lies, and its locks are taken there.
  const place = file ? realpathSync(path) : directory
  const network = process.platform === 'linux' ? networkFileSystem(statfsSync(place).type) : undefined
  if (network !== undefined) {
    throw new LogError(
      'log_unusable',
      `'${place}' lies on a network file system (${network}), where the locks that protect a log don't hold. Give a path on a local disk, or use EventStoreDB.`,
    )
  }
  if (file && !file.isFile()) throw new LogError('log_unusable', `The log '${path}' is not a file.`)
  if (file?.size === 0) {
    throw new LogError(
      'log_damaged',
      `'${path}' is empty, and a log never is. It was left as it is; remove it to begin a new log, or bring back a copy.`,
    )
  }
}

/** What a file system says of a path that can be none: too long, through a file, in a circle, not ours to look at. */
function placeError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof LogError || !('code' in error)) return error
  return new LogError('log_unusable', `The log '${path}' can't be opened: ${error.message}.`, { cause: error })
}

/**
 * A stream whose name is damaged in the index would not be found, and a stream that is not found is a new one: the one
 * damage that no checksum of a row shows. So names and index are compared before anything is read by name.
 */
function assertStreamsAreFound(db: Database.Database, path: string): void {
  const faults = db.pragma(`integrity_check('streams')`) as { integrity_check: string }[] // documented shape of its rows
  const [first] = faults
  if (first?.integrity_check === 'ok') return
  throw new LogError(
    'log_damaged',
    `'${path}' is damaged: its streams are not as their index has them (${first?.integrity_check}). It was left as it is; bring back a copy.`,
  )
}

/**
 * A cut file mostly shows at its end: the last append is read whole, and SQLite checks the length against its header. That
 * nothing came behind it, the heads of the streams tell: what a damaged page has lost at the end leaves no gap.
 */
function assertTailIsWhole(db: Database.Database, path: string): void {
  const tail = db
    .prepare<[], AppendRow>(
      'SELECT position, stream, revision, count, previous, crc, lines FROM appends ORDER BY position DESC LIMIT 1',
    )
    .safeIntegers()
  const headsBehind = db
    .prepare<[bigint], HeadRow & { name: string }>(
      'SELECT name, revision, position, hash, crc FROM streams WHERE position > ?',
    )
    .safeIntegers()
  // In one transaction: another process may append meanwhile.
  const fault = db.transaction(() => {
    const row = tail.get()
    if (row === undefined) return 'it has no events'
    const { position } = row
    if (!isWholeAppend(row)) return `its last append, at position ${position}, does not match its checksum`
    // One that does not match its checksum is the damage of that stream alone.
    const lost = headsBehind.all(position).find((head) => isWholeHead(head.name, head))
    return lost && `its last append is at position ${position}, and '${lost.name}' goes on to ${lost.position}`
  })()
  if (fault === undefined) return
  throw new LogError('log_damaged', `'${path}' is damaged: ${fault}. It was left as it is; bring back a copy.`)
}

/**
 * Throws what SQLite throws where the file can't be written, `SQLITE_BUSY` included. BEGIN IMMEDIATE does not tell: on a
 * file that may only be read it quietly begins to read.
 */
export function tryToWrite(db: Database.Database): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    db.exec('UPDATE marks SET position = position WHERE false')
  } finally {
    // Some errors have rolled it back already.
    if (db.inTransaction) db.exec('ROLLBACK')
  }
}

function isWritable(db: Database.Database): boolean {
  try {
    tryToWrite(db)
    return true
  } catch (error) {
    if (error instanceof Database.SqliteError && /^SQLITE_(READONLY|CANTOPEN)/.test(error.code)) return false
    throw error
  }
}
