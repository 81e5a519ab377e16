/**
 * Commits to the embedded log, and what an error during one means. All of it blocks: it runs on the writer thread.
 *
 *     BEGIN IMMEDIATE ----> appends ----> COMMIT, flushed ----> the file is still in its place: acknowledged, or a conflict
 *          |                   |              |                             |
 *          busy, read-only,    rolled back    |                             it is not: unknown
 *          not in its place    refused        disk full: a frame could not be written, and the commit frame is the last
 *          refused                                       one, so nothing of it can count: refused
 *                                             else: unknown
 *
 * After an unknown outcome the connection is given up. What is found later is visible but perhaps not durable (seen: with
 * a failing fsync the rows came back after a crash), so nothing counts, and nothing more is written, before the file was
 * opened again and a TRUNCATE checkpoint went through, which flushes all that is visible and drops the rest.
 */
import Database from 'better-sqlite3'
import type { AppendAnswer, PackedAppend } from './append-packing.ts'
import type { RefusalReason } from './event-store.ts'
import { type AppendsOfOthers, type AppendTable, createAppendTable } from './sqlite-appends.ts'
import { connect, tryToWrite } from './sqlite-file.ts'
import { SqlitePlace } from './sqlite-place.ts'

export type WriterHealth =
  | { readonly status: 'ok' }
  | { readonly status: 'read_only' | 'unavailable' | 'damaged'; readonly message: string }

export interface CommitsOptions {
  readonly path: string
  /** How long the write lock is waited for. */
  readonly lockWaitMs: number
  readonly onHealth: (health: WriterHealth) => void
  readonly onOthers: (others: AppendsOfOthers) => void
}

/** A connection that was given up is opened again at most so often. */
const REOPEN_EVERY_MS = 100
/** Between two tries for a lock: random within this, so that the tries of several processes don't keep in step. */
const LOCK_RETRY_MS_MAX = 2
/** The write-ahead log is cut to nothing when it has grown over so many pages of 4 KiB. */
const WAL_PAGES_MAX = 16_384

interface Trouble {
  readonly kind: 'in_doubt' | 'read_only' | 'unavailable'
  readonly message: string
}

export class SqliteCommits {
  readonly #options: CommitsOptions
  readonly #place: SqlitePlace
  #db: Database.Database
  #table: AppendTable
  #trouble: Trouble | undefined
  #reopenAt = 0
  #isLocked = false
  #flushMs: number | undefined
  #isFull = false
  #isWriteAheadLost = false
  /** Streams of appends whose outcome is not known. */
  readonly #inDoubt = new Set<string>()

  constructor(options: CommitsOptions) {
    this.#options = options
    const opened = openTable(options)
    this.#db = opened.db
    this.#table = opened.table
    this.#place = opened.place
    try {
      tryToWrite(this.#db)
    } catch (error) {
      // That the file may only be read is said at once, not at the first append.
      if (sqliteCode(error) === 'SQLITE_READONLY') this.#enterReadOnly(error)
    }
  }

  /** All appends in one commit; the answers in their order. Takes the write lock unless it is held already. */
  commit(appends: readonly PackedAppend[]): AppendAnswer[] {
    this.#flushMs = undefined
    const refused = this.#lockOrRefuse()
    if (refused) return appends.map((append) => this.#unlessInDoubt(append, refused))
    this.#isLocked = false
    let answers: AppendAnswer[]
    let others: AppendsOfOthers | undefined
    try {
      others = this.#table.catchUp()
      answers = appends.map((append) => this.#table.append(append))
    } catch (error) {
      return this.#rollBack(error, appends, 'before COMMIT')
    }
    const flushedAt = performance.now()
    try {
      this.#db.exec('COMMIT')
      this.#flushMs = performance.now() - flushedAt
    } catch (error) {
      return this.#rollBack(error, appends, 'at COMMIT')
    }
    if (!this.#place.isKept) {
      this.#secureLostWriteAhead()
      return this.#cannotTell(appends, this.#place.problem)
    }
    this.#table.keep()
    if (this.#isFull && answers.some(({ type }) => type === 'acknowledged')) {
      this.#isFull = false
      this.#options.onHealth({ status: 'ok' })
    }
    if (others) this.#options.onOthers(others)
    return answers
  }

  /** How long the last commit took to be on disk; undefined where there was none. */
  get flushMs(): number | undefined {
    return this.#flushMs
  }

  /** Takes the write lock and keeps it until the next commit or `unlock`. False when it was not to be had. */
  lock(): boolean {
    return this.#lockOrRefuse() === undefined
  }

  unlock(): void {
    if (!this.#isLocked) return
    this.#isLocked = false
    if (!this.#tryRollBack()) this.#giveUp({ kind: 'unavailable', message: 'A lock could not be given back.' })
  }

  /** Tells of what others have committed since the last look, and tries to get out of trouble. */
  look(): void {
    if (this.#trouble && !this.#recover()) return
    if (!this.#db.open || this.#isLocked) return
    if (!this.#place.isKept) {
      this.#loseFile()
      return
    }
    try {
      const others = this.#table.catchUp()
      this.#table.keep()
      if (others) this.#options.onOthers(others)
    } catch (error) {
      this.#table.forget()
      if (sqliteCode(error) !== 'SQLITE_BUSY') this.#giveUp({ kind: 'unavailable', message: told(error) })
    }
  }

  /**
   * Copies what the write-ahead log holds into the file. When it has grown over its bound, also cuts it, which makes other
   * writers wait. A checkpoint that fails loses nothing: the write-ahead log keeps what it holds.
   */
  checkpoint(): void {
    if (this.#trouble || this.#isLocked || !this.#db.open) return
    if (this.#tryCheckpoint('PASSIVE') > WAL_PAGES_MAX) this.#tryCheckpoint('TRUNCATE')
  }

  /** The last connection to a file cuts the write-ahead log and removes it. */
  close(): void {
    this.unlock()
    this.checkpoint()
    this.#db.close()
  }

  #lockOrRefuse(): AppendAnswer | undefined {
    if (this.#isLocked) return undefined
    if (this.#trouble && !this.#recover()) return this.#refusalForTrouble()
    const deadline = performance.now() + this.#options.lockWaitMs
    for (;;) {
      try {
        this.#db.exec('BEGIN IMMEDIATE')
        this.#isLocked = true
        if (this.#place.isKept) return undefined
        this.#loseFile()
        return this.#refusalForTrouble()
      } catch (error) {
        switch (sqliteCode(error)) {
          case 'SQLITE_BUSY':
            if (performance.now() < deadline) break
            return refuse('busy', `Another process has held the log for more than ${this.#options.lockWaitMs} ms.`)
          case 'SQLITE_READONLY':
            this.#enterReadOnly(error)
            return this.#refusalForTrouble()
          default:
            this.#giveUp({ kind: 'unavailable', message: `The log can't be written: ${told(error)}.` })
            return this.#refusalForTrouble()
        }
      }
      sleep(Math.random() * LOCK_RETRY_MS_MAX)
    }
  }

  #rollBack(error: unknown, appends: readonly PackedAppend[], when: 'before COMMIT' | 'at COMMIT'): AppendAnswer[] {
    const code = sqliteCode(error)
    const isRolledBack = this.#tryRollBack()
    this.#table.forget()
    const isCertain = when === 'before COMMIT' || code === 'SQLITE_FULL' || code === 'SQLITE_BUSY'
    if (!isRolledBack || !isCertain) {
      return this.#cannotTell(appends, told(error))
    }
    const answer = this.#certainRefusal(code, error)
    return appends.map(() => answer)
  }

  #cannotTell(appends: readonly PackedAppend[], problem: string): AppendAnswer[] {
    for (const { stream } of appends) this.#inDoubt.add(stream)
    this.#giveUp({ kind: 'in_doubt', message: `The outcome of a commit is not known: ${problem}.` })
    return appends.map(() => ({ type: 'unknown', message: `Whether it was stored is not known: ${problem}.` }))
  }

  #loseFile(): void {
    if (this.#tryRollBack()) this.#secureLostWriteAhead()
    this.#giveUp({ kind: 'unavailable', message: `The log can't be written: ${this.#place.problem}.` })
  }

  /**
   * What was acknowledged since the last checkpoint stands in a file without a name now: copied before it is given up, it is
   * there for whoever opens the log anew. Opening it here would not do: who reads still shares the index of the lost file.
   */
  #secureLostWriteAhead(): void {
    if (!this.#place.holdsFile) return
    this.#isWriteAheadLost = true
    if (this.#place.hasNoWriteAhead) this.#tryCheckpoint('PASSIVE')
  }

  #certainRefusal(code: string, error: unknown): AppendAnswer {
    const problem = told(error)
    switch (code) {
      case 'SQLITE_READONLY':
        this.#enterReadOnly(error)
        return this.#refusalForTrouble()
      case 'SQLITE_FULL':
        this.#isFull = true
        this.#options.onHealth({
          status: 'read_only',
          message: `The disk is full: ${problem}. It goes on when there is room.`,
        })
        return refuse('full', `The disk is full, and nothing of this was stored: ${problem}.`)
      case 'SQLITE_BUSY':
        return refuse('busy', `Another process holds the log, and nothing of this was stored: ${problem}.`)
      case 'SQLITE_TOOBIG':
        return refuse('too_large', `The append is larger than SQLite stores, and nothing of it was: ${problem}.`)
      case 'SQLITE_CORRUPT':
      case 'SQLITE_NOTADB':
        this.#options.onHealth({ status: 'damaged', message: `The log is damaged: ${problem}.` })
        return refuse('damaged', `The log is damaged, and nothing of this was stored: ${problem}.`)
      default:
        this.#giveUp({ kind: 'unavailable', message: `The log can't be written: ${problem}.` })
        return refuse('unavailable', `The log can't be written, and nothing of this was stored: ${problem}.`)
    }
  }

  #tryRollBack(): boolean {
    try {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
    } catch (error) {
      sqliteCode(error)
    }
    return !this.#db.inTransaction
  }

  /** The pages in the write-ahead log; 0 where it failed. */
  #tryCheckpoint(mode: 'PASSIVE' | 'TRUNCATE'): number {
    try {
      const [row] = this.#db.pragma(`wal_checkpoint(${mode})`) as [{ log: number }] // documented shape of its one row
      return row.log
    } catch (error) {
      sqliteCode(error)
      return 0
    }
  }

  #giveUp(trouble: Trouble): void {
    this.#db.close()
    this.#isLocked = false
    this.#enterTrouble(trouble)
  }

  #enterReadOnly(error: unknown): void {
    const message = `The log can't be written: ${told(error)}. Make it and the files beside it (-wal, -shm) writable, and open it again.`
    this.#enterTrouble({ kind: 'read_only', message })
  }

  #enterTrouble(trouble: Trouble): void {
    // What is in doubt stays in doubt, whatever else goes wrong meanwhile.
    this.#trouble = this.#trouble?.kind === 'in_doubt' ? { ...trouble, kind: 'in_doubt' } : trouble
    const { kind, message } = this.#trouble
    this.#options.onHealth({ status: kind === 'read_only' ? 'read_only' : 'unavailable', message })
  }

  /** Opens the file again. True when it can be written, and all that is visible in it is durable. */
  #recover(): boolean {
    if (performance.now() < this.#reopenAt) return false
    this.#reopenAt = performance.now() + REOPEN_EVERY_MS
    const kept = this.#table.keptPosition()
    // What has taken its place may be a log as well, but not the one that this process remembers.
    if (this.#isWriteAheadLost) return false
    if (!this.#place.holdsFile) {
      if (this.#db.open) this.#loseFile()
      return false
    }
    try {
      this.#db.close()
      this.#db = connect(this.#options.path)
      this.#table = createAppendTable(this.#db, this.#options.path, kept)
      this.#place.opened()
      if (this.#trouble?.kind === 'in_doubt' && !this.#flushAll()) return false
      tryToWrite(this.#db)
    } catch (error) {
      // better-sqlite3 throws a TypeError of its own where the directory is not there, as for a disk that was taken away.
      if (error instanceof TypeError) return false
      if (sqliteCode(error) === 'SQLITE_BUSY' && this.#trouble?.kind !== 'in_doubt') return false
      if (!(sqliteCode(error) === 'SQLITE_READONLY')) this.#db.close()
      return false
    }
    if (!this.#place.isKept) return false
    this.#trouble = undefined
    this.#inDoubt.clear()
    this.#options.onHealth({ status: 'ok' })
    return true
  }

  #flushAll(): boolean {
    const deadline = performance.now() + this.#options.lockWaitMs
    for (;;) {
      const [row] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }] // documented shape of its one row
      if (row.busy === 0) return true
      if (performance.now() >= deadline) return false
      sleep(Math.random() * LOCK_RETRY_MS_MAX)
    }
  }

  #refusalForTrouble(): AppendAnswer {
    const { kind, message } = this.#trouble ?? { kind: 'unavailable', message: 'The log is not open.' }
    return refuse(kind === 'read_only' ? 'read_only' : 'unavailable', message)
  }

  /** An append to a stream in doubt may be one that is sent again: "not stored" would be a guess. */
  #unlessInDoubt({ stream }: PackedAppend, refused: AppendAnswer): AppendAnswer {
    if (!this.#inDoubt.has(stream)) return refused
    return { type: 'unknown', message: this.#trouble?.message ?? 'Whether it was stored is not known.' }
  }
}

interface OpenedTable {
  readonly db: Database.Database
  readonly table: AppendTable
  readonly place: SqlitePlace
}

/** Other processes that open or close the file just now may hold it for a moment. */
function openTable({ path, lockWaitMs }: CommitsOptions): OpenedTable {
  const deadline = performance.now() + lockWaitMs
  for (;;) {
    const place = new SqlitePlace(path)
    let db: Database.Database | undefined
    try {
      db = connect(path)
      const table = createAppendTable(db, path)
      place.opened()
      return { db, table, place }
    } catch (error) {
      db?.close()
      if (sqliteCode(error) !== 'SQLITE_BUSY' || performance.now() >= deadline) throw error
    }
    sleep(Math.random() * LOCK_RETRY_MS_MAX)
  }
}

function refuse(reason: Exclude<RefusalReason, 'closed'>, message: string): AppendAnswer {
  return { type: 'refused', reason, message }
}

/** The primary code of an error of SQLite; any other error is ours and is thrown on. */
function sqliteCode(error: unknown): string {
  if (!(error instanceof Database.SqliteError)) throw error
  return error.code.split('_', 2).join('_')
}

function told(error: unknown): string {
  return error instanceof Database.SqliteError ? `${error.message} (${error.code})` : String(error)
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))

function sleep(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms)
}
