/** Rows of two files compared, key by key: what a check of read models says of a table. */
import type Database from 'better-sqlite3'
import { physicalName, quoted } from './generation-tables.ts'
import type { SqlValue, TableLayout } from './projection.ts'

export interface RowDifference {
  readonly table: string
  readonly key: readonly SqlValue[]
  readonly type: 'missing' | 'unexpected' | 'different'
}

export interface ComparedTable {
  readonly rows: number
  /** The first ones. */
  readonly differences: readonly RowDifference[]
}

/** @internal */
export interface TableAt {
  readonly db: Database.Database
  readonly generation: number
}

type ComparedLayout = Pick<TableLayout<unknown>, 'name' | 'columns' | 'key'>

export const DIFFERENCES_MAX = 20

/**
 * `stream`: only rows of this one, for tables that have it in their key.
 * @internal
 */
export function comparedRows(table: ComparedLayout, served: TableAt, fresh: TableAt, stream?: string): ComparedTable {
  const keyColumns = table.key.length
  const differences: RowDifference[] = []
  let rows = 0
  const left = rowsOf(table, served, stream)
  const right = rowsOf(table, fresh, stream)
  try {
    let mine = left.next()
    let theirs = right.next()
    while (differences.length < DIFFERENCES_MAX && !(mine.done && theirs.done)) {
      const order = mine.done ? 1 : theirs.done ? -1 : comparedKeys(mine.value, theirs.value, keyColumns)
      const type = order < 0 ? 'unexpected' : order > 0 ? 'missing' : 'different'
      const row = (order > 0 ? theirs.value : mine.value) as readonly SqlValue[] // one of them is there
      rows++
      if (order !== 0 || !isSame(mine.value as readonly SqlValue[], theirs.value as readonly SqlValue[])) {
        differences.push({ table: table.name, key: row.slice(0, keyColumns), type })
      }
      if (order <= 0) mine = left.next()
      if (order >= 0) theirs = right.next()
    }
  } finally {
    // Also where the file turns out to be damaged: nothing else runs on a connection that reads on.
    left.return?.()
    right.return?.()
  }
  return { rows, differences }
}

function rowsOf(
  table: ComparedLayout,
  { db, generation }: TableAt,
  stream: string | undefined,
): IterableIterator<readonly SqlValue[]> {
  const columns = table.columns.map(({ name }) => quoted(name)).join(', ')
  const order = table.key.map(quoted).join(', ')
  const where = stream === undefined ? '' : 'WHERE "stream" = ?'
  return db
    .prepare(`SELECT ${columns} FROM ${quoted(physicalName(table, generation))} ${where} ORDER BY ${order}`)
    .raw()
    .safeIntegers()
    .iterate(...(stream === undefined ? [] : [stream])) as IterableIterator<readonly SqlValue[]>
}

/** As SQLite orders them: numbers by value, texts by their bytes. */
function comparedKeys(a: readonly SqlValue[], b: readonly SqlValue[], columns: number): number {
  for (let i = 0; i < columns; i++) {
    const [one, other] = [a[i], b[i]]
    const order =
      typeof one === 'string' && typeof other === 'string'
        ? Buffer.compare(Buffer.from(one), Buffer.from(other))
        : Number((one ?? 0) > (other ?? 0)) - Number((one ?? 0) < (other ?? 0))
    if (order !== 0) return order
  }
  return 0
}

function isSame(a: readonly SqlValue[], b: readonly SqlValue[]): boolean {
  return a.every((value, i) => {
    const other = b[i]
    return Buffer.isBuffer(value) && Buffer.isBuffer(other) ? value.equals(other) : value === other
  })
}
