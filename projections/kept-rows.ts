/**
 * The rows of one table in memory: what a batch has touched and has not written yet, and what later batches will likely touch
 * again. Two trees by age: when the young one is full it becomes the old one, and what the old one still held is let go.
 */
import type Database from 'better-sqlite3'
import type { Column, RowKey, SqlValue, TableLayout } from './projection.ts'
import { physicalName } from './read-database.ts'
import { RowStatements } from './row-statements.ts'

export interface Staged<Row> {
  readonly rows: KeptRows<Row>
  readonly kept: Kept<Row>
  readonly row: Row | undefined
  readonly ends: boolean
}

/** A row in memory. Only `put` changes it. */
export interface Kept<Row> {
  readonly key: RowKey
  row: Row | undefined
  /** As the file has it; undefined where it has no row of this key. */
  stored: readonly SqlValue[] | undefined
  isTouched: boolean
  /** Likely not asked for again: let go as soon as it is written. */
  isOver: boolean
}

export class KeptRows<Row> {
  readonly #layout: TableLayout<Row>
  readonly #rowsMax: number
  readonly #statements: RowStatements
  #young = new KeyTree<Kept<Row>>()
  #old = new KeyTree<Kept<Row>>()
  #touched: Kept<Row>[] = []
  /** What the touched ones will be stored as, once that is committed. */
  #written: (readonly SqlValue[] | undefined)[] = []

  /** @internal */
  constructor(db: Database.Database, layout: TableLayout<Row>, generation: number, rowsMax: number) {
    this.#layout = layout
    this.#rowsMax = rowsMax
    this.#statements = new RowStatements(db, layout, physicalName(layout, generation))
  }

  get(key: RowKey): Kept<Row> {
    return this.#inMemory(key) ?? this.#keep(this.#loaded(key))
  }

  /** The same for a key that the file is known to have no row of. */
  begin(key: RowKey): Kept<Row> {
    return (
      this.#inMemory(key) ?? this.#keep({ key, row: undefined, stored: undefined, isTouched: false, isOver: false })
    )
  }

  put(kept: Kept<Row>, row: Row | undefined): void {
    if (kept.row === row) return
    kept.row = row
    if (kept.isTouched) return
    kept.isTouched = true
    this.#touched.push(kept)
  }

  /** Each touched row once, where it is stored as something else; how many. To be called within a transaction. */
  write(): number {
    let count = 0
    this.#written = []
    for (const { key, row, stored } of this.#touched) {
      const values = row === undefined ? undefined : this.#layout.write(row)
      this.#written.push(values)
      if (this.#statements.write(key, stored, values)) count++
    }
    return count
  }

  /** What was written is committed. */
  settle(): void {
    for (const [i, kept] of this.#touched.entries()) {
      kept.stored = this.#written[i]
      kept.isTouched = false
      if (kept.isOver || kept.row === undefined) this.#letGo(kept)
    }
    this.#touched = []
    this.#written = []
    if (this.#young.size < this.#rowsMax / 2) return
    this.#old = this.#young
    this.#young = new KeyTree()
  }

  /** What was written is not committed: the file alone knows. */
  forget(): void {
    this.#touched = []
    this.#written = []
    this.#young = new KeyTree()
    this.#old = new KeyTree()
  }

  #letGo({ key }: Kept<Row>): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  #inMemory(key: RowKey): Kept<Row> | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    return old && this.#keep(old)
  }

  #keep(kept: Kept<Row>): Kept<Row> {
    this.#young.set(kept.key, kept)
    return kept
  }

  #loaded(key: RowKey): Kept<Row> {
    const values = this.#statements.read(key)?.map((value, i) => narrowed(value, this.#layout.columns[i]))
    return { key, row: values && this.#layout.read(values), stored: values, isTouched: false, isOver: false }
  }
}

/** SQLite's integers come as bigints, so that positions survive; the others were numbers. */
export function narrowed(value: SqlValue, column: Column | undefined): SqlValue {
  return typeof value === 'bigint' && column?.type !== 'bigint' ? Number(value) : value
}

/** Values by key. Most keys are a stream and a number: looked up as they are, no text is made of them. */
class KeyTree<T> {
  readonly #branches = new Map<string | number, Map<string | number, T>>()
  size = 0

  get(key: RowKey): T | undefined {
    return this.#branches.get(key[0] as string)?.get(leafOf(key))
  }

  set(key: RowKey, value: T): void {
    const first = key[0] as string
    let branch = this.#branches.get(first)
    if (branch === undefined) {
      branch = new Map()
      this.#branches.set(first, branch)
    }
    const before = branch.size
    branch.set(leafOf(key), value)
    this.size += branch.size - before
  }

  delete(key: RowKey): void {
    const first = key[0] as string
    const branch = this.#branches.get(first)
    if (branch?.delete(leafOf(key)) !== true) return
    this.size--
    if (branch.size === 0) this.#branches.delete(first)
  }
}

function leafOf(key: RowKey): string | number {
  if (key.length === 2) return key[1] as string | number
  return key.length === 1 ? '' : key.slice(1).join('\u0000')
}
