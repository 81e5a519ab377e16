/**
 * Files and threads answer in real time, a clock that is moved by hand knows nothing of that: whoever moves it has to wait
 * until nothing is under way any more. Not for so long or for so many turns, but until everything was answered.
 */
import type { EmbeddedNode } from '../../src/app/embedded-node.ts'
import type { EventAppender } from '../../src/event-store/event-store.ts'
import { turns } from '../shell/support/nodes.ts'

export class RealWork {
  readonly #underWay = new Set<Promise<unknown>>()

  /** Looks on from here: whatever the node appends and asks goes through as it is. */
  constructor({ store, readSide }: Pick<EmbeddedNode, 'store' | 'readSide'>) {
    const { ask } = readSide
    readSide.ask = (question, parameters, options) =>
      this.#during(ask.call(readSide, question, parameters as never, options)) as never // as it was asked
    const { append, turn, readStream } = store
    store.readStream = (...args) => this.#reading(readStream.apply(store, args))
    const watched = (appender: EventAppender['append']): EventAppender['append'] => {
      return (...args) => this.#during(appender(...args))
    }
    store.append = watched((...args) => append.apply(store, args))
    if (turn === undefined) return
    store.turn = (work) => this.#during(turn.call(store, work)) as ReturnType<typeof work>
  }

  /** Ends once nothing is under way, what that led to included. */
  async settled(): Promise<void> {
    await turns(QUIET_TURNS)
    while (this.#underWay.size > 0) {
      await Promise.allSettled(this.#underWay)
      await turns(QUIET_TURNS)
    }
  }

  #reading<T>(read: AsyncIterable<T>): AsyncIterable<T> {
    const during = <R>(work: Promise<R>) => this.#during(work)
    return {
      [Symbol.asyncIterator]() {
        const items = read[Symbol.asyncIterator]()
        const leave = () => items.return?.() ?? Promise.resolve({ done: true as const, value: undefined })
        return { next: () => during(items.next()), return: () => during(leave()) }
      },
    }
  }

  #during<T>(work: Promise<T>): Promise<T> {
    const known: Promise<unknown> = work
      .catch(() => {})
      .finally(() => {
        this.#underWay.delete(known)
      })
    this.#underWay.add(known)
    return work
  }
}

/** From one answer to the next question, and from an append to those in this thread who follow the log. */
const QUIET_TURNS = 8
