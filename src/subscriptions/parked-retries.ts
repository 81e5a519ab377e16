/** Going on with parked streams: tried again by itself a bounded number of times, ever more seldom, then only when asked. */
import type { LogItem, Projector } from '../../projections/projector.ts'
import type { ParkedStream } from '../../projections/read-database.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { LogItems } from './log-items.ts'
import { retryDelayMs } from './retry-delay.ts'

/** Events of a parked stream that are folded at once. */
const RESUME_EVENTS = 1_000
const RETRY_MS_MAX = 60 * 60_000

export interface ParkedRetriesOptions {
  readonly triesMax: number
  readonly firstMs: number
  /** From 0 to 1, for jitter. */
  readonly random: () => number
}

export class ParkedRetries {
  readonly #options: ParkedRetriesOptions
  /** By projection and stream: when it is tried next, by a clock that never steps back. */
  readonly #dueAt = new Map<string, { readonly tries: number; readonly at: number }>()

  constructor(options: ParkedRetriesOptions) {
    this.#options = options
  }

  /** Streams whose time has come. */
  due(projector: Projector, monotonicNow: number): readonly ParkedStream[] {
    const { triesMax, firstMs, random } = this.#options
    return projector.parked.filter(({ stream, tries }) => {
      if (tries >= triesMax) return false
      const name = `${projector.projection.name}\u0000${stream}`
      const planned = this.#dueAt.get(name)
      if (planned?.tries === tries) return monotonicNow >= planned.at
      this.#dueAt.set(name, { tries, at: monotonicNow + retryDelayMs(tries, firstMs, RETRY_MS_MAX, random()) })
      return false
    })
  }

  /** Nothing of what was planned counts any more. */
  forget(): void {
    this.#dueAt.clear()
  }
}

/** Goes on with a parked stream up to the projector's checkpoint, which must not move meanwhile. True when it is followed again. */
export async function resumeParked(
  projector: Projector,
  stream: string,
  reader: EventReader,
  now: () => number,
  signal: AbortSignal,
): Promise<boolean> {
  for (;;) {
    const parked = projector.parked.find((one) => one.stream === stream)
    if (parked === undefined) return true
    const decoding = new LogItems()
    const items: LogItem[] = []
    let isWhole = true
    for await (const stored of reader.readStream(stream, { from: parked.revision, signal })) {
      if (stored.position > projector.checkpoint.position) break
      if (items.length === RESUME_EVENTS) {
        isWhole = false
        break
      }
      const item = decoding.of(stored)
      if (item !== undefined) items.push(item)
    }
    const isFollowed = projector.resume(stream, items, isWhole, now())
    const isStuck = projector.parked.some((one) => one.stream === stream && one.tries > parked.tries)
    if (isFollowed || isStuck) return isFollowed
  }
}
