/**
 * What a question is asked with: one consistent moment of the read models. All statements of a session see the same rows and
 * the same checkpoint, so that counts, rows and the position that goes with them come from one point of the log.
 */
import type { SqlValue, TableLayout } from './projection.ts'

export interface ReadSession {
  /** The name under which a table of a projection is served at this moment, quoted for SQL. */
  table(layout: Pick<TableLayout<never>, 'name'>): string
  /** Rows of a statement, column by name. Integers come as numbers; ask for a position by `CAST(... AS TEXT)`. */
  all<Row>(sql: string, parameters: readonly SqlValue[]): readonly Row[]
  get<Row>(sql: string, parameters: readonly SqlValue[]): Row | undefined
}
