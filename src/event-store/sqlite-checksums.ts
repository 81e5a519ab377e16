/**
 * Stored: the checksum of each row, over everything in it. SQLite notices a damaged page structure, not a flipped bit
 * within a row; the hash chain notices it only where somebody walks the chain. This tells at once, on every read.
 */
import { crc32 } from 'node:zlib'

/** A row of `appends`, as it is read with safe integers. */
export interface AppendRow {
  readonly position: bigint
  readonly stream: bigint
  readonly revision: bigint
  readonly count: bigint
  readonly previous: bigint
  readonly crc: bigint
  readonly lines: Buffer
}

/** A row of `streams`, as it is read with safe integers. */
export interface HeadRow {
  readonly revision: bigint
  readonly position: bigint
  readonly hash: string
  readonly crc: bigint
}

/** Whether a row is as it was written. */
export function isWholeAppend(row: AppendRow): boolean {
  const { position, stream, revision, count, previous, crc, lines } = row
  return (
    hasItsIntegers(row) &&
    lines instanceof Uint8Array &&
    appendCrc(position, Number(stream), Number(revision), Number(count), previous, lines) === Number(crc)
  )
}

/** Whether the head of the stream with this name is as it was written. */
export function isWholeHead(name: string, { revision, position, hash, crc }: HeadRow): boolean {
  return (
    typeof revision === 'bigint' &&
    typeof position === 'bigint' &&
    typeof hash === 'string' &&
    headCrc(name, Number(revision), position, hash) === Number(crc)
  )
}

/** A damaged page gives values that the column's type rules out; of the same text, for one, has a blob the same checksum. */
export function hasItsIntegers({ stream, revision, count, previous }: AppendRow): boolean {
  return (
    typeof stream === 'bigint' &&
    typeof revision === 'bigint' &&
    typeof count === 'bigint' &&
    typeof previous === 'bigint'
  )
}

/** CRC-32 of a row of `appends`. */
export function appendCrc(
  position: bigint,
  stream: number,
  revision: number,
  count: number,
  previous: bigint,
  lines: Uint8Array,
): number {
  return crc32(lines, crc32(`${position} ${stream} ${revision} ${count} ${previous}`))
}

/** CRC-32 of a row of `streams`. */
export function headCrc(name: string, revision: number, position: bigint, hash: string): number {
  return crc32(`${revision} ${position} ${hash} ${name}`)
}
