import { describe, expect, test } from 'vitest'
import type { EventStore } from '../../src/event-store/event-store.ts'
import { CursorEvents } from '../support/cursor-events.ts'
import { collect, openOn, startServer } from '../support/eventstoredb-rig.ts'
import type { EventStoreDbServer } from '../support/eventstoredb-server.ts'

const STREAM = 'cursors-default/owner'
const FILE_BYTES = 256n * 1024n * 1024n

/** A page of the log has 1,024 events. */
function others(server: EventStoreDbServer, count: number): void {
  for (let written = 0; written < count; written++) server.log.write('others-1', {})
}

/** What is read behind a position, and with how many calls. */
async function readBehind(server: EventStoreDbServer, store: EventStore, after: bigint) {
  const before = server.calls.read
  const events = await collect(store.readAll({ after, prefixes: [STREAM] }))
  return { revisions: events.map(({ revision }) => revision), calls: server.calls.read - before }
}

/** The server refuses to read from where no record begins, and a log may be too long to be read from its beginning. */
describe('a log read from a position where no record begins', () => {
  test('is looked through from its end where that is near', async () => {
    const server = await startServer()
    const store = await openOn(server)
    others(server, 10_000)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(3))
    others(server, 1_500)
    const [, second] = server.log.stream(STREAM)
    const read = await readBehind(server, store, (second?.position ?? 0n) - 1n)
    // Refused, where the end is, two pages backwards, two forwards.
    expect(read).toEqual({ revisions: [1, 2], calls: 6 })
  })

  test("is looked through from the beginning of the server's file where the end is far", async () => {
    const server = await startServer()
    const store = await openOn(server)
    others(server, 10_000)
    server.log.nextAt = FILE_BYTES
    others(server, 10)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(3))
    others(server, 10_000)
    const [, second] = server.log.stream(STREAM)
    const read = await readBehind(server, store, (second?.position ?? 0n) - 1n)
    // Refused, where the end is, the file's first page as a question and again, and the rest to the end.
    expect(read).toEqual({ revisions: [1, 2], calls: 4 + 9 })
  })

  test('is looked through from its beginning where neither helps', async () => {
    const server = await startServer()
    const store = await openOn(server)
    others(server, 2_000)
    server.log.nextAt = FILE_BYTES + 1n
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(3))
    others(server, 2_000)
    const [, second] = server.log.stream(STREAM)
    expect((await readBehind(server, store, (second?.position ?? 0n) - 1n)).revisions).toEqual([1, 2])
  })

  test('has nothing behind its end', async () => {
    const server = await startServer()
    const store = await openOn(server)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(3))
    expect(await readBehind(server, store, FILE_BYTES * 7n)).toMatchObject({ revisions: [] })
  })
})
