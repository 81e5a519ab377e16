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
    const content = contentText(input.salts(), event.content)
    const { type, facts } = event
    const body = bodyText({ streamText, revision, type, version, facts, metadata, contentHash: contentHash(content) })
    hash = chainHash(hash, body)
    encoded.push(new EncodedEvent(eventIdOf(hash), hash, event.type, body, content))
    revision++
  }
  return encoded
}

function contentText(salt: string, value: unknown): string {
  return `{"salt":"${salt}","value":${JSON.stringify(value)}}`
}

interface BodyParts {
  readonly streamText: string
  readonly revision: number
  readonly type: string
  readonly version: number
  readonly facts: unknown
  readonly metadata: unknown
  readonly contentHash: string
}

function bodyText({ streamText, revision, type, version, facts, metadata, contentHash }: BodyParts): string {
  return (
    `{"stream":${streamText},"revision":${revision},"type":"${type}","version":${version},` +
    `"facts":${JSON.stringify(facts)},"metadata":${JSON.stringify(metadata)},"content":"${contentHash}"}`
  )
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
    const body = parse(stored, 'body')
    const { stream, revision, type, version, facts, metadata } = body
    if (stream !== stored.stream || revision !== stored.revision) {
      throw new CodecError('misplaced_event', stored, `the body says ${placeIn(stream, revision)}.`)
    }
    if (typeof type !== 'string' || typeof version !== 'number') {
      throw new CodecError('invalid_event', stored, 'the body has no type or no version.')
    }
    const content = contentOf(stored)
    const event = upcast({ type, version, facts, content: content.value }, stored)
    const schema = known.get(event.type)
    if (schema === undefined) {
      throw new CodecError('unknown_event_type', stored, `the event type '${event.type}' is not known to this version.`)
    }
    if (event.version !== schema.version) throw unknownVersion(event, stored)
    if (trust === 'checked') {
      assertDepth(content, stored)
      accept(schema.facts, event.facts, stored, `facts of ${event.type}`)
      accept(schema.content, event.content, stored, `content of ${event.type}`)
      accept(metadataSchema, metadata, stored, `metadata of ${event.type}`)
      assertAsWritten(body, content, stored)
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
function contentOf(stored: StoredEvent): StoredContent {
  const { content } = stored
  if (content.length === EMPTY_CONTENT_LENGTH && EMPTY_CONTENT_FORM.test(content)) return EMPTY_CONTENT
  return parse(stored, 'content')
}

const EMPTY_CONTENT_FORM = /^\{"salt":"[0-9a-f]{32}","value":\{\}\}$/
const EMPTY_CONTENT: StoredContent = { salt: '', value: Object.freeze({}) }

interface StoredContent {
  readonly salt?: unknown
  readonly value?: unknown
}
const EMPTY_CONTENT_LENGTH = '{"salt":"","value":{}}'.length + 2 * SALT_BYTES

/**
 * A text has one form, the one that `encodeEvents` gives it. Where it says a name twice, or says more than is read, somebody else would
 * read another event from the very bytes that are hashed.
 */
function assertAsWritten(body: Readonly<Record<string, unknown>>, content: StoredContent, stored: StoredEvent): void {
  if (typeof body.content !== 'string' || !HASH.test(body.content)) throw notAsWritten('body', stored)
  const parts = { ...body, streamText: JSON.stringify(stored.stream), contentHash: body.content } as BodyParts // looked at before
  if (bodyText(parts) !== stored.body) throw notAsWritten('body', stored)
  if (content === EMPTY_CONTENT) return
  const { salt, value } = content
  const isSalt = typeof salt === 'string' && SALT.test(salt)
  if (!isSalt || contentText(salt, value) !== stored.content) throw notAsWritten('content', stored)
}

const SALT = /^[0-9a-f]{32}$/
const HASH = /^[0-9a-f]{64}$/

function notAsWritten(part: 'body' | 'content', stored: StoredEvent): CodecError {
  const rather = 'a name stands there twice, or out of its place, or something more'
  return new CodecError('invalid_event', stored, `the ${part} is not in the form in which it is written: ${rather}.`)
}

/** Deeper than anything that a door lets in; who walks through it would not come back. */
function assertDepth(content: unknown, stored: StoredEvent): void {
  // Short ones can't be: they are nearly all.
  if (stored.content.length <= 2 * CONTENT_DEPTH_MAX || !isDeeperThan(CONTENT_DEPTH_MAX, content)) return
  throw new CodecError('invalid_event', stored, `the content is nested deeper than ${CONTENT_DEPTH_MAX} levels.`)
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member))
}

/** Twice what `jsonDepthMax` may be set to. */
const CONTENT_DEPTH_MAX = 1_024

function placeIn(stream: unknown, revision: unknown): string {
  if (typeof stream !== 'string' || typeof revision !== 'number') return 'no stream, or no revision'
  return `'${stream}' at revision ${revision}`
}

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
