/** New ids and other random bytes: drawn at the border, handed in as values. */
import { randomFillSync } from 'node:crypto'

/** Where randomness comes from: fills a buffer. */
export type RandomSource = (bytes: Uint8Array) => void

/** The operating system's generator, many bytes at a draw, because a draw costs more than what is made of it. */
export function systemRandom(): RandomSource {
  const pool = Buffer.alloc(POOL_BYTES)
  let used = pool.length
  return (bytes) => {
    if (bytes.length > pool.length) {
      randomFillSync(bytes)
      return
    }
    if (used + bytes.length > pool.length) {
      randomFillSync(pool)
      used = 0
    }
    bytes.set(pool.subarray(used, used + bytes.length))
    used += bytes.length
  }
}

const POOL_BYTES = 4_096

/** A UUIDv7 (RFC 9562): sortable by its time, unique by 74 random bits. */
export function uuidV7(now: number, random: RandomSource): string {
  random(scratch)
  scratch.writeUIntBE(Math.max(0, Math.floor(now)), 0, 6)
  scratch[6] = 0x70 | ((scratch[6] ?? 0) & 0x0f)
  scratch[8] = 0x80 | ((scratch[8] ?? 0) & 0x3f)
  const hex = scratch.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** uuidV7 is synchronous, so one buffer serves all calls. */
const scratch = Buffer.alloc(16)

export function randomHex(bytes: number, random: RandomSource): string {
  const buffer = Buffer.alloc(bytes)
  random(buffer)
  return buffer.toString('hex')
}
