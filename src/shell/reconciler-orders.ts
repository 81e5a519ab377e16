/**
 * What operators told the reconcilers of a log: how far to go with a kind, and which of its operations may be ended although
 * so many seem dead. Stands in `admin`, with who said it and why; every node reads on there before each pass, and whenever it
 * hears that somebody wrote.
 */
import type { LogEvent, RecordedLogEvent } from '../event-store/log-events.ts'
import type { AdminEntry, AdminStream } from './admin-stream.ts'

export type ReconcilerMode = Extract<LogEvent, { readonly type: 'ReconcilerModeChanged' }>['facts']['mode']

/** In place of a kind: all of them, whatever was said of one of them before. */
export const EVERY_KIND = '*'

export type ReconcilerOrder =
  | { readonly type: 'mode'; readonly kind: string; readonly mode: ReconcilerMode }
  | { readonly type: 'release'; readonly kind: string }

export interface OrderedBy {
  /** Who says so; default `operator`. */
  readonly actor?: string | undefined
  /** For whom he says he acts. */
  readonly onBehalfOf?: string | undefined
  readonly reason: string
  /** Given, the same order under the same id is put on record once, as long as this node remembers it. */
  readonly commandId?: string | undefined
}

/** Somebody's word, as it stands in the log. */
export interface OrderOnRecord {
  /** Epoch ms. */
  readonly at: number
  readonly actor: string
  readonly onBehalfOf?: string
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
  readonly #admin: AdminStream
  readonly #modes = new Map<string, RecordedMode>()
  readonly #releases = new Map<string, OrderOnRecord>()
  /** What was said under which id. */
  readonly #remembered = new Map<string, string>()

  constructor(admin: AdminStream) {
    this.#admin = admin
    admin.follow((recorded) => this.#fold(recorded))
  }

  /** What stands in the log by now. Throws LogError and CodecError. */
  async read(): Promise<RecordedOrders> {
    await this.#admin.read()
    return this.#standing
  }

  /**
   * Puts it on record; what stands there then. Throws NotRecorded (sent again it is at worst there twice, which changes nothing),
   * OrderIdReused, LogError, CodecError, and RangeError for what is no order.
   */
  async record(
    order: ReconcilerOrder,
    { actor = 'operator', onBehalfOf, reason, commandId }: OrderedBy,
  ): Promise<RecordedOrders> {
    assertOrder(order, reason)
    const entry = { ...eventOf(order, reason), actor, onBehalfOf, commandId }
    await this.#admin.write(() => {
      const said = commandId === undefined ? undefined : this.#remembered.get(commandId)
      if (said === undefined) return [entry]
      if (said === wordsOf(entry.event, actor)) return []
      throw new OrderIdReused(`another order was given under the id ${commandId}`)
    })
    return this.#standing
  }

  /** Calls the listener when another process may have said something. Returns the way to stop. */
  onOthers(listener: () => void): () => void {
    return this.#admin.onOthers(listener)
  }

  get #standing(): RecordedOrders {
    return { modes: new Map(this.#modes), releases: new Map(this.#releases) }
  }

  #fold({ event, metadata }: RecordedLogEvent): void {
    if (event.type !== 'ReconcilerModeChanged' && event.type !== 'ReconcilerBreakerReleased') return
    const { at, actor = 'operator', onBehalfOf, commandId } = metadata
    const { facts, content } = event
    const order = { at, actor, ...(onBehalfOf === undefined ? {} : { onBehalfOf }), reason: content.reason }
    if (event.type === 'ReconcilerModeChanged') newest(this.#modes, facts.kind, { ...order, mode: event.facts.mode })
    else newest(this.#releases, facts.kind, order)
    this.#remembered.set(commandId, wordsOf(event, actor))
    const [oldest] = this.#remembered.size > REMEMBERED_MAX ? this.#remembered.keys() : []
    if (oldest !== undefined) this.#remembered.delete(oldest)
  }
}

function newest<T>(orders: Map<string, T>, kind: string, order: T): void {
  if (kind === EVERY_KIND) orders.clear()
  orders.set(kind, order)
}

function wordsOf({ type, facts, content }: LogEvent, actor: string): string {
  return JSON.stringify([type, facts, content, actor])
}

function eventOf(order: ReconcilerOrder, reason: string): Pick<AdminEntry, 'event' | 'commandType'> {
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
