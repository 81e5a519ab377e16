/** Small projections and questions for the tests of following: named by this module, as users name their own. */
import { existsSync } from 'node:fs'
import type { ProjectedEvent, Projection, ProjectionTable } from '../../../projections/projection.ts'
import { QuestionError } from '../../../projections/question-error.ts'
import type { ReadSession } from '../../../projections/read-session.ts'
import { TALLIES, TALLY, type Tally } from '../../projections/support/tally.ts'

export { TALLY }

export const TALLY_2: Projection = { ...TALLY, version: 2 }
/** With a column that the first version did not have. */
const NAMED_TALLIES: ProjectionTable<Tally> = {
  ...TALLIES,
  columns: [...TALLIES.columns, { name: 'initial', type: 'text' }],
  write: (row) => [...TALLIES.write(row), row.kind.slice(0, 1)],
}
export const TALLY_OF_INITIALS: Projection = { ...TALLY, version: 2, tables: [NAMED_TALLIES] }

export function initialsAsked(session: ReadSession): readonly string[] {
  const rows = session.all<{ readonly initial: string }>(`SELECT initial FROM ${session.table(NAMED_TALLIES)}`, [])
  return rows.map(({ initial }) => initial)
}

export const TALLY_STRICT: Projection = { ...TALLY, unknownEvents: 'stop' }

/** Keeps 16 KiB for each event: a hundred of them are more than a disk takes in without being felt. */
const WIDE_ROWS: ProjectionTable<Pick<ProjectedEvent, 'stream' | 'revision'>> = {
  name: 'wide_row',
  columns: [
    { name: 'stream', type: 'text' },
    { name: 'revision', type: 'integer' },
    { name: 'filler', type: 'text' },
  ],
  key: ['stream', 'revision'],
  indexes: [],
  write: ({ stream, revision }) => [stream, revision, 'x'.repeat(16 * 1024)],
  read: ([stream, revision]) => ({ stream: String(stream), revision: Number(revision) }),
  targets: ({ stream, revision }) => [[stream, revision]],
  evolve: (_row, { stream, revision }) => ({ stream, revision }),
}

export const TALLY_WIDE: Projection = { ...TALLY, tables: [TALLIES, WIDE_ROWS] }

/** Of kinds that are named like a file, those alone make sense whose file is there. */
const CURABLE_TALLIES: ProjectionTable<Tally> = {
  ...TALLIES,
  evolve: (row, event, before, key) => {
    const kind = String(key[0])
    if (kind.startsWith('/') && !existsSync(kind)) throw new Error(`${kind} is not there`)
    return TALLIES.evolve(row, event, before, key)
  },
}

export const CURABLE: Projection = { ...TALLY, tables: [CURABLE_TALLIES] }

/** What it makes of the kind `unwritable`, no file takes. */
const PICKY_TALLIES: ProjectionTable<Tally> = {
  ...TALLIES,
  write: (row) => (row.kind === 'unwritable' ? [row.kind, null, row.lastPosition] : TALLIES.write(row)),
}

export const PICKY: Projection = { ...TALLY, tables: [PICKY_TALLIES] }

export const WITHOUT_KEY: Projection = { ...TALLY, tables: [{ ...TALLIES, key: [] }] }
/** SQLite finds it out when the table is made. */
export const WRONG_INDEX: Projection = {
  ...TALLY,
  tables: [{ ...TALLIES, indexes: [{ name: 'i', columns: ['nothing'] }] }],
}
export const TABLE_TWICE: Projection = { ...TALLY, tables: [TALLIES, TALLIES] }
export const NAMED_RATES: Projection = { ...TALLY, name: 'rates' }

export function talliesAsked(session: ReadSession): Readonly<Record<string, number>> {
  const rows = session.all<Tally>(`SELECT kind, registered FROM ${session.table(TALLIES)} ORDER BY kind`, [])
  return Object.fromEntries(rows.map(({ kind, registered }) => [kind, registered]))
}

/** Refuses all but even numbers. */
export function evenAsked(_session: ReadSession, number: number): number {
  if (number % 2 === 0) return number
  throw new QuestionError('odd', `${number} is odd`)
}

/** Keeps its thread busy for so long. */
export function heavyAsked(_session: ReadSession, ms: number): number {
  const until = performance.now() + ms
  while (performance.now() < until) Math.sqrt(until)
  return ms
}

export const notAQuestion = 1
