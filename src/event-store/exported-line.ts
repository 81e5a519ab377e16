/**
 * One event as one line of NDJSON, and the only form in which its bytes are stored and exported:
 *
 *     {"hash":"<64 hex>","body":<body text>,"content":<content text>}\n
 *
 * A verifier cuts the two texts out without parsing: the body ends where `,"content":{"salt":"` stands for the first
 * time. Inside a JSON string its quotes would be escaped, and no fact or metadatum has that shape; a body that has it
 * all the same is refused before it is stored.
 */
import { isWrittenByCodec } from './event-codec.ts'
import type { ExpectedRevision, NewEvent, StoredEvent } from './event-store.ts'
import { bodyStart, eventIdOf } from './hash-chain.ts'

export function exportedLine(event: Pick<NewEvent, 'hash' | 'body' | 'content'>): string {
  return `${LINE_START}${event.hash}${AFTER_HASH}${event.body}${BEFORE_CONTENT}${event.content}}\n`
}

const LINE_START = '{"hash":"'
const AFTER_HASH = '","body":'
const BEFORE_CONTENT = ',"content":'
const SALT_START = '{"salt":"'
const BOUNDARY = `${BEFORE_CONTENT}${SALT_START}`
const HASH_END = LINE_START.length + 64
const BODY_START = HASH_END + AFTER_HASH.length

/**
 * The event of a line (with or without its line end), or undefined when the line is not one, or not this stream's event at
 * this revision. Says nothing about hashes: see hash-chain.ts.
 */
export function parseExportedLine(
  line: string,
  stream: string,
  revision: number,
  position: bigint,
): StoredEvent | undefined {
  const end = line.endsWith('\n') ? line.length - 2 : line.length - 1
  if (!line.startsWith(LINE_START) || !line.startsWith(AFTER_HASH, HASH_END) || line[end] !== '}') return undefined
  const start = bodyStart(stream, revision)
  if (!line.startsWith(start, BODY_START)) return undefined
  const boundary = line.indexOf(BOUNDARY, BODY_START)
  if (boundary === -1) return undefined
  const typeAt = BODY_START + start.length + 1
  const hash = line.slice(LINE_START.length, HASH_END)
  return {
    id: eventIdOf(hash),
    hash,
    type: line.slice(typeAt, line.indexOf('"', typeAt)),
    body: line.slice(BODY_START, boundary),
    content: line.slice(boundary + BEFORE_CONTENT.length, end),
    stream,
    revision,
    position,
  }
}

/** Whether the first of these lines is this stream's event at this revision, as `parseExportedLine` tells; looks at no more. */
export function isFirstLineOf(lines: Buffer, stream: string, revision: number): boolean {
  const start = Buffer.from(bodyStart(stream, revision))
  return start.equals(lines.subarray(BODY_START, BODY_START + start.length))
}

/** The hash that a line claims, without looking at the rest. */
export function hashOfLine(line: string): string {
  return line.slice(LINE_START.length, HASH_END)
}

/**
 * Throws for events that could not be read back as what they claim to be: none at all, a body that names another stream
 * or revision, a line break, the boundary or a lone surrogate inside a text. Every adapter asks before it stores; only a defect of the
 * caller comes this far.
 */
export function assertAppendable(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): void {
  if (!isStreamName(stream))
    throw new TypeError(`'${stream}' can't name a stream: it is empty or has a lone surrogate.`)
  if (events.length === 0) throw new TypeError(`An append to '${stream}' needs at least one event.`)
  let revision = nextRevision(expected)
  if (!Number.isSafeInteger(revision) || (expected !== 'no_stream' && expected < 0)) {
    throw new TypeError(`An append to '${stream}' expects a revision from 0 or 'no_stream', and was given ${expected}.`)
  }
  for (const event of events) {
    const { hash, id, type, body, content } = event
    const start = bodyStart(stream, revision)
    const fits =
      hash.length === 64 &&
      id.length === 36 &&
      body.startsWith(start) &&
      body.startsWith(`"${type}",`, start.length) &&
      // The beginning of a salt alone is found, or not, in a quarter of the time.
      !(body.includes(SALT_START) && body.includes(BOUNDARY)) &&
      (isWrittenByCodec(event) || isWholeLine(body, content))
    if (!fits) {
      throw new TypeError(
        `An event for '${stream}' at revision ${revision} is not in the stored form: hash ${hash}, body ${body.slice(0, 200)}`,
      )
    }
    revision++
  }
}

/** What the codec writes is so by itself: JSON.stringify leaves neither line breaks nor lone surrogates in a text. */
function isWholeLine(body: string, content: string): boolean {
  return (
    body.endsWith('"}') &&
    content.startsWith(SALT_START) &&
    content.endsWith('}') &&
    !body.includes('\n') &&
    !content.includes('\n') &&
    body.isWellFormed() &&
    content.isWellFormed()
  )
}

/** A lone surrogate has no UTF-8: two names with different ones would become the same bytes. */
export function isStreamName(name: string): boolean {
  return name.length > 0 && name.isWellFormed()
}

export function nextRevision(expected: ExpectedRevision): number {
  return expected === 'no_stream' ? 0 : expected + 1
}
