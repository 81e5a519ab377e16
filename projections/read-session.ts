/**
 * What a question is asked with: one consistent moment of the read models. All statements of a session see the same rows and
 * the same checkpoint, so that counts, rows and the position that goes with them come from one point of the log.
 */
import type { Checkpoint } from './checkpoint.ts'
import type { SqlValue, TableLayout } from './projection.ts'

export interface ReadSession {
  /** What the rows rest on. */
  readonly checkpoint: Checkpoint
  /** The name under which a table of a projection is served at this moment, quoted for SQL. */
  table(layout: Pick<TableLayout<never>, 'name'>): string
  /** The same of one of its indexes, for `INDEXED BY`. */
  index(layout: Pick<TableLayout<never>, 'name'>, index: string): string
  /** Rows of a statement, column by name. Integers come as numbers; ask for a position by `CAST(... AS TEXT)`. */
  all<Row>(sql: string, parameters: readonly SqlValue[]): readonly Row[]
  /** Names a function for the SQL of this question; it must not ask anything itself. */
  define(name: string, fn: (...values: readonly SqlValue[]) => SqlValue): void
  get<Row>(sql: string, parameters: readonly SqlValue[]): Row | undefined
}
