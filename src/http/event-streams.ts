/**
 * Server-sent events: one response that is written for as long as its client takes it. Nothing is kept for a client beyond what
 * its connection takes; one that takes nothing is told where it was and let go.
 *
 *     event -> written -> taken -> next ...     nothing happens: a comment, every now and then
 *                '- not taken in time: "slow", with the place to go on from, end
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'

export interface StreamTimes {
  readonly pingMs: number
  readonly slowMs: number
}

/** How long what was written last may take to arrive before the connection is cut. */
const LAST_WORDS_MS = 5_000
/** Clients that come together are not pinged together. */
const PING_JITTER = 0.25

/** At least so often something is written. */
export function pingMsMax(pingMs: number): number {
  return Math.ceil(pingMs * (1 + PING_JITTER))
}

/** Of every stream. */
export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // Known to nginx and others: nothing is to be gathered on the way.
  'x-accel-buffering': 'no',
}

/** Streams that are open, and how many there may be. */
export class EventStreams {
  readonly #max: number
  #open = 0

  constructor(max: number) {
    this.#max = max
  }

  get open(): number {
    return this.#open
  }

  get isFull(): boolean {
    return this.#open >= this.#max
  }

  async during<T>(streaming: () => Promise<T>): Promise<T> {
    this.#open++
    try {
      return await streaming()
    } finally {
      this.#open--
    }
  }
}

export class EventStream {
  readonly #response: ServerResponse
  readonly #times: StreamTimes
  readonly #stopPinging: () => void

  constructor(response: ServerResponse, times: StreamTimes) {
    this.#response = response
    this.#times = times
    const pingMs = times.pingMs * (1 - PING_JITTER + 2 * PING_JITTER * Math.random())
    const timer = setInterval(() => {
      if (!response.writableNeedDrain) response.write(': ping\n\n')
    }, pingMs)
    this.#stopPinging = () => clearInterval(timer)
    response.on('error', this.#stopPinging).on('close', this.#stopPinging)
  }

  /** Whether the client takes more. False when it is gone or too slow: then nothing more is to be written but the last words. */
  async write(frame: string): Promise<boolean> {
    const response = this.#response
    if (response.destroyed || response.writableEnded) return false
    if (response.write(frame)) return true
    const slow = new AbortController()
    const timer = setTimeout(() => slow.abort(), this.#times.slowMs)
    const gone = () => slow.abort()
    response.once('close', gone)
    try {
      await once(response, 'drain', { signal: slow.signal })
      return true
    } catch {
      return false
    } finally {
      clearTimeout(timer)
      response.off('close', gone)
    }
  }

  /** Says a last word, and closes; a client that does not take it is cut off. */
  end(frame: string): void {
    this.#stopPinging()
    const response = this.#response
    if (response.destroyed || response.writableEnded) return
    const cut = setTimeout(() => response.destroy(), LAST_WORDS_MS)
    cut.unref()
    response.once('close', () => clearTimeout(cut))
    response.end(frame)
  }
}

/** As the standard has it; a text of several lines is several `data:` lines. */
export function frameOf({
  id,
  event,
  data,
}: {
  readonly id?: string
  readonly event?: string
  readonly data: string
}): string {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`
  return `${head}data: ${data.replaceAll('\n', '\ndata: ')}\n\n`
}
