/**
 * The log on EventStoreDB (23.10 or later) or KurrentDB, over `@eventstore/db-client` 6.2.1. Several nodes may stand on
 * one server; what each writes, the others see within milliseconds.
 *
 *     append ----> appends ----> client of the writer  --+
 *     read, head -> reads -----> client of the readers --+--> leader
 *     watch, follow <-- notices <-- client of the subscription --> any node
 *         follow reads page after page, as on every other store; notices only wake it
 *
 * Appends have a client of their own, so that a read that moves its client to another node takes no append with it.
 */
import { randomUUID } from 'node:crypto'
import { randomSalts } from './event-codec.ts'
import {
  type Advance,
  type AppendResult,
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
import { withoutPassword } from './eventstoredb-address.ts'
import { Appends } from './eventstoredb-appends.ts'
import { Connection } from './eventstoredb-connection.ts'
import { BackOff } from './eventstoredb-deadline.ts'
import { openingError } from './eventstoredb-errors.ts'
import { Notices } from './eventstoredb-notices.ts'
import { assertServer, identify } from './eventstoredb-opening.ts'
import { Reads } from './eventstoredb-reads.ts'
import { assertAppendable } from './exported-line.ts'
import { AppendWakes, followPages, type LogPage } from './follow.ts'
import { logOpened } from './log-identity.ts'

export interface EventStoreDbOptions {
  /** `esdb://...` or `esdb+discover://...`, see eventstoredb-address.ts. */
  readonly connectionString: string
  /** An append without an answer for so long is unknown; a read looks for a node that answers for so long. */
  readonly appendDeadlineMs?: number
  /** A server that takes longer for its version, or for a subscription, does not answer. */
  readonly openDeadlineMs?: number
  /** Between two tries of a lost subscription, doubling up to the maximum. */
  readonly backOffMs?: number
  readonly backOffMsMax?: number
  /** How often the leader is asked whether notices are missing. */
  readonly signOfLifeMs?: number
  /** Refuses (LogError `log_missing`) to begin a log on a server that has none. */
  readonly mustExist?: boolean
  readonly now?: () => number
  /** From 0 to 1, for jitter. */
  readonly random?: () => number
  readonly newLogId?: () => string
}

/**
 * Throws LogError for an address that can't be used, a server that does not answer, refuses this user, has the wrong TLS,
 * is too old, or holds something else where the log should begin.
 */
export async function openEventStoreDb(options: EventStoreDbOptions): Promise<EventStore> {
  const { connectionString, appendDeadlineMs = 5_000, openDeadlineMs = 5_000 } = options
  const { now = Date.now, random = Math.random, newLogId = randomUUID } = options
  const connections = ['append', 'read', 'notice'].map(() => new Connection(connectionString))
  const [forAppends, forReads, forNotices] = connections as [Connection, Connection, Connection] // made one line above
  const closing = new AbortController()
  const reads = new Reads({
    connection: forReads,
    idleMs: appendDeadlineMs,
    patienceMs: appendDeadlineMs,
    random,
    closing: closing.signal,
  })
  const appends = new Appends({ connection: forAppends, reads, deadlineMs: appendDeadlineMs })
  const wakes = new AppendWakes()
  const listeners = new Set<(advance: Advance) => void>()
  const notices = new Notices({
    connection: forNotices,
    reads,
    confirmMs: openDeadlineMs,
    backOffMs: options.backOffMs ?? 1_000,
    backOffMsMax: options.backOffMsMax ?? 30_000,
    signOfLifeMs: options.signOfLifeMs ?? 10_000,
    random,
    now,
    closing: closing.signal,
    tell: (advance) => {
      for (const listener of listeners) listener(advance)
    },
    wake: () => wakes.wake(),
  })
  try {
    await assertServer(forReads, connectionString, openDeadlineMs)
    const identity = await identify(appends, reads, () => {
      if (options.mustExist)
        throw new LogError('log_missing', `there is no log at ${withoutPassword(connectionString)}`)
      return logOpened({ logId: newLogId(), timeline: 1 }, now(), randomSalts())
    })
    await notices.start(await reads.end())
    return new EventStoreDb({ identity, appends, reads, notices, wakes, listeners, closing, connections, now, random })
  } catch (error) {
    closing.abort(closed())
    await Promise.all(connections.map((connection) => connection.close()))
    throw openingError(error, connectionString)
  }
}

const FOLLOW_RETRY_MS = 1_000
const FOLLOW_RETRY_MS_MAX = 30_000

interface Parts {
  readonly identity: LogIdentity
  readonly appends: Appends
  readonly reads: Reads
  readonly notices: Notices
  readonly wakes: AppendWakes
  readonly listeners: Set<(advance: Advance) => void>
  readonly closing: AbortController
  readonly connections: readonly Connection[]
  readonly now: () => number
  readonly random: () => number
}

class EventStoreDb implements EventStore {
  readonly #parts: Parts
  #closedAt: number | undefined
  #closed: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    assertAppendable(stream, expected, events)
    if (this.#closedAt !== undefined) return { type: 'refused', reason: 'closed', message: CLOSED }
    return await this.#parts.appends.append(stream, expected, events)
  }

  async identity(): Promise<LogIdentity> {
    this.#assertOpen()
    return this.#parts.identity
  }

  async head(stream: string): Promise<Head | undefined> {
    this.#assertOpen()
    const { events } = await this.#parts.reads.stream(stream, 'backwards', undefined, 1)
    const [last] = events
    return last && { revision: last.revision, position: last.position, hash: last.hash }
  }

  async end(): Promise<bigint> {
    this.#assertOpen()
    return (await this.#parts.reads.end()) ?? 0n
  }

  async at(position: bigint): Promise<StoredEvent | undefined> {
    this.#assertOpen()
    return await this.#parts.reads.at(position)
  }

  async *readStream(stream: string, options: ReadStreamOptions = {}): AsyncGenerator<StoredEvent, void, undefined> {
    const { direction = 'forwards', limit = Number.POSITIVE_INFINITY, signal } = options
    const step = direction === 'forwards' ? 1 : -1
    let from = step === 1 ? Math.max(options.from ?? 0, 0) : options.from
    let given = 0
    while (given < limit && isRevision(from, step)) {
      this.#assertOpen(signal)
      // Beyond 2^53 backwards is the end; the server takes any revision up to 2^64 and begins with the last event.
      const page = await this.#parts.reads.stream(stream, direction, from, limit - given, signal)
      for (const event of page.events) {
        given++
        yield event
        this.#assertOpen(signal)
        from = event.revision + step
      }
      if (page.isLast) return
    }
  }

  async *readAll(options: ReadAllOptions = {}): AsyncGenerator<StoredEvent, void, undefined> {
    const { prefixes, limit = Number.POSITIVE_INFINITY, signal } = options
    let { after } = options
    for (let given = 0; given < limit; ) {
      this.#assertOpen(signal)
      const page = await this.#parts.reads.all(after, prefixes, signal)
      for (const event of page.events) {
        if (given === limit) return
        given++
        yield event
        this.#assertOpen(signal)
      }
      if (page.isLast) return
      after = page.through
    }
  }

  follow(options: FollowOptions = {}): AsyncIterable<FollowItem> {
    this.#assertOpen()
    return {
      [Symbol.asyncIterator]: () => {
        // A reader that leaves while a page is on its way must not wait for it.
        const left = new AbortController()
        const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal
        const ended = AbortSignal.any([signal, this.#parts.closing.signal])
        const pages = this.#pages(options.prefixes, ended)
        const iterator = followPages(pages, this.#parts.wakes, { ...options, signal })[Symbol.asyncIterator]()
        return {
          async next() {
            try {
              return await iterator.next()
            } catch (error) {
              if (ended.aborted) return { done: true, value: undefined }
              throw error
            }
          },
          async return() {
            left.abort()
            await iterator.return?.()
            return { done: true, value: undefined }
          },
        }
      },
    }
  }

  watch(listener: (advance: Advance) => void): () => void {
    const { listeners } = this.#parts
    const own = (advance: Advance) => listener(advance)
    if (this.#closedAt === undefined) listeners.add(own)
    return () => listeners.delete(own)
  }

  health(): LogHealth {
    return this.#closedAt === undefined
      ? this.#parts.notices.health
      : { status: 'closed', message: CLOSED, since: this.#closedAt }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /**
   * Pages for a follower: none is asked for that the notices know to be empty, and an outage is waited through. Throws once
   * the follower has ended: an empty page would say that it has caught up.
   */
  #pages(prefixes: readonly string[] | undefined, ended: AbortSignal): (after: bigint) => Promise<LogPage> {
    const { reads, notices, wakes, random } = this.#parts
    const backOff = new BackOff(FOLLOW_RETRY_MS, FOLLOW_RETRY_MS_MAX, random)
    let looked: number | undefined
    return async (after) => {
      for (;;) {
        ended.throwIfAborted()
        const { looks } = notices
        if (looked === looks && after >= notices.position) return { events: [], through: after, isLast: true }
        try {
          const page = await reads.all(after, prefixes, ended)
          if (page.isLast) looked = looks
          backOff.reset()
          return page
        } catch (error) {
          ended.throwIfAborted()
          if (!(error instanceof LogError && error.code === 'log_unavailable')) throw error
        }
        // A subscription that comes back tells of it sooner.
        await Promise.race([backOff.wait(ended), wakes.waitBeyond(wakes.ticket, ended)])
      }
    }
  }

  #assertOpen(signal?: AbortSignal): void {
    signal?.throwIfAborted()
    if (this.#closedAt !== undefined) throw closed()
  }

  async #close(): Promise<void> {
    const { appends, closing, connections, listeners, now, wakes } = this.#parts
    this.#closedAt = now()
    listeners.clear()
    await appends.settled()
    closing.abort(closed())
    wakes.end()
    await Promise.all(connections.map((connection) => connection.close()))
  }
}

const CLOSED = 'The log is closed.'

function closed(): LogError {
  return new LogError('log_closed', CLOSED)
}

function isRevision(from: number | undefined, step: 1 | -1): boolean {
  return from === undefined || (from >= 0 && (step === -1 || Number.isSafeInteger(from)))
}
