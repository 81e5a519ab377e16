/**
 * What time it is for other nodes: the `at` of an event that another process wrote, read as word of it arrives. Now and then
 * one is enough, so a busy log costs no more than a quiet one.
 */
import { decodeEvent } from './event-codec.ts'
import type { EventReader } from './event-store.ts'
import { registryOfStream } from './stream-names.ts'

export interface LiveTime {
  /** What the event says. */
  readonly at: number
  /** This process's time when word of it came. */
  readonly arrivedAt: number
}

export interface OthersTimeParts {
  readonly store: Pick<EventReader, 'watch' | 'readStream'>
  readonly isOwn: (stream: string, revision: number) => boolean
  readonly now: () => number
}

/** Between two looks. */
const LOOK_MS_MIN = 5_000

export class OthersTime {
  readonly #parts: OthersTimeParts
  readonly #unwatch: () => void
  #live: LiveTime | undefined
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(parts: OthersTimeParts) {
    this.#parts = parts
    const { store, isOwn, now } = parts
    this.#unwatch = store.watch((advance) => {
      if (advance.type !== 'appended') return
      const { stream, revision } = advance
      const arrivedAt = now()
      if (Math.abs(arrivedAt - this.#lookedAt) < LOOK_MS_MIN) return
      if (registryOfStream(stream) === undefined || isOwn(stream, revision)) return
      this.#lookedAt = arrivedAt
      void this.#look(stream, revision, arrivedAt)
    })
  }

  /** Of the last event that was looked at. */
  get live(): LiveTime | undefined {
    return this.#live
  }

  /** Twice is once. */
  close(): void {
    this.#unwatch()
  }

  async #look(stream: string, from: number, arrivedAt: number): Promise<void> {
    try {
      for await (const stored of this.#parts.store.readStream(stream, { from, limit: 1 })) {
        this.#live = { at: decodeEvent(stored).metadata.at, arrivedAt }
      }
    } catch {
      // What can't be read tells no time; whoever has to read it says so.
    }
  }
}
