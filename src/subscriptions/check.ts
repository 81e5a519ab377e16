/**
 * Whether the rows that serve are what the log gives: folded again from its beginning into a file of its own, up to the place
 * where the rows stand, and compared row for row. By sample, only some streams are folded, and only rows that belong to one
 * stream by their key are compared.
 *
 *     fold up to the end -> look at the rows in one moment -> fold on to where they stand in it -> compare
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Checkpoint } from '../../projections/checkpoint.ts'
import { physicalName, quoted } from '../../projections/generation-tables.ts'
import { OPERATION_HISTORY } from '../../projections/operation-history.ts'
import { OPERATION_INDEX } from '../../projections/operation-index.ts'
import type { Projection } from '../../projections/projection.ts'
import { type LogItem, PoisonEvent, Projector } from '../../projections/projector.ts'
import { type Generation, openReadDatabase, type ReadDatabase } from '../../projections/read-database.ts'
import { retainOperationsAs, retainStoriesAs } from '../../projections/retention-compared.ts'
import { comparedRows, DIFFERENCES_MAX, type RowDifference } from '../../projections/rows-compared.ts'
import type { EventReader, StoredEvent } from '../event-store/event-store.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { LogItems } from './log-items.ts'
import type { RebuildProgress } from './projection-health.ts'
import { ReadSideError } from './read-side-error.ts'
import type { ReadSideSettings } from './read-side-settings.ts'

export interface CheckParts {
  /** The file that serves: only read. */
  readonly database: ReadDatabase
  readonly reader: Pick<EventReader, 'identity' | 'end' | 'readAll' | 'readStream'>
  readonly projection: Projection
  /** So many streams, drawn at random; all of them where it is undefined. */
  readonly sample: number | undefined
  readonly settings: ReadSideSettings
  readonly clock: Clock
  readonly random: () => number
  readonly signal: AbortSignal
  readonly onProgress: (progress: RebuildProgress) => void
}

export interface CheckReport {
  readonly projection: string
  readonly position: bigint
  /** Streams that were folded; undefined: all. */
  readonly streams: number | undefined
  readonly rows: number
  /** Tables of rows that belong to no single stream: a sample says nothing of them. */
  readonly tablesLeftOut: readonly string[]
  /** The first ones of each table. */
  readonly differences: readonly RowDifference[]
  /** Streams that are parked: of them the rows tell less than the log. */
  readonly parked: readonly string[]
}

/** How long rows may lie behind what was folded. */
const WAIT_FOR_ROWS_MS_MAX = 30_000
const WAIT_FOR_ROWS_MS = 20

/** Throws ReadSideError `not_served`, `poison_event`, `read_model_behind`, DamagedSchema, and the signal's reason. */
export async function check(parts: CheckParts): Promise<CheckReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-check-'))
  const fresh = openReadDatabase(path.join(folder, 'views.db'))
  try {
    return await compared(parts, fresh)
  } catch (error) {
    if (!(error instanceof PoisonEvent)) throw error
    throw new ReadSideError('poison_event', `${error.sentence} What follows from the log can't be said.`, {
      cause: error,
    })
  } finally {
    fresh.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compared(parts: CheckParts, fresh: ReadDatabase): Promise<CheckReport> {
  const { database, reader, projection, sample, settings, clock, random, signal, onProgress } = parts
  const { logId, timeline } = await reader.identity()
  const end = await reader.end()
  const first = servingOf(database, projection, logId)
  const streams = sample === undefined ? undefined : sampledStreams(database, projection, first, sample, random)
  const parked = database.parked(first).map(({ stream }) => stream)
  const folding = new Folding(fresh, projection, { logId, timeline, position: 0n, hash: '' }, settings, clock)
  if (streams === undefined) {
    await folding.fold(reader.readAll({ signal }), end, (events) =>
      onProgress({ events, position: folding.position, end }),
    )
  }
  const deadline = clock.monotonicNow() + WAIT_FOR_ROWS_MS_MAX
  for (;;) {
    signal.throwIfAborted()
    database.connection.exec('BEGIN')
    try {
      const served = servingOf(database, projection, logId)
      const { position } = served.checkpoint
      if (position >= folding.position) {
        if (streams === undefined) await folding.fold(reader.readAll({ after: folding.position, signal }), position)
        else await folding.foldStreams(reader, streams, position, signal)
        folding.retainAs(database, served)
        const report = comparedTables(parts, served, folding.generation, fresh, streams)
        return { projection: projection.name, position, streams: streams?.length, parked, ...report }
      }
    } finally {
      database.connection.exec('ROLLBACK')
    }
    if (clock.monotonicNow() > deadline) {
      const message = `The rows of '${projection.name}' do not move: they lie behind position ${folding.position}.`
      throw new ReadSideError('read_model_behind', message)
    }
    await sleep(clock, WAIT_FOR_ROWS_MS, signal)
  }
}

class Folding {
  readonly generation: Generation
  readonly #fresh: ReadDatabase
  readonly #projector: Projector
  readonly #decoding = new LogItems()
  readonly #settings: ReadSideSettings
  readonly #clock: Clock

  constructor(
    fresh: ReadDatabase,
    projection: Projection,
    start: Checkpoint,
    settings: ReadSideSettings,
    clock: Clock,
  ) {
    this.#fresh = fresh
    this.generation = fresh.begin(projection, 'building', start, 0)
    this.#projector = new Projector({ database: fresh, projection, generation: this.generation, onPoison: 'stop' })
    this.#settings = settings
    this.#clock = clock
  }

  get position(): bigint {
    return this.#projector.checkpoint.position
  }

  /** Up to the event at this position, that one included. */
  async fold(
    events: AsyncIterable<StoredEvent>,
    through: bigint,
    onBatch: (events: number) => void = () => {},
  ): Promise<void> {
    let items: LogItem[] = []
    let last: StoredEvent | undefined
    let folded = 0
    for await (const event of events) {
      if (event.position > through) break
      const item = this.#decoding.of(event)
      if (item !== undefined) items.push(item)
      last = event
      if (items.length < this.#settings.rebuildBatchEventsMax) continue
      folded += items.length
      this.#project(items, last)
      onBatch(folded)
      items = []
    }
    if (last !== undefined) this.#project(items, last)
  }

  /** In the order of the log, as far as these streams go. */
  async foldStreams(
    reader: CheckParts['reader'],
    streams: readonly string[],
    through: bigint,
    signal: AbortSignal,
  ): Promise<void> {
    const events: StoredEvent[] = []
    for (const stream of streams) {
      for await (const event of reader.readStream(stream, { signal })) {
        if (event.position > through) break
        events.push(event)
      }
    }
    events.sort((a, b) => (a.position < b.position ? -1 : 1))
    await this.fold(given(events), through)
  }

  /** What retention took from the rows that serve is no difference. */
  retainAs(database: ReadDatabase, served: Generation): void {
    const index = database.generations(OPERATION_INDEX.name).find(({ standing }) => standing === 'serving')
    const at = this.#clock.now()
    if (served.projection === OPERATION_INDEX.name)
      retainOperationsAs(database, served, this.#fresh, this.#projector, at)
    if (served.projection === OPERATION_HISTORY.name && index !== undefined) {
      retainStoriesAs(database, served, index, this.#fresh, this.#projector, at)
    }
  }

  #project(items: readonly LogItem[], { position, hash }: StoredEvent): void {
    this.#projector.project(items, { ...this.#projector.checkpoint, position, hash }, this.#clock.now())
  }
}

async function* given(events: readonly StoredEvent[]): AsyncGenerator<StoredEvent, void, undefined> {
  yield* events
}

function comparedTables(
  { database, projection }: CheckParts,
  served: Generation,
  generation: Generation,
  fresh: ReadDatabase,
  streams: readonly string[] | undefined,
): Pick<CheckReport, 'rows' | 'differences' | 'tablesLeftOut'> {
  const left = { db: database.connection, generation: served.generation }
  const right = { db: fresh.connection, generation: generation.generation }
  const differences: RowDifference[] = []
  const tablesLeftOut: string[] = []
  let rows = 0
  for (const table of projection.tables) {
    if (streams !== undefined && !table.key.includes('stream')) {
      tablesLeftOut.push(table.name)
      continue
    }
    let found = 0
    for (const stream of streams ?? [undefined]) {
      const compared = comparedRows(table, left, right, stream)
      rows += compared.rows
      differences.push(...compared.differences)
      found += compared.differences.length
      if (found >= DIFFERENCES_MAX) break
    }
  }
  return { rows, differences, tablesLeftOut }
}

function servingOf(database: ReadDatabase, projection: Projection, logId: string): Generation {
  const { name, version } = projection
  const serving = database.generations(name).find(({ standing }) => standing === 'serving')
  if (serving === undefined || serving.version !== version || serving.checkpoint.logId !== logId) {
    throw new ReadSideError('not_served', `The read model '${name}' has no rows of version ${version} of this log.`)
  }
  database.assertAsDefined(projection, serving)
  return serving
}

/** Some of the streams that have rows, each as likely as any other. */
function sampledStreams(
  database: ReadDatabase,
  projection: Projection,
  { generation }: Generation,
  sample: number,
  random: () => number,
): readonly string[] {
  const table = projection.tables.find(({ key }) => key.includes('stream'))
  if (table === undefined) {
    const message = `The rows of '${projection.name}' are not of single streams: check it in full.`
    throw new ReadSideError('projection_unusable', message)
  }
  const streams = database.connection
    .prepare(`SELECT DISTINCT "stream" FROM ${quoted(physicalName(table, generation))}`)
    .pluck()
    .all() as string[]
  for (let i = 0; i < Math.min(sample, streams.length); i++) {
    const j = i + Math.floor(random() * (streams.length - i))
    const [one, other] = [streams[i] as string, streams[j] as string] // both within
    streams[i] = other
    streams[j] = one
  }
  return streams.slice(0, sample)
}
