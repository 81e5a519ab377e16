/**
 * The end of the log in memory, decoded once for all who read it: one follower fills it, every reader takes from it by its own
 * place. Nobody is buffered for: who is further behind than what is held here reads from the log again.
 *
 *     log -> follow -> [ ring: the newest events ] -> readers, each at its place
 *                        '- what falls out at this end stands in the log
 */
import type { EventReader } from '../event-store/event-store.ts'
import { REGISTRY_PREFIX } from '../event-store/stream-names.ts'
import type { LiveEntries, LiveEntry } from './live-entry.ts'

export interface TailBounds {
  readonly eventsMax: number
  readonly bytesMax: number
}

/** So many events come before those who wait are woken, where more are at hand. */
const EVENTS_PER_WAKE = 256

export class LiveTail {
  readonly #reader: EventReader
  readonly #entries: LiveEntries
  readonly #bounds: TailBounds
  readonly #stopping = new AbortController()
  readonly #waiting = new Set<() => void>()
  #ring: LiveEntry[] = []
  #bytes = 0
  #ticket = 0
  /** Everything behind this place, up to `#through`, is in the ring. */
  #from: bigint
  #through: bigint
  #failure: { readonly error: unknown } | undefined
  #isEnded = false

  private constructor(reader: EventReader, entries: LiveEntries, bounds: TailBounds, from: bigint) {
    this.#reader = reader
    this.#entries = entries
    this.#bounds = bounds
    this.#from = from
    this.#through = from
    void this.#follow()
  }

  /** From the end of the log as it is now. */
  static async open(reader: EventReader, entries: LiveEntries, bounds: TailBounds): Promise<LiveTail> {
    return new LiveTail(reader, entries, bounds, await reader.end())
  }

  get from(): bigint {
    return this.#from
  }

  get through(): bigint {
    return this.#through
  }

  /** The log was closed: nothing comes any more. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** What stands behind the place, so many at most; undefined where that is no longer held. Throws what following threw. */
  after(position: bigint, eventsMax: number): readonly LiveEntry[] | undefined {
    if (this.#failure !== undefined) throw this.#failure.error
    if (position < this.#from) return undefined
    const start = this.#placeAfter(position)
    return this.#ring.slice(start, start + eventsMax)
  }

  /** Drawn before looking: what comes between that and the waiting ends the wait at once. */
  get ticket(): number {
    return this.#ticket
  }

  /** Ends when something moved since the ticket was drawn, when it failed or ended, or when the signal aborts. */
  moved(ticket: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#ticket !== ticket) return Promise.resolve()
    return new Promise((resolve) => {
      const resume = () => {
        signal.removeEventListener('abort', resume)
        this.#waiting.delete(resume)
        resolve()
      }
      this.#waiting.add(resume)
      signal.addEventListener('abort', resume, { once: true })
    })
  }

  /** Twice is once. */
  stop(): void {
    this.#stopping.abort()
  }

  async #follow(): Promise<void> {
    let sinceWake = 0
    try {
      const items = this.#reader.follow({
        after: this.#from,
        prefixes: [REGISTRY_PREFIX],
        signal: this.#stopping.signal,
      })
      for await (const item of items) {
        if (item.type === 'event') {
          const entry = this.#entries.of(item.event)
          if (entry !== undefined) this.#hold(entry)
          this.#through = item.event.position
          if (++sinceWake < EVENTS_PER_WAKE) continue
        } else this.#through = item.position
        sinceWake = 0
        this.#wake()
      }
      this.#isEnded = true
    } catch (error) {
      this.#failure = { error }
    }
    this.#wake()
  }

  #hold(entry: LiveEntry): void {
    const { eventsMax, bytesMax } = this.#bounds
    this.#ring.push(entry)
    this.#bytes += entry.bytes
    // Twice as many as are kept before they are let go together: one move of the rest instead of one per event.
    if (this.#ring.length < 2 * eventsMax && this.#bytes < 2 * bytesMax) return
    let dropped = 0
    while (dropped < this.#ring.length && (this.#ring.length - dropped > eventsMax || this.#bytes > bytesMax)) {
      const oldest = this.#ring[dropped++] as LiveEntry
      this.#bytes -= oldest.bytes
      this.#from = oldest.position
    }
    this.#ring = this.#ring.slice(dropped)
  }

  /** Of the first one behind the position; the ring is in the order of positions. */
  #placeAfter(position: bigint): number {
    let low = 0
    let high = this.#ring.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ring[middle] as LiveEntry).position <= position) low = middle + 1
      else high = middle
    }
    return low
  }

  #wake(): void {
    this.#ticket++
    for (const resume of [...this.#waiting]) resume()
  }
}
