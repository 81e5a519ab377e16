/**
 * Whether a log that is open still is the file under its name. What is committed to a file that was removed, or that
 * another one has taken the place of, is found by nobody who opens the log afterwards, however well it was flushed; and
 * SQLite goes on without a word. The write-ahead log counts as well: until a checkpoint it holds what was acknowledged.
 */
import { realpathSync, statSync } from 'node:fs'

export class SqlitePlace {
  readonly #path: string
  /** SQLite puts its other files beside the one that a link leads to. */
  readonly #writeAheadPath: string
  readonly #file: string | undefined
  #writeAhead: string | undefined

  /** The file that has the name now. Throws where there is none. */
  constructor(path: string) {
    this.#path = path
    this.#writeAheadPath = `${realpathSync.native(path)}-wal`
    this.#file = identityOf(path)
  }

  /** Whether the name still leads to the same file. */
  get holdsFile(): boolean {
    return this.#file !== undefined && identityOf(this.#path) === this.#file
  }

  /** Whether file and write-ahead log are those that the connection has open. */
  get isKept(): boolean {
    return this.holdsFile && identityOf(this.#writeAheadPath) === this.#writeAhead
  }

  /** Whether nothing has the name of the write-ahead log, which a connection that has it open may still read. */
  get hasNoWriteAhead(): boolean {
    return identityOf(this.#writeAheadPath) === undefined
  }

  /** To be called when a connection has read from the file: from then on its write-ahead log is the one that is there. */
  opened(): void {
    this.#writeAhead = identityOf(this.#writeAheadPath)
  }

  /** What is wrong, and the way out. */
  get problem(): string {
    return this.holdsFile
      ? `'${this.#writeAheadPath}' was removed or replaced while the log was open; nothing is written any more: open the log anew`
      : `'${this.#path}' was removed or replaced by another file while the log was open; nothing is written any more: put the file back in its place, or open the log anew to go on with what is there now`
  }
}

/** Undefined where nothing has the name. */
function identityOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`
  } catch {
    // A part of the way to it is gone, or is no directory any more.
    return undefined
  }
}
