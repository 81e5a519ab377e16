/**
 * The statements that rows of one table are written with. An update names only the columns that change: SQLite leaves alone every
 * index that none of them is part of, so that a sign of life costs two or three indexes and not all of them.
 */
import type Database from 'better-sqlite3'
import { quoted } from './generation-tables.ts'
import type { RowKey, SqlValue, TableLayout } from './projection.ts'

/** Statements for one set of changed columns each; there are few such sets. When there are more, all are prepared anew. */
const UPDATES_PREPARED_MAX = 256

/** Changed columns are told apart by the bits of a number; a row of more columns is written whole. */
const COLUMNS_TOLD_APART_MAX = 52
const ALL_COLUMNS = -1

export class RowStatements {
  readonly #db: Database.Database
  readonly #table: string
  readonly #columns: readonly string[]
  readonly #keyColumns: number
  readonly #where: string
  readonly #select: Database.Statement
  readonly #insert: Database.Statement
  readonly #remove: Database.Statement
  readonly #updates = new Map<number, Database.Statement>()

  /** @internal */
  constructor(db: Database.Database, layout: Pick<TableLayout<never>, 'columns' | 'key'>, physicalTable: string) {
    this.#db = db
    this.#table = quoted(physicalTable)
    this.#columns = layout.columns.map(({ name }) => quoted(name))
    this.#keyColumns = layout.key.length
    this.#where = layout.key.map((name) => `${quoted(name)} = ?`).join(' AND ')
    const places = this.#columns.map(() => '?').join(', ')
    this.#select = db
      .prepare(`SELECT ${this.#columns.join(', ')} FROM ${this.#table} WHERE ${this.#where}`)
      .raw()
      .safeIntegers()
    // Without OR FAIL, SQLite keeps a copy of every page until the statement has succeeded; a batch that fails is rolled back as a whole.
    this.#insert = db.prepare(`INSERT OR FAIL INTO ${this.#table} VALUES (${places})`)
    this.#remove = db.prepare(`DELETE FROM ${this.#table} WHERE ${this.#where}`)
  }

  read(key: RowKey): readonly SqlValue[] | undefined {
    return this.#select.get(...key) as readonly SqlValue[] | undefined
  }

  /** Makes of the row that is stored the one that is to be, undefined for none. False where they are the same. */
  write(key: RowKey, stored: readonly SqlValue[] | undefined, values: readonly SqlValue[] | undefined): boolean {
    if (values === undefined) {
      if (stored === undefined) return false
      this.#remove.run(...key)
    } else if (stored === undefined) this.#insert.run(...values)
    else return this.#update(key, stored, values)
    return true
  }

  #update(key: RowKey, stored: readonly SqlValue[], values: readonly SqlValue[]): boolean {
    const changing: SqlValue[] = []
    let changed = 0
    for (let i = this.#keyColumns; i < values.length; i++) {
      const value = values[i] as SqlValue
      if (isSame(value, stored[i] as SqlValue)) continue
      changed += 2 ** (i - this.#keyColumns)
      changing.push(value)
    }
    if (changing.length === 0) return false
    const isToldApart = values.length - this.#keyColumns <= COLUMNS_TOLD_APART_MAX
    if (isToldApart) this.#updateOf(changed).run(...changing, ...key)
    else this.#updateOf(ALL_COLUMNS).run(...values.slice(this.#keyColumns), ...key)
    return true
  }

  #updateOf(changed: number): Database.Statement {
    const known = this.#updates.get(changed)
    if (known !== undefined) return known
    if (this.#updates.size === UPDATES_PREPARED_MAX) this.#updates.clear()
    const names = this.#columns.slice(this.#keyColumns)
    const changing = names.filter((_, bit) => changed === ALL_COLUMNS || Math.floor(changed / 2 ** bit) % 2 === 1)
    const sets = changing.map((name) => `${name} = ?`).join(', ')
    const statement = this.#db.prepare(`UPDATE OR FAIL ${this.#table} SET ${sets} WHERE ${this.#where}`)
    this.#updates.set(changed, statement)
    return statement
  }
}

function isSame(one: SqlValue, other: SqlValue): boolean {
  return one === other || (Buffer.isBuffer(one) && Buffer.isBuffer(other) && one.equals(other))
}
