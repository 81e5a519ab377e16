/** The tables of a generation: their names, which hold its number, and how they and their indexes are made. */
import type { TableIndex, TableLayout } from './projection.ts'

/** The name of a table in one generation. */
export function physicalName(table: Pick<TableLayout<never>, 'name'>, generation: number): string {
  return `${table.name}.${generation}`
}

export function physicalIndexName(table: Pick<TableLayout<never>, 'name'>, index: string, generation: number): string {
  return `${table.name}.${index}.${generation}`
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function indexDefinition(
  table: TableLayout<unknown>,
  { name, columns, where }: TableIndex,
  generation: number,
): string {
  const condition = where === undefined ? '' : ` WHERE ${where}`
  return (
    `CREATE INDEX ${quoted(physicalIndexName(table, name, generation))} ON ` +
    `${quoted(physicalName(table, generation))} (${columns.join(', ')})${condition}`
  )
}

export function tableDefinition(table: TableLayout<unknown>, generation: number): string {
  const columns = table.columns.map(
    ({ name, type, nullable = false }) =>
      `${quoted(name)} ${type === 'bigint' ? 'INTEGER' : type.toUpperCase()}${nullable ? '' : ' NOT NULL'}`,
  )
  const key = table.key.map(quoted).join(', ')
  const place = liesInKeyOrder(table) ? ' WITHOUT ROWID' : ''
  return `CREATE TABLE ${quoted(physicalName(table, generation))} (${columns.join(', ')}, PRIMARY KEY (${key}))${place}`
}

/** One tree instead of two, where no index would have to repeat the key in the place of a short rowid. */
function liesInKeyOrder({ key, indexes }: TableLayout<unknown>): boolean {
  return indexes.every(({ columns }) => key.every((name) => columns.includes(name)))
}
