/**
 * What operators told the reconcilers of a log: how far to go with a kind, and which of its operations may be ended although
 * so many seem dead. Stands in `admin`, with who said it and why; every node reads on there before each pass, and whenever it
 * hears that somebody wrote.
 */
import { decodeLogEvent, encodeEvents, type SaltSource } from '../event-store/event-codec.ts'
import type { LogEvent } from '../event-store/log-events.ts'
import { logEventMetadata } from '../event-store/log-events.ts'
import { ADMIN_STREAM } from '../event-store/stream-names.ts'
import { type RandomSource, uuidV7 } from '../runtime/ids.ts'
import { appendResolved, type ResolvedAppendParts } from './resolved-append.ts'

export type ReconcilerMode = Extract<LogEvent, { readonly type: 'ReconcilerModeChanged' }>['facts']['mode']

/** In place of a kind: all of them, whatever was said of one of them before. */
export const EVERY_KIND = '*'

export type ReconcilerOrder =
  | { readonly type: 'mode'; readonly kind: string; readonly mode: ReconcilerMode }
  | { readonly type: 'release'; readonly kind: string }

export interface OrderedBy {
  /** Who says so; default `operator`. */
  readonly actor?: string | undefined
  readonly reason: string
  /** Given, the same order under the same id is put on record once, as long as this node remembers it. */
  readonly commandId?: string | undefined
}

/** Somebody's word, as it stands in the log. */
export interface OrderOnRecord {
  /** Epoch ms. */
  readonly at: number
  readonly actor: string
  readonly reason: string
}

export interface RecordedMode extends OrderOnRecord {
  readonly mode: ReconcilerMode
}

/** All that was ever said and still counts: the newest of each kind, and of all of them, where no newer one speaks of all. */
export interface RecordedOrders {
  readonly modes: ReadonlyMap<string, RecordedMode>
  readonly releases: ReadonlyMap<string, OrderOnRecord>
}

export interface ReconcilerOrdersParts extends ResolvedAppendParts {
  readonly random: RandomSource
  readonly salts: SaltSource
  readonly conflictsMax: number
}

/** An order that is not on record, or of which nobody can say. Sent again it is at worst there twice, which changes nothing. */
export class OrderNotRecorded extends Error {
  override readonly name = 'OrderNotRecorded'
  readonly code = 'order_not_recorded'
}

/** Another order was given under this id. */
export class OrderIdReused extends Error {
  override readonly name = 'OrderIdReused'
  readonly code = 'command_id_reused'
}

/** Characters of a reason, and bytes of a kind's name. */
const REASON_LENGTH_MAX = 1_024
const KIND_BYTES_MAX = 128
/** Ids of orders that are remembered, the newest. */
const REMEMBERED_MAX = 1_024

export class ReconcilerOrders {
  readonly #parts: ReconcilerOrdersParts
  readonly #modes = new Map<string, RecordedMode>()
  readonly #releases = new Map<string, OrderOnRecord>()
  /** What was said under which id. */
  readonly #remembered = new Map<string, string>()
  #revision = -1
  #hash = ''
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: ReconcilerOrdersParts) {
    this.#parts = parts
  }

  /** What stands in the log by now. Throws LogError and CodecError. */
  read(): Promise<RecordedOrders> {
    return this.#alone(() => this.#readOn())
  }

  /**
   * Puts it on record; what stands there then. Throws OrderNotRecorded, OrderIdReused, LogError, CodecError, and RangeError for
   * what is no order.
   */
  record(order: ReconcilerOrder, { actor = 'operator', reason, commandId }: OrderedBy): Promise<RecordedOrders> {
    assertOrder(order, reason)
    return this.#alone(async () => {
      for (let tries = 0; tries < this.#parts.conflictsMax; tries++) {
        const standing = await this.#readOn()
        const said = commandId === undefined ? undefined : this.#remembered.get(commandId)
        if (said === wordsOf(eventOf(order, reason).event, actor)) return standing
        if (said !== undefined) throw new OrderIdReused(`another order was given under the id ${commandId}`)
        const result = await this.#append(order, { actor, reason, commandId })
        if (result.type === 'acknowledged') return this.#readOn()
        if (result.type === 'unknown' || result.reason !== 'conflict') throw new OrderNotRecorded(result.message)
      }
      throw new OrderNotRecorded(`others wrote to '${ADMIN_STREAM}' ${this.#parts.conflictsMax} times first: try again`)
    })
  }

  /** Calls the listener when another process may have said something. Returns the way to stop. */
  onOthers(listener: () => void): () => void {
    return this.#parts.store.watch((advance) => {
      if (advance.type === 'unsure' || advance.stream === ADMIN_STREAM) listener()
    })
  }

  async #readOn(): Promise<RecordedOrders> {
    for await (const stored of this.#parts.store.readStream(ADMIN_STREAM, { from: this.#revision + 1 })) {
      const { event, metadata } = decodeLogEvent(stored)
      const { at, actor = 'operator', commandId } = metadata
      if (event.type === 'ReconcilerModeChanged' || event.type === 'ReconcilerBreakerReleased') {
        const { facts, content } = event
        const order = { at, actor, reason: content.reason }
        if (event.type === 'ReconcilerModeChanged')
          newest(this.#modes, facts.kind, { ...order, mode: event.facts.mode })
        else newest(this.#releases, facts.kind, order)
        this.#remember(commandId, wordsOf(event, actor))
      }
      this.#revision = stored.revision
      this.#hash = stored.hash
    }
    return { modes: new Map(this.#modes), releases: new Map(this.#releases) }
  }

  #remember(commandId: string, words: string): void {
    this.#remembered.set(commandId, words)
    const [oldest] = this.#remembered.size > REMEMBERED_MAX ? this.#remembered.keys() : []
    if (oldest !== undefined) this.#remembered.delete(oldest)
  }

  #append(order: ReconcilerOrder, { actor, reason, commandId }: OrderedBy) {
    const { clock, random, salts } = this.#parts
    const at = Math.floor(clock.now())
    const id = commandId ?? uuidV7(at, random)
    const { event, commandType } = eventOf(order, reason)
    const encoded = encodeEvents({
      stream: ADMIN_STREAM,
      expectedNextRevision: this.#revision + 1,
      previousHash: this.#hash,
      events: [{ event, metadata: logEventMetadata(commandType, id, at, actor) }],
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

function newest<T>(orders: Map<string, T>, kind: string, order: T): void {
  if (kind === EVERY_KIND) orders.clear()
  orders.set(kind, order)
}

function wordsOf({ type, facts, content }: LogEvent, actor: string): string {
  return JSON.stringify([type, facts, content, actor])
}

function eventOf(order: ReconcilerOrder, reason: string): { readonly event: LogEvent; readonly commandType: string } {
  const { kind } = order
  switch (order.type) {
    case 'mode': {
      const event = { type: 'ReconcilerModeChanged', facts: { kind, mode: order.mode }, content: { reason } } as const
      return { event, commandType: 'ChangeReconcilerMode' }
    }
    case 'release': {
      const event = { type: 'ReconcilerBreakerReleased', facts: { kind }, content: { reason } } as const
      return { event, commandType: 'ReleaseReconcilerBreaker' }
    }
    default:
      return order satisfies never
  }
}

function assertOrder({ kind }: ReconcilerOrder, reason: string): void {
  const bytes = Buffer.byteLength(kind)
  if (bytes < 1 || bytes > KIND_BYTES_MAX) throw new RangeError(`a kind has 1 to ${KIND_BYTES_MAX} bytes, got ${bytes}`)
  if (reason.trim() !== '' && reason.length <= REASON_LENGTH_MAX) return
  throw new RangeError(`an order to the reconciler has a reason of 1 to ${REASON_LENGTH_MAX} characters`)
}
