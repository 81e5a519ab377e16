/**
 * The real work of the demo, one command line each: hash, count or gzip what is in a place, print how far it is.
 *
 *     node work.ts hash FOLDER | count FOLDER | gzip FILE OUT | brotli FILE OUT
 *
 * Its end comes with that of whoever started it: standard input closes then.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createBrotliCompress, createGzip } from 'node:zlib'

process.stdin.on('end', () => process.exit(1)).resume()
process.stdin.on('error', () => process.exit(1))
;(process.stdin as unknown as { unref?(): void }).unref?.() // a pipe has it, a file needs none

/** In percent. */
let told = -1
const [verb, place = '', out = ''] = process.argv.slice(2)

try {
  await work()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function work(): Promise<void> {
  switch (verb) {
    case 'hash':
      return hash(place)
    case 'count':
      return count(place)
    case 'gzip':
      return compress(place, out, createGzip())
    case 'brotli':
      return compress(place, out, createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }))
    default:
      throw new Error(`there is no such work: ${verb}`)
  }
}

async function hash(folder: string): Promise<void> {
  const sum = createHash('sha256')
  const files = filesIn(folder)
  for (const [i, file] of files.entries()) {
    for await (const chunk of createReadStream(file)) sum.update(chunk)
    tell(i + 1, files.length, 'files')
  }
  console.log(`sha256 ${sum.digest('hex')}`)
}

async function count(folder: string): Promise<void> {
  let lines = 0
  const files = filesIn(folder)
  for (const [i, file] of files.entries()) {
    for await (const chunk of createReadStream(file)) for (const byte of chunk) if (byte === 10) lines++
    tell(i + 1, files.length, 'files')
  }
  console.log(`${lines} lines`)
}

async function compress(file: string, target: string, compressor: Transform): Promise<void> {
  const total = statSync(file).size
  let read = 0
  const meter = new Transform({
    transform(chunk, _encoding, done) {
      read += chunk.length
      tell(read, total, 'bytes')
      done(null, chunk)
    },
  })
  await pipeline(createReadStream(file), meter, compressor, createWriteStream(target))
  console.log(`${total} bytes became ${statSync(target).size}`)
}

/** Once per percent: a person can't see more. */
function tell(done: number, total: number, unit: string): void {
  const percent = Math.floor((100 * done) / total)
  if (percent === told) return
  told = percent
  console.log(`${done}/${total} ${unit}`)
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
}
