/** What a process knows of the read models: from the file, from the log, and from its own following. */
import { Lease } from '../../projections/lease.ts'
import { OPERATION_INDEX } from '../../projections/operation-index.ts'
import { hiddenOperations } from '../../projections/operation-retention.ts'
import { OperatorOrders } from '../../projections/operator-orders.ts'
import { type Generation, lookIntoReadDatabase, type ReadDatabase } from '../../projections/read-database.ts'
import { FOLLOW_LEASE, type FollowerParts, REBUILD_LEASE, REBUILD_LEASE_LIVES } from './follower-parts.ts'
import { type LogLag, LogLags } from './log-lag.ts'
import { type ProjectionHealth, type RebuildProgress, statusOf } from './projection-health.ts'
import { inodeOf } from './read-file.ts'
import { whyOfAnotherLog } from './start-check.ts'

/** Names nobody: it is only looked with. */
const ONLOOKER = ''

type HealthParts = Pick<FollowerParts, 'path' | 'reader' | 'projections' | 'settings' | 'clock'>

interface OpenFile {
  readonly database: ReadDatabase
  readonly inode: bigint | undefined
  readonly leases: readonly [follow: Lease, rebuild: Lease]
}

export class FollowerHealth {
  readonly #parts: HealthParts
  readonly #lags: LogLags
  /** By name: why a projection is not followed. */
  readonly stopped = new Map<string, string>()
  /** Why nothing is followed at the moment; it is tried again. */
  trouble: string | undefined
  renewedBecause: string | undefined
  leads = false
  #open: OpenFile | undefined

  constructor(parts: HealthParts) {
    this.#parts = parts
    this.#lags = new LogLags(parts.reader)
  }

  async tell(): Promise<readonly ProjectionHealth[]> {
    const { projections, reader } = this.#parts
    const end = await reader.end().catch((error: unknown) => {
      this.trouble = error instanceof Error ? error.message : String(error)
      return 0n
    })
    const generationsOf = this.#generations()
    return await Promise.all(
      projections.map(async ({ name, version }) => {
        const generations = generationsOf(name)
        const serving = generations.find(({ standing }) => standing === 'serving')
        const building = generations.find(({ standing }) => standing === 'building')
        return await this.#one(name, version, serving, building, end)
      }),
    )
  }

  close(): void {
    this.#open?.database.close()
    this.#open = undefined
  }

  async #one(
    projection: string,
    version: number,
    serving: Generation | undefined,
    building: Generation | undefined,
    end: bigint,
  ): Promise<ProjectionHealth> {
    const { clock, settings } = this.#parts
    const times = { now: clock.now(), monotonicNow: clock.monotonicNow() }
    const [follow, rebuild] = this.#open?.leases ?? []
    const lag = serving && (await this.#lagBehind(serving.checkpoint.position))
    const isRebuilding = building !== undefined && rebuild?.isFree(times) === false
    const isFollowed = follow?.isFree(times) === false
    // Who leads has looked when it began.
    const replaced = serving === undefined || this.leads ? undefined : await this.#whyReplaced(serving)
    const own = this.stopped.get(projection) ?? replaced
    const stopped = own ?? this.trouble
    const status = statusOf({
      stopped: own ?? (serving === undefined ? this.trouble : undefined),
      isRebuilding,
      isServed: serving !== undefined,
      follower: this.leads ? 'this' : isFollowed ? 'other' : 'nobody',
      lag,
      stillMs: serving === undefined ? 0 : times.now - serving.updatedAt,
      laggingMs: settings.projectionLaggingMs,
      stalledMs: settings.projectionStalledMs,
    })
    const orders = this.#open && new OperatorOrders(this.#open.database)
    const message = stopped ?? this.#why(status, serving) ?? this.renewedBecause
    const progress: RebuildProgress | undefined = isRebuilding
      ? { events: building.events, position: building.checkpoint.position, end }
      : undefined
    return {
      projection,
      version: serving?.version ?? version,
      status,
      parked: serving === undefined ? [] : (this.#open?.database.parked(serving) ?? []),
      discarded: serving === undefined ? [] : (orders?.discardedOf(serving) ?? []),
      ...(message === undefined ? {} : { message }),
      ...this.#hidden(serving),
      ...(serving === undefined ? {} : { position: serving.checkpoint.position }),
      ...(lag === undefined ? {} : { lag }),
      ...(progress === undefined ? {} : { rebuild: progress }),
    }
  }

  #hidden(serving: Generation | undefined): Pick<ProjectionHealth, 'hidden'> {
    if (serving?.projection !== OPERATION_INDEX.name || this.#open === undefined) return {}
    return { hidden: hiddenOperations(this.#open.database, serving.generation) }
  }

  /** Undefined where the log does not tell. */
  #lagBehind(position: bigint): Promise<LogLag | undefined> {
    const { clock } = this.#parts
    return this.#lags.behind(position, { now: clock.now(), monotonicNow: clock.monotonicNow() }).catch(() => undefined)
  }

  /** Undefined where the log does not tell as well. */
  #whyReplaced(serving: Generation): Promise<string | undefined> {
    return whyOfAnotherLog(this.#parts.reader, serving).catch(() => undefined)
  }

  #why(status: ProjectionHealth['status'], serving: Generation | undefined): string | undefined {
    if (status !== 'stopped') return undefined
    if (serving === undefined) return 'It has not been built yet.'
    return 'Nobody follows the log into this file at the moment.'
  }

  /** None of a file that can't be read: what is wrong with it is told. */
  #generations(): (projection: string) => readonly Generation[] {
    try {
      const all = this.#opened()?.database.generations() ?? []
      return (name) => all.filter(({ projection }) => projection === name)
    } catch (error) {
      this.close()
      this.trouble ??= error instanceof Error ? error.message : String(error)
      return () => []
    }
  }

  /** A connection of its own: what is asked of a file must not wait for who opens it next. */
  #opened(): OpenFile | undefined {
    const { path, settings } = this.#parts
    const inode = inodeOf(path)
    if (this.#open !== undefined && this.#open.inode !== inode) this.close()
    const database = this.#open === undefined ? lookIntoReadDatabase(path) : undefined
    if (database !== undefined) {
      const leaseOf = (name: string, lives: number) =>
        new Lease(database, name, ONLOOKER, settings.followLeaseMs * lives)
      this.#open = { database, inode, leases: [leaseOf(FOLLOW_LEASE, 1), leaseOf(REBUILD_LEASE, REBUILD_LEASE_LIVES)] }
    }
    return this.#open
  }
}
