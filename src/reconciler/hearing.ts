/**
 * Whether, and since when, this authority can be heard. It looks at both clocks every few seconds: a look that comes too late
 * by either one, and the time before the first look since the mark of the last process, is time in which nobody could speak.
 *
 *     mark of the process before --unheard--> start --look--look--(paused)--unheard--look--(clock jumps)--unheard--look
 */

import { type UnheardTime, unheardBefore, withUnheard } from '../authority/grace.ts'
import type { Clock } from '../runtime/clock.ts'
import { Periodic } from '../runtime/periodic.ts'
import type { AliveMarkStore } from './alive-mark.ts'

export interface HearingParts {
  readonly clock: Clock
  readonly mark: AliveMarkStore
  readonly intervalMs: number
  /** Whether what is heard can be written at the moment. */
  readonly isReachable: () => boolean
  readonly onMarkFailed: (error: unknown) => void
}

/** A look that comes this much late is a busy moment, and no pause. */
const SLACK_MS = 1_000

export class Hearing {
  readonly #parts: HearingParts
  readonly #looking: Periodic
  #unheard: readonly UnheardTime[] = []
  #lastAt: number
  #lastMonotonic: number
  #markedAt = Number.NEGATIVE_INFINITY
  #isMarkFailing = false
  #isStarted = false

  constructor(parts: HearingParts) {
    this.#parts = parts
    const { clock, mark, intervalMs, onMarkFailed } = parts
    this.#lastAt = clock.now()
    this.#lastMonotonic = clock.monotonicNow()
    const known = mark.read()
    if (known !== undefined) {
      this.#unheard = unheardBefore(known.unheard, this.#lastAt)
      this.#add({ from: known.aliveAt, to: this.#lastAt })
    }
    this.#looking = new Periodic({
      clock,
      pass: async () => {
        this.look()
        return intervalMs
      },
      intervalMinMs: 0,
      intervalMaxMs: intervalMs,
      onError: onMarkFailed,
    })
  }

  /** Stretches in which nobody could be heard, oldest first; as of the last look. */
  get unheard(): readonly UnheardTime[] {
    return this.#unheard
  }

  /** From here on it can be heard, and says so in its mark. */
  start(): void {
    this.#isStarted = true
    this.#looking.start()
  }

  /** Marks the end; the time until the next start is unheard. */
  async stop(): Promise<void> {
    await this.#looking.stop()
    this.look()
    if (this.#isStarted) this.#write()
    this.#isStarted = false
  }

  /** Takes note of what happened since the last look. To be called before every judgement. */
  look(): void {
    const { clock, intervalMs, isReachable } = this.#parts
    // Time goes on unheard until what is heard can be written again.
    if (!isReachable()) return
    const now = clock.now()
    const monotonic = clock.monotonicNow()
    const passedMs = Math.max(now - this.#lastAt, monotonic - this.#lastMonotonic)
    if (now < this.#lastAt) this.#unheard = unheardBefore(this.#unheard, now)
    // Who only looks when asked has no pauses to tell of, but for jumps of its clock.
    const hasPaused = this.#isStarted
      ? passedMs > intervalMs + SLACK_MS
      : now - this.#lastAt - (monotonic - this.#lastMonotonic) > SLACK_MS
    if (hasPaused) this.#add({ from: this.#lastAt, to: now })
    this.#lastAt = now
    this.#lastMonotonic = monotonic
    if (this.#isStarted && monotonic - this.#markedAt >= intervalMs) this.#write()
  }

  #add(time: UnheardTime): void {
    if (time.from < time.to) this.#unheard = withUnheard(this.#unheard, time)
  }

  #write(): void {
    const { mark, onMarkFailed } = this.#parts
    try {
      mark.write({ aliveAt: this.#lastAt, unheard: this.#unheard })
      this.#markedAt = this.#lastMonotonic
      this.#isMarkFailing = false
    } catch (error) {
      if (!this.#isMarkFailing) onMarkFailed(error)
      this.#isMarkFailing = true
    }
  }
}
