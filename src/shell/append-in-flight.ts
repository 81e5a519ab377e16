/**
 * The one append of a registry that is under way, from sending to its fate.
 *
 *     send --> acknowledged | conflict | refused                            told once, by `settled`
 *       '----> unknown --> the very same events again, with back-off --> acknowledged | conflict
 *       '- - - > overdue: no answer, or none that says anything, for `unknownWaitMs`; the fate may still come
 *
 * After unknown no other refusal counts: the first copy may still be on its way, and finding nothing there proves nothing.
 */
import type { AppendResult, EventAppender, ExpectedRevision } from '../event-store/event-store.ts'
import { type Clock, pause } from '../runtime/clock.ts'
import type { PendingBatch } from './pending-batch.ts'
import { messageOf } from './store-refusals.ts'

export type Fate = Exclude<AppendResult, { type: 'unknown' }>

export interface InFlightParts {
  readonly store: EventAppender
  readonly stream: string
  readonly clock: Clock
  readonly unknownWaitMs: number
  /** From 0 to 1, for jitter. */
  readonly fraction: () => number
  readonly settled: (batch: PendingBatch, fate: Fate) => void
  readonly unknown: () => void
  readonly overdue: () => void
}

const RESEND_MS_FIRST = 50
const RESEND_MS_MAX = 2_000

export class AppendInFlight {
  readonly #parts: InFlightParts
  #batch: PendingBatch | undefined
  #unknownBecause: string | undefined
  #sentAt = 0
  #isOverdue = false
  #isAbandoned = false
  #stopWatching: (() => void) | undefined

  constructor(parts: InFlightParts) {
    this.#parts = parts
  }

  get batch(): PendingBatch | undefined {
    return this.#batch
  }

  /** What the log last said of this append that it could not tell the fate of. */
  get unknownBecause(): string | undefined {
    return this.#unknownBecause
  }

  /** Ends with the first answer, whatever it says. */
  async send(batch: PendingBatch, expected: ExpectedRevision): Promise<void> {
    this.take(batch, expected, await this.sendBy(this.#parts.store, batch, expected))
  }

  /** Sends by another's right to write; whoever does so hands the answer to `take`. Never rejects. */
  sendBy(
    appender: Pick<EventAppender, 'append'>,
    batch: PendingBatch,
    expected: ExpectedRevision,
  ): Promise<AppendResult> {
    this.#batch = batch
    this.#unknownBecause = undefined
    this.#sentAt = this.#parts.clock.monotonicNow()
    this.#isOverdue = false
    this.#watch()
    return this.#append(appender, batch, expected)
  }

  take(batch: PendingBatch, expected: ExpectedRevision, result: AppendResult): void {
    if (this.#batch !== batch) return
    if (result.type !== 'unknown') this.#parts.settled(batch, result)
    else {
      this.#unknownBecause = result.message
      this.#parts.unknown()
      void this.#resend(batch, expected)
    }
  }

  /** Nobody waits for it any more: it is sent once more at most. */
  abandon(): void {
    this.#isAbandoned = true
    this.#stopWatching?.()
  }

  /** It has its fate, or nobody wants to hear of it any more. */
  clear(): void {
    this.#batch = undefined
  }

  async #append(
    appender: Pick<EventAppender, 'append'>,
    batch: PendingBatch,
    expected: ExpectedRevision,
  ): Promise<AppendResult> {
    try {
      return await appender.append(this.#parts.stream, expected, batch.events)
    } catch (error) {
      // The contract throws TypeError for what it can't even take, before it sends anything: sent again it would be so for ever.
      if (error instanceof TypeError) return { type: 'refused', reason: 'too_large', message: error.message }
      return { type: 'unknown', message: messageOf(error) }
    }
  }

  async #resend(batch: PendingBatch, expected: ExpectedRevision): Promise<void> {
    const { clock, store, fraction } = this.#parts
    for (let waitMs = RESEND_MS_FIRST; ; waitMs = Math.min(RESEND_MS_MAX, waitMs * 2)) {
      await pause(clock, (waitMs * (1 + fraction())) / 2)
      const result = await this.#append(store, batch, expected)
      if (this.#batch !== batch) return
      const isKnown = result.type === 'acknowledged' || (result.type === 'refused' && result.reason === 'conflict')
      if (!isKnown && 'message' in result) this.#unknownBecause = result.message
      if (isKnown) this.#parts.settled(batch, result)
      else if (this.#isAbandoned) this.#tellOverdue()
      if (isKnown || this.#isAbandoned) return
    }
  }

  /** One timer looks after the appends that come one after the other. */
  #watch(): void {
    if (this.#stopWatching !== undefined) return
    const { clock, unknownWaitMs } = this.#parts
    const look = (): void => {
      this.#stopWatching = undefined
      if (this.#batch === undefined) return
      const leftMs = this.#sentAt + unknownWaitMs - clock.monotonicNow()
      if (leftMs > 0) this.#stopWatching = clock.after(leftMs, look)
      else this.#tellOverdue()
    }
    this.#stopWatching = clock.after(unknownWaitMs, look)
  }

  #tellOverdue(): void {
    if (this.#isOverdue) return
    this.#isOverdue = true
    this.#parts.overdue()
  }
}
