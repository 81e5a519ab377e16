/**
 * The log in memory: the same contract as the durable adapters, for tests and for trying things out. Nothing survives the
 * process, so "acknowledged" promises nothing beyond it.
 */
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises'
import { randomSalts } from './event-codec.ts'
import {
  type Advance,
  type AppendResult,
  type EventAppender,
  type EventStore,
  type ExpectedRevision,
  type FollowItem,
  type FollowOptions,
  type Head,
  LogError,
  type LogHealth,
  type LogIdentity,
  type NewEvent,
  type ReadAllOptions,
  type ReadStreamOptions,
  type StoredEvent,
} from './event-store.ts'
import { assertAppendable, nextRevision } from './exported-line.ts'
import { AppendWakes, followPages, type LogPage } from './follow.ts'
import { identityOf, logOpened } from './log-identity.ts'
import { ADMIN_STREAM } from './stream-names.ts'

export interface MemoryStoreOptions {
  /** Open another store on the same log, as another process would; default a log of its own. */
  readonly log?: MemoryLog
  readonly now?: () => number
  readonly newLogId?: () => string
}

/** What several memory stores share. */
export interface MemoryLog {
  readonly all: StoredEvent[]
  readonly streams: Map<string, StoredEvent[]>
  readonly stores: Set<MemoryStore>
  readonly turns: MemoryTurns
}

interface MemoryTurns {
  /** Ends with the turn that was asked for last. */
  last: Promise<unknown>
  /** The one that goes on now: other stores' appends wait for its end. */
  now: { readonly of: MemoryStore; readonly ended: Promise<void> } | undefined
}

export function createMemoryLog(): MemoryLog {
  return { all: [], streams: new Map(), stores: new Set(), turns: { last: Promise.resolve(), now: undefined } }
}

export function openMemoryStore(options: MemoryStoreOptions = {}): EventStore {
  const { log = createMemoryLog(), now = Date.now, newLogId = randomUUID } = options
  if (!log.streams.has(ADMIN_STREAM)) {
    store(log, ADMIN_STREAM, 'no_stream', logOpened({ logId: newLogId(), timeline: 1 }, now(), randomSalts()))
  }
  return new MemoryStore(log, now)
}

const EVENTS_PER_PAGE = 1_024

class MemoryStore implements EventStore {
  readonly #log: MemoryLog
  readonly #now: () => number
  readonly #wakes = new AppendWakes()
  readonly #listeners = new Set<(advance: Advance) => void>()
  #closedAt: number | undefined
  readonly #sending = new Set<Promise<unknown>>()

  constructor(log: MemoryLog, now: () => number) {
    this.#log = log
    this.#now = now
    log.stores.add(this)
  }

  async append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    assertAppendable(stream, expected, events)
    if (this.#closedAt !== undefined) return { type: 'refused', reason: 'closed', message: CLOSED }
    const sending = this.#send(stream, expected, events)
    this.#sending.add(sending)
    const result = await sending
    this.#sending.delete(sending)
    return result
  }

  async #send(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    const { turns } = this.#log
    while (turns.now !== undefined && turns.now.of !== this) await turns.now.ended
    const before = this.#log.all.length
    const result = store(this.#log, stream, expected, events)
    if (this.#log.all.length > before && result.type === 'acknowledged') this.#tell(stream, result.revision)
    return result
  }

  /** Turns of all stores come one after another. */
  async turn<T>(fn: (appender: Pick<EventAppender, 'append'>) => Promise<T>): Promise<T> {
    this.#assertOpen()
    const { turns } = this.#log
    const mine = turns.last.then(() => this.#takeTurn(fn))
    const ended = mine.catch(() => undefined)
    turns.last = ended
    this.#sending.add(ended)
    await ended
    this.#sending.delete(ended)
    return await mine
  }

  async #takeTurn<T>(fn: (appender: Pick<EventAppender, 'append'>) => Promise<T>): Promise<T> {
    this.#assertOpen()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    this.#log.turns.now = { of: this, ended }
    try {
      return await fn(this)
    } finally {
      this.#log.turns.now = undefined
      end()
    }
  }

  async identity(): Promise<LogIdentity> {
    this.#assertOpen()
    return identityOf(this.#log.streams.get(ADMIN_STREAM)?.[0])
  }

  async head(stream: string): Promise<Head | undefined> {
    this.#assertOpen()
    const last = this.#log.streams.get(stream)?.at(-1)
    return last && { revision: last.revision, position: last.position, hash: last.hash }
  }

  async end(): Promise<bigint> {
    this.#assertOpen()
    return BigInt(this.#log.all.length)
  }

  async at(position: bigint): Promise<StoredEvent | undefined> {
    this.#assertOpen()
    return position < 1n ? undefined : this.#log.all[Number(position) - 1]
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncGenerator<StoredEvent, void, undefined> {
    this.#assertOpen()
    const { direction = 'forwards', limit = Number.POSITIVE_INFINITY, signal } = options
    const step = direction === 'forwards' ? 1 : -1
    let revision = options.from ?? (step === 1 ? 0 : Number.POSITIVE_INFINITY)
    if (step === 1) revision = Math.max(revision, 0)
    if (step === -1) revision = Math.min(revision, this.#lengthOf(stream) - 1)
    for (let given = 0; given < limit; given++, revision += step) {
      signal?.throwIfAborted()
      const event = this.#log.streams.get(stream)?.[revision]
      if (event === undefined) return
      yield event
      if ((given + 1) % EVENTS_PER_PAGE === 0) await nextTurnOfTheLoop()
      this.#assertOpen()
    }
  }

  async *readAll(options: ReadAllOptions = {}): AsyncGenerator<StoredEvent, void, undefined> {
    this.#assertOpen()
    const { limit = Number.POSITIVE_INFINITY, prefixes, signal } = options
    let after = options.after ?? 0n
    let given = 0
    for (;;) {
      const page = this.#page(after, prefixes)
      for (const event of page.events) {
        if (given === limit) return
        signal?.throwIfAborted()
        yield event
        given++
        this.#assertOpen()
      }
      if (page.isLast) return
      after = page.through
      await nextTurnOfTheLoop()
    }
  }

  follow(options: FollowOptions = {}): AsyncIterable<FollowItem> {
    this.#assertOpen()
    return followPages((after) => this.#page(after, options.prefixes), this.#wakes, options)
  }

  watch(listener: (advance: Advance) => void): () => void {
    const own = (advance: Advance) => listener(advance)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  health(): LogHealth {
    return this.#closedAt === undefined
      ? { status: 'ok' }
      : { status: 'closed', message: CLOSED, since: this.#closedAt }
  }

  async close(): Promise<void> {
    this.#closedAt ??= this.#now()
    this.#log.stores.delete(this)
    this.#listeners.clear()
    this.#wakes.end()
    await Promise.all(this.#sending)
  }

  #tell(stream: string, revision: number): void {
    for (const other of this.#log.stores) {
      other.#wakes.wake()
      if (other === this) continue
      for (const listener of other.#listeners) {
        queueMicrotask(() => {
          // Not after it was stopped.
          if (other.#listeners.has(listener)) listener({ type: 'appended', stream, revision })
        })
      }
    }
  }

  /** Positions are 1, 2, 3, ... and so the index of the event behind a position is the position. */
  #page(after: bigint, prefixes: readonly string[] | undefined): LogPage {
    const from = Number(after)
    const events = this.#log.all.slice(from, from + EVENTS_PER_PAGE)
    const through = after + BigInt(events.length)
    return {
      events: prefixes ? events.filter(({ stream }) => prefixes.some((prefix) => stream.startsWith(prefix))) : events,
      through,
      isLast: Number(through) >= this.#log.all.length,
    }
  }

  #lengthOf(stream: string): number {
    return this.#log.streams.get(stream)?.length ?? 0
  }

  #assertOpen(): void {
    if (this.#closedAt !== undefined) throw new LogError('log_closed', CLOSED)
  }
}

const CLOSED = 'The log in memory is closed.'

/** The whole rule of an append: exactly behind the expected revision, or already there, or a conflict. */
function store(log: MemoryLog, stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): AppendResult {
  const stored = log.streams.get(stream) ?? []
  const next = nextRevision(expected)
  if (next === stored.length) {
    for (const { id, hash, type, body, content } of events) {
      const position = BigInt(log.all.length + 1)
      const event: StoredEvent = { id, hash, type, body, content, stream, revision: stored.length, position }
      stored.push(event)
      log.all.push(event)
    }
    log.streams.set(stream, stored)
  } else if (!events.every(({ id }, index) => stored[next + index]?.id === id)) {
    const actual = stored.length === 0 ? 'no_stream' : stored.length - 1
    return { type: 'refused', reason: 'conflict', expected, actual }
  }
  const last = stored[next + events.length - 1]
  if (last === undefined) throw new Error(`'${stream}' has no event at ${next + events.length - 1} after an append.`)
  return { type: 'acknowledged', revision: last.revision, position: last.position }
}
