/**
 * Following a log: history page by page, then live, woken by appends. The same for every adapter that can read a page
 * after a position and can tell when there is more.
 *
 *     ticket -> page -> events out -> page after page ... -> nothing more -> caught_up -> wait for a newer ticket
 *
 * The ticket is drawn before the page is read: an append that lands between the two makes the wait end at once, so no
 * wake-up is lost.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises'
import type { FollowItem, FollowOptions, StoredEvent } from './event-store.ts'

export interface LogPage {
  /** The wanted ones of those looked at, in order. */
  readonly events: readonly StoredEvent[]
  /** Everything up to here was looked at. */
  readonly through: bigint
  /** Nothing more stands behind it now. */
  readonly isLast: boolean
}

/**
 * Ends when the signal aborts, the iteration is left (also while it waits for the next event), or the wakes are ended.
 * Throws what reading a page throws.
 */
export function followPages(
  readPage: (after: bigint) => LogPage | Promise<LogPage>,
  wakes: AppendWakes,
  { after = 0n, signal }: FollowOptions,
): AsyncIterable<FollowItem> {
  return {
    [Symbol.asyncIterator]() {
      const left = new AbortController()
      const leave = () => left.abort()
      signal?.addEventListener('abort', leave, { once: true })
      if (signal?.aborted) leave()
      const items = follow(readPage, wakes, after, left.signal)
      return {
        next: () => items.next(),
        // A generator that waits does not hear its own return(): the wait must end first.
        return: () => {
          leave()
          signal?.removeEventListener('abort', leave)
          return items.return()
        },
      }
    },
  }
}

async function* follow(
  readPage: (after: bigint) => LogPage | Promise<LogPage>,
  wakes: AppendWakes,
  after: bigint,
  signal: AbortSignal,
): AsyncGenerator<FollowItem, void, undefined> {
  let at = after
  let told: bigint | undefined
  while (!signal.aborted && !wakes.ended) {
    const ticket = wakes.ticket
    const page = await readPage(at)
    for (const event of page.events) {
      yield { type: 'event', event }
      if (signal.aborted) return
    }
    at = page.through
    if (!page.isLast) {
      await nextTurnOfTheLoop()
    } else {
      if (told !== at) {
        told = at
        yield { type: 'caught_up', position: at }
      }
      await wakes.waitBeyond(ticket, signal)
    }
  }
}

/** Counts appends, and wakes those who wait for the next one. */
export class AppendWakes {
  /** Somebody waits, where nobody did. */
  onAwaited: () => void = () => {}
  #ticket = 0
  #ended = false
  readonly #waiting = new Set<() => void>()

  get ticket(): number {
    return this.#ticket
  }

  get ended(): boolean {
    return this.#ended
  }

  get isAwaited(): boolean {
    return this.#waiting.size > 0
  }

  wake(): void {
    this.#ticket++
    for (const resume of this.#waiting) resume()
    this.#waiting.clear()
  }

  /** Nobody waits any more, now or later. */
  end(): void {
    this.#ended = true
    this.wake()
  }

  /** Returns once there was a wake-up after the ticket was drawn, or the signal aborted, or it was ended. */
  waitBeyond(ticket: number, signal: AbortSignal): Promise<void> {
    if (this.#ended || this.#ticket !== ticket || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const resume = () => {
        signal.removeEventListener('abort', resume)
        this.#waiting.delete(resume)
        resolve()
      }
      this.#waiting.add(resume)
      if (this.#waiting.size === 1) this.onAwaited()
      signal.addEventListener('abort', resume, { once: true })
    })
  }
}
