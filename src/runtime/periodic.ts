/**
 * A duty that is done again and again: one pass at a time, never two at once, each telling when the next one is needed.
 *
 *     start -> pass -> wait (woken early by wakeWithin, late by the longest interval) -> pass ... -> stop
 */
import type { Clock } from './clock.ts'

export interface PeriodicParts {
  readonly clock: Clock
  /** Does the duty once. Tells in how many ms it is needed again; Infinity where it can't say. */
  readonly pass: (signal: AbortSignal) => Promise<number>
  /** Between the end of a pass and the beginning of the next. */
  readonly intervalMinMs: number
  readonly intervalMaxMs: number
  /** A pass that throws is tried again after the longest interval. */
  readonly onError: (error: unknown) => void
}

export class Periodic {
  readonly #parts: PeriodicParts
  readonly #stopping = new AbortController()
  #isStarted = false
  #isPassing = false
  /** Work that is under way or waits for its turn. */
  #tail: Promise<void> = Promise.resolve()
  #notBefore = Number.NEGATIVE_INFINITY
  #wakeAt = Number.POSITIVE_INFINITY
  #stopTimer: (() => void) | undefined

  constructor(parts: PeriodicParts) {
    this.#parts = parts
  }

  /** The first pass comes in so many ms at the latest, by default at once. Twice is once; after `stop` it does nothing. */
  start(firstMs = 0): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.wakeWithin(firstMs)
  }

  /** The next pass comes in so many ms at the latest, but not before the shortest interval is over. */
  wakeWithin(ms: number): void {
    if (!this.#isStarted || this.#stopping.signal.aborted) return
    const { clock } = this.#parts
    const wakeAt = Math.max(clock.monotonicNow() + Math.max(0, ms), this.#notBefore)
    if (wakeAt >= this.#wakeAt) return
    this.#wakeAt = wakeAt
    if (this.#isPassing) return
    this.#stopTimer?.()
    this.#stopTimer = clock.after(wakeAt - clock.monotonicNow(), () => void this.#wake())
  }

  /** Does something else while no pass is under way; in the order of the calls. Rejects when it is stopped before its turn. */
  async alone<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const before = this.#tail
    let done = () => {}
    this.#tail = new Promise((resolve) => {
      done = resolve
    })
    try {
      await before
      this.#stopping.signal.throwIfAborted()
      return await work(this.#stopping.signal)
    } finally {
      done()
    }
  }

  /** No pass begins any more; ends when the one that is under way has ended. Twice is once, and before `start` as well. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#stopTimer?.()
    await this.#tail
  }

  async #wake(): Promise<void> {
    const { clock, pass, intervalMinMs, intervalMaxMs, onError } = this.#parts
    const { signal } = this.#stopping
    this.#isPassing = true
    this.#wakeAt = Number.POSITIVE_INFINITY
    let nextMs = intervalMaxMs
    try {
      nextMs = await this.alone(pass)
    } catch (error) {
      if (!signal.aborted) onError(error)
    }
    this.#isPassing = false
    const now = clock.monotonicNow()
    this.#notBefore = now + intervalMinMs
    const wokenInMs = this.#wakeAt - now
    this.#wakeAt = Number.POSITIVE_INFINITY
    this.wakeWithin(Math.min(intervalMaxMs, nextMs, wokenInMs))
  }
}
