/**
 * Follows the log into the file of the read models: one process of a machine at a time, each projection at its own checkpoint.
 *
 *     standby --lease is free--> leading --> start check --> batches -> every projector
 *        ^                          |                            |
 *        '------ lease lost --------'<-- generation swapped, file gone, log or file failed (back-off) --'
 *
 * While it leads, a tick renews the lease, looks whether the file and its generations are still those, carries out what
 * operators ordered and tries parked streams again. Batches and ticks take turns: neither sees the other half done.
 */
import { CheckpointLost } from '../../projections/checkpoint.ts'
import { Lease, type LeaseTimes } from '../../projections/lease.ts'
import { OperatorOrders } from '../../projections/operator-orders.ts'
import { Projector, UnknownEvent, UnwritableRows } from '../../projections/projector.ts'
import type { Generation, ReadDatabase } from '../../projections/read-database.ts'
import type { LogIdentity } from '../event-store/event-store.ts'
import { sleep } from '../runtime/clock.ts'
import { FollowerHealth } from './follower-health.ts'
import { FOLLOW_LEASE, type FollowerParts, REBUILD_LEASE, REBUILD_LEASE_LIVES } from './follower-parts.ts'
import { ListRetention } from './list-retention.ts'
import { type LogBatch, logBatches } from './log-batches.ts'
import { ParkedRetries, resumeParked } from './parked-retries.ts'
import { ParkedWatch } from './parked-watch.ts'
import type { ProjectionHealth } from './projection-health.ts'
import { isDamage, openReadFile, type ReadFile, removeReadFile, toldDamage } from './read-file.ts'
import { rebuild } from './rebuild.ts'
import { retryDelayMs } from './retry-delay.ts'
import { checkStart } from './start-check.ts'

/** Of a lease's life: how often it is renewed and everything else is looked at. */
const TICKS_PER_LEASE = 12
const TICK_MS_MAX = 250
/** Where as many come at once, there is always somebody who waits: rows are gathered all the same. */
const BUSY_BATCH_EVENTS = 100
/** Whoever asked within so long will likely ask again. */
const WAITED_FOR_MS = 1_000
const EVERY_PROJECTION = () => true
/** A log that is no longer than this is read at once, and not by a thread that would take longer to start. */
const SHORT_LOG_EVENTS = 10_000
const SHORT_LOG_BYTES = 16 * 1024 * 1024
/** Brought into the file behind a write: as much takes 8 ms, which a rest between two writes has room for. */
const CHECKPOINT_PAGES = 1_024

export class Follower {
  readonly #parts: FollowerParts
  readonly #closing = new AbortController()
  readonly #health: FollowerHealth
  readonly #retries: ParkedRetries
  readonly #parkedWatch = new ParkedWatch()
  readonly #retention: ListRetention
  readonly #tickMs: number
  #turn: Promise<unknown> = Promise.resolve()
  /** By projection: up to where rows can't be stored as a whole, because of an event that is to be found. */
  readonly #carefulThrough = new Map<string, bigint>()
  /** Nothing was written since the last tick. */
  #isAtRest = false
  /** Monotonic ms: when rows were waited for last. */
  #wantedAt = Number.NEGATIVE_INFINITY
  #turns = 0
  #running: Promise<void> | undefined

  constructor(parts: FollowerParts) {
    const { settings, random } = parts
    this.#parts = parts
    this.#health = new FollowerHealth(parts)
    this.#retries = new ParkedRetries({ triesMax: settings.parkedTriesMax, firstMs: settings.parkedRetryMs, random })
    this.#retention = new ListRetention(settings)
    this.#tickMs = Math.min(TICK_MS_MAX, settings.followLeaseMs / TICKS_PER_LEASE)
  }

  start(): void {
    this.#running ??= this.#run()
  }

  health(): Promise<readonly ProjectionHealth[]> {
    return this.#health.tell()
  }

  /** Lets the next in line follow at once. Twice is once. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
    this.#health.close()
  }

  async #run(): Promise<void> {
    const { settings, random } = this.#parts
    const { signal } = this.#closing
    for (let tries = 0; !signal.aborted; ) {
      const begun = this.#parts.clock.monotonicNow()
      try {
        await this.#useFile()
        tries = 0
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof UnwritableRows) this.#carefulThrough.set(error.projection, error.through)
        const hasLasted = this.#parts.clock.monotonicNow() - begun > settings.projectionRetryMsMax
        // It is found at the next try, whatever failed before: nobody else's rows wait ever longer for it.
        if (hasLasted || error instanceof UnwritableRows) tries = 0
        this.#health.trouble = messageOf(error)
        const { projectionRetryMs, projectionRetryMsMax } = settings
        await this.#rest(retryDelayMs(tries++, projectionRetryMs, projectionRetryMsMax, random()))
      }
    }
  }

  /** Ends when another file lies at the path, or none. */
  async #useFile(): Promise<void> {
    const { path, holder, settings, mode, clock } = this.#parts
    if (mode === 'watch') return await this.#rest(this.#tickMs)
    const file = openReadFile(path)
    this.#health.renewedBecause = file.renewedBecause ?? this.#health.renewedBecause
    const lease = new Lease(file.database, FOLLOW_LEASE, holder, settings.followLeaseMs)
    try {
      while (!this.#closing.signal.aborted && file.isInPlace()) {
        const times = { now: clock.now(), monotonicNow: clock.monotonicNow() }
        if (lease.hold(times)) await this.#lead(file, lease)
        else await this.#rest(this.#tickMs)
      }
    } catch (error) {
      if (isDamage(error) && file.isInPlace()) {
        file.database.close()
        removeReadFile(path)
        this.#health.renewedBecause = toldDamage(error)
      }
      throw error
    } finally {
      this.#health.leads = false
      if (file.isInPlace()) releaseQuietly(lease)
      file.database.close()
    }
  }

  /** Ends when the lease is lost or something else than before is to be followed; throws what stands in the way. */
  async #lead(file: ReadFile, lease: Lease): Promise<void> {
    const { reader, settings, clock, holder, moves } = this.#parts
    const { database } = file
    this.#health.leads = true
    const identity = await reader.identity()
    const { projectors, unbuilt } = await this.#begin(database, identity)
    if (unbuilt.length > 0) {
      if (await this.#builtAtOnce(database, unbuilt)) return
      this.#parts.onUnbuilt(unbuilt)
    }
    const session = new AbortController()
    const signal = AbortSignal.any([this.#closing.signal, session.signal])
    this.#retries.forget()
    const standing = standingOf(database)
    let failure: unknown
    const rebuilding = new Lease(database, REBUILD_LEASE, holder, settings.followLeaseMs * REBUILD_LEASE_LIVES)
    const ticking = this.#ticking(signal, async () => {
      const times = { now: clock.now(), monotonicNow: clock.monotonicNow() }
      if (!lease.hold(times) || !file.isInPlace() || standingOf(database) !== standing) return session.abort()
      dropLeftovers(database, rebuilding, times)
      if (this.#isAtRest) this.#write(database, projectors, EVERY_PROJECTION)
      this.#isAtRest = true
      await this.#mend(database, projectors, signal)
      const news = this.#parkedWatch.look(projectors.values())
      if (news.length > 0) this.#parts.onParked(news)
      this.#tidy(database, projectors)
    }).catch((error: unknown) => {
      failure = error
      session.abort()
    })
    try {
      const after = lowest([...projectors.values()])
      if (after === undefined) await untilAborted(signal)
      else {
        const { projectionBatchEventsMax: eventsMax, projectionBatchBytesMax: bytesMax } = settings
        for await (const batch of logBatches(reader, { after, eventsMax, bytesMax, signal })) {
          const begunAt = clock.monotonicNow()
          const leftMs = (ms: number) => Math.max(0, begunAt + ms - clock.monotonicNow())
          const isBusy = batch.isCaughtUp && batch.events >= BUSY_BATCH_EVENTS
          await this.#alone(() => {
            this.#fold(batch, database, projectors)
            const due = isBusy ? this.#due([...projectors.keys()]) : [EVERY_PROJECTION]
            for (const isDue of due) this.#write(database, projectors, isDue)
          })
          if (signal.aborted) break
          if (batch.last === undefined || !batch.isCaughtUp) continue
          // Rows of events that come one by one cost several times what rows of many cost that are written together.
          if (isBusy) await sleep(clock, leftMs(settings.projectionBatchMs), signal).catch(() => {})
          await moves.restUnlessWanted(leftMs(settings.projectionRestMs), signal)
        }
        await this.#alone(() => this.#write(database, projectors, EVERY_PROJECTION))
      }
    } catch (error) {
      // The swap to a new build takes the checkpoint away: what stands there now is looked at again.
      const isSwapped = error instanceof CheckpointLost || standingOf(database) !== standing
      if (!signal.aborted && !isSwapped) throw error
    } finally {
      session.abort()
      await ticking
    }
    if (failure !== undefined) throw failure
  }

  /** A projector for each projection whose rows are of its version and of this log. */
  async #begin(
    database: ReadDatabase,
    identity: LogIdentity,
  ): Promise<{ readonly projectors: Map<string, Projector>; readonly unbuilt: readonly string[] }> {
    const { projections, reader } = this.#parts
    this.#health.stopped.clear()
    const projectors = new Map<string, Projector>()
    const unbuilt: string[] = []
    for (const projection of projections) {
      const { name, version } = projection
      const generation = database.generations(name).find(({ standing }) => standing === 'serving')
      const start = generation && (await checkStart(reader, identity, generation))
      if (generation === undefined || start?.type === 'other_log') {
        if (generation !== undefined) database.drop(name, generation.generation)
        unbuilt.push(name)
      } else if (start?.type === 'log_replaced') this.#health.stopped.set(name, start.message)
      else if (generation.version < version) {
        const message = `The rows of '${name}' are of version ${generation.version}: they serve as they are until those of version ${version} are built.`
        this.#health.stopped.set(name, message)
        unbuilt.push(name)
      } else if (generation.version > version) {
        const message = `The rows of '${name}' are of version ${generation.version}, and this process knows version ${version}: run the version that built them.`
        this.#health.stopped.set(name, message)
      } else {
        database.assertAsDefined(projection, generation)
        const carefulThrough = this.#carefulThrough.get(name)
        projectors.set(name, new Projector({ database, projection, generation, onPoison: 'park', carefulThrough }))
      }
    }
    return { projectors, unbuilt }
  }

  /** Builds the rows of a short log here and now; false where that is for somebody else. */
  async #builtAtOnce(database: ReadDatabase, names: readonly string[]): Promise<boolean> {
    const { reader, projections } = this.#parts
    const { signal } = this.#closing
    const reading = { after: 0n, eventsMax: SHORT_LOG_EVENTS, bytesMax: SHORT_LOG_BYTES, signal }
    for await (const { isCaughtUp } of logBatches(reader, reading)) {
      if (!isCaughtUp) return false
      break
    }
    const unbuilt = projections.filter(({ name }) => names.includes(name))
    try {
      const parts = { ...this.#parts, database, projections: unbuilt, sharesDisk: false, signal }
      await rebuild({ ...parts, onProgress: () => {} })
    } catch {
      // Whoever builds next finds the same in the way, and says so.
      return false
    }
    this.#parts.moves.moved()
    return true
  }

  /** In memory. Whatever is thrown, these projectors are used no more. */
  #fold({ items, last }: LogBatch, database: ReadDatabase, projectors: Map<string, Projector>): void {
    this.#health.trouble = undefined
    if (last === undefined) return
    // A projection that stops here has the rows of all that came before.
    if (items.some(({ type }) => type === 'undecodable')) this.#write(database, projectors, EVERY_PROJECTION)
    // One moment of the file for all that is read of it.
    database.transaction(() => {
      for (const [name, projector] of projectors) {
        try {
          projector.fold(items, { ...projector.checkpoint, ...last }, this.#parts.clock.now())
        } catch (error) {
          this.#stopAtUnknown(error, name, projectors)
        }
      }
    })
  }

  /**
   * Of which projections rows are written now that many come, in this order. While some are waited for, those, and then one of the
   * others by turns: whoever waits for rows does not wait for any others as well.
   */
  #due(projections: readonly string[]): readonly ((projection: string) => boolean)[] {
    const { moves, clock } = this.#parts
    const isWanted = moves.wanted()
    const now = clock.monotonicNow()
    if (projections.some(isWanted)) this.#wantedAt = now
    if (now - this.#wantedAt > WAITED_FOR_MS) return [EVERY_PROJECTION]
    const next = projections[this.#turns++ % projections.length]
    return [isWanted, (projection) => projection === next]
  }

  /** What was folded, all in one transaction: a commit costs as much as some hundred rows. Whatever is thrown, these projectors are used no more. */
  #write(database: ReadDatabase, projectors: Map<string, Projector>, isAsked: (projection: string) => boolean): void {
    const folded = [...projectors].filter(([name, projector]) => projector.isFolded && isAsked(name))
    if (folded.length === 0) return
    this.#isAtRest = false
    database.transaction(() => {
      for (const [, projector] of folded) projector.commit(this.#parts.clock.now())
    })
    this.#parts.moves.moved()
    database.checkpointWhenDue(CHECKPOINT_PAGES)
  }

  /** What operators ordered, and parked streams whose time has come. */
  async #mend(database: ReadDatabase, projectors: Map<string, Projector>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    const orders = new OperatorOrders(database)
    for (const order of orders.open()) {
      const projector = projectors.get(order.projection)
      const parked = projector?.parked.find(({ stream }) => stream === order.stream)
      if (projector !== undefined && parked !== undefined) {
        if (order.wanted === 'discard') {
          // Once: what is left of the order, should this process die now, is to go on behind the event.
          database.transaction(() => {
            orders.discarded(projector.generation, parked, order.reason, clock.now())
            projector.discard(order.stream, clock.now())
            orders.give({ ...order, wanted: 'retry' })
          })
          this.#parkedWatch.discarded(projector, parked)
        }
        await this.#resume(projector, order.stream, projectors, signal)
      }
      orders.done(order)
    }
    for (const projector of projectors.values()) {
      for (const { stream } of this.#retries.due(projector, clock.monotonicNow())) {
        await this.#resume(projector, stream, projectors, signal)
      }
    }
  }

  /** What has ended long ago leaves the lists, and later the rows. */
  #tidy(database: ReadDatabase, projectors: Map<string, Projector>): void {
    const { clock, moves, onRetention } = this.#parts
    const pass = this.#retention.pass(database, projectors, { now: clock.now(), monotonicNow: clock.monotonicNow() })
    if (pass === undefined || pass.marked + pass.deleted === 0) return
    moves.moved()
    onRetention(pass)
  }

  async #resume(
    projector: Projector,
    stream: string,
    projectors: Map<string, Projector>,
    signal: AbortSignal,
  ): Promise<void> {
    const { reader, clock, moves } = this.#parts
    try {
      await resumeParked(projector, stream, reader, () => clock.now(), signal)
    } catch (error) {
      this.#stopAtUnknown(error, projector.projection.name, projectors)
    }
    moves.moved()
  }

  /** The others go on. Throws what is something else. */
  #stopAtUnknown(error: unknown, name: string, projectors: Map<string, Projector>): void {
    if (!(error instanceof UnknownEvent)) throw error
    projectors.delete(name)
    const message = `${error.message} '${name}' waits for a version of Verdict that knows it (unknown_event).`
    this.#health.stopped.set(name, message)
  }

  async #ticking(signal: AbortSignal, tick: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await this.#alone(tick)
      await sleep(this.#parts.clock, this.#tickMs, signal).catch(() => {})
    }
  }

  /** One after the other. */
  #alone<T>(work: () => T | Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }

  #rest(ms: number): Promise<void> {
    return sleep(this.#parts.clock, ms, this.#closing.signal).catch(() => {})
  }
}

/** What a rebuild left behind that did not live to its end. */
function dropLeftovers(database: ReadDatabase, rebuilding: Lease, times: LeaseTimes): void {
  const isBuilding = ({ standing }: Generation) => standing === 'building'
  if (!database.generations().some(isBuilding)) return
  database.transaction(() => {
    // Asked again by who holds the right to write: a rebuild renews its lease together with what takes it long.
    if (!rebuilding.isFree(times)) return
    for (const { projection, generation } of database.generations().filter(isBuilding)) {
      database.drop(projection, generation)
    }
  })
}

/** Which generations serve: another text is another thing to follow. */
function standingOf(database: ReadDatabase): string {
  const serving = database.generations().filter(({ standing }) => standing === 'serving')
  return serving.map(({ projection, generation }) => `${projection} ${generation}`).join('\n')
}

function lowest(projectors: readonly Projector[]): bigint | undefined {
  let after: bigint | undefined
  for (const { checkpoint } of projectors) {
    if (after === undefined || checkpoint.position < after) after = checkpoint.position
  }
  return after
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** A file that can't be written leaves the lease to run out. */
function releaseQuietly(lease: Lease): void {
  try {
    lease.release()
  } catch {}
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
