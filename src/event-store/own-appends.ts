/** The same store, with an eye on what this process appends: which events are its own. */
import type { AppendResult, EventAppender, EventStore, ExpectedRevision, NewEvent } from './event-store.ts'

/** Streams of which it is known how far they are our own, the newest half of them at least. */
const STREAMS_MAX = 10_000

export class OwnAppends {
  readonly store: EventStore
  readonly #told: (position: bigint, ms: number) => void
  /**
   * By stream: the last revision that this process sent. The older half goes as a whole: looking for the oldest of one map at each
   * append would walk over all places that were emptied since it was last laid out anew.
   */
  #sent = new Map<string, number>()
  #sentBefore = new Map<string, number>()

  /** `told` is called after each append that was acknowledged, with its position and how long that took. */
  constructor(store: EventStore, told: (position: bigint, ms: number) => void) {
    this.#told = told
    const { turn } = store
    this.store = {
      identity: () => store.identity(),
      head: (stream) => store.head(stream),
      end: () => store.end(),
      at: (position) => store.at(position),
      readStream: (stream, options) => store.readStream(stream, options),
      readAll: (options) => store.readAll(options),
      follow: (options) => store.follow(options),
      watch: (listener) => store.watch(listener),
      health: () => store.health(),
      close: () => store.close(),
      append: (...args) => this.#append(store, ...args),
      ...(turn === undefined
        ? {}
        : {
            turn: (fn) =>
              turn.call(store, (appender) =>
                fn({ append: (...args) => this.#append(appender, ...args) }),
              ) as ReturnType<typeof fn>,
          }),
    }
  }

  /** Whether this process wrote it, or wrote behind it: then it tells nothing of others' clocks. */
  isOwn(stream: string, revision: number): boolean {
    return (this.#sent.get(stream) ?? this.#sentBefore.get(stream) ?? -1) >= revision
  }

  async #append(
    appender: Pick<EventAppender, 'append'>,
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<AppendResult> {
    const last = (expected === 'no_stream' ? -1 : expected) + events.length
    this.#sent.set(stream, last)
    if (this.#sent.size >= STREAMS_MAX / 2) {
      this.#sentBefore = this.#sent
      this.#sent = new Map()
    }
    const sentAt = performance.now()
    const result = await appender.append(stream, expected, events)
    if (result.type === 'acknowledged') {
      this.#told(result.position, performance.now() - sentAt)
    }
    return result
  }
}
