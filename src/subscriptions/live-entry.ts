/** An event of the log as its live readers share it: decoded once, put into its envelope once, written as text once. */
import { type CloudEvent, cloudEventOf } from '../authority/cloud-event.ts'
import type { LifecycleEvent } from '../authority/events.ts'
import { livesTouchedBy } from '../authority/operation-life.ts'
import type { LiveEvent } from '../authority/questions.ts'
import { decodeEvent, decodeTrusted } from '../event-store/event-codec.ts'
import type { EventReader, LogIdentity, StoredEvent } from '../event-store/event-store.ts'
import { registryOfStream } from '../event-store/stream-names.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { cursorOf } from './event-cursor.ts'

/** An operation as its registration told it. */
export interface Birth {
  readonly id: string
  readonly kind: string
}

export interface LiveEntry {
  readonly position: bigint
  readonly cursor: string
  readonly workspace: string
  readonly owner: string
  readonly event: LifecycleEvent
  /** In memory, by estimate. */
  readonly bytes: number
  readonly live: LiveEvent
  /** `live` as JSON. */
  readonly text: string
  /** The operations that it is about, which may have to be looked up. */
  births(): Promise<readonly Birth[]>
}

/** Beside its texts, an event is objects of about this size. */
const ENTRY_BYTES = 1_024
/** The texts as read, as decoded values, and as the text that is sent. */
const COPIES = 4
const BIRTHS_KEPT_MAX = 16_384

/** Makes entries of the events of one log. */
export class LiveEntries {
  readonly #reader: EventReader
  readonly #identity: LogIdentity
  readonly #log: WarningLog
  readonly #births = new Map<string, Promise<Birth>>()
  readonly #warned = new Set<string>()

  constructor(reader: EventReader, identity: LogIdentity, log: WarningLog) {
    this.#reader = reader
    this.#identity = identity
    this.#log = log
  }

  /** Undefined for what is no event of a registry that this version knows; the latter is logged, once per type. */
  of(stored: StoredEvent): LiveEntry | undefined {
    const name = registryOfStream(stored.stream)
    if (name === undefined) return undefined
    try {
      const { revision, event, metadata } = decodeTrusted(stored)
      const { position, stream, body, content } = stored
      const touched = livesTouchedBy({ revision, event, metadata })
      const cursor = cursorOf(this.#identity, stored)
      const { logId } = this.#identity
      const envelope = () => cloudEventOf({ ...name, logId, position, revision, event, metadata })
      return new SharedEntry(
        { position, cursor, ...name, event, bytes: ENTRY_BYTES + COPIES * (body.length + content.length) },
        envelope,
        () => Promise.all(touched.map((number) => this.#birth(stream, number))),
      )
    } catch (error) {
      if (!this.#warned.has(stored.type)) {
        this.#warned.add(stored.type)
        const { stream, revision, type } = stored
        this.#log.warn({ stream, revision, type, error: String(error) }, 'an event is left out of the live events')
      }
      return undefined
    }
  }

  /** An operation's number is the revision of its registration. */
  #birth(stream: string, number: number): Promise<Birth> {
    const key = `${number} ${stream}`
    const known = this.#births.get(key)
    if (known !== undefined) return known
    if (this.#births.size >= BIRTHS_KEPT_MAX) this.#births.clear()
    const birth = this.#readBirth(stream, number)
    this.#births.set(key, birth)
    birth.catch(() => this.#births.delete(key))
    return birth
  }

  async #readBirth(stream: string, number: number): Promise<Birth> {
    for await (const stored of this.#reader.readStream(stream, { from: number, limit: 1 })) {
      const { event } = decodeEvent(stored)
      if (event.type === 'OperationRegistered') return { id: event.facts.id, kind: event.facts.kind }
    }
    throw new Error(`'${stream}' has no registration at revision ${number}, though an event names it`)
  }
}

type Told = Pick<LiveEntry, 'position' | 'cursor' | 'workspace' | 'owner' | 'event' | 'bytes'>

class SharedEntry implements LiveEntry {
  readonly position: bigint
  readonly cursor: string
  readonly workspace: string
  readonly owner: string
  readonly event: LifecycleEvent
  readonly bytes: number
  readonly #envelope: () => CloudEvent
  readonly #lookUp: () => Promise<readonly Birth[]>
  #live: LiveEvent | undefined
  #text: string | undefined
  #births: Promise<readonly Birth[]> | undefined

  constructor(told: Told, envelope: () => CloudEvent, lookUp: () => Promise<readonly Birth[]>) {
    this.position = told.position
    this.cursor = told.cursor
    this.workspace = told.workspace
    this.owner = told.owner
    this.event = told.event
    this.bytes = told.bytes
    this.#envelope = envelope
    this.#lookUp = lookUp
  }

  get live(): LiveEvent {
    this.#live ??= { ...this.#envelope(), cursor: this.cursor }
    return this.#live
  }

  get text(): string {
    this.#text ??= JSON.stringify(this.live)
    return this.#text
  }

  births(): Promise<readonly Birth[]> {
    this.#births ??= this.#lookUp()
    return this.#births
  }
}
