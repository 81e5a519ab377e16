/**
 * Those who wait for something to become known: any number for one key, each told exactly once. One that is lost (shutdown,
 * a registration rolled back) gets ChannelClosed, never an invented answer.
 */
import type { ChannelClosed } from '../runtime/channel-closed.ts'

export interface Waiter<V> {
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
      const abort = () => {
        this.leave(key, waiter)
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
      this.enter(key, waiter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** The same for whoever waits for many things at once, and leaves by itself. Throws ChannelClosed. */
  enter(key: K, waiter: Waiter<V>): void {
    if (this.#closed !== undefined) throw this.#closed
    const waiters = this.#waiting.get(key)
    if (waiters === undefined) this.#waiting.set(key, new Set([waiter]))
    else waiters.add(waiter)
    this.#size++
  }

  /** Nothing is told to it any more. Twice is once, also after it was told. */
  leave(key: K, waiter: Waiter<V>): void {
    const waiters = this.#waiting.get(key)
    if (waiters?.delete(waiter)) this.#size--
    if (waiters?.size === 0) this.#waiting.delete(key)
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
}

const NOBODY: ReadonlySet<never> = new Set()
