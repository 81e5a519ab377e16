/**
 * The file of the webhooks, beside the log: endpoints with their secrets, and what is still to be delivered or was. Unlike read
 * models it does not follow from the log alone, so it is never thrown away by itself.
 *
 *     outbox      one row: how far the log was looked at, a count of changes of endpoints, why following has stopped
 *     endpoints   where to, which events, how it goes
 *     messages    an event as it is sent, once for all endpoints
 *     deliveries  one message to one endpoint; in the order of their ids
 *     attempts    each try, with what came back
 *     leases      which process of the machine follows and sends
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { LEASES_TABLE } from '../../projections/lease.ts'
import { WebhookError } from './webhook-error.ts'

/** "VDWH": says whose file it is. */
const APPLICATION_ID = 0x56445748
const FORMAT = 1
const BUSY_TIMEOUT_MS = 2_000

/** Stored names. `lane` orders deliveries within a stream: an operation's number, or one of LANES. */
const SCHEMA = `
CREATE TABLE outbox (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  cursor TEXT,
  endpoint_changes INTEGER NOT NULL,
  stopped TEXT
);
INSERT INTO outbox VALUES (1, NULL, 0, NULL);
CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  secrets TEXT NOT NULL,
  filter TEXT NOT NULL,
  allow_private INTEGER NOT NULL,
  origin TEXT NOT NULL,
  after INTEGER NOT NULL,
  standing TEXT NOT NULL,
  reason TEXT,
  since INTEGER NOT NULL,
  missed_after INTEGER,
  failing_since INTEGER,
  last_success_at INTEGER,
  last_failure TEXT,
  waiting INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  webhook_id TEXT NOT NULL UNIQUE,
  position INTEGER NOT NULL,
  type TEXT NOT NULL,
  subject TEXT,
  body TEXT NOT NULL
);
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  endpoint TEXT NOT NULL,
  message INTEGER NOT NULL,
  stream TEXT NOT NULL,
  lane INTEGER NOT NULL,
  is_replay INTEGER NOT NULL,
  standing TEXT NOT NULL,
  tries INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER
);
CREATE INDEX deliveries_due ON deliveries (endpoint, due_at, id) WHERE standing = 'waiting';
CREATE INDEX deliveries_order ON deliveries (endpoint, stream, lane, id) WHERE standing = 'waiting';
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX deliveries_message ON deliveries (message);
CREATE TABLE attempts (
  delivery INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status INTEGER,
  error TEXT,
  answer TEXT,
  PRIMARY KEY (delivery, attempt)
) WITHOUT ROWID;
${LEASES_TABLE}`

/** Lanes that are no operation's. */
export const LANES = {
  /** About many operations: behind all that was before in its stream, before all that comes. */
  everything: -1,
  /** About the registry itself: in order among its like. */
  registry: -2,
} as const

/**
 * `as_log`: a power failure may take the last commits with it, the place in the log together with what was put behind it, so
 * that it comes from the log again. `at_once`: what is acknowledged stays, as operators expect of what they configure.
 */
export type Durability = 'as_log' | 'at_once'

/** Opens the file, made when it is missing. Throws WebhookError `file_unusable`: for something else, and for damage that shows at once. */
export function openWebhookDatabase(path: string, durability: Durability): WebhookDatabase {
  // Secrets are in it: nobody else's to read.
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${durability === 'as_log' ? 'NORMAL' : 'FULL'}`)
    db.transaction(() => prepare(db, path)).immediate()
    return new WebhookDatabase(db)
  } catch (error) {
    db.close()
    throw damageOf(error, path) ?? error
  }
}

/** It holds what nothing else does, so it is left as it is, and who can decide is told. */
function damageOf(error: unknown, path: string): WebhookError | undefined {
  if (!(error instanceof Database.SqliteError) || !/^SQLITE_(CORRUPT|NOTADB)/.test(error.code)) return undefined
  return new WebhookError(
    'file_unusable',
    `'${path}' is damaged: ${error.message}. It was left as it is; bring back a copy, or move it away with the files beside it (-wal, -shm) to begin anew: endpoints have to be added again then, and what was not delivered yet is not.`,
  )
}

export class WebhookDatabase {
  /** @internal */
  readonly connection: Database.Database

  /** @internal */
  constructor(connection: Database.Database) {
    this.connection = connection
  }

  /** All of it or nothing; within another one it is a part of that. */
  transaction<T>(fn: () => T): T {
    return this.connection.transaction(fn).immediate()
  }

  /** Changes whenever another connection has written. */
  foreignChanges(): number {
    return Number(this.connection.pragma('data_version', { simple: true }))
  }

  /** Twice is once. */
  close(): void {
    this.connection.close()
  }
}

function prepare(db: Database.Database, path: string): void {
  const applicationId = Number(db.pragma('application_id', { simple: true }))
  const format = Number(db.pragma('user_version', { simple: true }))
  const isEmpty = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0
  if (applicationId === 0 && isEmpty) {
    db.pragma(`application_id = ${APPLICATION_ID}`)
    db.pragma(`user_version = ${FORMAT}`)
    db.exec(SCHEMA)
  } else if (applicationId !== APPLICATION_ID) {
    throw new WebhookError('file_unusable', `'${path}' holds something else than webhooks: name another file.`)
  } else if (format > FORMAT) {
    throw new WebhookError('file_unusable', `'${path}' was written by a newer version of Verdict: run that one.`)
  }
}
