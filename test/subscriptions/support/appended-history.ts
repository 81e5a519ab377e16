/** Histories as events of a real log. */

import type { RecordedEvent } from '../../../src/authority/events.ts'
import { encodeEvents, randomSalts } from '../../../src/event-store/event-codec.ts'
import type { EventStore, NewEvent } from '../../../src/event-store/event-store.ts'
import { chainHash, eventIdOf, GENESIS_HASH } from '../../../src/event-store/hash-chain.ts'
import { openSqliteStore } from '../../../src/event-store/sqlite.ts'

export interface StreamToAppend {
  readonly stream: string
  readonly events: readonly NewEvent[]
  appended: number
}

export function encodedHistory(owner: string, history: readonly RecordedEvent[]): StreamToAppend {
  const stream = `registry-default/${owner}`
  const events = encodeEvents({
    stream,
    expectedNextRevision: 0,
    previousHash: GENESIS_HASH,
    events: history,
    salts: randomSalts(),
  })
  return { stream, events, appended: 0 }
}

/** The next ones of a stream, so many at most; the position behind them. */
export async function appendNext(
  store: EventStore,
  stream: StreamToAppend,
  count: number,
): Promise<bigint | undefined> {
  const events = stream.events.slice(stream.appended, stream.appended + count)
  if (events.length === 0) return undefined
  const result = await store.append(stream.stream, stream.appended === 0 ? 'no_stream' : stream.appended - 1, events)
  if (result.type !== 'acknowledged') throw new Error(JSON.stringify(result))
  stream.appended += events.length
  return result.position
}

/** A log of so many registrations and completions over a few registries. */
export async function writtenLog(file: string, operations: number, kindOf = (_i: number) => 'k'): Promise<void> {
  const store = await openSqliteStore({ path: file })
  const perStream = Math.ceil(operations / 4)
  for (let owner = 0; owner < 4; owner++) {
    const history = Array.from({ length: perStream }, (_, i) => registration(i, kindOf(owner * perStream + i)))
    const stream = encodedHistory(`o${owner}`, history)
    while ((await appendNext(store, stream, 500)) !== undefined);
  }
  await store.close()
}

/** Two registrations, and between them an event of a later version. */
export function unknownBetween(stream: string): readonly NewEvent[] {
  const [first, middle] = encodeEvents({
    stream,
    expectedNextRevision: 0,
    previousHash: GENESIS_HASH,
    events: [registration(0, 'k'), registration(1, 'k')],
    salts: randomSalts(),
  }) as [NewEvent, NewEvent]
  const body = middle.body.replace('"OperationRegistered"', '"OperationTeleported"')
  const hash = chainHash(first.hash, body)
  const unknown = { ...middle, type: 'OperationTeleported', body, hash, id: eventIdOf(hash) }
  const last = encodeEvents({
    stream,
    expectedNextRevision: 2,
    previousHash: hash,
    events: [registration(2, 'k')],
    salts: randomSalts(),
  })
  return [first, unknown, ...last]
}

export function registration(revision: number, kind: string): RecordedEvent {
  return {
    revision,
    event: {
      type: 'OperationRegistered',
      facts: {
        id: `id-${revision}`,
        kind,
        kindFacts: { expectsPeer: false, feed: 'emit', wakeOwner: false, retention: 'retain', phases: null },
        policy: null,
      },
      content: {},
    },
    metadata: {
      commandId: `c${revision}`,
      commandType: 'RegisterOperation',
      commandDigest: 'd',
      index: 0,
      count: 1,
      at: 1_763_690_000_000 + revision,
      actor: 'test',
      ruleset: 1,
    },
  }
}
