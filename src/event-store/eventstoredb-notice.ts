/**
 * What a subscription's message says, without unpacking the event in it: on a busy log the texts of every event come back
 * to the node that wrote them, and parsing them would cost as much as appending.
 *
 *     ReadResp { event = 1 | confirmation = 2 | checkpoint = 3 | ... }     ReadEvent { event = 1, ... }
 *     RecordedEvent { stream_identifier = 2, stream_revision = 3, commit_position = 5, ... }
 *     StreamIdentifier { stream_name = 3 }     Checkpoint { commit_position = 1, ... }
 *
 * By the wire format of Protocol Buffers: https://protobuf.dev/programming-guides/encoding/
 */
export type Notice =
  | { readonly type: 'confirmed' }
  | { readonly type: 'checkpoint'; readonly position: bigint }
  | { readonly type: 'appended'; readonly stream: string; readonly revision: number; readonly position: bigint }
  /** Nothing that a notice needs. */
  | { readonly type: 'other' }

const OTHER: Notice = { type: 'other' }

/** Throws RangeError for bytes that are no message. */
export function noticeOf(bytes: Uint8Array): Notice {
  const message = new WireReader(bytes, 0, bytes.length)
  while (message.next()) {
    if (message.field === 1) return appended(message.inner())
    if (message.field === 2) return { type: 'confirmed' }
    if (message.field === 3) return checkpoint(message.inner())
  }
  return OTHER
}

function checkpoint(message: WireReader): Notice {
  while (message.next()) if (message.field === 1) return { type: 'checkpoint', position: message.number }
  return { type: 'checkpoint', position: 0n }
}

function appended(resolved: WireReader): Notice {
  while (resolved.next()) if (resolved.field === 1) return recorded(resolved.inner())
  return OTHER
}

function recorded(event: WireReader): Notice {
  let stream = ''
  // A field that is not there is zero.
  let revision = 0n
  let position = 0n
  while (event.next()) {
    if (event.field === 2) stream = nameIn(event.inner())
    else if (event.field === 3) revision = event.number
    else if (event.field === 5) position = event.number
  }
  return { type: 'appended', stream, revision: Number(revision), position }
}

function nameIn(identifier: WireReader): string {
  while (identifier.next()) if (identifier.field === 3) return identifier.text()
  return ''
}

const VARINT = 0
const FIXED_64 = 1
const LENGTH_PREFIXED = 2
const FIXED_32 = 5
const MORE = 0x80

/** Field after field of one message, each skipped unless it is asked for. */
class WireReader {
  field = 0
  /** Of a field that holds one. */
  number = 0n
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number
  #start = 0

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  next(): boolean {
    if (this.#at >= this.#end) return false
    const tag = Number(this.#varint())
    this.field = tag >>> 3
    this.#start = this.#at
    switch (tag & 7) {
      case VARINT:
        this.number = this.#varint()
        break
      case FIXED_64:
        this.#at += 8
        break
      case LENGTH_PREFIXED: {
        const length = Number(this.#varint())
        this.#start = this.#at
        this.#at += length
        break
      }
      case FIXED_32:
        this.#at += 4
        break
      default:
        throw new RangeError(`a message of the server has a field of the wire type ${tag & 7}`)
    }
    if (this.#at > this.#end) throw new RangeError('a message of the server ends in the middle of a field')
    return true
  }

  /** The message in this field. */
  inner(): WireReader {
    return new WireReader(this.#bytes, this.#start, this.#at)
  }

  text(): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.#start, this.#at - this.#start).toString()
  }

  #varint(): bigint {
    // What fits 28 bits needs no bigint on the way, and almost everything does.
    let low = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte()
      low += (byte & 0x7f) << shift
      if (byte < MORE) return BigInt(low)
    }
    let value = BigInt(low)
    for (let shift = 28n; ; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < MORE) return value
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new RangeError('a message of the server ends in the middle of a number')
    return byte
  }
}
