/**
 * Commands of which this node told that nobody knows whether they were stored, and of which it has told nothing else since.
 * Sent again under their id they may not be told that they are certainly not stored, whatever hinders this node: a log
 * that still does not say, a head that can't be read, a registry that was let go and can't be loaded, a shutdown.
 *
 *     told `outcome_unknown` --> open --> answered, or rejected by the authority --> closed
 *                                 '-----> others stand in the place of its events -> closed
 *
 * Bounded: remembered for as long as registries remember commands, and so many at most. Where more were open, each command
 * may be one of those that were forgotten, and counts as open for as long: too careful harms nobody.
 */
import type { Clock } from '../runtime/clock.ts'

export interface OpenFatesBounds {
  readonly max: number
  readonly ms: number
}

/** Some megabytes. */
export const OPEN_FATES_MAX = 65_536

export class OpenFates {
  readonly #clock: Clock
  readonly #bounds: OpenFatesBounds
  /** Monotonic ms at which each may be forgotten; the oldest first. */
  readonly #openUntil = new Map<string, number>()
  #anyUntil = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, bounds: OpenFatesBounds) {
    this.#clock = clock
    this.#bounds = bounds
  }

  get size(): number {
    return this.#openUntil.size
  }

  opened(stream: string, commandId: string): void {
    const until = this.#clock.monotonicNow() + this.#bounds.ms
    const key = keyOf(stream, commandId)
    this.#openUntil.delete(key)
    this.#openUntil.set(key, until)
    this.#forget()
    if (this.#openUntil.size <= this.#bounds.max) return
    for (const oldest of this.#openUntil.keys()) {
      this.#openUntil.delete(oldest)
      break
    }
    this.#anyUntil = until
  }

  closed(stream: string, commandId: string): void {
    if (this.#openUntil.size > 0) this.#openUntil.delete(keyOf(stream, commandId))
  }

  isOpen(stream: string, commandId: string): boolean {
    this.#forget()
    return this.#openUntil.has(keyOf(stream, commandId)) || this.#clock.monotonicNow() < this.#anyUntil
  }

  #forget(): void {
    const now = this.#clock.monotonicNow()
    for (const [key, until] of this.#openUntil) {
      if (until > now) return
      this.#openUntil.delete(key)
    }
  }
}

/** No name of a stream has a space in it. */
function keyOf(stream: string, commandId: string): string {
  return `${stream} ${commandId}`
}
