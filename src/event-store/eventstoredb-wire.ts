/**
 * Protocol Buffers by the byte, for the messages of which there are thousands a second: the generated classes copy every
 * field into an object of its own, and their setters and getters cost more than all the rest of an append.
 *
 * By https://protobuf.dev/programming-guides/encoding/; only fields up to number 15, whose tags are one byte.
 */
const VARINT = 0
const FIXED_64 = 1
const LENGTH_PREFIXED = 2
const FIXED_32 = 5
const MORE = 0x80

/** Field after field of one message, each skipped unless it is asked for. Throws RangeError for bytes that are no message. */
export class WireReader {
  field = 0
  /** Of a field that holds one. */
  number = 0n
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number
  #start = 0

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
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

/** Fills a buffer that was measured before: see `fieldBytes`. */
export class WireWriter {
  readonly bytes: Buffer
  #at = 0

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafe(size)
  }

  /** The head of a field whose content follows. */
  open(field: number, length: number): void {
    this.#put((field << 3) | LENGTH_PREFIXED)
    this.#varint(length)
  }

  text(field: number, text: string, length: number): void {
    this.open(field, length)
    this.#at += this.bytes.write(text, this.#at, length, 'utf8')
  }

  number(field: number, value: number): void {
    this.#put((field << 3) | VARINT)
    this.#varint(value)
  }

  copy(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #varint(value: number): void {
    let rest = value
    while (rest >= MORE) {
      this.#put((rest % MORE) | MORE)
      rest = Math.floor(rest / MORE)
    }
    this.#put(rest)
  }

  #put(byte: number): void {
    this.bytes[this.#at++] = byte
  }
}

/** What a length-prefixed field takes, its head included. */
export function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length
}

export function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= MORE; rest = Math.floor(rest / MORE)) bytes++
  return bytes
}
