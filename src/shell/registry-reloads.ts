/**
 * Registries that are loaded again soon after they were let go to make room: more of them is in use than may be in memory, and what
 * commands wait for is loading. That is counted, and told where it is often, because nothing else that is seen names the setting.
 */
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'

export interface ReloadParts {
  readonly clock: Pick<Clock, 'monotonicNow'>
  readonly log: WarningLog
  /** What all of them may take. */
  readonly hotBytesMax: number
}

/** One that is loaded again in this time was in use when it was let go; some that took up to twice of it count as well. */
const SOON_MS = 30_000
/** That many of those that were let go last are known at least, and twice as many at most. */
const KNOWN_MAX = 16_384
/** So many within so long are often. */
const OFTEN = 100
const OFTEN_MS = 10_000
/** From one warning to the next, at least. */
const TOLD_AGAIN_MS = 600_000

export class RegistryReloads {
  readonly #parts: ReloadParts
  /** Streams of those that were let go, in two parts, of which the older one goes as a whole. */
  #letGo = new Set<string>()
  #letGoBefore = new Set<string>()
  #partFrom = Number.NEGATIVE_INFINITY
  #total = 0
  /** Of them, since then. */
  #counted = 0
  #countedFrom = Number.NEGATIVE_INFINITY
  #quietUntil = Number.NEGATIVE_INFINITY

  constructor(parts: ReloadParts) {
    this.#parts = parts
  }

  /** Since this node was opened. */
  get total(): number {
    return this.#total
  }

  letGo(stream: string): void {
    this.#forgetOld()
    this.#letGo.add(stream)
  }

  loading(stream: string): void {
    this.#forgetOld()
    const wasKnown = this.#letGo.delete(stream)
    if (!this.#letGoBefore.delete(stream) && !wasKnown) return
    this.#total++
    this.#tellWhereOften()
  }

  #forgetOld(): void {
    const now = this.#parts.clock.monotonicNow()
    const age = now - this.#partFrom
    if (age < SOON_MS && this.#letGo.size < KNOWN_MAX) return
    this.#letGoBefore = age < 2 * SOON_MS ? this.#letGo : new Set()
    this.#letGo = new Set()
    this.#partFrom = now
  }

  #tellWhereOften(): void {
    const { clock, log, hotBytesMax } = this.#parts
    const now = clock.monotonicNow()
    if (now - this.#countedFrom > OFTEN_MS) {
      this.#counted = 0
      this.#countedFrom = now
    }
    this.#counted++
    if (this.#counted < OFTEN || now < this.#quietUntil) return
    this.#quietUntil = now + TOLD_AGAIN_MS
    log.warn(
      { reloads: this.#total, hotBytesMax },
      `the registries in use take more than hotBytesMax (${hotBytesMax} bytes): ${this.#counted} were loaded again within ` +
        `${OFTEN_MS / 1_000} s, soon after they had been let go to make room, and commands wait for that; raise the setting, ` +
        'or the heap of Node (--max-old-space-size), of which it is a quarter by default',
    )
  }
}
