import {
  ANY,
  BACKWARDS,
  END,
  EventStoreDBClient,
  jsonEvent,
  NO_STREAM,
  START,
  STREAM_EXISTS,
} from '@eventstore/db-client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { collect, startServer } from '../support/eventstoredb-rig.ts'
import type { EventStoreDbServer } from '../support/eventstoredb-server.ts'

/** The protocol server answers the bare client as EventStoreDB 24.2.0 was observed to answer it. */
const IDS = ['a0', 'a1', 'b0', 'b1', 'n0', 'n1'] as const
type Id = (typeof IDS)[number]
const idOf = (name: Id) => `00000000-0000-4000-8000-0000000000${IDS.indexOf(name).toString().padStart(2, '0')}`
const events = (...names: Id[]) => names.map((name) => jsonEvent({ id: idOf(name), type: 'T', data: { name } }))

async function bareClient(server: EventStoreDbServer): Promise<EventStoreDBClient> {
  const client = EventStoreDBClient.connectionString(server.url)
  onTestFinished(() => client.dispose())
  return client
}

/** Any credentials make the client send an append as a call of its own. */
const credentials = { username: 'u', password: 'p' }

describe('a stream that holds a0, a1, b0, b1', () => {
  test.each<[string, bigint | typeof NO_STREAM | typeof ANY | typeof STREAM_EXISTS, Id[], bigint | string]>([
    ['the first append again', NO_STREAM, ['a0', 'a1'], 1n],
    ['a prefix of it', NO_STREAM, ['a0'], 0n],
    ['any run that sits at expected + 1', 0n, ['a1', 'b0'], 2n],
    ['the second append again', 1n, ['b0', 'b1'], 3n],
    ['not the first', NO_STREAM, ['a1'], 'conflict'],
    ['past the end', NO_STREAM, ['a0', 'a1', 'b0', 'b1', 'n0'], 'conflict'],
    ['another second', 1n, ['b0', 'n0'], 'conflict'],
    ['another first', 1n, ['n0', 'b1'], 'conflict'],
    ['another order', 1n, ['b1', 'b0'], 'conflict'],
    ['ahead of the end', 9n, ['n0'], 'conflict'],
    ['known ids at the end: stored again', 3n, ['a0'], 4n],
    ['any, known', ANY, ['a0', 'a1'], 1n],
    ['any, known and new', ANY, ['a0', 'n0'], 'conflict'],
    ['any, new and known', ANY, ['n0', 'a0'], 5n],
    ['exists, known', STREAM_EXISTS, ['b0', 'b1'], 3n],
  ])('%s', async (_name, expectedRevision, names, answer) => {
    const server = await startServer()
    const client = await bareClient(server)
    await client.appendToStream('s', events('a0', 'a1'), { expectedRevision: NO_STREAM, credentials })
    await client.appendToStream('s', events('b0', 'b1'), { expectedRevision: 1n, credentials })
    const appending = client.appendToStream('s', events(...names), { expectedRevision, credentials })
    if (answer === 'conflict') {
      await expect(appending).rejects.toMatchObject({ type: 'wrong-expected-version', actualVersion: 3n })
    } else {
      const position = server.log.stream('s')[Number(answer)]?.position
      const result = await appending
      expect(result.nextExpectedRevision).toBe(answer)
      expect(result.position?.commit).toBe(position ?? server.log.stream('s')[Number(answer)]?.position)
    }
  })

  test('limits an append by its data, tells missing streams, and has the edges of reads', async () => {
    const server = await startServer()
    const client = await bareClient(server)
    const sized = (bytes: number) => [{ ...jsonEvent({ type: 'T', data: 'x'.repeat(bytes - 2) }) }]
    await expect(client.appendToStream('l', sized(1_048_577), { credentials })).rejects.toMatchObject({
      type: 'maximum-append-size-exceeded',
      maxAppendSize: 1_048_576,
      message: '3 INVALID_ARGUMENT: Maximum Append Size of 1048576 Exceeded.',
    })
    await client.appendToStream('l', sized(1_048_576), { credentials })
    await expect(client.appendToStream('m', events('a0'), { expectedRevision: 5n, credentials })).rejects.toMatchObject(
      { actualVersion: 'no_stream' },
    )
    await expect(collect(client.readStream('m'))).rejects.toMatchObject({ type: 'stream-not-found', streamName: 'm' })
    await client.appendToStream('s', events('a0', 'a1', 'b0'), { credentials })
    const revisions = async (options: object) =>
      (await collect(client.readStream('s', options))).map(({ event }) => event?.revision)
    expect(await revisions({ fromRevision: 9n })).toEqual([])
    expect(await revisions({ fromRevision: 1n })).toEqual([1n, 2n])
    expect(await revisions({ direction: BACKWARDS, fromRevision: 9n })).toEqual([2n, 1n, 0n])
    expect(await revisions({ direction: BACKWARDS, fromRevision: START })).toEqual([0n])
    await expect(collect(client.readStream('s', { fromRevision: END }))).rejects.toMatchObject({ type: 'unknown' })
    await expect(collect(client.readStream('s', { maxCount: 0 }))).rejects.toMatchObject({ type: 'unknown' })
    const positions = server.log.stream('s').map(({ position }) => position)
    const [, second = 0n] = positions
    const around = { commit: second, prepare: second }
    const all = async (options: object) =>
      (await collect(client.readAll(options))).map(({ event }) => event?.position?.commit)
    expect(await all({ fromPosition: around })).toEqual(positions.slice(1))
    expect((await all({ direction: BACKWARDS, fromPosition: around, maxCount: 1 }))[0]).toBe(positions[0])
  })
})
