/**
 * The chain that makes a stream tamper-evident. Decided once: the bytes hashed here are the bytes stored for ever.
 *
 *     content text  {"salt":"<16 random bytes in hex>","value":{...}}
 *     body text     {"stream","revision","type","version","facts","metadata","content":"<SHA-256 of the content text>"}
 *     hash          SHA-256(previous hash, 32 raw bytes, zero at revision 0  ||  body text in UTF-8)
 *     event id      the first 16 bytes of the hash as a UUIDv8
 *
 * The body names the content only by its hash, so content may be erased or sealed later and the chain still verifies; the
 * salt keeps a guess at erased content from being confirmed by its hash.
 *
 * What a chain alone cannot see: a tail that was cut off, and a whole stream rewritten from revision 0. Both show only
 * against a head that was kept elsewhere.
 */
import { hash } from 'node:crypto'
import type { StoredEvent } from './event-store.ts'

/** What stands before revision 0: 32 zero bytes, in hex. */
export const GENESIS_HASH = '0'.repeat(64)

/** SHA-256 of a content text, in hex: what the body says of its content. */
export function contentHash(content: string): string {
  return hash('sha256', content, 'hex')
}

/** SHA-256 over the previous event's hash (hex, 64 digits) and the body, in hex. */
export function chainHash(previousHash: string, body: string): string {
  // One UTF-16 unit is at most three bytes.
  const sizeMax = HASH_BYTES + body.length * 3
  if (scratch.length < sizeMax) scratch = Buffer.allocUnsafeSlow(Math.max(sizeMax, scratch.length * 2))
  if (scratch.write(previousHash, 0, HASH_BYTES, 'hex') !== HASH_BYTES) {
    throw new Error(`A hash is 64 hexadecimal digits; the chain was to go on from '${previousHash}'.`)
  }
  const end = HASH_BYTES + scratch.write(body, HASH_BYTES, 'utf8')
  const digest = hash('sha256', scratch.subarray(0, end), 'hex')
  if (scratch.length > SCRATCH_BYTES_KEPT) scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES_KEPT)
  return digest
}

const HASH_BYTES = 32
/** One buffer for every digest saves an allocation per event; a rare large body must not keep it large for ever. */
const SCRATCH_BYTES_KEPT = 64 * 1024
let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES_KEPT)

/** The first 16 bytes of a hash with version 8 and the variant of RFC 9562 set: the same id means the same bytes. */
export function eventIdOf(hash: string): string {
  const variant = VARIANT_DIGITS[Number.parseInt(hash.charAt(16), 16) & 3]
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}

const VARIANT_DIGITS = ['8', '9', 'a', 'b'] as const

/** A place in a stream's chain: the last event that is known to be good. */
export interface ChainPoint {
  readonly revision: number
  readonly hash: string
}

export interface ChainFault {
  readonly code: 'revision_gap' | 'body_misplaced' | 'content_changed' | 'chain_broken' | 'id_mismatch'
  readonly stream: string
  /** Where the fault shows: the revision that should stand there. */
  readonly revision: number
  readonly message: string
}

/**
 * What is wrong with an event as the successor of `previous` (undefined: as revision 0); undefined when nothing is: it
 * stands at the next revision, its body says so, its content is the one the body names, its hash follows from its
 * predecessor's, and its id from its hash.
 */
export function chainFault(event: StoredEvent, previous: ChainPoint | undefined): ChainFault | undefined {
  const { stream } = event
  const revision = previous === undefined ? 0 : previous.revision + 1
  const fault = (code: ChainFault['code'], message: string): ChainFault => ({
    code,
    stream,
    revision,
    message: `Stream '${stream}' at revision ${revision}: ${message}`,
  })
  if (event.revision !== revision) return fault('revision_gap', `revision ${event.revision} stands in its place.`)
  if (!event.body.startsWith(bodyStart(stream, revision))) {
    return fault('body_misplaced', 'the body names another stream or revision.')
  }
  const named = contentHash(event.content)
  if (!event.body.endsWith(`,"content":"${named}"}`)) {
    return fault('content_changed', `the content has the hash ${named}, which its body does not name.`)
  }
  const expected = chainHash(previous?.hash ?? GENESIS_HASH, event.body)
  if (event.hash !== expected) {
    return fault('chain_broken', `its hash must be ${expected} after its predecessor, and is ${event.hash}.`)
  }
  if (event.id !== eventIdOf(expected)) {
    return fault('id_mismatch', `its id must be ${eventIdOf(expected)}, and is ${event.id}.`)
  }
  return undefined
}

/** How the body of an event begins; the type follows. */
export function bodyStart(stream: string, revision: number): string {
  return `{"stream":${JSON.stringify(stream)},"revision":${revision},"type":`
}

export type ChainVerdict =
  /** `head` is the last event of the part that was given; undefined when there was none and nothing stood before. */
  | { readonly type: 'intact'; readonly events: number; readonly head: ChainPoint | undefined }
  | { readonly type: 'broken'; readonly events: number; readonly fault: ChainFault }

/**
 * Checks the events of one stream, step by step, up to the first fault. `from` is the event before the first one given;
 * undefined when they begin at revision 0. Compare `head` with one kept elsewhere: see above for what a chain cannot see.
 */
export async function verifyChain(
  events: AsyncIterable<StoredEvent> | Iterable<StoredEvent>,
  from?: ChainPoint,
): Promise<ChainVerdict> {
  let head = from
  let count = 0
  for await (const event of events) {
    const fault = chainFault(event, head)
    if (fault) return { type: 'broken', events: count, fault }
    head = { revision: event.revision, hash: event.hash }
    count++
  }
  return { type: 'intact', events: count, head }
}
