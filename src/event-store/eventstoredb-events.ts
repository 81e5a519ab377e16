/**
 * Between our events and the server's. An event is stored as JSON so that the server's own tools and projections can read
 * it, and its data is exactly our exported line: {"hash":...,"body":{...},"content":{...}}.
 *
 *     append:  texts -> line -> its bytes
 *     read:    bytes -> client's JSON.parse -> JSON.stringify -> line -> texts
 *
 * The client gives parsed data only. Texts that JSON.stringify wrote, and the codec's texts are such, come back byte for
 * byte: integer-like keys already stand first and ascending, `__proto__` is a key like others, a lone surrogate stays an
 * escape, -0 was written as 0, a number has one shortest spelling. Any other text (spaces, 1.0, a key twice) would come
 * back in other bytes: then the line travels in the event's metadata as well, as one string, and that string is what is
 * read back.
 */
import type { ResolvedEvent } from '@eventstore/db-client'
import { isWrittenByCodec } from './event-codec.ts'
import { LogError, type NewEvent, type StoredEvent } from './event-store.ts'
import { exportedLine, parseExportedLine } from './exported-line.ts'

export interface EventToSend {
  readonly id: string
  readonly type: string
  readonly data: string
  readonly dataBytes: number
  /** Empty for almost every event. */
  readonly metadata: string
  readonly metadataBytes: number
}

/** Throws TypeError for texts that are not JSON: only a defect of the caller comes this far. */
export function eventToSend(event: NewEvent): EventToSend {
  const line = exportedLine(event).slice(0, -1)
  // Parsing and writing costs more than everything else here; most events come from the codec as it wrote them.
  const isCanonical = isWrittenByCodec(event) || JSON.stringify(parse(line, event)) === line
  const metadata = isCanonical ? '' : JSON.stringify({ line })
  return {
    id: event.id,
    type: event.type,
    data: line,
    dataBytes: Buffer.byteLength(line),
    metadata,
    metadataBytes: Buffer.byteLength(metadata),
  }
}

function parse(line: string, { id }: NewEvent): Record<string, unknown> {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new TypeError(`The texts of the event ${id} are not JSON.`, { cause: error })
  }
}

/** The server's own streams ($stats, $settings, ...) are none of our business. */
export function isSystemStream(stream: string): boolean {
  return stream.startsWith('$')
}

/** Undefined for what Verdict did not write. */
export function storedEventOf({ event }: ResolvedEvent): StoredEvent | undefined {
  if (event === undefined || event.position === undefined || !event.isJson) return undefined
  const revision = Number(event.revision)
  const line = lineOf(event.metadata) ?? JSON.stringify(event.data)
  const stored = parseExportedLine(line, event.streamId, revision, event.position.commit)
  return stored?.id === event.id && stored.type === event.type ? stored : undefined
}

/** The same where only our events may stand. Throws LogError `log_damaged`. */
export function ownEventOf(resolved: ResolvedEvent): StoredEvent {
  const stored = storedEventOf(resolved)
  if (stored !== undefined) return stored
  const { event } = resolved
  throw new LogError(
    'log_damaged',
    `Stream '${event?.streamId}' at revision ${event?.revision}: an event of the type '${event?.type}' that Verdict did not write, or not there. Streams named registry-*, cursors-* and admin belong to Verdict alone.`,
  )
}

function lineOf(metadata: unknown): string | undefined {
  if (typeof metadata !== 'object' || metadata === null || !('line' in metadata)) return undefined
  return typeof metadata.line === 'string' ? metadata.line : undefined
}
