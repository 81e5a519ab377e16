/**
 * Stored: the checksum of each row, over everything in it. SQLite notices a damaged page structure, not a flipped bit
 * within a row; the hash chain notices it only where somebody walks the chain. This tells at once, on every read.
 */
import { crc32 } from 'node:zlib'

/** CRC-32 of a row of `appends`; NaN, which equals nothing, for one that has lost its lines. */
export function appendCrc(
  position: bigint,
  stream: number,
  revision: number,
  count: number,
  previous: bigint,
  lines: Uint8Array,
): number {
  // A damaged page gives values that the column's type rules out.
  if (!(lines instanceof Uint8Array)) return Number.NaN
  return crc32(lines, crc32(`${position} ${stream} ${revision} ${count} ${previous}`))
}

/** CRC-32 of a row of `streams`. */
export function headCrc(name: string, revision: number, position: bigint, hash: string): number {
  return crc32(`${revision} ${position} ${hash} ${name}`)
}
