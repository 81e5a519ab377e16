/** How far a place lies behind the end of the log, in events and in time: read from the log, whoever follows it. */
import type { EventReader, StoredEvent } from '../event-store/event-store.ts'

export interface LogLag {
  /** Events behind the place; counted up to LAG_EVENTS_MAX. */
  readonly events: number
  /** There are more than were counted. */
  readonly isMore: boolean
  /** For how long the first of them waits. */
  readonly ms: number
}

export const LAG_EVENTS_MAX = 10_000

/** What was counted stays good for so long; counting far behind the end reads many events. */
const KEPT_MS = 1_000

export class LogLags {
  readonly #reader: EventReader
  readonly #kept = new Map<bigint, { readonly lag: LogLag; readonly at: number }>()

  constructor(reader: EventReader) {
    this.#reader = reader
  }

  /** Counted up to `eventsMax`. Throws what the log throws. */
  async behind(
    position: bigint,
    { now, monotonicNow }: { readonly now: number; readonly monotonicNow: number },
    eventsMax: number = LAG_EVENTS_MAX,
  ): Promise<LogLag> {
    const kept = this.#kept.get(position)
    if (kept !== undefined && monotonicNow - kept.at < KEPT_MS) return kept.lag
    let first: StoredEvent | undefined
    let events = 0
    for await (const event of this.#reader.readAll({ after: position, limit: eventsMax + 1 })) {
      first ??= event
      events++
    }
    const ms = first === undefined ? 0 : Math.max(0, now - (atOf(first) ?? now))
    const lag = { events: Math.min(events, eventsMax), isMore: events > eventsMax, ms }
    // Only where counting was work: a place near the end moves on at once.
    this.#kept.clear()
    if (lag.isMore) this.#kept.set(position, { lag, at: monotonicNow })
    return lag
  }
}

/** The time in an event's metadata, which every event has, the log's own ones included. */
function atOf({ body }: StoredEvent): number | undefined {
  try {
    const { metadata } = JSON.parse(body) as { readonly metadata?: { readonly at?: unknown } }
    return typeof metadata?.at === 'number' ? metadata.at : undefined
  } catch {
    return undefined
  }
}
