/**
 * A stream of outcomes: what becomes known in one turn of the event loop is written at once, and it ends when all is told.
 *
 *     told -> gathered -> written, at the end of the turn -> ... -> all told, its time is over or the server ends: "closing"
 *                 '- not taken in time: "slow"
 */
import type { ServerResponse } from 'node:http'
import { OUTCOMES_CLOSING, OUTCOMES_SLOW, type WireOutcomeTold } from '../wire/outcome-wire.ts'
import { EventStream, frameOf, type StreamTimes } from './event-streams.ts'

const CLOSING = frameOf({ event: OUTCOMES_CLOSING, data: '{}' })
/** Of many outcomes that are known at once no more is held as text, for as long as the client takes it. */
const WRITE_CHARACTERS = 128 * 1024
const SLOW = frameOf({ event: OUTCOMES_SLOW, data: '{}' })

export class OutcomeStream {
  readonly #stream: EventStream
  readonly #onEnd: () => void
  /** What is to be written; outcomes become text when it is their turn. */
  #waiting: (string | WireOutcomeTold)[] = []
  /** Outcomes that are not told yet. */
  #left: number
  #isWriting = false
  #isClosing = false
  #hasEnded = false

  /** Calls when nothing more is taken: once, and when its client is gone as well. */
  constructor(response: ServerResponse, count: number, times: StreamTimes, onEnd: () => void) {
    this.#stream = new EventStream(response, times)
    this.#left = count
    this.#onEnd = onEnd
    response.once('close', () => this.#end())
    if (response.destroyed) this.close()
  }

  /** What is none of the outcomes. */
  say(frame: string): void {
    this.#write(frame)
  }

  /** One outcome, or why there is none. */
  tell(told: WireOutcomeTold): void {
    this.#left--
    this.#write(told)
  }

  /** Ends it when what was told is written. */
  close(): void {
    this.#isClosing = true
    this.#write('')
  }

  #write(one: string | WireOutcomeTold): void {
    if (this.#hasEnded) return
    this.#waiting.push(one)
    if (this.#isWriting) return
    this.#isWriting = true
    setImmediate(() => void this.#writeAll())
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#hasEnded) {
      const text = this.#next()
      if (this.#waiting.length === 0 && (this.#left === 0 || this.#isClosing)) {
        this.#end()
        this.#stream.end(text + CLOSING)
      } else if (!(await this.#stream.write(text)) && !this.#hasEnded) {
        this.#end()
        this.#stream.end(SLOW)
      }
    }
    this.#isWriting = false
  }

  #next(): string {
    let text = ''
    let count = 0
    for (const one of this.#waiting) {
      text += typeof one === 'string' ? one : `data: ${JSON.stringify(one)}\n\n`
      count++
      if (text.length >= WRITE_CHARACTERS) break
    }
    this.#waiting = this.#waiting.slice(count)
    return text
  }

  #end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#onEnd()
  }
}

/** Operations whose outcomes are waited for in streams, and how many there may be. */
export class WaitedOutcomes {
  readonly #max: number
  #open = 0

  constructor(max: number) {
    this.#max = max
  }

  get open(): number {
    return this.#open
  }

  hasRoomFor(count: number): boolean {
    return this.#open + count <= this.#max
  }

  async during<T>(count: number, waiting: () => Promise<T>): Promise<T> {
    this.#open += count
    try {
      return await waiting()
    } finally {
      this.#open -= count
    }
  }
}
