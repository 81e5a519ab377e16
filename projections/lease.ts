/**
 * Who does what only one may do with a file that processes share: a row with a holder, renewed while it lives. It saves work and
 * nothing else: what keeps two from spoiling the rows is the compare-and-set of the checkpoint.
 *
 * A holder is dead when its row was not renewed for the life of a lease: by its own time, or, because clocks are set back,
 * by ours since we first saw the row as it stands. One whose process is known to be gone is dead at once.
 */
import type Database from 'better-sqlite3'
import { isHolderGone } from './lease-holder.ts'

export interface LeaseTimes {
  /** Epoch ms. */
  readonly now: number
  /** Of a clock that never steps back. */
  readonly monotonicNow: number
}

/** Stored. Part of the schema of every file that has leases. */
export const LEASES_TABLE = `CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  renewed_at INTEGER NOT NULL
) WITHOUT ROWID;
`

/** A file with a table of leases. */
export interface LeaseDatabase {
  readonly connection: Database.Database
  transaction<T>(fn: () => T): T
}

export class Lease {
  readonly #database: LeaseDatabase
  readonly #name: string
  readonly #holder: string
  readonly #lifeMs: number
  #seen: { readonly row: LeaseRow; readonly since: number } | undefined

  constructor(database: LeaseDatabase, name: string, holder: string, lifeMs: number) {
    this.#database = database
    this.#name = name
    this.#holder = holder
    this.#lifeMs = lifeMs
  }

  /** Takes it, or renews it; false while somebody else has it. */
  hold(times: LeaseTimes): boolean {
    const row = this.#row()
    const isMine = row?.holder === this.#holder
    if (row !== undefined && !isMine && !this.#isDead(row, times)) return false
    // Far from its end it needs no write.
    if (isMine && Math.abs(times.now - row.renewedAt) < this.#lifeMs / RENEWALS_PER_LIFE) return true
    return this.#database.transaction(() => {
      const again = this.#row()
      if (again?.holder !== row?.holder || again?.renewedAt !== row?.renewedAt) return false
      // Never the same twice: others see by it that the holder lives.
      const renewedAt = Math.max(times.now, isMine ? row.renewedAt + 1 : times.now)
      this.#database.connection
        .prepare('INSERT OR REPLACE INTO leases VALUES (?, ?, ?)')
        .run(this.#name, this.#holder, renewedAt)
      return true
    })
  }

  /** Whether nobody alive has it. */
  isFree(times: LeaseTimes): boolean {
    const row = this.#row()
    return row === undefined || this.#isDead(row, times)
  }

  /** Twice is once. */
  release(): void {
    this.#database.connection.prepare('DELETE FROM leases WHERE name = ? AND holder = ?').run(this.#name, this.#holder)
  }

  #isDead(row: LeaseRow, { now, monotonicNow }: LeaseTimes): boolean {
    const { row: seen, since } = this.#seen ?? {}
    if (seen?.holder !== row.holder || seen.renewedAt !== row.renewedAt) this.#seen = { row, since: monotonicNow }
    else if (since !== undefined && monotonicNow - since > this.#lifeMs) return true
    return now - row.renewedAt > this.#lifeMs || isHolderGone(row.holder)
  }

  #row(): LeaseRow | undefined {
    return this.#database.connection
      .prepare('SELECT holder, renewed_at AS renewedAt FROM leases WHERE name = ?')
      .get(this.#name) as LeaseRow | undefined
  }
}

const RENEWALS_PER_LIFE = 5

interface LeaseRow {
  readonly holder: string
  readonly renewedAt: number
}
