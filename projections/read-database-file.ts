/**
 * What the file of the read models says of itself: its header, its first tables, and who refuses it. Connections to it are made
 * here, for those who write and for those who look.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import Database from 'better-sqlite3'
import { LEASES_TABLE } from './lease.ts'

export type ReadDatabaseErrorCode =
  /** The file is something else than read models, and is left as it is. */
  | 'not_read_models'
  /** Written by a newer version. */
  | 'read_models_newer'

export class ReadDatabaseError extends Error {
  override readonly name = 'ReadDatabaseError'
  readonly code: ReadDatabaseErrorCode

  constructor(code: ReadDatabaseErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** What the file says of itself is not what was written into it: it is to be built anew, as one that SQLite finds torn. */
export class DamagedSchema extends Error {
  override readonly name = 'DamagedSchema'
}

/** What SQLite itself says, of the file, of a statement or of the values handed over. */
export function isSqliteError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'SqliteError'
}

/** "VDRM": says whose file it is. */
const APPLICATION_ID = 0x5644524d
const FORMAT = 1
/** How long a statement waits for another process of this machine that writes to the same file. */
const BUSY_TIMEOUT_MS = 500

/** Of 4 KiB: the rows that one batch after the other changes again are brought into the file once. */
const WAL_PAGES_MAX = 4_096

const SCHEMA = `
CREATE TABLE generations (
  projection TEXT NOT NULL,
  generation INTEGER NOT NULL,
  version INTEGER NOT NULL,
  standing TEXT NOT NULL,
  tables TEXT NOT NULL,
  log_id TEXT NOT NULL,
  timeline INTEGER NOT NULL,
  position INTEGER NOT NULL,
  hash TEXT NOT NULL,
  events INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (projection, generation)
) WITHOUT ROWID;
CREATE TABLE generation_numbers (last INTEGER NOT NULL);
INSERT INTO generation_numbers VALUES (0);
CREATE TABLE parked (
  projection TEXT NOT NULL,
  generation INTEGER NOT NULL,
  stream TEXT NOT NULL,
  revision INTEGER NOT NULL,
  position INTEGER NOT NULL,
  error TEXT NOT NULL,
  parked_at INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  PRIMARY KEY (projection, generation, stream)
) WITHOUT ROWID;
CREATE TABLE discarded (
  projection TEXT NOT NULL,
  generation INTEGER NOT NULL,
  stream TEXT NOT NULL,
  revision INTEGER NOT NULL,
  error TEXT NOT NULL,
  reason TEXT NOT NULL,
  discarded_at INTEGER NOT NULL,
  PRIMARY KEY (projection, generation, stream, revision)
) WITHOUT ROWID;
CREATE TABLE orders (
  projection TEXT NOT NULL,
  stream TEXT NOT NULL,
  wanted TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (projection, stream)
) WITHOUT ROWID;
${LEASES_TABLE}`

/**
 * A connection that writes, to a file that is made when it is missing, as `use` makes something of it; closed again where that throws.
 * Throws ReadDatabaseError, DamagedSchema, and what SQLite finds wrong.
 * @internal
 */
export function connectToWrite<T>(path: string, use: (db: Database.Database) => T): T {
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    db.pragma('journal_mode = WAL')
    // A crash may take the last batches with it, rows and checkpoint together: they come from the log again.
    db.pragma('synchronous = NORMAL')
    db.pragma('cache_size = -65536')
    db.pragma(`wal_autocheckpoint = ${WAL_PAGES_MAX}`)
    db.transaction(() => prepare(db, path)).immediate()
    return use(db)
  } catch (error) {
    db.close()
    if (isOfNewerSqlite(path)) throw new DamagedSchema('its header is of another format', { cause: error })
    throw error
  }
}

/**
 * A connection that can't write, to a file that was checked. Undefined for a file that is not there, or has nothing in it yet because
 * somebody is just making it.
 * @internal
 */
export function connectToLook(path: string): Database.Database | undefined {
  if (!existsSync(path)) return undefined
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
  try {
    // In one moment: between two of them somebody may make the file.
    const isMade = db.transaction(() => {
      const applicationId = Number(db.pragma('application_id', { simple: true }))
      if (applicationId === 0 && isEmpty(db)) return false
      assertOurs(applicationId, Number(db.pragma('user_version', { simple: true })), path)
      return true
    })()
    if (isMade) return db
  } catch (error) {
    db.close()
    throw error
  }
  db.close()
  return undefined
}

function prepare(db: Database.Database, path: string): void {
  const applicationId = Number(db.pragma('application_id', { simple: true }))
  const format = Number(db.pragma('user_version', { simple: true }))
  if (applicationId === 0 && isEmpty(db)) {
    db.pragma(`application_id = ${APPLICATION_ID}`)
    db.pragma(`user_version = ${FORMAT}`)
    db.exec(SCHEMA)
  } else {
    assertOurs(applicationId, format, path)
  }
}

function isEmpty(db: Database.Database): boolean {
  return db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0
}

/** Whether the file says of itself that it holds read models, however damaged the rest of it is. */
export function isReadDatabase(path: string): boolean {
  return headerOf(path)?.readUInt32BE(68) === APPLICATION_ID
}

/** Formats that no SQLite has written yet: for it a reason to write nothing, or to read nothing, and no damage. */
function isOfNewerSqlite(path: string): boolean {
  const header = headerOf(path)
  return header !== undefined && (header.readUInt8(18) > 2 || header.readUInt8(19) > 2 || header.readUInt32BE(44) > 4)
}

/** Undefined for what is no file of SQLite's. */
function headerOf(path: string): Buffer | undefined {
  const header = Buffer.alloc(HEADER_BYTES)
  const fd = openSync(path, 'r')
  try {
    if (readSync(fd, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined
  } finally {
    closeSync(fd)
  }
  return header.toString('latin1', 0, MAGIC.length) === MAGIC ? header : undefined
}

/** https://www.sqlite.org/fileformat.html#the_database_header */
const HEADER_BYTES = 100
const MAGIC = 'SQLite format 3\0'

function assertOurs(applicationId: number, format: number, path: string): void {
  if (applicationId !== APPLICATION_ID) {
    throw new ReadDatabaseError(
      'not_read_models',
      `'${path}' holds something else than read models: name another file.`,
    )
  }
  if (format > FORMAT) {
    throw new ReadDatabaseError(
      'read_models_newer',
      `'${path}' was written by a newer version (format ${format}, this one reads ${FORMAT}): use that version, or delete the file, and it is built anew.`,
    )
  }
}
