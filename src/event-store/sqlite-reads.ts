/**
 * Every way of reading the embedded log, over a read-only connection: whoever writes has one of these, and so has a thread
 * that only follows.
 *
 *     head, end, at, readStream, readAll, follow -> pages (sqlite-reader.ts), a lock waited for without blocking
 */
import { setTimeout as delay, setImmediate as nextTurnOfTheLoop } from 'node:timers/promises'
import type Database from 'better-sqlite3'
import {
  type FollowItem,
  type FollowOptions,
  type Head,
  LogError,
  type LogIdentity,
  type ReadAllOptions,
  type ReadStreamOptions,
  type StoredEvent,
} from './event-store.ts'
import { type AppendWakes, followPages } from './follow.ts'
import { identityOf } from './log-identity.ts'
import { asLogError, connect } from './sqlite-file.ts'
import { createReader, type SqliteReader, type StreamPage } from './sqlite-reader.ts'
import { ADMIN_STREAM } from './stream-names.ts'

const LOCK_RETRY_MS_MAX = 10

export interface SqliteReadsOptions {
  readonly path: string
  readonly lockWaitMs: number
  readonly wakes: AppendWakes
  /** Told what reading finds wrong with the file. */
  readonly onDamage: (message: string) => void
}

/** Throws LogError for a file that is no log, or can't be read. */
export function openSqliteReads(options: SqliteReadsOptions): Promise<SqliteReads> {
  return retryWhileLocked(options.path, options.lockWaitMs, () => {
    const db = connect(options.path, { readonly: true })
    try {
      const reader = createReader(db, options.path)
      return new SqliteReads(options, db, reader, identityOf(reader.forwards(ADMIN_STREAM, 0).events[0]))
    } catch (error) {
      db.close()
      throw error
    }
  })
}

export class SqliteReads {
  readonly #options: SqliteReadsOptions
  readonly #db: Database.Database
  readonly #reader: SqliteReader
  readonly #identity: LogIdentity
  #isClosed = false

  constructor(options: SqliteReadsOptions, db: Database.Database, reader: SqliteReader, identity: LogIdentity) {
    this.#options = options
    this.#db = db
    this.#reader = reader
    this.#identity = identity
  }

  get identity(): LogIdentity {
    this.assertOpen()
    return this.#identity
  }

  /** Changes with each commit of another connection, whichever process holds it. */
  get dataVersion(): number {
    return Number(this.#db.pragma('data_version', { simple: true }))
  }

  head(stream: string): Promise<Head | undefined> {
    return this.#read(() => this.#reader.head(stream))
  }

  end(): Promise<bigint> {
    return this.#read(() => this.#reader.end())
  }

  async at(position: bigint): Promise<StoredEvent | undefined> {
    if (position < 1n) return undefined
    const { events } = await this.#read(() => this.#reader.all(position - 1n, undefined))
    return events.find((event) => event.position === position)
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncGenerator<StoredEvent, void, undefined> {
    const { direction = 'forwards', limit = Number.POSITIVE_INFINITY, signal } = options
    let next: number | undefined = options.from ?? (direction === 'forwards' ? 0 : Number.POSITIVE_INFINITY)
    if (direction === 'forwards') next = Math.max(next, 0)
    let given = 0
    while (next !== undefined && given < limit) {
      const from: number = next
      const page: StreamPage = await this.#read(() => this.#reader[direction](stream, from), signal)
      for (const event of page.events) {
        if (given === limit) return
        given++
        yield event
        this.assertOpen(signal)
      }
      next = page.next
      if (next !== undefined) await nextTurnOfTheLoop()
    }
  }

  async *readAll(options: ReadAllOptions = {}): AsyncGenerator<StoredEvent, void, undefined> {
    const { after = 0n, prefixes, limit = Number.POSITIVE_INFINITY, signal } = options
    let given = 0
    for (let at = after; given < limit; ) {
      const page = await this.#read(() => this.#reader.all(at, prefixes), signal)
      for (const event of page.events) {
        if (given === limit) return
        given++
        yield event
        this.assertOpen(signal)
      }
      if (page.isLast) return
      at = page.through
      await nextTurnOfTheLoop()
    }
  }

  follow(options: FollowOptions = {}): AsyncIterable<FollowItem> {
    this.assertOpen()
    return followPages(
      (after) => this.#read(() => this.#reader.all(after, options.prefixes)),
      this.#options.wakes,
      options,
    )
  }

  /** No page is read any more; the connection stays until it is closed. */
  leave(): void {
    this.#isClosed = true
    this.#options.wakes.end()
  }

  /** Twice is once. */
  close(): void {
    this.leave()
    this.#db.close()
  }

  assertOpen(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (this.#isClosed) throw new LogError('log_closed', CLOSED)
  }

  /** Reads one page; waits for a lock without blocking. Tells of damage. */
  async #read<T>(page: () => T, signal?: AbortSignal): Promise<T> {
    const { path, lockWaitMs, onDamage } = this.#options
    try {
      return await retryWhileLocked(path, lockWaitMs, () => {
        this.assertOpen(signal)
        return page()
      })
    } catch (error) {
      if (error instanceof LogError && error.code === 'log_damaged') onDamage(error.message)
      throw error
    }
  }
}

export const CLOSED = 'The log is closed.'

export async function retryWhileLocked<T>(path: string, lockWaitMs: number, attempt: () => T): Promise<T> {
  const deadline = performance.now() + lockWaitMs
  for (;;) {
    try {
      return attempt()
    } catch (thrown) {
      const error = asLogError(thrown, path)
      const isLocked = error instanceof LogError && error.code === 'log_locked'
      if (!isLocked || performance.now() >= deadline) throw error
    }
    await delay(Math.random() * LOCK_RETRY_MS_MAX)
  }
}
