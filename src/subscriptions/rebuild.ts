/**
 * Makes the rows of projections anew beside those that serve: one pass over the log for all of them, indexes when the rows are
 * there, then on to where the follower stands, then the swap. What is cancelled or fails leaves nothing behind.
 *
 *     begin -> whole log, in large batches -> indexes -> what came meanwhile -> at or beyond the served place? -> swap
 *
 * Beside commands it takes what they leave of the disk: shared-disk.ts.
 */
import type { Checkpoint } from '../../projections/checkpoint.ts'
import { Lease } from '../../projections/lease.ts'
import type { Projection } from '../../projections/projection.ts'
import { PoisonEvent, Projector, UnknownEvent, UnwritableRows } from '../../projections/projector.ts'
import type { ReadDatabase } from '../../projections/read-database.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { REBUILD_LEASE, REBUILD_LEASE_LIVES } from './follower-parts.ts'
import { type LogBatch, logBatches } from './log-batches.ts'
import type { RebuildProgress } from './projection-health.ts'
import { ReadSideError } from './read-side-error.ts'
import type { ReadSideSettings } from './read-side-settings.ts'
import { retryDelayMs } from './retry-delay.ts'
import { SharedDisk } from './shared-disk.ts'
import { whyOfAnotherLog } from './start-check.ts'

export interface RebuildParts {
  readonly database: ReadDatabase
  readonly reader: EventReader
  readonly projections: readonly Projection[]
  readonly settings: ReadSideSettings
  readonly clock: Clock
  readonly random: () => number
  readonly holder: string
  /** The log lies on the disk of the rows: while others write to it, they are flushed little by little, and it rests. */
  readonly sharesDisk: boolean
  readonly signal: AbortSignal
  readonly onProgress: (progress: RebuildProgress) => void
}

export interface RebuildReport {
  readonly projections: readonly string[]
  readonly events: number
  readonly position: bigint
}

/** Tries of one batch while the file is written by others or the disk is full. */
const WRITE_TRIES_MAX = 20
/** No log comes so far. */
const LAST_POSITION = 2n ** 63n - 1n

/**
 * Throws ReadSideError (`rebuild_running`, `poison_event`, `unknown_event`, `unwritable_rows`, `projection_unusable`), the signal's
 * reason, and what log and file say.
 */
export async function rebuild(parts: RebuildParts): Promise<RebuildReport> {
  const { database, reader, settings, clock, holder, signal } = parts
  signal.throwIfAborted()
  const lease = new Lease(database, REBUILD_LEASE, holder, settings.followLeaseMs * REBUILD_LEASE_LIVES)
  const renew = () => {
    if (lease.hold({ now: clock.now(), monotonicNow: clock.monotonicNow() })) return
    throw new ReadSideError(
      'rebuild_running',
      'Another rebuild of this file is running: wait for its end, or cancel it.',
    )
  }
  renew()
  try {
    const end = await reader.end()
    const careful = new Set<string>()
    for (;;) {
      try {
        return await attempt(parts, end, careful, renew)
      } catch (error) {
        const mayLook = error instanceof UnwritableRows && isFirst(database, error.projection)
        if (!mayLook || careful.has(error.projection)) throw refusalOf(error)
        // Once more, now looking for the events that are to blame: to the end, because more of them may come meanwhile.
        careful.add(error.projection)
      }
    }
  } finally {
    lease.release()
  }
}

/** The first rows of a projection replace nothing that would serve on: it goes on without a stream that stops it. */
function isFirst(database: ReadDatabase, projection: string): boolean {
  return !database.generations(projection).some(({ standing }) => standing === 'serving')
}

async function attempt(
  parts: RebuildParts,
  end: bigint,
  careful: ReadonlySet<string>,
  renew: () => void,
): Promise<RebuildReport> {
  const { database, reader, projections, clock } = parts
  const { logId, timeline } = await reader.identity()
  const start: Checkpoint = { logId, timeline, position: 0n, hash: '' }
  const built: Projector[] = []
  try {
    for (const { projection, generation, standing } of database.generations()) {
      if (standing === 'building') database.drop(projection, generation)
    }
    for (const projection of projections) {
      const onPoison = isFirst(database, projection.name) ? 'park' : 'stop'
      const generation = asDefined(projection, () => database.begin(projection, 'building', start, clock.now()))
      const carefulThrough = careful.has(projection.name) ? LAST_POSITION : undefined
      built.push(new Projector({ database, projection, generation, onPoison, carefulThrough }))
    }
    return await build(parts, built, end, renew)
  } catch (error) {
    for (const { projection, generation } of built) database.drop(projection.name, generation.generation)
    throw error
  }
}

/** Tables and indexes as the projection wants them: what SQLite can't make of that is no matter of the file. */
function asDefined<T>({ name }: Projection, make: () => T): T {
  try {
    return make()
  } catch (error) {
    const isOfFile = error instanceof Error && 'code' in error && error.code !== 'SQLITE_ERROR'
    if (isOfFile) throw error
    const message = `The tables of '${name}' can't be made: ${error instanceof Error ? error.message : String(error)}.`
    throw new ReadSideError('projection_unusable', message, { cause: error })
  }
}

async function build(
  parts: RebuildParts,
  built: readonly Projector[],
  end: bigint,
  renew: () => void,
): Promise<RebuildReport> {
  const { database, reader, projections, settings, clock, signal, onProgress } = parts
  const disk = sharedDisk(parts, end, renew)
  const replaced = await generationsOfAnotherLog(parts)
  const ended = new AbortController()
  const reading = AbortSignal.any([signal, ended.signal])
  const { rebuildBatchEventsMax, projectionBatchBytesMax: bytesMax } = settings
  const eventsMax = Math.min(rebuildBatchEventsMax, FOLDED_EVENTS_MAX)
  let isIndexed = false
  let events = 0
  let looked = 0
  let uncommitted = 0
  let renewedAt = clock.monotonicNow()
  try {
    for await (const batch of logBatches(reader, { after: 0n, eventsMax, bytesMax, signal: reading })) {
      events += batch.items.length
      uncommitted += batch.events
      for (const projector of built) {
        if (projector.isCareful) await persistently(parts, () => fold(batch, projector, clock.now()))
        else fold(batch, projector, clock.now())
      }
      if (uncommitted < rebuildBatchEventsMax && !batch.isCaughtUp) continue
      looked += uncommitted
      uncommitted = 0
      for (const projector of built) {
        await persistently(parts, () => projector.commit(clock.now()))
        await disk?.flush()
        if (clock.monotonicNow() - renewedAt < settings.followLeaseMs / RENEWALS_PER_LEASE) continue
        await persistently(parts, renew)
        renewedAt = clock.monotonicNow()
      }
      const position = placeOf(built)
      onProgress({ events, position, end: position > end ? position : end })
      signal.throwIfAborted()
      if (!batch.isCaughtUp) {
        await disk?.rest(looked)
        continue
      }
      if (!isIndexed) {
        isIndexed = true
        await index(parts, built, renew, async () => {
          await disk?.flush()
          await disk?.rest(looked)
        })
      }
      if (await persistently(parts, () => swapped(database, built, replaced))) {
        return { projections: projections.map(({ name }) => name), events, position }
      }
    }
    throw signal.reason
  } finally {
    ended.abort()
  }
}

const RENEWALS_PER_LEASE = 4
/** Decoded at a time: what is folded at once is young when it is thrown away, which costs the garbage collector nothing. */
const FOLDED_EVENTS_MAX = 50

function fold({ items, last }: LogBatch, projector: Projector, at: number): void {
  if (last !== undefined) projector.fold(items, { ...projector.checkpoint, ...last }, at)
}

function sharedDisk(parts: RebuildParts, end: bigint, renew: () => void): SharedDisk | undefined {
  if (!parts.sharesDisk) return undefined
  parts.database.checkpointOnlyByHand()
  const shareMax = parts.settings.rebuildDiskShareMax
  return new SharedDisk({ ...parts, shareMax, end, renew, persistently: (write) => persistently(parts, write) })
}

async function index(
  parts: RebuildParts,
  built: readonly Projector[],
  renew: () => void,
  flush: () => Promise<void>,
): Promise<void> {
  const { database, signal, clock } = parts
  for (const { projection, generation, checkpoint } of built) {
    for (const step of database.finishing(projection, generation.generation)) {
      const stepAndRenew = () => {
        // Tables that others took away because they took it for dead are no fault of the projection.
        database.moveCheckpoint(generation, checkpoint, checkpoint, 0, clock.now())
        asDefined(projection, step)
        // Together: others take a rebuild that was not heard of for as long as an index takes for dead.
        renew()
      }
      await persistently(parts, () => database.transaction(stepAndRenew))
      await flush()
      // Lets others write, and a cancellation through.
      await sleep(clock, 1)
      signal.throwIfAborted()
    }
  }
}

/** Rows of a log that was replaced may lie beyond the end of this one: nobody waits for it to get there. */
async function generationsOfAnotherLog({ database, reader }: RebuildParts): Promise<ReadonlySet<number>> {
  const replaced = new Set<number>()
  for (const one of database.generations()) {
    if (one.standing === 'serving' && (await whyOfAnotherLog(reader, one)) !== undefined) replaced.add(one.generation)
  }
  return replaced
}

/** All of them or none, unless the rows that serve are ahead. */
function swapped(database: ReadDatabase, built: readonly Projector[], replaced: ReadonlySet<number>): boolean {
  return database.transaction(() => {
    for (const { projection, checkpoint } of built) {
      const serving = database.generations(projection.name).find(({ standing }) => standing === 'serving')
      const isOfThisLog = serving !== undefined && !replaced.has(serving.generation)
      if (isOfThisLog && serving.version <= projection.version && serving.checkpoint.position > checkpoint.position)
        return false
    }
    for (const { projection, generation, checkpoint } of built) {
      database.serve(projection, { generation: generation.generation, checkpoint })
    }
    return true
  })
}

/** Again while others write to the file, or there is no room in it. */
async function persistently<T>({ clock, random, settings, signal }: RebuildParts, write: () => T): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return write()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (!/^SQLITE_(BUSY|LOCKED|FULL)/.test(code) || tries === WRITE_TRIES_MAX) throw error
    }
    await sleep(clock, retryDelayMs(tries, settings.projectionRetryMs, settings.projectionRetryMsMax, random()), signal)
  }
}

function placeOf(built: readonly Projector[]): bigint {
  return built[0]?.checkpoint.position ?? 0n
}

/** A rebuild leaves nothing out; first rows are built without the streams that they have to do without. */
const WAY_OUT =
  'A rebuild leaves nothing out: the rows as they were serve on. For rows without that stream, delete the file of the read models.'

function refusalOf(error: unknown): unknown {
  if (error instanceof PoisonEvent) {
    return new ReadSideError('poison_event', `${error.sentence} ${WAY_OUT}`, { cause: error })
  }
  if (error instanceof UnwritableRows) {
    const message = `${error.message} (of an event up to position ${error.through}). ${WAY_OUT}`
    return new ReadSideError('unwritable_rows', message, { cause: error })
  }
  if (error instanceof UnknownEvent) return new ReadSideError('unknown_event', error.message, { cause: error })
  return error
}
