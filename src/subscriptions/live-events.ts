/**
 * The events of all registries for whoever wants them: history, then live, each once, in order. Readers pull; nothing is kept
 * for any of them but their place, so a slow one costs no memory and meets what it missed in the log.
 *
 *     cursor -> is its place still this log's? -> pages of the log ... -> the tail in memory -> wait -> ...
 *                 '- resync                          '- same page asked for by many: read once
 *
 * The tail (live-tail.ts) follows the log while anybody reads, once for all.
 */
import type { EventsRequest, EventsResync, Refusable } from '../authority/questions.ts'
import type { EventReader, LogIdentity } from '../event-store/event-store.ts'
import { REGISTRY_PREFIX } from '../event-store/stream-names.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { cursorAt, parseCursor, whyGone } from './event-cursor.ts'
import { LiveEntries, type LiveEntry } from './live-entry.ts'
import { type EntryFilter, entryFilterOf } from './live-event-filter.ts'
import { LiveTail, type TailBounds } from './live-tail.ts'

export interface EventBatch {
  readonly type: 'events'
  /** May be empty where the filter wants none of what was looked at. */
  readonly entries: readonly LiveEntry[]
  /** Whoever comes back with it misses nothing and gets nothing twice. */
  readonly cursor: string
  /** Everything that was acknowledged when the reading began was looked at. */
  readonly isCaughtUp: boolean
}

export interface LiveEventsParts {
  readonly reader: EventReader
  readonly log: WarningLog
  readonly tail?: TailBounds
}

const TAIL_BOUNDS: TailBounds = { eventsMax: 4_096, bytesMax: 32 * 1024 * 1024 }
/** In one batch, and in one page of the log. */
const BATCH_EVENTS_MAX = 512
const PAGE_BYTES_MAX = 4 * 1024 * 1024

interface Page {
  readonly entries: readonly LiveEntry[]
  /** Everything up to here was looked at. */
  readonly through: bigint
}

interface Opened {
  readonly identity: LogIdentity
  readonly entries: LiveEntries
}

export class LiveEvents {
  readonly #parts: LiveEventsParts
  #opened: Promise<Opened> | undefined
  #tail: Promise<LiveTail> | undefined
  #readers = 0
  /** Pages on their way, by the place behind which they begin. */
  readonly #pages = new Map<bigint, Promise<Page>>()

  constructor(parts: LiveEventsParts) {
    this.#parts = parts
  }

  /** Who reads at the moment. */
  get readers(): number {
    return this.#readers
  }

  /**
   * Of these workspaces, or of all: batch after batch until the signal aborts, which ends it quietly, or the log is closed. A refusal or a resync is the only
   * thing that is given then. Throws LogError.
   */
  async *batches(
    request: EventsRequest,
    signal: AbortSignal,
    workspaces?: ReadonlySet<string>,
  ): AsyncGenerator<EventBatch | EventsResync | (Refusable<never> & { readonly type: 'refused' }), void, undefined> {
    const filter = entryFilterOf(request, workspaces)
    if ('rejection' in filter) return yield { type: 'refused', rejection: filter.rejection }
    const { identity, entries } = await this.#open()
    const begin = await this.#begin(request.after, identity)
    if (typeof begin !== 'bigint') return yield begin
    this.#readers++
    try {
      const cursor = request.after === undefined || request.after === 'now' ? cursorAt(identity, begin) : request.after
      yield* this.#read({ position: begin, cursor }, filter, entries, signal)
    } finally {
      if (--this.#readers === 0) this.#dropTail()
    }
  }

  async *#read(
    begin: { readonly position: bigint; readonly cursor: string },
    filter: EntryFilter,
    entries: LiveEntries,
    signal: AbortSignal,
  ): AsyncGenerator<EventBatch, void, undefined> {
    const { reader } = this.#parts
    const end = await reader.end()
    let { position, cursor } = begin
    let wasToldCaughtUp = false
    while (!signal.aborted) {
      const tail = await this.#useTail(entries)
      const { ticket } = tail
      const held = tail.after(position, BATCH_EVENTS_MAX)
      const { entries: looked, through } = held
        ? { entries: held, through: held.at(-1)?.position ?? tail.through }
        : await this.#pageBehind(position, tail.from, entries)
      if (signal.aborted) return
      if (through > position) position = through
      const last = looked.at(-1)
      if (last !== undefined) cursor = last.cursor
      const isCaughtUp = position >= end
      const wanted = await wantedOf(looked, filter)
      if (looked.length > 0 || (isCaughtUp && !wasToldCaughtUp)) {
        wasToldCaughtUp ||= isCaughtUp
        yield { type: 'events', entries: wanted, cursor, isCaughtUp }
      } else if (tail.isEnded) return
      else if (held !== undefined) await tail.moved(ticket, signal)
    }
  }

  async #begin(
    after: string | undefined,
    identity: LogIdentity,
  ): Promise<bigint | EventsResync | (Refusable<never> & { readonly type: 'refused' })> {
    const { reader } = this.#parts
    if (after === undefined) return 0n
    if (after === 'now') return reader.end()
    const cursor = typeof after === 'string' ? parseCursor(after) : undefined
    if (cursor === undefined) {
      const got = typeof after === 'string' ? JSON.stringify(after.slice(0, 80)) : String(after)
      const expected = `the cursor of an event, or 'now'`
      const message = `after: expected ${expected}, got ${got}`
      return {
        type: 'refused',
        rejection: { code: 'invalid_command', message, facts: { path: 'after', expected, got } },
      }
    }
    const reason = await whyGone(reader, identity, cursor)
    if (reason === undefined) return cursor.position
    return { type: 'resync', reason, cursor: cursorAt(identity, await reader.end()) }
  }

  /** Read once for all who want it at the same time. */
  #pageBehind(position: bigint, tailFrom: bigint, entries: LiveEntries): Promise<Page> {
    const known = this.#pages.get(position)
    if (known !== undefined) return known
    const page = this.#readPage(position, tailFrom, entries)
    this.#pages.set(position, page)
    const forget = () => this.#pages.delete(position)
    page.then(forget, forget)
    return page
  }

  async #readPage(position: bigint, tailFrom: bigint, entries: LiveEntries): Promise<Page> {
    const page: LiveEntry[] = []
    let through = position
    let bytes = 0
    const options = { after: position, prefixes: [REGISTRY_PREFIX], limit: BATCH_EVENTS_MAX }
    let read = 0
    for await (const stored of this.#parts.reader.readAll(options)) {
      const entry = entries.of(stored)
      if (entry !== undefined) page.push(entry)
      through = stored.position
      bytes += stored.body.length + stored.content.length
      if (++read === BATCH_EVENTS_MAX || bytes >= PAGE_BYTES_MAX) return { entries: page, through }
    }
    // Nothing more stood there, and the tail begins no later than there.
    return { entries: page, through: through > tailFrom ? through : tailFrom }
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#identify()
    this.#opened.catch(() => {
      this.#opened = undefined
    })
    return this.#opened
  }

  async #identify(): Promise<Opened> {
    const { reader, log } = this.#parts
    const identity = await reader.identity()
    return { identity, entries: new LiveEntries(reader, identity, log) }
  }

  #useTail(entries: LiveEntries): Promise<LiveTail> {
    const { reader, tail = TAIL_BOUNDS } = this.#parts
    this.#tail ??= LiveTail.open(reader, entries, tail)
    this.#tail.catch(() => {
      this.#tail = undefined
    })
    return this.#tail
  }

  /** What failed or is needed by nobody is begun anew by the next one. */
  #dropTail(): void {
    const tail = this.#tail
    this.#tail = undefined
    tail?.then((opened) => opened.stop()).catch(() => {})
  }
}

async function wantedOf(entries: readonly LiveEntry[], filter: EntryFilter): Promise<readonly LiveEntry[]> {
  if (filter.wantsAll) return entries
  const wanted: LiveEntry[] = []
  for (const entry of entries) {
    const answer = filter.wants(entry)
    if (answer === true || (answer !== false && (await answer))) wanted.push(entry)
  }
  return wanted
}
