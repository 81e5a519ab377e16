/**
 * Reads the head of a stream for everybody who asks: a read that began after the question. One runs, one is promised to all
 * who ask meanwhile.
 */
import type { EventReader } from '../event-store/event-store.ts'

export class HeadReader {
  readonly #read: () => Promise<number>
  #running: Promise<number> | undefined
  #next: Promise<number> | undefined

  constructor(reader: EventReader, stream: string) {
    this.#read = async () => (await reader.head(stream))?.revision ?? -1
  }

  /** The revision of the last event, -1 for none, by a read that begins after this call. Throws LogError. */
  revision(): Promise<number> {
    if (this.#running === undefined) return this.#start()
    this.#next ??= this.#running.then(
      () => this.#startNext(),
      () => this.#startNext(),
    )
    return this.#next
  }

  #startNext(): Promise<number> {
    this.#next = undefined
    return this.#start()
  }

  #start(): Promise<number> {
    const running = this.#read()
    this.#running = running
    const done = () => {
      if (this.#running === running) this.#running = undefined
    }
    running.then(done, done)
    return running
  }
}
