/** Those who follow and watch a log under test. */
import type { Advance, EventStore, FollowItem, StoredEvent } from './event-store.ts'

/** Somebody who follows, and what was given so far. */
export class Following {
  readonly items: FollowItem[] = []
  readonly #iterator: AsyncIterator<FollowItem>

  constructor(followed: AsyncIterable<FollowItem>) {
    this.#iterator = followed[Symbol.asyncIterator]()
  }

  get events(): StoredEvent[] {
    return this.items.flatMap((item) => (item.type === 'event' ? [item.event] : []))
  }

  /** Until so many events were given, and behind them a mark. */
  async untilCaughtUp(events: number): Promise<void> {
    for (let isMarked = false; this.events.length < events || !isMarked; ) {
      const { done, value } = await this.#iterator.next()
      if (done) throw new Error(`It ended after ${this.events.length} of ${events} events.`)
      this.items.push(value)
      isMarked = value.type === 'caught_up'
    }
  }

  async untilEnd(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#iterator.next()
      if (done) return
      this.items.push(value)
    }
  }

  /** Marks that stand before an event that they cover, or behind one that they don't. */
  misplacedMarks(): bigint[] {
    return this.items.flatMap((mark, index) => {
      if (mark.type !== 'caught_up') return []
      const isRight = this.items.every(
        (item, at) => item.type !== 'event' || item.event.position <= mark.position === at < index,
      )
      return isRight ? [] : [mark.position]
    })
  }

  async leave(): Promise<void> {
    await this.#iterator.return?.()
  }
}

/** What a watcher of a store was told of one stream; after `unsure` it looks for itself, as a watcher must. */
export class Told {
  readonly revisions: number[] = []
  readonly stop: () => void
  count = 0
  readonly #store: EventStore
  readonly #stream: string
  #wake: () => void = () => {}

  constructor(store: EventStore, stream: string) {
    this.#store = store
    this.#stream = stream
    this.stop = store.watch((advance) => this.#hear(advance))
  }

  async until(revision: number): Promise<void> {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      if ((this.revisions.at(-1) ?? -1) >= revision) return
      await woken
    }
  }

  #hear(advance: Advance): void {
    this.count++
    if (advance.type === 'unsure') {
      void this.#store.head(this.#stream).then((head) => head && this.#note(head.revision))
    } else if (advance.stream === this.#stream) {
      this.#note(advance.revision)
    }
  }

  #note(revision: number): void {
    this.revisions.push(revision)
    this.#wake()
  }
}
