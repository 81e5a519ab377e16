/**
 * Whether the write-ahead log that a dead process left is torn, as a crash leaves it, or damaged. SQLite reads it up to the first
 * frame that does not fit its checksum and takes the rest for torn, without a word. But every commit is flushed before the
 * next one is begun: behind a tear nothing stands but what is left of the last commit. Where the ends of two stand, the first
 * of them was acknowledged, and would be lost.
 *
 *     header | frame ... frame, end of a commit | ... | ###### | ... end of a commit | ... end of a commit     -> damaged
 *     header | frame ... frame, end of a commit | ... | ###### | ... end of a commit                           -> torn, or damaged
 *
 * The second kind is what a chain alone can't tell either: see verify's heads. The format: https://www.sqlite.org/fileformat.html#walformat
 */
import { readFileSync } from 'node:fs'

const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
/** In which byte order checksums were computed. */
const MAGIC_LITTLE_ENDIAN = 0x377f0682
const MAGIC_BIG_ENDIAN = 0x377f0683
/** Of every log that SQLite made for us; told by the header, where that is whole. */
const PAGE_BYTES_USUAL = 4_096
const PAGE_BYTES_MIN = 512
const PAGE_BYTES_MAX = 65_536
/** Others may write to it while it is read, and what was read is then of two moments. */
const LOOKS = 3

type Sums = readonly [number, number]

/** How many commits can't be read although the next one was begun: 0 where there is none, or no write-ahead log. */
export function commitsLostIn(path: string): number {
  return commitsLost(() => bytesOf(path))
}

/** The same of what each look gives. */
export function commitsLost(look: () => Buffer): number {
  let least = lossIn(look())
  for (let looks = 1; looks < LOOKS && least.commits > 0; looks++) {
    const again = lossIn(look())
    // What is damaged stays where it is; what was only being written is whole by now, or written over.
    if (again.place !== least.place) return 0
    if (again.commits < least.commits) least = again
  }
  return least.commits
}

interface Loss {
  readonly commits: number
  /** Of the first frame that can't be read, in which of the logs that this file held one after the other. */
  readonly place: string
}

const NO_LOSS: Loss = { commits: 0, place: '' }

function bytesOf(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

function lossIn(bytes: Buffer): Loss {
  if (bytes.length < HEADER_BYTES + FRAME_HEADER_BYTES) return NO_LOSS
  const header = headerOf(bytes)
  const isLittleEndian = header?.isLittleEndian ?? true
  const frameBytes = FRAME_HEADER_BYTES + (header?.pageBytes ?? PAGE_BYTES_USUAL)
  // Frames of a header that is damaged are known by the salts of the first one.
  const salts = bytes.subarray(...(header ? [16, 24] : [HEADER_BYTES + 8, HEADER_BYTES + 16]))
  let sums = header?.sums
  let commitsBehind = 0
  let unreadAt = 0
  for (let at = HEADER_BYTES; at + frameBytes <= bytes.length; at += frameBytes) {
    const isOfThisLog = salts.equals(bytes.subarray(at + 8, at + 16))
    if (sums !== undefined && isOfThisLog) {
      const upToPage = summed(bytes, at, at + 8, sums, isLittleEndian)
      const next = summed(bytes, at + FRAME_HEADER_BYTES, at + frameBytes, upToPage, isLittleEndian)
      sums = next[0] === bytes.readUInt32BE(at + 16) && next[1] === bytes.readUInt32BE(at + 20) ? next : undefined
      if (sums !== undefined) continue
    }
    sums = undefined
    unreadAt ||= at
    if (isOfThisLog && bytes.readUInt32BE(at + 4) !== 0) commitsBehind++
  }
  // The last one may be what a crash left of a commit that nobody was told of.
  return { commits: Math.max(0, commitsBehind - 1), place: `${salts.toString('hex')} ${unreadAt}` }
}

/** Undefined for one that is none, or damaged. */
function headerOf(bytes: Buffer) {
  const magic = bytes.readUInt32BE(0)
  const pageBytes = bytes.readUInt32BE(8)
  if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return undefined
  if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX) return undefined
  const isLittleEndian = magic === MAGIC_LITTLE_ENDIAN
  const sums = summed(bytes, 0, HEADER_BYTES - 8, [0, 0], isLittleEndian)
  const isWhole = sums[0] === bytes.readUInt32BE(24) && sums[1] === bytes.readUInt32BE(28)
  return isWhole ? { pageBytes, isLittleEndian, sums } : undefined
}

function summed(bytes: Buffer, from: number, to: number, [first, second]: Sums, isLittleEndian: boolean): Sums {
  let one = first
  let other = second
  for (let at = from; at < to; at += 8) {
    one = (one + (isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)) + other) >>> 0
    other = (other + (isLittleEndian ? bytes.readUInt32LE(at + 4) : bytes.readUInt32BE(at + 4)) + one) >>> 0
  }
  return [one, other]
}
