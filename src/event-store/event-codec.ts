/**
 * Between an event and its stored texts. Writing gives the bytes that hash-chain.ts defines; reading goes through the
 * upcasters to the newest version of the type and then through its schema, so that nothing unknown reaches a fold.
 *
 *     encodeEvents:  event + metadata -> content text -> body text -> hash -> id
 *     decodeEvent:   texts -> envelope -> upcasters -> schema -> event + metadata
 */
import { randomFillSync } from 'node:crypto'
import type { z } from 'zod'
import {
  EVENT_SCHEMAS,
  type EventMetadata,
  type LifecycleEvent,
  metadataSchema,
  type RecordedEvent,
} from '../authority/events.ts'
import type { NewEvent, StoredEvent } from './event-store.ts'
import { chainHash, contentHash, eventIdOf } from './hash-chain.ts'
import { LOG_EVENT_SCHEMAS, type LogEvent, type RecordedLogEvent } from './log-events.ts'

export interface EventToEncode {
  readonly event: LifecycleEvent | LogEvent
  readonly metadata: EventMetadata
}

/** Gives 16 fresh random bytes, in hex, each time it is called. */
export type SaltSource = () => string

export interface EncodeInput {
  readonly stream: string
  /** The revision that the first of the events gets: 0 in a new stream. */
  readonly expectedNextRevision: number
  /** The hash of the event before it; GENESIS_HASH at revision 0. */
  readonly previousHash: string
  readonly events: readonly EventToEncode[]
  readonly salts: SaltSource
}

/** The events in their stored form, chained in order. Pure but for the salts; validates nothing: its input is typed. */
export function encodeEvents(input: EncodeInput): NewEvent[] {
  const streamText = JSON.stringify(input.stream)
  let revision = input.expectedNextRevision
  let hash = input.previousHash
  const encoded: NewEvent[] = []
  for (const { event, metadata } of input.events) {
    const version = CURRENT_VERSIONS[event.type]
    const content = `{"salt":"${input.salts()}","value":${JSON.stringify(event.content)}}`
    const body =
      `{"stream":${streamText},"revision":${revision},"type":"${event.type}","version":${version},` +
      `"facts":${JSON.stringify(event.facts)},"metadata":${JSON.stringify(metadata)},"content":"${contentHash(content)}"}`
    hash = chainHash(hash, body)
    encoded.push(new EncodedEvent(eventIdOf(hash), hash, event.type, body, content))
    revision++
  }
  return encoded
}

/** Its own class, so that a copy with other texts is told from what was written here. */
class EncodedEvent implements NewEvent {
  readonly id: string
  readonly hash: string
  readonly type: string
  readonly body: string
  readonly content: string

  constructor(id: string, hash: string, type: string, body: string, content: string) {
    this.id = id
    this.hash = hash
    this.type = type
    this.body = body
    this.content = content
  }
}

/** Its texts are as JSON.stringify wrote them: to parse and to write them again gives the same bytes. */
export function isWrittenByCodec(event: NewEvent): boolean {
  return event instanceof EncodedEvent
}

/** Salts from the operating system's generator, drawn many at a time because one draw costs more than the rest of a salt. */
export function randomSalts(): SaltSource {
  const pool = Buffer.alloc(SALT_BYTES * SALTS_PER_DRAW)
  let used = pool.length
  return () => {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    used += SALT_BYTES
    return pool.toString('hex', used - SALT_BYTES, used)
  }
}

const SALT_BYTES = 16
const SALTS_PER_DRAW = 256

/** The lifecycle event of a stored one. Throws CodecError. The salt and the texts stay behind; hashes are not checked. */
export function decodeEvent(stored: StoredEvent): RecordedEvent {
  return decodeLifecycle(stored) as RecordedEvent // the schema of its type has just accepted it
}

/**
 * The same without asking the schemas: for readers that derive what may be thrown away, from a log that was checked when it
 * was written and that `verify` checks again. Types and versions are looked at all the same. Throws CodecError.
 */
export function decodeTrusted(stored: StoredEvent): RecordedEvent {
  return decodeLifecycleTrusted(stored) as RecordedEvent // written by an encoder whose input is typed
}

/** The same for the log's own streams, `admin` and `cursors-…`. */
export function decodeLogEvent(stored: StoredEvent): RecordedLogEvent {
  return decodeLog(stored) as RecordedLogEvent // the schema of its type has just accepted it
}

export type CodecErrorCode =
  | 'unknown_event_type'
  | 'unknown_event_version'
  /** The texts are not JSON of the stored shape, or their schema refuses them. */
  | 'invalid_event'
  /** The body names another stream or revision than the one it was read from. */
  | 'misplaced_event'

/** A stored event that this version cannot read. Whoever folds stops: to go on without it would be to invent a history. */
export class CodecError extends Error {
  override readonly name = 'CodecError'
  readonly code: CodecErrorCode
  readonly stream: string
  readonly revision: number

  constructor(code: CodecErrorCode, stored: StoredEvent, problem: string, options?: ErrorOptions) {
    super(`Stream '${stored.stream}' at revision ${stored.revision}: ${problem}`, options)
    this.code = code
    this.stream = stored.stream
    this.revision = stored.revision
  }
}

/** An event as some version wrote it: what an upcaster takes and gives. */
export interface VersionedEvent {
  readonly type: string
  readonly version: number
  readonly facts: unknown
  readonly content: unknown
}

/** Turns an event of one version into one of a higher version; it may give the event another type. */
export type Upcaster = (event: VersionedEvent) => VersionedEvent

/** By type, then by the version that it takes. */
export type Upcasters = Readonly<Record<string, Readonly<Record<number, Upcaster>>>>

export type EventSchemas = Readonly<
  Record<string, { readonly version: number; readonly facts: z.ZodType; readonly content: z.ZodType }>
>

interface DecodedEvent {
  readonly revision: number
  readonly event: { readonly type: string; readonly facts: unknown; readonly content: unknown }
  readonly metadata: EventMetadata
}

/**
 * A class, and no literal: V8 makes literals among the old objects at once when it saw those of one place survive, and a dead one
 * there keeps all that it refers to until the next full collection.
 */
class EventRead {
  readonly type: string
  readonly facts: unknown
  readonly content: unknown

  constructor({ type, facts, content }: VersionedEvent) {
    this.type = type
    this.facts = facts
    this.content = content
  }
}

/** A decoder for a set of event types. What comes out are the stored values themselves, not the schema's copies of them. */
export function createDecoder(
  schemas: EventSchemas,
  upcasters: Upcasters,
  trust: 'checked' | 'trusted' = 'checked',
): (stored: StoredEvent) => DecodedEvent {
  const known = new Map(Object.entries(schemas))
  return (stored) => {
    const { stream, revision, type, version, facts, metadata } = parse(stored, 'body')
    if (stream !== stored.stream || revision !== stored.revision) {
      throw new CodecError('misplaced_event', stored, `the body says '${stream}' at revision ${revision}.`)
    }
    if (typeof type !== 'string' || typeof version !== 'number') {
      throw new CodecError('invalid_event', stored, 'the body has no type or no version.')
    }
    const event = upcast({ type, version, facts, content: contentOf(stored) }, stored)
    const schema = known.get(event.type)
    if (schema === undefined) {
      throw new CodecError('unknown_event_type', stored, `the event type '${event.type}' is not known to this version.`)
    }
    if (event.version !== schema.version) throw unknownVersion(event, stored)
    if (trust === 'checked') {
      accept(schema.facts, event.facts, stored, `facts of ${event.type}`)
      accept(schema.content, event.content, stored, `content of ${event.type}`)
      accept(metadataSchema, metadata, stored, `metadata of ${event.type}`)
    }
    return {
      revision: stored.revision,
      event: new EventRead(event),
      metadata: metadata as EventMetadata, // metadataSchema has accepted it, now or when it was written
    }
  }

  function upcast(stored: VersionedEvent, at: StoredEvent): VersionedEvent {
    let event = stored
    let passed: Set<string> | undefined
    while (known.get(event.type)?.version !== event.version) {
      const upcaster = Object.hasOwn(upcasters, event.type) ? upcasters[event.type]?.[event.version] : undefined
      if (upcaster === undefined) break
      const next = upcaster(event)
      passed ??= new Set()
      passed.add(`${event.type} ${event.version}`)
      const isLower = next.type === event.type && next.version <= event.version
      if (isLower || passed.has(`${next.type} ${next.version}`)) throw leadingBack(event, next, at)
      event = next
    }
    return event
  }

  function leadingBack(event: VersionedEvent, next: VersionedEvent, at: StoredEvent): CodecError {
    return new CodecError(
      'unknown_event_version',
      at,
      `its upcasters lead from ${event.type} version ${event.version} back to ${next.type} version ${next.version}.`,
    )
  }

  function unknownVersion(event: VersionedEvent, at: StoredEvent): CodecError {
    const current = known.get(event.type)?.version
    return new CodecError(
      'unknown_event_version',
      at,
      `${event.type} has version ${event.version}, and this version of Verdict reads up to ${current}.`,
    )
  }
}

/** Half of all events tell nothing beside their facts: for theirs nothing is parsed. */
function contentOf(stored: StoredEvent): unknown {
  const { content } = stored
  if (
    content.length === EMPTY_CONTENT_LENGTH &&
    content.startsWith(CONTENT_START) &&
    content.endsWith(EMPTY_CONTENT_END)
  )
    return {}
  return parse(stored, 'content').value
}

const CONTENT_START = '{"salt":"'
const EMPTY_CONTENT_END = '","value":{}}'
const EMPTY_CONTENT_LENGTH = CONTENT_START.length + 2 * SALT_BYTES + EMPTY_CONTENT_END.length

function parse(stored: StoredEvent, part: 'body' | 'content'): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(stored[part])
  } catch (error) {
    throw new CodecError('invalid_event', stored, `the ${part} is not JSON.`, { cause: error })
  }
  if (typeof value !== 'object' || value === null) {
    throw new CodecError('invalid_event', stored, `the ${part} is not a JSON object.`)
  }
  return value as Record<string, unknown> // an object out of JSON.parse
}

function accept(schema: z.ZodType, value: unknown, stored: StoredEvent, what: string): void {
  const parsed = schema.safeParse(value)
  if (parsed.success) return
  const { path, message } = parsed.error.issues[0] ?? { path: [], message: 'refused' }
  const where = path.length === 0 ? '' : ` at ${path.map(String).join('.')}`
  throw new CodecError('invalid_event', stored, `the ${what} are not valid${where}: ${message}.`, {
    cause: parsed.error,
  })
}

/** By type and the version they take. Empty as long as every type is at version 1. */
const UPCASTERS: Upcasters = {}

const CURRENT_VERSIONS = Object.fromEntries(
  Object.entries({ ...EVENT_SCHEMAS, ...LOG_EVENT_SCHEMAS }).map(([type, { version }]) => [type, version]),
) as Readonly<Record<(LifecycleEvent | LogEvent)['type'], number>> // the keys are exactly those of the two tables

const decodeLifecycle = createDecoder(EVENT_SCHEMAS, UPCASTERS)
const decodeLifecycleTrusted = createDecoder(EVENT_SCHEMAS, UPCASTERS, 'trusted')
const decodeLog = createDecoder(LOG_EVENT_SCHEMAS, UPCASTERS)
