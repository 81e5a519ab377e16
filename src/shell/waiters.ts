/**
 * Those who wait for something to become known: any number for one key, each told exactly once. One that is lost (shutdown,
 * a registration rolled back) gets ChannelClosed, never an invented answer.
 */
import type { ChannelClosed } from '../runtime/channel-closed.ts'

interface Waiter<V> {
  readonly resolve: (value: V) => void
  readonly reject: (error: unknown) => void
}

export class Waiters<K, V> {
  readonly #waiting = new Map<K, Set<Waiter<V>>>()
  #size = 0
  #closed: ChannelClosed | undefined

  get size(): number {
    return this.#size
  }

  count(key: K): number {
    return this.#waiting.get(key)?.size ?? 0
  }

  /** The value that is told for this key next. Rejects with the signal's reason when that aborts first. */
  next(key: K, signal?: AbortSignal): Promise<V> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      if (this.#closed !== undefined) throw this.#closed
      const abort = () => {
        this.#leave(key, waiter)
        reject(signal?.reason)
      }
      const waiter: Waiter<V> = {
        resolve: (value) => {
          signal?.removeEventListener('abort', abort)
          resolve(value)
        },
        reject: (error) => {
          signal?.removeEventListener('abort', abort)
          reject(error)
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      let waiters = this.#waiting.get(key)
      if (waiters === undefined) {
        waiters = new Set()
        this.#waiting.set(key, waiters)
      }
      waiters.add(waiter)
      this.#size++
    })
  }

  tell(key: K, value: V): void {
    for (const waiter of this.#take(key)) waiter.resolve(value)
  }

  close(key: K, error: ChannelClosed): void {
    for (const waiter of this.#take(key)) waiter.reject(error)
  }

  /** All who wait, and all who come later. */
  closeAll(error: ChannelClosed): void {
    this.#closed ??= error
    for (const key of [...this.#waiting.keys()]) this.close(key, error)
  }

  #take(key: K): ReadonlySet<Waiter<V>> {
    const waiters = this.#waiting.get(key)
    if (waiters === undefined) return NOBODY
    this.#waiting.delete(key)
    this.#size -= waiters.size
    return waiters
  }

  #leave(key: K, waiter: Waiter<V>): void {
    const waiters = this.#waiting.get(key)
    if (waiters?.delete(waiter)) this.#size--
    if (waiters?.size === 0) this.#waiting.delete(key)
  }
}

const NOBODY: ReadonlySet<never> = new Set()
