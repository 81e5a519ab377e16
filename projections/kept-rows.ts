/**
 * The rows of one table in memory: what a batch has touched and has not written yet, and what later batches will likely touch
 * again. Two trees by age: when the young one is full it becomes the old one, and what the old one still held is let go.
 */
import type Database from 'better-sqlite3'
import { physicalName } from './generation-tables.ts'
import type { Column, RowKey, SqlValue, TableLayout } from './projection.ts'
import { RowStatements } from './row-statements.ts'

export interface Staged<Row> {
  readonly rows: KeptRows<Row>
  readonly kept: Kept<Row>
  readonly row: Row | undefined
  readonly ends: boolean
}

/**
 * A row in memory. Only `put` changes it. A class, and no literal: V8 makes literals among the old objects at once when it saw those
 * of one place survive, and a dead one there keeps all that it refers to until the next full collection.
 */
export class Kept<Row> {
  readonly key: RowKey
  row: Row | undefined
  /** As the file has it; undefined where it has no row of this key. */
  stored: readonly SqlValue[] | undefined
  /** What it will be stored as, once that is committed. */
  written: readonly SqlValue[] | undefined
  isTouched = false
  /** Likely not asked for again: let go as soon as it is written. */
  isOver = false

  constructor(key: RowKey, row: Row | undefined, stored: readonly SqlValue[] | undefined) {
    this.key = key
    this.row = row
    this.stored = stored
  }
}

export class KeptRows<Row> {
  readonly #layout: TableLayout<Row>
  readonly #rowsMax: number
  readonly #statements: RowStatements
  #young = new KeyTree<Kept<Row>>()
  #old = new KeyTree<Kept<Row>>()
  #touched: Kept<Row>[] = []

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
    return this.#inMemory(key) ?? this.#keep(new Kept<Row>(key, undefined, undefined))
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
    for (const kept of this.#touched) {
      const { key, row, stored } = kept
      kept.written = row === undefined ? undefined : this.#layout.write(row)
      if (this.#statements.write(key, stored, kept.written)) count++
    }
    return count
  }

  /** What was written is committed. */
  settle(): void {
    for (const kept of this.#touched) {
      kept.stored = kept.written
      kept.written = undefined
      kept.isTouched = false
      if (kept.isOver || kept.row === undefined) this.#letGo(kept)
    }
    this.#touched = []
    if (this.#young.size < this.#rowsMax / 2) return
    this.#old = this.#young
    this.#young = new KeyTree()
  }

  /** What was written is not committed: the file alone knows. */
  forget(): void {
    this.#touched = []
    this.#young = new KeyTree()
    this.#old = new KeyTree()
  }

  /** Emptied as well: a dead one among V8's old objects keeps all that it refers to until the next full collection. */
  #letGo(kept: Kept<Row>): void {
    this.#young.delete(kept.key)
    this.#old.delete(kept.key)
    kept.row = undefined
    kept.stored = undefined
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
    return new Kept(key, values && this.#layout.read(values), values)
  }
}

/** SQLite's integers come as bigints, so that positions survive; the others were numbers. */
export function narrowed(value: SqlValue, column: Column | undefined): SqlValue {
  return typeof value === 'bigint' && column?.type !== 'bigint' ? Number(value) : value
}

/** Values by key, all of one length: a map for each part of it, so that no text is made of them to look them up. */
class KeyTree<T> {
  readonly #root: Branch<T> = new Map()
  size = 0

  get(key: RowKey): T | undefined {
    let branch = this.#root
    const last = key.length - 1
    for (let i = 0; i < last; i++) {
      const next = branch.get(key[i] as Part)
      if (next === undefined) return undefined
      branch = next as Branch<T> // what stands before the last part of a key leads on
    }
    return branch.get(key[last] as Part) as T | undefined
  }

  set(key: RowKey, value: T): void {
    let branch = this.#root
    const last = key.length - 1
    for (let i = 0; i < last; i++) {
      let next = branch.get(key[i] as Part) as Branch<T> | undefined
      if (next === undefined) {
        next = new Map()
        branch.set(key[i] as Part, next)
      }
      branch = next
    }
    const before = branch.size
    branch.set(key[last] as Part, value)
    this.size += branch.size - before
  }

  delete(key: RowKey): void {
    if (deleteBelow(this.#root, key, 0)) this.size--
  }
}

type Part = RowKey[number]
type Branch<T> = Map<Part, T | Branch<T>>

/** With the branches that it leaves empty. */
function deleteBelow<T>(branch: Branch<T>, key: RowKey, depth: number): boolean {
  const part = key[depth] as Part
  if (depth === key.length - 1) return branch.delete(part)
  const next = branch.get(part) as Branch<T> | undefined
  if (next === undefined || !deleteBelow(next, key, depth + 1)) return false
  if (next.size === 0) branch.delete(part)
  return true
}
