/**
 * An immutable first-in-first-out queue whose items keep a place (0, 1, 2 ...) for as long as they are in it: what is
 * remembered in order and forgotten from the front (retained operations, feed rows, tombstones, command ids, ended waits).
 */
import { type Edit, PersistentMap } from './persistent-map.ts'

export class PersistentQueue<V> {
  /** The place of the oldest item. */
  readonly first: number
  /** The place that the next item takes. */
  readonly next: number
  readonly #items: PersistentMap<number, V>

  private constructor(first: number, next: number, items: PersistentMap<number, V>) {
    this.first = first
    this.next = next
    this.#items = items
  }

  static empty<V>(): PersistentQueue<V> {
    return new PersistentQueue<V>(0, 0, PersistentMap.empty())
  }

  get size(): number {
    return this.next - this.first
  }

  at(place: number): V | undefined {
    return this.#items.get(place)
  }

  peek(): V | undefined {
    return this.size === 0 ? undefined : this.#items.get(this.first)
  }

  push(item: V, edit?: Edit): PersistentQueue<V> {
    return new PersistentQueue(this.first, this.next + 1, this.#items.set(this.next, item, edit))
  }

  /** Without the oldest item; the same queue when there is none. */
  shift(edit?: Edit): PersistentQueue<V> {
    if (this.size === 0) return this
    return new PersistentQueue(this.first + 1, this.next, this.#items.delete(this.first, edit))
  }

  /** From a place on (the oldest, by default), oldest first. */
  *from(place: number = this.first): IterableIterator<V> {
    for (let at = Math.max(place, this.first); at < this.next; at++) yield this.#items.get(at) as V
  }

  [Symbol.iterator](): IterableIterator<V> {
    return this.from()
  }
}
