/**
 * Reading in pages, each one call with an end of its own: a consumer that pauses holds no call open, and one that leaves
 * has nothing to release but the page that is on its way. Every read asks for the leader, since a follower does not even
 * show what was appended through it.
 *
 *     page -> not the leader, node gone, silent -> another client, again, until patience ends -> LogError
 */
import { BACKWARDS, END, FORWARDS, type ResolvedEvent, START } from '@eventstore/db-client'
import { LogError, type StoredEvent } from './event-store.ts'
import type { Connection, LogClient } from './eventstoredb-connection.ts'
import { BackOff, OutOfTime } from './eventstoredb-deadline.ts'
import { failureOf } from './eventstoredb-errors.ts'
import { isSystemStream, ownEventOf, storedEventOf } from './eventstoredb-events.ts'
import type { LogPage } from './follow.ts'
import { ADMIN_STREAM, CURSORS_PREFIX, REGISTRY_PREFIX } from './stream-names.ts'

export interface ReadsOptions {
  readonly connection: Connection
  /** A page that brings nothing for so long is given up. */
  readonly idleMs: number
  /** How long a read looks for a node that answers. */
  readonly patienceMs: number
  readonly random: () => number
  /** Aborted, with LogError `log_closed`, when the log is closed. */
  readonly closing: AbortSignal
}

export interface StreamPage {
  readonly events: readonly StoredEvent[]
  readonly isLast: boolean
}

const EVENTS_PER_PAGE = 1_024
/** A page of large events ends early, so that memory stays bounded. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024
/** A new file of the server begins with a record, at a multiple of its size. */
const SERVER_FILE_BYTES = 256n * 1024n * 1024n
const RETRY_MS = 20
const RETRY_MS_MAX = 500

export class Reads {
  readonly #options: ReadsOptions

  constructor(options: ReadsOptions) {
    this.#options = options
  }

  /** From a revision, inclusive; from the end when it is undefined (backwards only). An absent stream is an empty page. */
  async stream(
    stream: string,
    direction: 'forwards' | 'backwards',
    from: number | undefined,
    limit: number,
    signal?: AbortSignal,
  ): Promise<StreamPage> {
    const maxCount = Math.min(limit, EVENTS_PER_PAGE)
    const { events, isCut } = await this.#page(`Reading '${stream}'`, signal, (client) =>
      client.readStream(stream, {
        direction: direction === 'forwards' ? FORWARDS : BACKWARDS,
        // A negative revision would throw inside the client; `from` is at least 0 here.
        fromRevision: from === undefined ? END : BigInt(from),
        maxCount,
        requiresLeader: true,
      }),
    )
    return { events: events.map(ownEventOf), isLast: !isCut && events.length < maxCount }
  }

  /** The events behind a position, in the order of the log; undefined: from its beginning. */
  async all(
    after: bigint | undefined,
    prefixes: readonly string[] | undefined,
    signal?: AbortSignal,
  ): Promise<LogPage> {
    if (after === undefined || after <= 0n) return this.#all(undefined, 0n, prefixes, signal)
    try {
      return await this.#all(after, after, prefixes, signal)
    } catch (error) {
      if (!(error instanceof NotARecord)) throw error
    }
    // The server reads from the beginning of a record only, and this position is none.
    const end = await this.end(signal)
    if (end === undefined || after >= end) return { events: [], through: after, isLast: true }
    // What lies behind it is found by reading up to it, from the nearest record that is known.
    for (let from = await this.#recordBefore(after, end, signal); ; ) {
      const page = await this.#all(from, after, prefixes, signal)
      if (page.isLast || page.through > after) return { ...page, through: page.through > after ? page.through : after }
      from = page.through
    }
  }

  /**
   * A position where a record begins, before one where none does: backwards from the end where that is near, else the
   * beginning of the server's file. Undefined is the beginning of the log.
   */
  async #recordBefore(after: bigint, end: bigint, signal: AbortSignal | undefined): Promise<bigint | undefined> {
    const fileStart = after - (after % SERVER_FILE_BYTES)
    if (end - after < after - fileStart) {
      for (let before: bigint | undefined; ; ) {
        const { events, isCut } = await this.#backwards(before, signal)
        const found = events.find((event) => positionOf(event) <= after)
        if (found !== undefined) return positionOf(found)
        const last = events.at(-1)
        if (last === undefined || (!isCut && events.length < EVENTS_PER_PAGE)) return undefined
        before = positionOf(last)
      }
    }
    if (fileStart === 0n) return undefined
    try {
      await this.#all(fileStart, fileStart, [], signal)
      return fileStart
    } catch (error) {
      // A server whose files have another size.
      if (error instanceof NotARecord) return undefined
      throw error
    }
  }

  /** Behind a position it begins with the event before; undefined: with the last one. */
  #backwards(before: bigint | undefined, signal: AbortSignal | undefined): Promise<Collected> {
    return this.#page('Reading the log backwards', signal, (client) =>
      client.readAll({
        direction: BACKWARDS,
        fromPosition: before === undefined ? END : { commit: before, prepare: before },
        maxCount: EVENTS_PER_PAGE,
        requiresLeader: true,
      }),
    )
  }

  async #all(
    from: bigint | undefined,
    after: bigint,
    prefixes: readonly string[] | undefined,
    signal: AbortSignal | undefined,
  ): Promise<LogPage> {
    // The client's `readAll` sends no filter, whatever it is given: what is not wanted is left out here.
    const { events, isCut } = await this.#page('Reading the log', signal, (client) =>
      client.readAll({
        direction: FORWARDS,
        fromPosition: from === undefined ? START : { commit: from, prepare: from },
        maxCount: EVENTS_PER_PAGE,
        requiresLeader: true,
      }),
    )
    let through = from ?? 0n
    const wanted: StoredEvent[] = []
    for (const resolved of events) {
      const position = resolved.event?.position?.commit
      // Reading forwards begins with the event at the position itself.
      if (position === undefined || (from !== undefined && position <= from)) continue
      through = position
      const stored = position > after ? wantedEvent(resolved, prefixes) : undefined
      if (stored !== undefined) wanted.push(stored)
    }
    return { events: wanted, through, isLast: !isCut && events.length < EVENTS_PER_PAGE }
  }

  async at(position: bigint): Promise<StoredEvent | undefined> {
    if (position < 1n) return undefined
    try {
      const { events } = await this.#page('Reading an event of the log', undefined, (client) =>
        client.readAll({
          direction: FORWARDS,
          fromPosition: { commit: position, prepare: position },
          maxCount: 1,
          requiresLeader: true,
        }),
      )
      const [resolved] = events
      return resolved?.event?.position?.commit === position ? wantedEvent(resolved, undefined) : undefined
    } catch (error) {
      if (error instanceof NotARecord) return undefined
      throw error
    }
  }

  /** The position of the last event of the log, the server's own ones included; undefined in an empty log. */
  async end(signal?: AbortSignal): Promise<bigint | undefined> {
    const { events } = await this.#page('Reading the end of the log', signal, (client) =>
      client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1, requiresLeader: true }),
    )
    return events[0]?.event?.position?.commit
  }

  async #page(doing: string, signal: AbortSignal | undefined, open: (client: LogClient) => Page): Promise<Collected> {
    const { connection, idleMs, patienceMs, random, closing } = this.#options
    const ended = signal === undefined ? closing : AbortSignal.any([closing, signal])
    const backOff = new BackOff(RETRY_MS, RETRY_MS_MAX, random)
    const patienceEnds = performance.now() + patienceMs
    for (;;) {
      ended.throwIfAborted()
      const { client } = connection
      try {
        return await collect(open(client), doing, idleMs, ended)
      } catch (error) {
        ended.throwIfAborted()
        const failure = failureOf(error)
        if (failure.type === 'stream_not_found') return { events: [], isCut: false }
        if (failure.type === 'invalid_position') throw new NotARecord(doing, { cause: error })
        if (failure.type === 'access_denied') {
          throw new LogError('log_unusable', `${doing}: the server refuses this user.`, { cause: error })
        }
        if (failure.type === 'stream_deleted') {
          throw new LogError('log_damaged', `${doing}: somebody deleted the stream for good.`, { cause: error })
        }
        if (failure.type === 'stuck') connection.replace(client)
        if (performance.now() >= patienceEnds) {
          const why = 'message' in failure ? failure.message : failure.type
          throw new LogError('log_unavailable', `${doing}: the server does not answer: ${why}.`, { cause: error })
        }
      }
      await backOff.wait(ended)
    }
  }
}

class NotARecord extends Error {}

/** The server tells it with every event of the whole log. */
function positionOf({ event }: ResolvedEvent): bigint {
  return event?.position?.commit ?? 0n
}

/** Both of the client's readers, by what is used of them. */
interface Page extends AsyncIterable<ResolvedEvent> {
  on(event: 'error', listener: (error: Error) => void): unknown
  destroy(error?: Error): unknown
  cancel(): Promise<void>
}

interface Collected {
  readonly events: readonly ResolvedEvent[]
  /** There is more of the page than was taken. */
  readonly isCut: boolean
}

async function collect(page: Page, doing: string, idleMs: number, ended: AbortSignal): Promise<Collected> {
  // An error that comes after the iteration was left has no other listener, and would end the process.
  page.on('error', () => undefined)
  const giveUp = () => page.destroy(new OutOfTime(`${doing}: nothing came for ${idleMs} ms`))
  const leave = () => page.destroy(new OutOfTime(`${doing}: was given up`))
  const timer = setTimeout(giveUp, idleMs)
  ended.addEventListener('abort', leave, { once: true })
  if (ended.aborted) leave()
  try {
    const events: ResolvedEvent[] = []
    let bytes = 0
    for await (const resolved of page) {
      timer.refresh()
      events.push(resolved)
      bytes += sizeOf(resolved)
      if (bytes > PAGE_BYTES_MAX) return { events, isCut: true }
    }
    return { events, isCut: false }
  } finally {
    clearTimeout(timer)
    ended.removeEventListener('abort', leave)
    // Leaving the iteration does not cancel the call: the server would go on sending.
    page.cancel().catch(() => undefined)
  }
}

/** Roughly; the client has parsed the data already. Most events are small: only long texts are looked at. */
function sizeOf({ event }: ResolvedEvent): number {
  return event === undefined ? 0 : EVENT_BYTES_AROUND + weightOf(event.data)
}

const EVENT_BYTES_AROUND = 400

function weightOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 8
  if (value instanceof Uint8Array) return value.length
  let weight = 16
  for (const key in value) weight += key.length + weightOf((value as Record<string, unknown>)[key]) // a key of its own
  return weight
}

function wantedEvent(resolved: ResolvedEvent, prefixes: readonly string[] | undefined): StoredEvent | undefined {
  const stream = resolved.event?.streamId ?? ''
  if (isSystemStream(stream)) return undefined
  if (prefixes !== undefined && !prefixes.some((prefix) => stream.startsWith(prefix))) return undefined
  // The server may hold others' streams too; in ours nothing of others may stand.
  return isOurs(stream) ? ownEventOf(resolved) : storedEventOf(resolved)
}

function isOurs(stream: string): boolean {
  return stream === ADMIN_STREAM || stream.startsWith(REGISTRY_PREFIX) || stream.startsWith(CURSORS_PREFIX)
}
