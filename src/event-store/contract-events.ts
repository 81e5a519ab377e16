/** What the cases of the contract append, and how they look at what came of it. */
import { randomUUID } from 'node:crypto'
import type { OpenLog } from './contract-log.ts'
import { encodeEvents, randomSalts } from './event-codec.ts'
import { type AppendResult, type EventStore, LogError, type NewEvent, type StoredEvent } from './event-store.ts'
import { GENESIS_HASH } from './hash-chain.ts'

/** Events behind a place in a stream (undefined: its beginning) that no other call gives. */
export function someEvents(
  stream: string,
  behind: { readonly revision: number; readonly hash: string } | undefined,
  count: number,
): NewEvent[] {
  return encode(
    stream,
    behind,
    Array.from({ length: count }, (_, index) => index),
  )
}

export function encode(
  stream: string,
  behind: { readonly revision: number; readonly hash: string } | undefined,
  results: readonly unknown[],
): NewEvent[] {
  return encodeEvents({
    stream,
    expectedNextRevision: (behind?.revision ?? -1) + 1,
    previousHash: behind?.hash ?? GENESIS_HASH,
    events: results.map((result, index) => ({
      event: {
        type: 'OperationCompleted',
        facts: { id: randomUUID(), number: 1, sequence: 1 },
        content: { result: result as never }, // any JSON value
      },
      metadata: {
        commandId: randomUUID(),
        commandType: 'CompleteOperation',
        commandDigest: '00112233445566778899aabbccddeeff',
        index,
        count: results.length,
        at: 1_763_690_000_000,
        actor: 'contract',
        ruleset: 1,
      },
    })),
    salts,
  })
}

const salts = randomSalts()

/** Appends behind the head, which nobody else moves, and gives what was stored. */
export async function appendSome(store: EventStore, stream: string, count: number): Promise<StoredEvent[]> {
  const head = await store.head(stream)
  acknowledged(await store.append(stream, head?.revision ?? 'no_stream', someEvents(stream, head, count)))
  return await all(store.readStream(stream, { from: (head?.revision ?? -1) + 1 }))
}

/** A position that everything stored before has reached. */
export async function positionNow(store: EventStore, log: OpenLog): Promise<bigint> {
  return lastOf(await appendSome(store, log.stream('beginning'), 1)).position
}

export function acknowledged(result: AppendResult): AppendResult & { type: 'acknowledged' } {
  if (result.type === 'acknowledged') return result
  throw new Error(`The append was ${result.type}: ${JSON.stringify(result)}`)
}

export function newEventOf({ id, hash, type, body, content }: StoredEvent): NewEvent {
  return { id, hash, type, body, content }
}

export function lastOf<T>(items: readonly T[]): T {
  const last = items.at(-1)
  if (last === undefined) throw new Error('There is none.')
  return last
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

export async function errorOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error
  }
  return 'nothing was thrown'
}

export async function logErrorCode(run: () => Promise<unknown>): Promise<unknown> {
  const error = await errorOf(run)
  return error instanceof LogError ? error.code : error
}
