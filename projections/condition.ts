/** Conditions of SQL as values: what they say, and the parameters of it in their order. */
import type { SqlValue } from './projection.ts'

export interface Condition {
  readonly sql: string
  readonly parameters: readonly SqlValue[]
}

/** All of them hold; where there are none, always. */
export function allOf(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: 'TRUE', parameters: [] }
  return {
    sql: `(${conditions.map(({ sql }) => sql).join(' AND ')})`,
    parameters: conditions.flatMap(({ parameters }) => parameters),
  }
}

/** At least one of them holds. */
export function anyOf(conditions: readonly Condition[]): Condition {
  return {
    sql: `(${conditions.map(({ sql }) => sql).join(' OR ')})`,
    parameters: conditions.flatMap(({ parameters }) => parameters),
  }
}

export function isAmong(column: string, given: readonly SqlValue[]): Condition {
  return { sql: `${column} IN (${given.map(() => '?').join(', ')})`, parameters: given }
}

export function beginsWith(column: string, text: string): Condition {
  // Behind every text that begins with this one, in the order of SQLite's bytes: no character is higher.
  return { sql: `${column} >= ? AND ${column} < ?`, parameters: [text, `${text}\u{10ffff}`] }
}
