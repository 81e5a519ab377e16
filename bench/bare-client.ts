/**
 * What EventStoreDB's own client does without the product: appends of the same number of events with the same bytes, one
 * after the other in each stream, in as many streams at once.
 */
import { randomUUID } from 'node:crypto'
import { EventStoreDBClient, jsonEvent, NO_STREAM } from '@eventstore/db-client'
import type { AppendShape } from './w1-load.ts'

export interface BareAppends {
  /** Events per second. */
  readonly rate: number
  /** Milliseconds per append, sorted. */
  readonly latencies: readonly number[]
}

export async function bareAppends(
  url: string,
  { events, bytesPerEvent }: AppendShape,
  inFlight: number,
  eventsWanted: number,
): Promise<BareAppends> {
  const client = EventStoreDBClient.connectionString(url)
  const run = randomUUID()
  const data = dataOf(bytesPerEvent)
  const latencies: number[] = []
  let started = 0
  let owed = 0
  // On a fresh client the first appends may overtake each other.
  await client.appendToStream(`bare-${run}`, [jsonEvent({ type: 'Bare', data })], { expectedRevision: NO_STREAM })
  const begin = performance.now()
  await Promise.all(
    Array.from({ length: inFlight }, async (_, index) => {
      const stream = `bare-${run}-${index}`
      for (let revision = -1; started < eventsWanted; ) {
        // Whole numbers of events that come to the average.
        owed += events
        const count = Math.max(1, Math.floor(owed))
        owed -= count
        started += count
        const batch = Array.from({ length: count }, () => jsonEvent({ type: 'Bare', data }))
        const expectedRevision = revision === -1 ? NO_STREAM : BigInt(revision)
        const sentAt = performance.now()
        const { nextExpectedRevision } = await client.appendToStream(stream, batch, { expectedRevision })
        latencies.push(performance.now() - sentAt)
        revision = Number(nextExpectedRevision)
      }
    }),
  )
  const seconds = (performance.now() - begin) / 1_000
  await client.dispose()
  return { rate: started / seconds, latencies: latencies.sort((a, b) => a - b) }
}

function dataOf(bytes: number): { readonly text: string } {
  return { text: 'x'.repeat(Math.max(0, Math.round(bytes) - '{"text":""}'.length)) }
}
