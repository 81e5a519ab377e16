import { randomUUID } from 'node:crypto'
import { encodeEvents, randomSalts } from '../../src/event-store/event-codec.ts'
import type { NewEvent } from '../../src/event-store/event-store.ts'
import { GENESIS_HASH } from '../../src/event-store/hash-chain.ts'

/** Events behind a place in a stream (undefined: its beginning), one for each result, that no other call gives. */
export function chainedEvents(
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
        actor: 'test',
        ruleset: 1,
      },
    })),
    salts,
  })
}

const salts = randomSalts()
