/**
 * The file of the read models: rows of every projection beside the checkpoint that they belong to. Everything in it follows
 * from the log, so it may be deleted at any time; nothing in it is ever asked for a decision.
 *
 *     generations   one row for each build of a projection: its version, its checkpoint, and whether it serves
 *     parked        streams that a projection could not go on with
 *     discarded     events that an operator had left out
 *     orders        what operators want done with parked streams, for whoever follows
 *     leases        who follows, who rebuilds
 *     <table>.<n>   the rows of a table in generation n
 *
 * A rebuild fills a new generation while the old one serves; the swap is one statement.
 */
import type Database from 'better-sqlite3'
import { type Checkpoint, CheckpointLost } from './checkpoint.ts'
import { indexDefinition, physicalName, quoted, tableDefinition } from './generation-tables.ts'
import type { Projection, TableIndex, TableLayout } from './projection.ts'
import { connectToLook, connectToWrite, DamagedSchema } from './read-database-file.ts'

/** `serving`: questions are asked of it; `building`: being filled beside the one that serves. */
export type Standing = 'serving' | 'building'

export interface Generation {
  readonly projection: string
  /** From 1, growing over the whole file: a number is never used again. */
  readonly generation: number
  readonly version: number
  readonly standing: Standing
  readonly checkpoint: Checkpoint
  /** Events of registries that it was given. */
  readonly events: number
  /** When the checkpoint was moved last, epoch ms. */
  readonly updatedAt: number
}

/** A stream that a projection could not go on with: from this event on, nothing of it is in the rows. */
export interface ParkedStream {
  readonly stream: string
  readonly revision: number
  readonly position: bigint
  readonly error: string
  readonly parkedAt: number
  readonly tries: number
}

/** Of the write-ahead log, from which on they are copied where nobody waits for the disk: pages that change again are copied once. */
const WAL_PAGES_DUE = 8_192

/** Rows of an index that are looked at to learn what it is good for. */
const ANALYSIS_LIMIT = 1_000

/**
 * Opens the file for writing, made when it is missing. Throws ReadDatabaseError for a file that is something else or newer, and
 * DamagedSchema; what SQLite finds wrong with its bytes is thrown as SQLite says it, and the way out is to delete the file.
 */
export function openReadDatabase(path: string): ReadDatabase {
  return connectToWrite(path, opened)
}

/** The statements are ours and so are the tables: where one does not fit the other, a table is none of ours any more. */
function opened(db: Database.Database): ReadDatabase {
  try {
    return new ReadDatabase(db)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_ERROR') {
      throw new DamagedSchema(error.message, { cause: error })
    }
    throw error
  }
}

/**
 * The same for those who only look: waits for nobody, changes nothing. Undefined for a file that is not there, or has nothing
 * in it yet because somebody is just making it.
 */
export function lookIntoReadDatabase(path: string): ReadDatabase | undefined {
  const db = connectToLook(path)
  return db && new ReadDatabase(db)
}

export class ReadDatabase {
  readonly #db: Database.Database
  readonly #statements: Statements

  /** @internal */
  constructor(db: Database.Database) {
    this.#db = db
    this.#statements = statementsOf(db)
  }

  /**
   * For the rows: statements on the tables of a generation.
   * @internal
   */
  get connection(): Database.Database {
    return this.#db
  }

  /** All or nothing; nested ones are part of the outer one: what one of them throws must reach the outer one once it has written. */
  transaction<T>(fn: () => T): T {
    // A savepoint would keep a copy of every page that is written behind it.
    return this.#db.inTransaction ? fn() : this.#db.transaction(fn).immediate()
  }

  /** Within a transaction: what `fn` has written is taken back when it throws, and nothing else is. */
  attempt<T>(fn: () => T): T {
    return this.#db.transaction(fn)()
  }

  /**
   * Brings what was committed from the write-ahead log into the file, once there is enough of it: here nobody waits for it, as for
   * a commit that has to do it. Gives whether it did.
   */
  checkpointWhenDue(pagesDue = WAL_PAGES_DUE): boolean {
    const [standing] = this.#db.pragma('wal_checkpoint(NOOP)') as [
      { readonly log: number; readonly checkpointed: number },
    ]
    const isDue = standing.log - standing.checkpointed >= pagesDue
    if (isDue) this.#db.pragma('wal_checkpoint(PASSIVE)')
    return isDue
  }

  /** From now on no commit of this connection does it, however much there is: whoever commits says when. */
  checkpointOnlyByHand(): void {
    this.#db.pragma('wal_autocheckpoint = 0')
  }

  /** Of one projection or of all, oldest first. */
  generations(projection?: string): readonly Generation[] {
    const rows = this.#statements.generations.all() as readonly GenerationRow[]
    return rows.map(generationOf).filter((one) => projection === undefined || one.projection === projection)
  }

  /** A new generation with empty tables; where it does not serve yet, most of its indexes are left to `finishing`. */
  begin(projection: Projection, standing: Standing, checkpoint: Checkpoint, at: number): Generation {
    return this.transaction(() => {
      const generation = this.#statements.nextGeneration.pluck().get() as number
      for (const table of projection.tables) this.#db.exec(tableDefinition(table, generation))
      for (const table of projection.tables) {
        for (const index of table.indexes) {
          if (standing === 'serving' || index.isOfFew === true) this.#createIndex(table, index, generation)
        }
      }
      const { logId, timeline, position, hash } = checkpoint
      const { name, version } = projection
      const tables = JSON.stringify(projection.tables.map((table) => table.name))
      this.#statements.insert.run(name, generation, version, standing, tables, logId, timeline, position, hash, 0, at)
      return { projection: name, generation, version, standing, checkpoint, events: 0, updatedAt: at }
    })
  }

  /** Throws DamagedSchema where tables or indexes of a generation that serves are not those of its projection. */
  assertAsDefined(projection: Projection, { generation }: Pick<Generation, 'generation'>): void {
    for (const table of projection.tables) {
      const name = physicalName(table, generation)
      const found = this.#statements.definitions.all(name) as readonly (string | null)[]
      const indexes = table.indexes.map((index) => indexDefinition(table, index, generation))
      // Without those that SQLite makes for itself, which have none.
      const told = found.filter((sql) => sql !== null).sort()
      const defined = [tableDefinition(table, generation), ...indexes].sort()
      if (told.length !== defined.length || told.some((sql, i) => sql !== defined[i])) {
        throw new DamagedSchema(`the table '${name}' is not as '${projection.name}' defines it`)
      }
    }
  }

  /**
   * What makes the indexes of a generation that was filled without them, step by step: each may take a while and holds the
   * right to write. A step that throws has done nothing, and may be taken again.
   */
  finishing(projection: Projection, generation: number): readonly (() => void)[] {
    this.#db.pragma(`analysis_limit = ${ANALYSIS_LIMIT}`)
    return projection.tables.flatMap((table) => [
      ...table.indexes
        .filter(({ isOfFew = false }) => !isOfFew)
        .map((index) => () => this.transaction(() => this.#createIndex(table, index, generation))),
      () => this.transaction(() => this.#db.exec(`ANALYZE ${quoted(physicalName(table, generation))}`)),
    ])
  }

  /**
   * From one moment to the next, questions are asked of this generation; every other one of its projection is dropped.
   * Throws CheckpointLost where somebody took the generation away.
   */
  serve(projection: Projection, { generation, checkpoint }: Pick<Generation, 'generation' | 'checkpoint'>): void {
    this.transaction(() => {
      const { changes } = this.#statements.serve.run(projection.name, generation)
      if (changes !== 1) throw new CheckpointLost(projection.name, checkpoint)
      for (const one of this.generations(projection.name)) {
        if (one.generation !== generation) this.drop(projection.name, one.generation)
      }
    })
  }

  /** Takes a generation away, rows and all. */
  drop(projection: string, generation: number): void {
    this.transaction(() => {
      const tables = this.#statements.tables.get(projection, generation) as { readonly tables: string } | undefined
      for (const name of JSON.parse(tables?.tables ?? '[]') as readonly string[]) {
        this.#db.exec(`DROP TABLE IF EXISTS ${quoted(physicalName({ name }, generation))}`)
      }
      this.#statements.deleteParked.run(projection, generation)
      this.#statements.deleteDiscarded.run(projection, generation)
      this.#statements.delete.run(projection, generation)
    })
  }

  /** Compare-and-set, also to where it is: throws CheckpointLost unless the checkpoint is where its mover believes it to be. */
  moveCheckpoint(of: Generation, from: Checkpoint, to: Checkpoint, events: number, at: number): void {
    const { changes } = this.#statements.move.run(
      to.logId,
      to.timeline,
      to.position,
      to.hash,
      events,
      to.position,
      at,
      of.projection,
      of.generation,
      from.logId,
      from.timeline,
      from.position,
      from.hash,
    )
    if (changes !== 1) throw new CheckpointLost(of.projection, from)
  }

  parked(of: Pick<Generation, 'projection' | 'generation'>): readonly ParkedStream[] {
    const rows = this.#statements.parked.all(of.projection, of.generation) as readonly ParkedRow[]
    return rows.map(({ stream, revision, position, error, parkedAt, tries }) => ({
      stream,
      revision: Number(revision),
      position,
      error,
      parkedAt: Number(parkedAt),
      tries: Number(tries),
    }))
  }

  park(of: Pick<Generation, 'projection' | 'generation'>, parked: ParkedStream): void {
    const { stream, revision, position, error, parkedAt, tries } = parked
    this.#statements.park.run(of.projection, of.generation, stream, revision, position, error, parkedAt, tries)
  }

  unpark(of: Pick<Generation, 'projection' | 'generation'>, stream: string): void {
    this.#statements.unpark.run(of.projection, of.generation, stream)
  }

  /** Twice is once. */
  close(): void {
    this.#db.close()
  }

  #createIndex(table: TableLayout<unknown>, index: TableIndex, generation: number): void {
    this.#db.exec(indexDefinition(table, index, generation))
  }
}

function statementsOf(db: Database.Database) {
  return {
    generations: db.prepare('SELECT * FROM generations ORDER BY projection, generation').safeIntegers(),
    definitions: db.prepare('SELECT sql FROM sqlite_schema WHERE tbl_name = ?').pluck(),
    nextGeneration: db.prepare('UPDATE generation_numbers SET last = last + 1 RETURNING last'),
    tables: db.prepare('SELECT tables FROM generations WHERE projection = ? AND generation = ?'),
    insert: db.prepare('INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    delete: db.prepare('DELETE FROM generations WHERE projection = ? AND generation = ?'),
    serve: db.prepare(`UPDATE generations SET standing = 'serving' WHERE projection = ? AND generation = ?`),
    move: db.prepare(
      `UPDATE generations SET log_id = ?, timeline = ?, position = ?, hash = ?, events = events + ?,
         updated_at = iif(position = ?, updated_at, ?)
       WHERE projection = ? AND generation = ? AND log_id = ? AND timeline = ? AND position = ? AND hash = ?`,
    ),
    parked: db
      .prepare(
        `SELECT stream, revision, position, error, parked_at AS parkedAt, tries FROM parked
         WHERE projection = ? AND generation = ? ORDER BY position`,
      )
      .safeIntegers(),
    park: db.prepare('INSERT OR REPLACE INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, ?)'),
    unpark: db.prepare('DELETE FROM parked WHERE projection = ? AND generation = ? AND stream = ?'),
    deleteDiscarded: db.prepare('DELETE FROM discarded WHERE projection = ? AND generation = ?'),
    deleteParked: db.prepare('DELETE FROM parked WHERE projection = ? AND generation = ?'),
  }
}

type Statements = ReturnType<typeof statementsOf>

interface GenerationRow {
  readonly projection: string
  readonly generation: bigint
  readonly version: bigint
  readonly standing: Standing
  readonly log_id: string
  readonly timeline: bigint
  readonly position: bigint
  readonly hash: string
  readonly events: bigint
  readonly updated_at: bigint
}

interface ParkedRow {
  readonly stream: string
  readonly revision: bigint
  readonly position: bigint
  readonly error: string
  readonly parkedAt: bigint
  readonly tries: bigint
}

function generationOf(row: GenerationRow): Generation {
  return {
    projection: row.projection,
    generation: Number(row.generation),
    version: Number(row.version),
    standing: row.standing,
    checkpoint: { logId: row.log_id, timeline: Number(row.timeline), position: row.position, hash: row.hash },
    events: Number(row.events),
    updatedAt: Number(row.updated_at),
  }
}
