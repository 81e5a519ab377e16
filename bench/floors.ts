/**
 * What the machine gives without the product: the product's own table and statements fed with ready bytes, in commits of
 * the shape that the product's own commits had in the same run, and a bare append with fdatasync of the same bytes.
 */
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { EventMetadata, LifecycleEvent } from '../src/authority/events.ts'
import { type AppendToPack, packAppends, unpackAppends } from '../src/event-store/append-packing.ts'
import { encodeEvents, randomSalts } from '../src/event-store/event-codec.ts'
import type { NewEvent } from '../src/event-store/event-store.ts'
import { exportedLine } from '../src/event-store/exported-line.ts'
import { GENESIS_HASH } from '../src/event-store/hash-chain.ts'
import { openSqliteStore } from '../src/event-store/sqlite.ts'
import { createAppendTable } from '../src/event-store/sqlite-appends.ts'
import { connect } from '../src/event-store/sqlite-file.ts'

export interface Floor {
  /** Events per second. */
  readonly rate: number
  /** Milliseconds per commit, sorted. */
  readonly commits: readonly number[]
}

/** What one commit of the product held, on average. */
export interface CommitShape {
  readonly appendsPerCommit: number
  readonly eventsPerAppend: number
}

/** The product's table and statements, on this thread, with nothing else to do. */
export async function tableFloor(
  directory: string,
  shape: CommitShape,
  registries: number,
  events: number,
): Promise<Floor> {
  const path = join(directory, `floor-${floors++}.db`)
  // Makes the file as the product does.
  const store = await openSqliteStore({ path })
  await store.close()
  const db = connect(path)
  const table = createAppendTable(db, path)
  const streams = Array.from({ length: registries }, (_, i) => new ReadyStream(`registry-default/floor-${i}`))
  const batches: ArrayBuffer[] = []
  const rounded = new Rounding(shape)
  let stream = 0
  for (let made = 0; made < events; ) {
    const appends: AppendToPack[] = []
    for (let left = Math.min(rounded.appends(), registries); left > 0 && made < events; left--) {
      const append = (streams[stream++ % registries] as ReadyStream).append(Math.min(rounded.events(), events - made))
      made += append.events.length
      appends.push(append)
    }
    batches.push(packAppends(appends))
  }
  const commits: number[] = []
  const start = performance.now()
  for (const batch of batches) {
    const began = performance.now()
    db.exec('BEGIN IMMEDIATE')
    table.catchUp()
    for (const append of unpackAppends(batch)) {
      const answer = table.append(append)
      if (answer.type !== 'acknowledged') throw new Error(`the floor's own append was answered ${answer.type}`)
    }
    db.exec('COMMIT')
    table.keep()
    commits.push(performance.now() - began)
  }
  const seconds = (performance.now() - start) / 1_000
  db.close()
  return { rate: events / seconds, commits: commits.sort((a, b) => a - b) }
}

/** A file, appended to and flushed once for as many events as a commit of the product held. */
export function fileFloor(
  directory: string,
  { appendsPerCommit, eventsPerAppend }: CommitShape,
  events: number,
): Floor {
  const perCommit = Math.max(1, Math.round(appendsPerCommit * eventsPerAppend))
  const stream = new ReadyStream('registry-default/floor')
  const batches: string[] = []
  for (let made = 0; made < events; made += perCommit) {
    batches.push(
      stream
        .next(Math.min(perCommit, events - made))
        .map(exportedLine)
        .join(''),
    )
  }
  const file = openSync(join(directory, `floor-${floors++}.ndjson`), 'a')
  const commits: number[] = []
  const start = performance.now()
  for (const batch of batches) {
    const began = performance.now()
    writeSync(file, batch)
    fdatasyncSync(file)
    commits.push(performance.now() - began)
  }
  const seconds = (performance.now() - start) / 1_000
  return { rate: events / seconds, commits: commits.sort((a, b) => a - b) }
}

/** A stream whose next events are ready as bytes: of the kind and size that W1 writes. */
class ReadyStream {
  readonly name: string
  #revision = -1
  #hash = GENESIS_HASH
  readonly #salts = randomSalts()

  constructor(name: string) {
    this.name = name
  }

  append(count: number): AppendToPack & { readonly events: readonly NewEvent[] } {
    const expected = this.#revision === -1 ? 'no_stream' : this.#revision
    return { stream: this.name, expected, events: this.next(count) }
  }

  next(count: number): NewEvent[] {
    const events = encodeEvents({
      stream: this.name,
      expectedNextRevision: this.#revision + 1,
      previousHash: this.#hash,
      events: Array.from({ length: count }, () => ({ event: EVENT, metadata: METADATA })),
      salts: this.#salts,
    })
    this.#revision += count
    this.#hash = (events.at(-1) as NewEvent).hash
    return events
  }
}

/** Whole numbers that come to the averages of a shape. */
class Rounding {
  readonly #shape: CommitShape
  #appendsOwed = 0
  #eventsOwed = 0

  constructor(shape: CommitShape) {
    this.#shape = shape
  }

  appends(): number {
    this.#appendsOwed += this.#shape.appendsPerCommit
    const whole = Math.max(1, Math.floor(this.#appendsOwed))
    this.#appendsOwed -= whole
    return whole
  }

  events(): number {
    this.#eventsOwed += this.#shape.eventsPerAppend
    const whole = Math.max(1, Math.floor(this.#eventsOwed))
    this.#eventsOwed -= whole
    return whole
  }
}

let floors = 0

const EVENT: LifecycleEvent = {
  type: 'OperationCompleted',
  facts: { id: '01a1fc68-3291-7291-b0c8-4b2efbcbb77e', number: 1_000_000, sequence: 1_000_000 },
  content: { result: { text: 'x'.repeat(280) } },
}

const METADATA: EventMetadata = {
  commandId: '01a1fc68-3291-7291-b0c8-4b2efbcbb77e',
  commandType: 'CompleteOperation',
  commandDigest: '00000000000000000000000000000000',
  index: 0,
  count: 1,
  at: 1_795_236_049_554,
  actor: 'bench',
  ruleset: 1,
}
