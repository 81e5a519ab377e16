/**
 * Requests that prefer to wait: each until what it waits for is there, its time is over, its connection is gone or the server
 * ends; then it is answered with what is so. Bounded in number: beyond the bound nobody waits.
 */
export class LongPolls {
  readonly #max: number
  readonly #open = new Set<AbortController>()
  #isEnding = false

  constructor(max: number) {
    this.#max = max
  }

  get open(): number {
    return this.#open.size
  }

  /** Calls with a signal that aborts when waiting is over; undefined where the call is not to wait at all. */
  async during<T>(
    { waitMs, gone }: { readonly waitMs: number; readonly gone: AbortSignal },
    ask: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    if (waitMs === 0 || this.#isEnding || gone.aborted || this.#open.size >= this.#max) return ask(undefined)
    const over = new AbortController()
    const end = () => over.abort()
    const timer = setTimeout(end, waitMs)
    gone.addEventListener('abort', end, { once: true })
    this.#open.add(over)
    try {
      return await ask(over.signal)
    } finally {
      clearTimeout(timer)
      gone.removeEventListener('abort', end)
      this.#open.delete(over)
    }
  }

  /** Answers everybody who waits, and lets nobody wait any more. */
  end(): void {
    this.#isEnding = true
    for (const over of this.#open) over.abort()
  }
}
