import { encodeEvents, randomSalts } from '../../src/event-store/event-codec.ts'
import type { NewEvent } from '../../src/event-store/event-store.ts'
import { GENESIS_HASH } from '../../src/event-store/hash-chain.ts'
import { logEventMetadata } from '../../src/event-store/log-events.ts'

/** Well-formed events of one stream, each chained to the one before it. */
export class CursorEvents {
  readonly stream: string
  #revision = 0
  #hash = GENESIS_HASH

  constructor(stream: string) {
    this.stream = stream
  }

  next(count = 1, name = 'reader'): NewEvent[] {
    const events = encodeEvents({
      stream: this.stream,
      expectedNextRevision: this.#revision,
      previousHash: this.#hash,
      events: Array.from({ length: count }, (_, index) => ({
        event: { type: 'CursorMoved', facts: { name, sequence: this.#revision + index }, content: {} } as const,
        metadata: logEventMetadata('MoveCursor', `c-${this.#revision}`, 1_763_690_000_000),
      })),
      salts: randomSalts(),
    })
    this.#revision += count
    this.#hash = events.at(-1)?.hash ?? this.#hash
    return events
  }
}
