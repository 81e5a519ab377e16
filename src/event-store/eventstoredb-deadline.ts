/** Time-outs of our own: the client has none for reads, and its promises may stay open for ever. */

export class OutOfTime extends Error {
  override readonly name = 'OutOfTime'
}

/** Rejects with OutOfTime after `ms`, or with the signal's reason; what it waited for is left to itself. */
export function within<T>(promise: Promise<T>, ms: number, doing: string, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      settle()
    }
    const timer = setTimeout(() => end(() => reject(new OutOfTime(`${doing}: no answer within ${ms} ms`))), ms)
    const abort = () => end(() => reject(signal?.reason))
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    promise.then(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error)),
    )
  })
}

/** Doubling waits with jitter: between half of the wait and all of it, so that many nodes do not come back at once. */
export class BackOff {
  readonly #firstMs: number
  readonly #maxMs: number
  readonly #random: () => number
  #nextMs: number

  constructor(firstMs: number, maxMs: number, random: () => number) {
    this.#firstMs = firstMs
    this.#maxMs = maxMs
    this.#random = random
    this.#nextMs = firstMs
  }

  reset(): void {
    this.#nextMs = this.#firstMs
  }

  /** Returns early when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = this.#nextMs * (0.5 + this.#random() / 2)
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs)
    await sleep(ms, signal)
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const wake = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    signal.addEventListener('abort', wake, { once: true })
  })
}
