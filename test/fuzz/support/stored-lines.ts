/** Lines of logs that are good: the kept examples of every stored version, and random histories written today. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { encodeEvents, type SaltSource } from '../../../src/event-store/event-codec.ts'
import type { NewEvent, StoredEvent } from '../../../src/event-store/event-store.ts'
import { exportedLine, parseExportedLine } from '../../../src/event-store/exported-line.ts'
import { GENESIS_HASH } from '../../../src/event-store/hash-chain.ts'
import { registryStream } from '../../../src/event-store/stream-names.ts'
import { historyOf, limits, wishes } from '../../authority/support/random-history.ts'

const EXAMPLES = path.resolve(import.meta.dirname, '../../event-store/examples')

/** Of a stream in a body: as JSON, with what may stand in it. */
const PLACE = /^\{"hash":"[0-9a-f]{64}","body":\{"stream":("(?:[^"\\]|\\.)*"),"revision":(\d+),/

export function storedIn(line: string, position: bigint): StoredEvent {
  const [, stream = '""', revision = ''] = PLACE.exec(line) ?? []
  const stored = parseExportedLine(line, JSON.parse(stream), Number(revision), position)
  if (stored === undefined) throw new Error(`not a line of a log: ${line.slice(0, 200)}`)
  return stored
}

/** By file. Each is an event of its own: together they are no history. */
const KEPT: readonly (readonly StoredEvent[])[] = readdirSync(EXAMPLES)
  .filter((file) => file.endsWith('.ndjson'))
  .sort()
  .map((file) =>
    readFileSync(path.join(EXAMPLES, file), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line, i) => storedIn(line, BigInt(i + 1))),
  )

const STREAM = registryStream({ workspace: 'Zürich "West"', owner: `it's \\ (mine)` })

/** Every salt another one, and each time the same. */
export function countedSalts(): SaltSource {
  let drawn = 0
  return () => (drawn++).toString(16).padStart(32, '0')
}

/** Histories that hold from the first event to the last. */
export const goodLogs: fc.Arbitrary<readonly StoredEvent[]> = fc
  .tuple(limits, wishes, fc.integer())
  .map(([given, sent, seed]) => historyOf(given, sent, seed).history)
  .filter((history) => history.length > 0)
  .map((events) => {
    const written = { stream: STREAM, expectedNextRevision: 0, previousHash: GENESIS_HASH, salts: countedSalts() }
    return storedAs(STREAM, encodeEvents({ ...written, events }))
  })

export const goodEvents: fc.Arbitrary<StoredEvent> = fc
  .tuple(fc.oneof(goodLogs, fc.constantFrom(...KEPT)), fc.nat({ max: 0xffff }))
  .map(([events, which]) => events[Math.floor((which / 0x10000) * events.length)] as StoredEvent) // there is one at least

export function storedAs(stream: string, events: readonly NewEvent[]): readonly StoredEvent[] {
  return events.map((event, revision) => ({ ...event, stream, revision, position: BigInt(revision + 1) }))
}

export function linesOf(events: readonly StoredEvent[]): readonly string[] {
  return events.map(exportedLine)
}
