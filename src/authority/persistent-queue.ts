/**
 * An immutable first-in-first-out queue whose items keep a place (0, 1, 2 ...) for as long as they are in it: what is
 * remembered in order and forgotten from the front (retained operations, feed rows, tombstones, command ids, ended waits).
 *
 * Items lie in chunks; only the last chunk is copied by a push, and forgetting an item moves a number. A chunk goes when all
 * of its items are forgotten, so an item may be held for up to a chunk's length longer than it is in the queue.
 */
import { type Edit, PersistentMap } from './persistent-map.ts'

const CHUNK = 32

export class PersistentQueue<V> {
  /** The place of the oldest item. */
  readonly first: number
  /** The place that the next item takes. */
  readonly next: number
  /** Full chunks, by place / CHUNK. */
  readonly #chunks: PersistentMap<number, readonly V[]>
  /** The chunk that `next` falls into; shorter than CHUNK. */
  readonly #tail: readonly V[]

  private constructor(first: number, next: number, chunks: PersistentMap<number, readonly V[]>, tail: readonly V[]) {
    this.first = first
    this.next = next
    this.#chunks = chunks
    this.#tail = tail
  }

  static empty<V>(): PersistentQueue<V> {
    return new PersistentQueue<V>(0, 0, PersistentMap.empty(), [])
  }

  get size(): number {
    return this.next - this.first
  }

  at(place: number): V | undefined {
    if (place < this.first) return undefined
    // Behind the newest item the tail has nothing, nor is there another chunk.
    const chunk = Math.floor(place / CHUNK)
    const items = chunk === Math.floor(this.next / CHUNK) ? this.#tail : this.#chunks.get(chunk)
    return items?.[place % CHUNK]
  }

  peek(): V | undefined {
    return this.at(this.first)
  }

  push(item: V, edit?: Edit): PersistentQueue<V> {
    const tail = [...this.#tail, item]
    if (tail.length < CHUNK) return new PersistentQueue(this.first, this.next + 1, this.#chunks, tail)
    const chunks = this.#chunks.set(Math.floor(this.next / CHUNK), tail, edit)
    return new PersistentQueue<V>(this.first, this.next + 1, chunks, [])
  }

  /** Without the oldest item; the same queue when there is none. */
  shift(edit?: Edit): PersistentQueue<V> {
    if (this.size === 0) return this
    const first = this.first + 1
    const chunks = first % CHUNK === 0 ? this.#chunks.delete(first / CHUNK - 1, edit) : this.#chunks
    return new PersistentQueue(first, this.next, chunks, this.#tail)
  }

  /** From a place on (the oldest, by default), oldest first. */
  *from(place: number = this.first): IterableIterator<V> {
    for (let at = Math.max(place, this.first); at < this.next; at++) yield this.at(at) as V
  }

  [Symbol.iterator](): IterableIterator<V> {
    return this.from()
  }
}
