/**
 * Moves one generation of a projection along the log. A batch is folded in memory, each touched row is written once, and the
 * rows move together with the checkpoint in one transaction that compares the checkpoint with what it is believed to be.
 *
 *     events -> targets -> rows (from memory, else from the file) -> evolve -> staged per event -> written once per batch
 *
 * An event that a rule can't make sense of touches nothing: its stream is parked, the others go on. A rebuild stops instead.
 */
import type { Checkpoint } from './checkpoint.ts'
import { KeptRows, type Staged } from './kept-rows.ts'
import type { ProjectedEvent, Projection, ProjectionTable, RowKey, RowsBefore, TableLayout } from './projection.ts'
import type { Generation, ParkedStream, ReadDatabase } from './read-database.ts'
import { isSqliteError } from './read-database-file.ts'

/** An event of a registry as it came from the log: decoded, or with what was wrong with it. */
export type LogItem =
  | { readonly type: 'event'; readonly event: ProjectedEvent }
  | {
      readonly type: 'undecodable'
      readonly stream: string
      readonly revision: number
      readonly position: bigint
      /** Written by a version that knows more than this one. */
      readonly isUnknownType: boolean
      readonly message: string
    }

export interface ProjectorOptions {
  readonly database: ReadDatabase
  readonly projection: Projection
  readonly generation: Generation
  /** `park` goes on without the stream, `stop` throws PoisonEvent: a rebuild never leaves anything out. */
  readonly onPoison: 'park' | 'stop'
  /** Rows that stay in memory between batches. */
  readonly keptRowsMax?: number
  /** Up to here each event is written before the next one is folded, so that one whose rows can't be stored is known and parked. */
  readonly carefulThrough?: bigint | undefined
}

export interface ProjectedBatch {
  readonly events: number
  readonly rowsWritten: number
  /** Streams that this batch parked. */
  readonly parked: readonly ParkedStream[]
}

/** Rows as they are, to be put or, as undefined, taken away. */
export interface AmendedRows extends RowsBefore {
  put<Row>(table: TableLayout<Row>, key: RowKey, row: Row | undefined): void
}

/** An event that a projection can't make sense of. */
export class PoisonEvent extends Error {
  override readonly name = 'PoisonEvent'
  readonly code = 'poison_event'
  readonly stream: string
  readonly revision: number
  readonly position: bigint

  constructor(projection: string, at: Place, cause: unknown) {
    super(`'${projection}' can't go on at revision ${at.revision} of '${at.stream}': ${messageOf(cause)}`, { cause })
    this.stream = at.stream
    this.revision = at.revision
    this.position = at.position
  }

  /** The message, ended as a sentence: what a rule threw may be one already. */
  get sentence(): string {
    return this.message.replace(/\.?$/, '.')
  }
}

/** A projection whose rule for unknown events is to wait for a version that knows them. */
export class UnknownEvent extends Error {
  override readonly name = 'UnknownEvent'
  readonly code = 'unknown_event'
}

/** Rows that `write` can't make or SQLite does not take: some event of those up to a position is to blame, and not the file. */
export class UnwritableRows extends Error {
  override readonly name = 'UnwritableRows'
  readonly code = 'unwritable_rows'
  readonly projection: string
  readonly through: bigint

  constructor(projection: string, through: bigint, cause: unknown) {
    super(`'${projection}' can't store its rows: ${messageOf(cause)}`, { cause })
    this.projection = projection
    this.through = through
  }
}

const KEPT_ROWS_MAX = 50_000
const NOTHING_FOLDED: ProjectedBatch = { events: 0, rowsWritten: 0, parked: [] }

export class Projector {
  readonly #database: ReadDatabase
  readonly #projection: Projection
  readonly #generation: Generation
  readonly #onPoison: 'park' | 'stop'
  readonly #carefulThrough: bigint
  readonly #rows: ReadonlyMap<string, KeptRows<unknown>>
  readonly #parked = new Map<string, ParkedStream>()
  #checkpoint: Checkpoint
  /** What is folded and not committed, from the checkpoint on. */
  #folded: { readonly to: Checkpoint; readonly events: number; readonly parked: ParkedStream[] } | undefined

  constructor(options: ProjectorOptions) {
    const { database, projection, generation, onPoison, keptRowsMax = KEPT_ROWS_MAX, carefulThrough = 0n } = options
    this.#database = database
    this.#projection = projection
    this.#generation = generation
    this.#onPoison = onPoison
    this.#carefulThrough = carefulThrough
    this.#checkpoint = generation.checkpoint
    this.#rows = new Map(
      projection.tables.map((table) => [
        table.name,
        new KeptRows(database.connection, table, generation.generation, keptRowsMax),
      ]),
    )
    for (const parked of database.parked(generation)) this.#parked.set(parked.stream, parked)
  }

  get projection(): Projection {
    return this.#projection
  }

  get generation(): Generation {
    return this.#generation
  }

  get checkpoint(): Checkpoint {
    return this.#checkpoint
  }

  /** Something was folded and waits to be committed. */
  get isFolded(): boolean {
    return this.#folded !== undefined
  }

  /** The next events are written one by one as they are folded. */
  get isCareful(): boolean {
    return this.#folded === undefined && this.#checkpoint.position < this.#carefulThrough
  }

  get parked(): readonly ParkedStream[] {
    return [...this.#parked.values()]
  }

  /**
   * Folds the items that lie behind the checkpoint and moves it to `to`, which lies at or behind the last of them. What lies
   * before the checkpoint is passed by. Throws CheckpointLost, PoisonEvent (when told to stop), UnknownEvent, UnwritableRows, and
   * what SQLite says; then nothing has changed, and the same may be sent again.
   */
  project(items: readonly LogItem[], to: Checkpoint, at: number): ProjectedBatch {
    try {
      this.fold(items, to, at)
      return this.commit(at)
    } catch (error) {
      this.#takeBack()
      throw error
    }
  }

  /**
   * The first half of `project`: in memory alone, for many small pieces that are committed as one; as far as it is careful, both
   * halves. Throws PoisonEvent (when told to stop) and UnknownEvent; then this projector is of no more use. As far as it is careful,
   * it throws what `commit` throws as well; then nothing has changed, and the same may be sent again.
   */
  fold(items: readonly LogItem[], to: Checkpoint, at: number): void {
    if (this.isCareful) {
      this.#foldAndWrite(items, to, at)
      return
    }
    const from = this.#folded ?? { ...NOTHING_FOLDED, to: this.#checkpoint, parked: [] }
    if (to.position <= from.to.position) return
    const { parked } = from
    const before = this.#rowsBefore()
    let { events } = from
    this.#folded = { to, events, parked }
    for (const item of items) {
      const place = placeOf(item)
      if (place.position <= from.to.position) continue
      events++
      if (this.#parked.has(place.stream)) continue
      const cause = this.#apply(item, before)
      if (cause !== undefined) parked.push(this.#park(place, cause, at))
    }
    this.#folded = { to, events, parked }
  }

  /** The second half. Throws CheckpointLost, UnwritableRows and what SQLite says; then nothing is written, and it may be tried again. */
  commit(at: number): ProjectedBatch {
    if (this.#folded === undefined) return NOTHING_FOLDED
    const { to, events, parked } = this.#folded
    const rowsWritten = this.#database.transaction(() => {
      this.#database.moveCheckpoint(this.#generation, this.#checkpoint, to, events, at)
      for (const entry of parked) this.#database.park(this.#generation, entry)
      return this.#write(to.position)
    })
    this.#checkpoint = to
    this.#folded = undefined
    this.#settle()
    return { events, rowsWritten, parked }
  }

  /**
   * Goes on with a parked stream, after a commit of what was folded: `items` are its events from the one that it was parked at, in
   * order, up to the checkpoint or, where `isWhole` is false, a part of them. True when the stream is followed again. What throws
   * leaves it parked, with one more try counted.
   */
  resume(stream: string, items: readonly LogItem[], isWhole: boolean, at: number): boolean {
    this.commit(at)
    const parked = this.#parked.get(stream)
    if (parked === undefined) return true
    try {
      const next = this.#database.transaction(() => {
        this.#holdPlace(at)
        const place = this.#resumed(parked, items, isWhole)
        if (place === undefined) this.#database.unpark(this.#generation, stream)
        else this.#database.park(this.#generation, place)
        return place
      })
      if (next === undefined) this.#parked.delete(stream)
      else this.#parked.set(stream, next)
      return next === undefined
    } catch (error) {
      this.#forget()
      throw error
    }
  }

  /**
   * Changes rows for another reason than an event (retention), after a commit of what was folded, in one transaction that leaves the
   * checkpoint where it is and compares it all the same. Throws CheckpointLost and what SQLite says; then nothing has changed.
   */
  amend<T>(change: (rows: AmendedRows) => T, at: number): T {
    try {
      this.commit(at)
      const result = this.#database.transaction(() => {
        this.#holdPlace(at)
        const answer = change({
          ...this.#rowsBefore(),
          put: (table, key, row) => {
            const rows = this.#rowsOf(table)
            rows.put(rows.get(key), row)
          },
        })
        this.#write(this.#checkpoint.position)
        return answer
      })
      this.#settle()
      return result
    } catch (error) {
      this.#forget()
      throw error
    }
  }

  /**
   * After a commit of what was folded: leaves the event out for ever at which a stream was parked: it is resumed behind it. Throws
   * CheckpointLost, and what `commit` throws.
   */
  discard(stream: string, at: number): void {
    this.commit(at)
    const parked = this.#parked.get(stream)
    if (parked === undefined) return
    const next = parkedBehind(parked, parked)
    this.#database.transaction(() => {
      this.#holdPlace(at)
      this.#database.park(this.#generation, next)
    })
    this.#parked.set(stream, next)
  }

  /** What `fold` and `commit` do, event by event. */
  #foldAndWrite(items: readonly LogItem[], to: Checkpoint, at: number): void {
    if (to.position <= this.#checkpoint.position) return
    const before = this.#rowsBefore()
    const behind = items.filter((item) => placeOf(item).position > this.#checkpoint.position)
    const parked: string[] = []
    const write = () => {
      this.#database.moveCheckpoint(this.#generation, this.#checkpoint, to, behind.length, at)
      for (const item of behind) {
        if (this.#parked.has(placeOf(item).stream)) continue
        const cause = this.#applyAndWrite(item, before)
        if (cause === undefined) continue
        const entry = this.#park(placeOf(item), cause, at)
        parked.push(entry.stream)
        this.#database.park(this.#generation, entry)
      }
    }
    try {
      // All or nothing, also where whoever has begun the transaction goes on after UnknownEvent.
      this.#database.transaction(() => this.#database.attempt(write))
    } catch (error) {
      for (const stream of parked) this.#parked.delete(stream)
      this.#forget()
      throw error
    }
    this.#checkpoint = to
  }

  #park({ stream, revision, position }: Place, cause: unknown, at: number): ParkedStream {
    if (this.#onPoison === 'stop') throw new PoisonEvent(this.#projection.name, { stream, revision, position }, cause)
    const entry = { stream, revision, position, error: messageOf(cause), parkedAt: at, tries: 0 }
    this.#parked.set(stream, entry)
    return entry
  }

  /** Where a stream is parked after these events of it; undefined where it is followed again. */
  #resumed(parked: ParkedStream, items: readonly LogItem[], isWhole: boolean): ParkedStream | undefined {
    const before = this.#rowsBefore()
    for (const item of items) {
      const { revision, position } = placeOf(item)
      if (revision < parked.revision || position > this.#checkpoint.position) continue
      const cause = this.#applyAndWrite(item, before)
      if (cause !== undefined) {
        return { ...parked, revision, position, error: messageOf(cause), tries: parked.tries + 1 }
      }
    }
    const last = items.at(-1)
    if (isWhole || last === undefined) return undefined
    return parkedBehind(parked, placeOf(last))
  }

  /** The same as `#apply`, and its rows are in the file: to be called within a transaction. */
  #applyAndWrite(item: LogItem, before: RowsBefore): unknown {
    const cause = this.#apply(item, before)
    if (cause !== undefined) return cause
    try {
      this.#database.attempt(() => this.#write(placeOf(item).position))
      this.#settle()
      return undefined
    } catch (error) {
      this.#forget()
      if (error instanceof UnwritableRows) return error.cause
      throw error
    }
  }

  /** The cause when a rule can't make sense of it; then nothing of the event is in the rows. */
  #apply(item: LogItem, before: RowsBefore): unknown {
    if (item.type === 'undecodable') {
      if (!item.isUnknownType) return new Error(item.message)
      if (this.#projection.unknownEvents === 'skip') return undefined
      throw new UnknownEvent(item.message)
    }
    const { event } = item
    const staged: Staged<unknown>[] = []
    try {
      for (const table of this.#projection.tables) {
        const rows = this.#rowsOf(table)
        const begins = table.begins?.(event) === true
        const ends = table.ends?.(event) === true
        for (const key of table.targets(event, before)) {
          const kept = begins ? rows.begin(key) : rows.get(key)
          staged.push({ rows, kept, row: table.evolve(kept.row, event, before, key), ends })
        }
      }
    } catch (error) {
      // Of a broken rule nobody knows what else it would do; of a file that can't be read the rows are not to blame.
      if (isSqliteError(error)) throw error
      return error
    }
    for (const { rows, kept, row, ends } of staged) {
      kept.isOver = ends
      rows.put(kept, row)
    }
    return undefined
  }

  /** A new one for each batch: what a rule remembers of rows is remembered of one moment of them, and retention comes between two. */
  #rowsBefore(): RowsBefore {
    return { row: (table, key) => this.#rowsOf(table).get(key).row }
  }

  /** Throws UnwritableRows, and what SQLite says of the file. */
  #write(through: bigint): number {
    try {
      let written = 0
      for (const rows of this.#rows.values()) written += rows.write()
      return written
    } catch (error) {
      throw isOfRows(error) ? new UnwritableRows(this.#projection.name, through, error) : error
    }
  }

  /** Leaves the checkpoint where it is, and throws CheckpointLost where it is another's. */
  #holdPlace(at: number): void {
    this.#database.moveCheckpoint(this.#generation, this.#checkpoint, this.#checkpoint, 0, at)
  }

  #settle(): void {
    for (const rows of this.#rows.values()) rows.settle()
  }

  #takeBack(): void {
    for (const { stream } of this.#folded?.parked ?? []) this.#parked.delete(stream)
    this.#folded = undefined
    this.#forget()
  }

  #forget(): void {
    for (const rows of this.#rows.values()) rows.forget()
  }

  #rowsOf<Row>(table: TableLayout<Row> | ProjectionTable<Row>): KeptRows<Row> {
    const rows = this.#rows.get(table.name)
    if (rows === undefined) throw new Error(`'${this.#projection.name}' has no table '${table.name}'`)
    return rows as unknown as KeptRows<Row> // kept under the name of the table whose rows they are
  }
}

/** What SQLite says of values, and whatever else comes of making and handing over a row. */
function isOfRows(error: unknown): boolean {
  if (!isSqliteError(error) || !('code' in error)) return true
  return /^SQLITE_(CONSTRAINT|MISMATCH|RANGE|TOOBIG)/.test(String(error.code))
}

type Place = Pick<ParkedStream, 'stream' | 'revision' | 'position'>

function placeOf(item: LogItem): Place {
  return item.type === 'event' ? item.event : item
}

/** The same stream, to be gone on with behind a place of it. */
function parkedBehind(parked: ParkedStream, { revision, position }: Place): ParkedStream {
  return { ...parked, revision: revision + 1, position: position + 1n }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
