/**
 * The rows of one table in memory: what a batch has touched and has not written yet, and what later batches will likely touch
 * again. Two maps by age: when the young one is full it becomes the old one, and what the old one still held is let go.
 */
import type Database from 'better-sqlite3'
import type { Column, RowKey, SqlValue, TableLayout } from './projection.ts'
import { physicalName, quoted } from './read-database.ts'

export interface Staged<Row> {
  readonly rows: KeptRows<Row>
  readonly key: RowKey
  readonly row: Row | undefined
}

interface Kept<Row> {
  readonly key: RowKey
  row: Row | undefined
  /** Whether the file has a row of this key. */
  isStored: boolean
}

export class KeptRows<Row> {
  readonly #layout: TableLayout<Row>
  readonly #rowsMax: number
  readonly #statements: ReturnType<typeof statementsOf>
  #young = new Map<string, Kept<Row>>()
  #old = new Map<string, Kept<Row>>()
  readonly #touched = new Set<Kept<Row>>()

  /** @internal */
  constructor(db: Database.Database, layout: TableLayout<Row>, generation: number, rowsMax: number) {
    this.#layout = layout
    this.#rowsMax = rowsMax
    this.#statements = statementsOf(db, layout, generation)
  }

  get(key: RowKey): Row | undefined {
    return this.#kept(key).row
  }

  put(key: RowKey, row: Row | undefined): void {
    const kept = this.#kept(key)
    if (kept.row === row) return
    kept.row = row
    this.#touched.add(kept)
  }

  /** Each touched row once; how many. To be called within a transaction. */
  write(): number {
    const { insert, update, remove } = this.#statements
    const keyColumns = this.#layout.key.length
    for (const { key, row, isStored } of this.#touched) {
      if (row === undefined) {
        if (isStored) remove.run(...key)
      } else {
        const values = this.#layout.write(row)
        if (isStored) update.run(...values.slice(keyColumns), ...key)
        else insert.run(...values)
      }
    }
    return this.#touched.size
  }

  /** What was written is committed. */
  settle(): void {
    for (const kept of this.#touched) kept.isStored = kept.row !== undefined
    this.#touched.clear()
    if (this.#young.size < this.#rowsMax / 2) return
    this.#old = this.#young
    this.#young = new Map()
  }

  /** What was written is not committed: the file alone knows. */
  forget(): void {
    this.#touched.clear()
    this.#young.clear()
    this.#old.clear()
  }

  #kept(key: RowKey): Kept<Row> {
    const name = key.join('\u0000')
    const young = this.#young.get(name)
    if (young !== undefined) return young
    const kept = this.#old.get(name) ?? this.#load(key)
    this.#young.set(name, kept)
    return kept
  }

  #load(key: RowKey): Kept<Row> {
    const values = this.#statements.select.get(...key) as readonly SqlValue[] | undefined
    if (values === undefined) return { key, row: undefined, isStored: false }
    return {
      key,
      row: this.#layout.read(values.map((value, i) => narrowed(value, this.#layout.columns[i]))),
      isStored: true,
    }
  }
}

/** SQLite's integers come as bigints, so that positions survive; the others were numbers. */
export function narrowed(value: SqlValue, column: Column | undefined): SqlValue {
  return typeof value === 'bigint' && column?.type !== 'bigint' ? Number(value) : value
}

function statementsOf(db: Database.Database, layout: TableLayout<unknown>, generation: number) {
  const table = quoted(physicalName(layout, generation))
  const columns = layout.columns.map(({ name }) => quoted(name))
  const where = layout.key.map((name) => `${quoted(name)} = ?`).join(' AND ')
  const changing = columns.slice(layout.key.length)
  // A table whose key is all there is has nothing to update.
  const sets =
    changing.length === 0 ? `${columns[0]} = ${columns[0]}` : changing.map((name) => `${name} = ?`).join(', ')
  return {
    select: db
      .prepare(`SELECT ${columns.join(', ')} FROM ${table} WHERE ${where}`)
      .raw()
      .safeIntegers(),
    insert: db.prepare(`INSERT INTO ${table} VALUES (${columns.map(() => '?').join(', ')})`),
    update: db.prepare(`UPDATE ${table} SET ${sets} WHERE ${where}`),
    remove: db.prepare(`DELETE FROM ${table} WHERE ${where}`),
  }
}
