/**
 * What a projection is: a rule that turns the log into rows. A name, a version, and tables; each table says which of its
 * rows an event touches (`targets`) and what becomes of one of them (`evolve`). Both are pure: the same events give the same
 * rows, whether they are followed one by one or folded a million at a time.
 *
 *     event -> targets -> keys -> rows as they are -> evolve -> rows as they will be -> one transaction with the checkpoint
 *
 * Rows are values of the projection's own; what lies in SQLite is what `write` makes of them, so that a row that is touched
 * a hundred times in a batch is encoded once.
 */
import type { EventMetadata, LifecycleEvent } from '../src/authority/events.ts'

/** An event in its place in the log, as projections see it. */
export interface ProjectedEvent {
  readonly position: bigint
  readonly stream: string
  readonly workspace: string
  readonly owner: string
  readonly revision: number
  readonly event: LifecycleEvent
  readonly metadata: EventMetadata
}

export type SqlValue = string | number | bigint | Buffer | null

export interface Column {
  readonly name: string
  /** `integer` comes back as a number, `bigint` as a bigint: positions are one. */
  readonly type: 'text' | 'integer' | 'bigint' | 'real' | 'blob'
  readonly nullable?: boolean
}

export interface TableIndex {
  readonly name: string
  /** Column names, each with `desc` behind it where it runs downwards. */
  readonly columns: readonly string[]
  /** SQL condition of a partial index. */
  readonly where?: string
  /** Its condition holds for few rows: kept up while rows are loaded in bulk, which costs less than another look at all of them. */
  readonly isOfFew?: boolean
}

/** The values of a table's key columns, in their order. */
export type RowKey = readonly (string | number)[]

/** Where the rows of a table lie. The names are stored; other columns or other meanings are a new version of the projection. */
export interface TableLayout<Row> {
  readonly name: string
  readonly columns: readonly Column[]
  /** Names of the columns that make a row one of its own; they come first among the columns. */
  readonly key: readonly string[]
  /** Made after a bulk load, kept up while following. Where each has the whole key among its columns, rows lie in key order and have no rowid. */
  readonly indexes: readonly TableIndex[]
  /** The row as stored, in the order of the columns. */
  write(row: Row): readonly SqlValue[]
  /** The row that `write` stored: nothing that `evolve` looks at may be lost between the two. */
  read(values: readonly SqlValue[]): Row
}

/** Rows as they were before the event at hand. */
export interface RowsBefore {
  row<Row>(table: TableLayout<Row>, key: RowKey): Row | undefined
}

export interface ProjectionTable<Row> extends TableLayout<Row> {
  /** The rows that an event touches. Pure. */
  targets(event: ProjectedEvent, before: RowsBefore): readonly RowKey[]
  /**
   * Whether the rows that this event touches begin with it, as those do that have its revision in their key: nobody looks for them
   * in the file. Where it says so of a row that is there, the batch fails. Pure.
   */
  begins?(event: ProjectedEvent): boolean
  /** Whether the rows that this event touches are likely never touched again: they are not kept in memory for the next one. Pure. */
  ends?(event: ProjectedEvent): boolean
  /** What becomes of one of them: the row after the event, or undefined for none. Pure; throws for what it can't make sense of. */
  evolve(row: Row | undefined, event: ProjectedEvent, before: RowsBefore, key: RowKey): Row | undefined
}

export interface Projection {
  /** Stored name: kebab-case. */
  readonly name: string
  /** From 1. Raised whenever the same events would give other rows; the rows are then built anew. */
  readonly version: number
  readonly tables: readonly ProjectionTable<unknown>[]
  /** What to do with an event that this version of Verdict does not know: pass it by, or wait for a version that does. */
  readonly unknownEvents: 'skip' | 'stop'
}
