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
  const behind = behindAllThatBeginWith(text)
  const from = { sql: `${column} >= ?`, parameters: [text] }
  return behind === undefined ? from : allOf([from, { sql: `${column} < ?`, parameters: [behind] }])
}

/** In the order of SQLite's bytes, which is that of code points: the same text with its last one raised; undefined where nothing is behind. */
function behindAllThatBeginWith(text: string): string | undefined {
  const points = [...text].map((character) => character.codePointAt(0) ?? 0)
  while (points.at(-1) === LAST_POINT) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  return String.fromCodePoint(...points, last === BEFORE_SURROGATES ? BEHIND_SURROGATES : last + 1)
}

const LAST_POINT = 0x10ffff
/** Surrogates are no characters: no text holds one. */
const BEFORE_SURROGATES = 0xd7ff
const BEHIND_SURROGATES = 0xe000
