/**
 * Specifications of a projection, for our tests and for those who write their own: events that are given, then the rows.
 * No test runner is needed. The rows lie in a real SQLite database; the events are folded twice, all at once and one by one with
 * every row read back in between, and the two must agree: a `write` or `read` that loses something, or an `evolve` that changes its
 * row in place, is told.
 *
 *     const acme = specification().given({ type: 'RegisterOperation', id: 'a', kind: 'export' })
 *     projectionSpecification(MY_PROJECTION).given('acme', acme.history).rows(MY_TABLE)
 */
import type { RecordedEvent } from '../src/authority/events.ts'
import type { Checkpoint } from './checkpoint.ts'
import { physicalName, quoted } from './generation-tables.ts'
import { narrowed } from './kept-rows.ts'
import type { ProjectedEvent, Projection, SqlValue, TableLayout } from './projection.ts'
import { Projector } from './projector.ts'
import { openReadDatabase, type ReadDatabase } from './read-database.ts'

export class ProjectionSpecificationFailed extends Error {
  override readonly name = 'ProjectionSpecificationFailed'
}

/** A value: each step gives a new one. */
export class ProjectionSpecification {
  readonly #projection: Projection
  readonly #events: readonly ProjectedEvent[]

  constructor(projection: Projection, events: readonly ProjectedEvent[]) {
    this.#projection = projection
    this.#events = events
  }

  /** More of the log: the next events of an owner's registry, such as the `history` of a specification of the authority. */
  given(owner: string, history: readonly RecordedEvent[], workspace = 'default'): ProjectionSpecification {
    const behind = this.#events.length
    const stream = `registry-${encodeURIComponent(workspace)}/${encodeURIComponent(owner)}`
    const more = history.map(({ event, metadata, revision }, i) => {
      return { position: BigInt(behind + i + 1), stream, workspace, owner, revision, event, metadata }
    })
    return new ProjectionSpecification(this.#projection, [...this.#events, ...more])
  }

  /**
   * The rows of a table in the order of its key. Throws PoisonEvent for an event that the projection can't make sense of, and
   * ProjectionSpecificationFailed when the two ways of folding disagree.
   */
  rows<Row>(table: TableLayout<Row>): readonly Row[] {
    const atOnce = stored(this.#projection, table, this.#events, this.#events.length)
    const oneByOne = stored(this.#projection, table, this.#events, 1)
    const first = atOnce.findIndex((values, i) => textOf(values) !== textOf(oneByOne[i]))
    if (first !== -1 || atOnce.length !== oneByOne.length) {
      throw new ProjectionSpecificationFailed(
        `rows of '${table.name}' depend on when they are written: do \`write\` and \`read\` lose what \`evolve\` needs, or does \`evolve\` ` +
          `change its row in place?\n- folded at once: ${textOf(atOnce[first])}\n+ one by one:     ${textOf(oneByOne[first])}`,
      )
    }
    return atOnce.map((values) => table.read(values))
  }
}

/** Begins with an empty log. */
export function projectionSpecification(projection: Projection): ProjectionSpecification {
  return new ProjectionSpecification(projection, [])
}

const START: Checkpoint = { logId: 'specification', timeline: 1, position: 0n, hash: '' }

function stored(
  projection: Projection,
  table: TableLayout<unknown>,
  events: readonly ProjectedEvent[],
  atOnce: number,
): readonly (readonly SqlValue[])[] {
  const database = openReadDatabase(':memory:')
  try {
    let generation = database.begin(projection, 'serving', START, 0)
    for (let i = 0; i < events.length; i += atOnce) {
      // A new projector knows no rows: each is read back.
      const projector = new Projector({ database, projection, generation, onPoison: 'stop' })
      const items = events.slice(i, i + atOnce).map((event) => ({ type: 'event', event }) as const)
      const position = BigInt(Math.min(i + atOnce, events.length))
      projector.project(items, { ...START, position, hash: String(position) }, 0)
      generation = { ...generation, checkpoint: projector.checkpoint }
    }
    return rowsOf(database, table, generation.generation)
  } finally {
    database.close()
  }
}

function rowsOf(database: ReadDatabase, table: TableLayout<unknown>, generation: number) {
  const key = table.key.map(quoted).join(', ')
  const rows = database.connection
    .prepare(`SELECT * FROM ${quoted(physicalName(table, generation))} ORDER BY ${key}`)
    .safeIntegers()
    .raw()
    .all() as readonly (readonly SqlValue[])[] // raw rows are lists of values
  return rows.map((values) => values.map((value, i) => narrowed(value, table.columns[i])))
}

function textOf(values: readonly SqlValue[] | undefined): string {
  return JSON.stringify(values?.map((value) => (typeof value === 'bigint' ? `${value}n` : value))) ?? 'no such row'
}
