/**
 * The stream `admin` of a log: what operators said and did that is about no owner. Every node reads on there before it writes, so
 * that what it decides rests on all that was said before; folds are told each event once, in order.
 */
import { decodeLogEvent, encodeEvents, type SaltSource } from '../event-store/event-codec.ts'
import type { LogEvent, RecordedLogEvent } from '../event-store/log-events.ts'
import { logEventMetadata } from '../event-store/log-events.ts'
import { ADMIN_STREAM } from '../event-store/stream-names.ts'
import { type RandomSource, uuidV7 } from '../runtime/ids.ts'
import { appendResolved, type ResolvedAppendParts } from './resolved-append.ts'

export interface AdminStreamParts extends ResolvedAppendParts {
  readonly random: RandomSource
  readonly salts: SaltSource
  readonly conflictsMax: number
}

export interface AdminEntry {
  readonly event: LogEvent
  readonly commandType: string
  readonly actor: string
  readonly onBehalfOf?: string | undefined
  readonly commandId?: string | undefined
}

/** What is not on record, or of which nobody can say. */
export class NotRecorded extends Error {
  override readonly name = 'NotRecorded'
  readonly code = 'not_recorded'
}

type Fold = (recorded: RecordedLogEvent) => void

export class AdminStream {
  readonly #parts: AdminStreamParts
  readonly #folds: { readonly fold: Fold; revision: number }[] = []
  #revision = -1
  #hash = ''
  #turn: Promise<unknown> = Promise.resolve()
  readonly #listeners = new Set<() => void>()

  constructor(parts: AdminStreamParts) {
    this.#parts = parts
  }

  /** Tells every event from the first on, with the next read. */
  follow(fold: Fold): void {
    this.#folds.push({ fold, revision: -1 })
  }

  /** The folds know what stands in the log by now. Throws LogError and CodecError. */
  read(): Promise<void> {
    return this.#alone(() => this.#readOn())
  }

  /**
   * Puts on record what `decide` gives, which it is asked once the folds know all that stands there, and again when somebody else
   * was faster. Nothing is nothing. Throws NotRecorded, LogError, CodecError, and what `decide` throws.
   */
  write(decide: () => readonly AdminEntry[]): Promise<void> {
    return this.#alone(async () => {
      for (let tries = 0; tries < this.#parts.conflictsMax; tries++) {
        await this.#readOn()
        const entries = decide()
        if (entries.length === 0) return
        const result = await this.#append(entries)
        if (result.type === 'acknowledged') return this.#readOn()
        if (result.type === 'unknown' || result.reason !== 'conflict') throw new NotRecorded(result.message)
      }
      throw new NotRecorded(`others wrote to '${ADMIN_STREAM}' ${this.#parts.conflictsMax} times first: try again`)
    })
  }

  /** Calls the listener when another process may have said something. Returns the way to stop. */
  onOthers(listener: () => void): () => void {
    return this.#parts.store.watch((advance) => {
      if (advance.type === 'unsure' || advance.stream === ADMIN_STREAM) listener()
    })
  }

  /** The same, and also when this one has read on. */
  onMore(listener: () => void): () => void {
    const own = () => listener()
    const stop = this.onOthers(own)
    this.#listeners.add(own)
    return () => {
      stop()
      this.#listeners.delete(own)
    }
  }

  async #readOn(): Promise<void> {
    const before = this.#revision
    const from = Math.min(this.#revision, ...this.#folds.map(({ revision }) => revision)) + 1
    for await (const stored of this.#parts.store.readStream(ADMIN_STREAM, { from })) {
      const { revision, hash } = stored
      const recorded = decodeLogEvent(stored)
      for (const one of this.#folds) {
        if (one.revision >= revision) continue
        one.fold(recorded)
        one.revision = revision
      }
      this.#revision = revision
      this.#hash = hash
    }
    if (this.#revision > before) for (const listener of this.#listeners) listener()
  }

  #append(entries: readonly AdminEntry[]) {
    const { clock, random, salts } = this.#parts
    const at = Math.floor(clock.now())
    const events = entries.map(({ event, commandType, actor, onBehalfOf, commandId = uuidV7(at, random) }) => ({
      event,
      metadata: logEventMetadata(commandType, commandId, at, actor, onBehalfOf),
    }))
    const encoded = encodeEvents({
      stream: ADMIN_STREAM,
      expectedNextRevision: this.#revision + 1,
      previousHash: this.#hash,
      events,
      salts,
    })
    return appendResolved(this.#parts, ADMIN_STREAM, this.#revision, encoded)
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }
}
