/**
 * The read models as those see them who ask: a connection that cannot write, and one moment per question. Which generation
 * serves is looked up in the same moment, so a swap falls between two questions and never into one.
 */
import type Database from 'better-sqlite3'
import type { Checkpoint } from './checkpoint.ts'
import { physicalIndexName, physicalName, quoted } from './generation-tables.ts'
import type { SqlValue, TableLayout } from './projection.ts'
import { connectToLook } from './read-database-file.ts'
import type { ReadSession } from './read-session.ts'

export interface Answered<T> {
  readonly answer: T
  /** What the rows rest on: everything up to this position, and nothing behind it. */
  readonly checkpoint: Checkpoint
}

/** A projection that has no rows to ask for: it was never followed, or its first build is not done. */
export class NotServed extends Error {
  override readonly name = 'NotServed'
  readonly code = 'not_served'

  constructor(projection: string) {
    super(`The read model '${projection}' has not been built yet.`)
  }
}

export class NoReadModels extends Error {
  override readonly name = 'NoReadModels'
  readonly code = 'no_read_models'
}

export class ReadModels {
  readonly #db: Database.Database
  readonly #statements = new Map<string, Database.Statement>()
  readonly #functions = new Map<string, SqlFunction>()

  /** Throws NoReadModels for a file that is not there or just being made, ReadDatabaseError for one that is something else. */
  constructor(path: string) {
    const db = connectToLook(path)
    if (db === undefined) throw new NoReadModels('There are no read models of this log yet.')
    this.#db = db
  }

  /** Asks within one moment of one projection. Throws NotServed, and what the question throws. */
  ask<T>(projection: string, question: (session: ReadSession) => T): Answered<T> {
    return this.#db.transaction(() => {
      const serving = this.serving(projection)
      if (serving === undefined) throw new NotServed(projection)
      const { generation, checkpoint } = serving
      const answer = question({
        checkpoint,
        table: (layout: Pick<TableLayout<never>, 'name'>) => quoted(physicalName(layout, generation)),
        index: (layout: Pick<TableLayout<never>, 'name'>, index: string) =>
          quoted(physicalIndexName(layout, index, generation)),
        all: <Row>(sql: string, parameters: readonly SqlValue[]) =>
          this.#prepared(sql).all(...parameters) as readonly Row[],
        define: (name, fn) => this.#define(name, fn),
        get: <Row>(sql: string, parameters: readonly SqlValue[]) =>
          this.#prepared(sql).get(...parameters) as Row | undefined,
      })
      return { answer, checkpoint }
    })()
  }

  /** What questions are asked of; undefined where nothing serves. */
  serving(projection: string): ServingRows | undefined {
    const row = this.#prepared(SERVING).safeIntegers().get(projection) as ServingRow | undefined
    if (row === undefined) return undefined
    const { generation, version, logId, timeline, position, hash } = row
    return {
      generation: Number(generation),
      version: Number(version),
      checkpoint: { logId, timeline: Number(timeline), position, hash },
    }
  }

  /** Twice is once. */
  close(): void {
    this.#db.close()
  }

  /** SQLite keeps the statements that use a function only as long as it stays the same one. */
  #define(name: string, fn: SqlFunction): void {
    if (!this.#functions.has(name)) {
      this.#db.function(name, { varargs: true }, (...values: SqlValue[]) => this.#functions.get(name)?.(...values))
    }
    this.#functions.set(name, fn)
  }

  #prepared(sql: string): Database.Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      // Filters combine freely, and generations come and go: what was not asked for lately is prepared again.
      if (this.#statements.size >= PREPARED_MAX) this.#statements.clear()
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

type SqlFunction = Parameters<ReadSession['define']>[1]

const PREPARED_MAX = 500

const SERVING = `SELECT generation, version, log_id AS logId, timeline, position, hash FROM generations
  WHERE projection = ? AND standing = 'serving'`

export interface ServingRows {
  readonly generation: number
  readonly version: number
  readonly checkpoint: Checkpoint
}

interface ServingRow {
  readonly generation: bigint
  readonly version: bigint
  readonly logId: string
  readonly timeline: bigint
  readonly position: bigint
  readonly hash: string
}
