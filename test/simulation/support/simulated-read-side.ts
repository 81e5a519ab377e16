/** The read models of one machine, in memory: the real projections and questions, followed over the simulated log. */
import type Database from 'better-sqlite3'
import { physicalIndexName, physicalName, quoted } from '../../../projections/generation-tables.ts'
import { LIVENESS } from '../../../projections/liveness.ts'
import {
  activeByKindAsked,
  dueAsked,
  earliestDueAsked,
  type LivenessQuestions,
  lateAsked,
  newestTimeAsked,
  overdueWaitsAsked,
  recoveredAsked,
} from '../../../projections/liveness-questions.ts'
import { OPERATION_INDEX } from '../../../projections/operation-index.ts'
import type { Projection } from '../../../projections/projection.ts'
import { Projector } from '../../../projections/projector.ts'
import { openReadDatabase, type ReadDatabase } from '../../../projections/read-database.ts'
import type { ReadSession } from '../../../projections/read-session.ts'
import type { EventReader } from '../../../src/event-store/event-store.ts'
import type { AskRows } from '../../../src/reconciler/candidates.ts'
import { logBatches } from '../../../src/subscriptions/log-batches.ts'
import { ReadSideError } from '../../../src/subscriptions/read-side-error.ts'
import type { Chance } from './chance.ts'
import type { PlantedFault } from './planted-fault.ts'
import type { Life, SimulatedTime } from './simulated-time.ts'

export const SIMULATED_PROJECTIONS: readonly Projection[] = [OPERATION_INDEX, LIVENESS]

const BATCH_EVENTS_MAX = 16
const RETRY_MS = 250
const LOOK_EVERY_MS = 20
const QUESTION_TIMEOUT_MS = 10_000

/** What outlives the process that follows. */
export function openRows(): ReadDatabase {
  const database = openReadDatabase(':memory:')
  for (const projection of SIMULATED_PROJECTIONS) {
    database.begin(projection, 'serving', { logId: 'simulated', timeline: 1, position: 0n, hash: '' }, 0)
  }
  return database
}

export interface ReadSideParts {
  readonly rows: ReadDatabase
  readonly reader: EventReader
  readonly time: SimulatedTime
  readonly life: Life
  readonly chance: Chance
  readonly planted: PlantedFault | undefined
}

export class SimulatedReadSide {
  readonly #parts: ReadSideParts
  readonly #projectors: readonly Projector[]
  readonly #session: ReadSession

  constructor(parts: ReadSideParts) {
    this.#parts = parts
    const { rows } = parts
    this.#projectors = SIMULATED_PROJECTIONS.map((projection) => {
      const [generation] = rows.generations(projection.name)
      if (generation === undefined) throw new Error(`there are no rows of '${projection.name}'`)
      return new Projector({ database: rows, projection, generation, onPoison: 'park' })
    })
    const liveness = this.#projectors.find((one) => one.projection === LIVENESS) as Projector
    this.#session = sessionOf(rows.connection, liveness)
  }

  get position(): bigint {
    return this.#session.checkpoint.position
  }

  /** For as long as the process lives. */
  async follow(): Promise<void> {
    const { reader, time, life, rows, chance, planted } = this.#parts
    for (;;) {
      try {
        const reading = { eventsMax: BATCH_EVENTS_MAX, bytesMax: Number.POSITIVE_INFINITY, signal: FOR_EVER }
        for await (const { items, last } of logBatches(reader, { ...reading, after: this.position })) {
          if (last === undefined) continue
          const given = planted === 'skips_an_event' && chance.is(0.02) ? items.slice(1) : items
          rows.transaction(() => {
            for (const projector of this.#projectors) {
              projector.project(given, { ...projector.checkpoint, ...last }, time.now)
            }
          })
        }
      } catch (error) {
        if (!isUnreadable(error)) throw error
      }
      await time.passing(RETRY_MS, life)
    }
  }

  readonly ask: AskRows = async (name, parameters, { atLeast, signal }) => {
    const { time, life } = this.#parts
    const until = time.now + QUESTION_TIMEOUT_MS
    while (this.position < atLeast) {
      signal.throwIfAborted()
      if (time.now >= until) {
        throw new ReadSideError('read_model_behind', 'the rows are behind', { position: this.position, atLeast })
      }
      await time.passing(LOOK_EVERY_MS, life)
    }
    const question = QUESTIONS[name] as (session: ReadSession, ...parameters: unknown[]) => never // by its name
    return { answer: question(this.#session, ...parameters), position: this.position }
  }
}

const QUESTIONS: LivenessQuestions = {
  activeByKindAsked,
  dueAsked,
  earliestDueAsked,
  lateAsked,
  newestTimeAsked,
  overdueWaitsAsked,
  recoveredAsked,
}

const FOR_EVER = new AbortController().signal

function sessionOf(db: Database.Database, projector: Projector): ReadSession {
  const { generation } = projector.generation
  const statements = new Map<string, Database.Statement>()
  const prepared = (sql: string) => {
    const statement = statements.get(sql) ?? db.prepare(sql)
    statements.set(sql, statement)
    return statement
  }
  return {
    get checkpoint() {
      return projector.checkpoint
    },
    table: (layout) => quoted(physicalName(layout, generation)),
    index: (layout, index) => quoted(physicalIndexName(layout, index, generation)),
    all: <Row>(sql: string, parameters: readonly unknown[]) => prepared(sql).all(...parameters) as readonly Row[],
    get: <Row>(sql: string, parameters: readonly unknown[]) => prepared(sql).get(...parameters) as Row | undefined,
    define: () => {
      throw new Error('the questions of the reconciler define no functions')
    },
  }
}

function isUnreadable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'log_unavailable'
}
