/**
 * How many registries of a node append at once. Whoever waits for a slot goes on deciding: what it decides meanwhile leaves
 * in the same append, where at a busy log it would have stood in a line of its own.
 *
 *     request -> slot free -> send -> answered: the next one
 *        '-----> waiting --- nobody was answered for a while ---> send: the log is not busy but silent, and all must be told
 */
import type { Clock } from '../runtime/clock.ts'

/** A log that answers nobody for so long is not helped by waiting. */
const SILENCE_MS = 100

export class AppendSlots {
  readonly #clock: Clock
  readonly #max: number
  /** In order of arrival. */
  readonly #waiting = new Set<Send>()
  #taken = 0
  #isWatching = false
  #wasAnswered = false

  /** Without a number there is always one. */
  constructor(clock: Clock, max: number = Number.POSITIVE_INFINITY) {
    this.#clock = clock
    this.#max = max
  }

  /** Calls `send`, at once or when there is a slot; it is taken until what that returns has settled. Must not throw. */
  request(send: Send): void {
    if (this.#taken < this.#max) {
      this.#take(send)
      return
    }
    this.#waiting.add(send)
    this.#watch()
  }

  #take(send: Send): void {
    const sending = send()
    if (sending === undefined) return
    this.#taken++
    void sending.finally(() => {
      this.#taken--
      this.#wasAnswered = true
      this.#passOn(this.#max)
    })
  }

  #passOn(max: number): void {
    for (const send of this.#waiting) {
      if (this.#taken >= max) return
      this.#waiting.delete(send)
      this.#take(send)
    }
  }

  #watch(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    this.#wasAnswered = false
    const look = () => {
      this.#isWatching = false
      if (!this.#wasAnswered) this.#passOn(Number.POSITIVE_INFINITY)
      if (this.#waiting.size > 0) this.#watch()
    }
    this.#clock.after(SILENCE_MS, look, 'awaited')
  }
}

/** Undefined when there is nothing to send after all. */
type Send = () => Promise<void> | undefined
