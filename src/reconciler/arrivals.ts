/**
 * When the rows came to show a place of the log, by this node's clock: what was written just now can't be old, whatever it says of
 * itself. So a node whose clock is wrong costs nobody else's work, be it the one that wrote or the one that judges.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Candidate } from './candidates.ts'

interface Arrival {
  readonly position: bigint
  /** Monotonic ms of the first look that showed it. */
  readonly at: number
  /** Of the last one that showed no more. */
  lookedAt: number
}

/** Passes that brought something new; what came before the oldest of them counts as timely. */
const ARRIVALS_MAX = 4_096

export class Arrivals {
  readonly #clock: Clock
  readonly #apartMsMax: number
  /** Oldest first. The first one stands for all that was there before. */
  readonly #arrivals: Arrival[] = []

  /** Looks that are further apart than `apartMsMax` tell only that something came after the earlier one. */
  constructor(clock: Clock, apartMsMax: number) {
    this.#clock = clock
    this.#apartMsMax = apartMsMax
  }

  /** The rows show everything up to here. To be called before every judgement. */
  note(position: bigint): void {
    const at = this.#clock.monotonicNow()
    const last = this.#arrivals.at(-1)
    if (last !== undefined && position <= last.position) {
      last.lookedAt = at
      return
    }
    this.#arrivals.push({ position, at, lookedAt: at })
    if (this.#arrivals.length > ARRIVALS_MAX) this.#arrivals.shift()
  }

  /** By how much the event that a deadline rests on was older when it came than it can have been. */
  latenessMs({ basis: { position, at, behindMs } }: Candidate): number {
    const [first] = this.#arrivals
    if (first === undefined || position <= first.position) return behindMs
    const came = this.#cameAt(position)
    if (came === undefined) return behindMs
    const arrivedAt = this.#clock.now() - (this.#clock.monotonicNow() - came)
    return Math.max(behindMs, Math.ceil(arrivedAt - at))
  }

  #cameAt(position: bigint): number | undefined {
    let low = 1
    let high = this.#arrivals.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#arrivals[middle] as Arrival).position < position) low = middle + 1
      else high = middle
    }
    const before = this.#arrivals[low - 1]
    const seen = this.#arrivals[low]
    if (before === undefined || seen === undefined) return undefined
    return seen.at - before.lookedAt <= this.#apartMsMax ? seen.at : before.lookedAt
  }
}
