/**
 * Webhooks of a log: of the processes that share the file, one follows the log into the outbox and sends what is due.
 *
 *     standby --lease is free--> leading: follower -> outbox -> sender
 *        ^                          |
 *        '------ lease lost --------'<-- file gone, log or file failed (back-off) --'
 */
import { Lease } from '../../projections/lease.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { inodeOf } from './read-file.ts'
import { retryDelayMs } from './retry-delay.ts'
import { openWebhookDatabase, type WebhookDatabase } from './webhook-database.ts'
import { WebhookDeliveries } from './webhook-deliveries.ts'
import type { CheckedEndpoint } from './webhook-endpoint.ts'
import { WebhookEndpoints } from './webhook-endpoints.ts'
import { WebhookError } from './webhook-error.ts'
import { endOf, followIntoOutbox } from './webhook-follower.ts'
import { WebhookOutbox } from './webhook-outbox.ts'
import type { WebhookPost } from './webhook-post.ts'
import { WebhookSender } from './webhook-sender.ts'
import type { WebhookSettings } from './webhook-settings.ts'

export interface WebhooksParts {
  readonly path: string
  readonly reader: EventReader
  /** Those that options name. */
  readonly endpoints: readonly CheckedEndpoint[]
  readonly settings: WebhookSettings
  readonly post: WebhookPost
  readonly holder: string
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly log: WarningLog
}

interface Led {
  readonly sender: WebhookSender
  /** Everything up to there was looked at; undefined where there is no endpoint, and so nothing to look at. */
  through: bigint | undefined
}

/** Of whoever follows and sends. */
export const WEBHOOK_LEASE = 'webhooks'

const TICKS_PER_LEASE = 12
const TICK_MS_MAX = 250
const DRAIN_LOOK_MS = 10
const PRUNE_EVERY_MS = 60_000
const PRUNED_AT_ONCE_MAX = 1_000

export class Webhooks {
  readonly #parts: WebhooksParts
  readonly #closing = new AbortController()
  readonly #tickMs: number
  #running: Promise<void> | undefined
  #led: Led | undefined

  constructor(parts: WebhooksParts) {
    this.#parts = parts
    this.#tickMs = Math.min(TICK_MS_MAX, parts.settings.followLeaseMs / TICKS_PER_LEASE)
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /**
   * Ends when everything that stands in the log now was looked at and what is due was tried; after so long at the latest, and at
   * once where another process does it.
   */
  async drain(ms: number): Promise<void> {
    const { clock, reader } = this.#parts
    const until = clock.monotonicNow() + ms
    const end = await reader.end()
    while (this.#led !== undefined && clock.monotonicNow() < until) {
      const { through, sender } = this.#led
      if ((through === undefined || through >= end) && sender.isIdle()) return
      await this.#rest(DRAIN_LOOK_MS)
    }
  }

  /** What is under way is sent again by whoever is next, at once where another process waits for its turn. Twice is once. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { settings, random, log, clock } = this.#parts
    const { signal } = this.#closing
    for (let tries = 0; !signal.aborted; ) {
      const begun = clock.monotonicNow()
      try {
        await this.#useFile()
        tries = 0
      } catch (error) {
        if (signal.aborted) return
        const { projectionRetryMs, projectionRetryMsMax } = settings
        if (clock.monotonicNow() - begun > projectionRetryMsMax) tries = 0
        if (tries === 0) log.warn({ error: String(error) }, 'webhooks are not sent for now; it is tried again')
        await this.#rest(retryDelayMs(tries++, projectionRetryMs, projectionRetryMsMax, random()))
      }
    }
  }

  /** Ends when another file lies at the path, or none. */
  async #useFile(): Promise<void> {
    const { path, holder, settings } = this.#parts
    const database = openWebhookDatabase(path, 'as_log')
    const inode = inodeOf(path)
    const lease = new Lease(database, WEBHOOK_LEASE, holder, settings.followLeaseMs)
    try {
      while (!this.#closing.signal.aborted && inodeOf(path) === inode) {
        if (lease.hold(this.#times())) await this.#lead(database, lease, () => inodeOf(path) === inode)
        else await this.#rest(this.#tickMs)
      }
      if (inodeOf(path) === inode) lease.release()
    } finally {
      database.close()
    }
  }

  /**
   * Ends when the lease is lost, the place in the log was moved, the file is another, or the first endpoint came or the last one
   * went; throws what stands in the way. Without an endpoint the log is not followed: there is nothing to do but to look.
   */
  async #lead(database: WebhookDatabase, lease: Lease, isInPlace: () => boolean): Promise<void> {
    const { settings, clock, log, reader, endpoints: named } = this.#parts
    const outbox = new WebhookOutbox(database)
    const endpoints = new WebhookEndpoints(database)
    await settleEndpoints(database, reader, named, clock.now(), 'in_a_new_file')
    const session = new AbortController()
    const signal = AbortSignal.any([this.#closing.signal, session.signal])
    let failure: { readonly error: unknown } | undefined
    const fail = (error: unknown) => {
      failure ??= { error }
      session.abort()
    }
    let isStuck = false
    const sender = new WebhookSender({ ...this.#parts, database, onFailure: fail })
    const bounds = { backlogMax: settings.webhookBacklogMax }
    const isWanted = !endpoints.areNone()
    const led: Led = { sender, through: isWanted ? 0n : undefined }
    this.#led = led
    const onPut = () => sender.wake()
    const onCaughtUp = (position: bigint) => {
      led.through = position
    }
    const parts = { reader, outbox, endpoints, bounds, clock, log, onPut, onCaughtUp }
    const followed = isWanted ? followIntoOutbox(parts, signal) : aborted(signal)
    const following = followed.then(
      () => session.abort(),
      (error: unknown) => {
        if (!(error instanceof WebhookError)) return fail(error)
        // Sending goes on: what was put before is as good as ever.
        outbox.stop(error.message)
        isStuck = true
        log.warn({ code: error.code }, error.message)
      },
    )
    sender.start()
    try {
      await this.#ticking(database, sender, signal, () => {
        const isResumed = isStuck && outbox.stopped() === undefined
        const isChanged = endpoints.areNone() === isWanted
        if (isResumed || isChanged || !lease.hold(this.#times()) || !isInPlace()) session.abort()
      })
    } catch (error) {
      fail(error)
    } finally {
      this.#led = undefined
      session.abort()
      await Promise.all([sender.stop(), following])
    }
    if (failure !== undefined) throw failure.error
  }

  async #ticking(
    database: WebhookDatabase,
    sender: WebhookSender,
    signal: AbortSignal,
    look: () => void,
  ): Promise<void> {
    const { clock, settings } = this.#parts
    const deliveries = new WebhookDeliveries(database)
    let changes = database.foreignChanges()
    let prunedAt = Number.NEGATIVE_INFINITY
    while (!signal.aborted) {
      look()
      const now = database.foreignChanges()
      if (now !== changes) sender.wake()
      changes = now
      if (clock.monotonicNow() - prunedAt >= PRUNE_EVERY_MS) {
        const pruned = deliveries.prune(clock.now() - settings.webhookRetentionMs, PRUNED_AT_ONCE_MAX)
        // What is left of a full portion goes with the next tick.
        if (pruned < PRUNED_AT_ONCE_MAX) prunedAt = clock.monotonicNow()
      }
      await sleep(clock, this.#tickMs, signal).catch(() => {})
    }
  }

  #times() {
    const { clock } = this.#parts
    return { now: clock.now(), monotonicNow: clock.monotonicNow() }
  }

  #rest(ms: number): Promise<void> {
    return sleep(this.#parts.clock, ms, this.#closing.signal).catch(() => {})
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/**
 * Makes endpoints as options name them, the new ones for what comes behind the end of the log as it is now: whoever opens a log
 * does it before anything can happen.
 */
export async function settleEndpoints(
  database: WebhookDatabase,
  reader: EventReader,
  named: readonly CheckedEndpoint[],
  now: number,
  when: 'always' | 'in_a_new_file' = 'always',
): Promise<void> {
  const outbox = new WebhookOutbox(database)
  if (when === 'in_a_new_file' && outbox.cursor() !== undefined) return
  const end = await endOf(reader, await reader.identity())
  outbox.begin(end)
  new WebhookEndpoints(database).applyOptions(named, end, now)
}
