import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { NewEvent } from '../../src/event-store/event-store.ts'
import { CursorEvents } from '../support/cursor-events.ts'
import { collect, openOn, startServer } from '../support/eventstoredb-rig.ts'

/** Known defects of `@eventstore/db-client` 6.2.1, and that none of them reaches us. More stand with opening and appends. */
const STREAM = 'cursors-default/owner'

describe('the client', () => {
  // What is pending would stand in one map over all clients of the process.
  test('of one log loses nothing when the server of another log is killed in the middle of its appends', async () => {
    const [doomed, healthy] = [await startServer(), await startServer()]
    const [first, second] = [await openOn(doomed), await openOn(healthy)]
    doomed.appendFaults.push({ type: 'silence', stored: false })
    let answer = () => {}
    healthy.appendFaults.push({ type: 'late', until: new Promise((resolve) => (answer = resolve)) })
    const lost = first.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())
    const kept = second.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())
    await vi.waitFor(() => expect([doomed.calls.append, healthy.calls.append]).toEqual([2, 2]))
    doomed.kill()
    expect(await lost).toMatchObject({ type: 'unknown' })
    answer()
    expect(await kept).toMatchObject({ type: 'acknowledged', revision: 0 })
  })

  // Data that can't be written as JSON would leave its promise open for ever.
  test('is never given data that it could not write', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const [event] = new CursorEvents(STREAM).next() as [NewEvent]
    const broken = { ...event, body: event.body.replace('"version":1', '"version":') }
    await expect(store.append(STREAM, 'no_stream', [broken])).rejects.toThrow(
      new TypeError(`The texts of the event ${event.id} are not JSON.`),
    )
    expect(server.log.stream(STREAM)).toEqual([])
  })

  // A negative revision, and a count of zero, make it or the server fail.
  test('is never asked for negative revisions or for nothing', async () => {
    const server = await startServer()
    const store = await openOn(server)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(2))
    const { read } = server.calls
    expect(await collect(store.readStream(STREAM, { direction: 'backwards', from: -1 }))).toEqual([])
    for (const direction of ['forwards', 'backwards'] as const) {
      expect(await collect(store.readStream(STREAM, { direction, limit: 0 }))).toEqual([])
    }
    expect(await collect(store.readAll({ limit: 0 }))).toEqual([])
    expect(server.calls.read).toBe(read)
    expect(await collect(store.readStream(STREAM, { from: -1 }))).toHaveLength(2)
    await expect(store.append(STREAM, -1, new CursorEvents(STREAM).next())).rejects.toThrow(TypeError)
  })

  test('reads on from the end, and beyond it, as every other log', async () => {
    const server = await startServer()
    const store = await openOn(server)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(3))
    const revisions = async (options: object) =>
      (await collect(store.readStream(STREAM, options))).map(({ revision }) => revision)
    expect(await revisions({ from: 3 })).toEqual([])
    expect(await revisions({ from: 1_000 })).toEqual([])
    expect(await revisions({ direction: 'backwards', from: 1_000 })).toEqual([2, 1, 0])
    expect(await revisions({ direction: 'backwards', from: 0 })).toEqual([0])
    expect(await revisions({ direction: 'backwards', limit: 2 })).toEqual([2, 1])
    expect(await collect(store.readStream('cursors-default/nobody'))).toEqual([])
    expect(await collect(store.readStream('cursors-default/nobody', { direction: 'backwards' }))).toEqual([])
    const position = (await store.head(STREAM))?.position
    expect(await collect(store.readAll({ after: position ?? 0n }))).toEqual([])
  })

  // Its readAll sends no filter, whatever filter it is given.
  test('gives only the wanted streams of the whole log', async () => {
    const server = await startServer()
    const store = await openOn(server)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(2))
    await store.append('cursors-default/other', 'no_stream', new CursorEvents('cursors-default/other').next(2))
    server.log.write('orders-1', { type: 'OrderPlaced' })
    const wanted = await collect(store.readAll({ prefixes: [STREAM] }))
    expect(wanted.map(({ stream, revision }) => [stream, revision])).toEqual([
      [STREAM, 0],
      [STREAM, 1],
    ])
  })

  // The server reads from the beginning of a record only.
  test('reads the log behind any position, whether an event stands there or not', async () => {
    const server = await startServer()
    const store = await openOn(server)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(1_100))
    const positions = server.log.stream(STREAM).map(({ position }) => position)
    const behind = async (after: bigint) =>
      (await collect(store.readAll({ after, prefixes: [STREAM] }))).map(({ position }) => position)
    const [first = 0n] = positions
    const late = positions[1_050] ?? 0n
    expect(await behind(late)).toEqual(positions.slice(1_051))
    expect(await behind(late - 1n)).toEqual(positions.slice(1_050))
    expect(await behind(late + 1n)).toEqual(positions.slice(1_051))
    expect(await behind(first - 1n)).toEqual(positions)
    expect(await behind(-1n)).toEqual(positions)
    expect(await behind(1n << 60n)).toEqual([])
  })

  // Leaving `for await` does not cancel its call.
  test('has no call open once a reader is left or aborted, and its late errors end no process', async () => {
    const server = await startServer()
    const store = await openOn(server)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(40))
    for await (const event of store.readStream(STREAM)) if (event.revision === 1) break
    await vi.waitFor(() => expect(server.calls.openReads).toBe(0))

    server.readFaults.push({ type: 'silence', afterEvents: 1 })
    const leaving = new AbortController()
    const reading = collect(store.readStream(STREAM, { signal: leaving.signal }))
    await vi.waitFor(() => expect(server.calls.openReads).toBe(1))
    leaving.abort(new Error('left'))
    await expect(reading).rejects.toThrow('left')
    await vi.waitFor(() => expect(server.calls.openReads).toBe(0))
    server.kill()
  })

  test('that reads a page of large events takes them a part at a time', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const events = new CursorEvents(STREAM)
    for (let revision = -1; revision < 23; revision += 2) {
      const expected = revision === -1 ? 'no_stream' : revision
      await store.append(STREAM, expected, events.next(2, 'x'.repeat(470 * 1024)))
    }
    const { read } = server.calls
    expect(await collect(store.readStream(STREAM))).toHaveLength(24)
    expect(server.calls.read).toBe(read + 2)
    expect(await collect(store.readAll({ prefixes: [STREAM] }))).toHaveLength(24)
  })

  // A handler of checkpoints that rejects stops its subscription without a word.
  test('tells of the next append after hundreds of checkpoints', async () => {
    const server = await startServer()
    const store = await openOn(server, { signOfLifeMs: 60_000 })
    for (let count = 0; count < 1_000; count++) server.log.write('$stats-0', { type: '$statsCollected' })
    const told = new Promise((resolve) => store.watch(resolve))
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())
    expect(await told).toEqual({ type: 'appended', stream: STREAM, revision: 0 })
  })

  test('brings its old @types/node for itself alone', () => {
    const { packages } = JSON.parse(readFileSync(path.resolve('package-lock.json'), 'utf8'))
    expect(packages['node_modules/@types/node'].version).toMatch(/^24\./)
    expect(packages['node_modules/@eventstore/db-client/node_modules/@types/node'].version).toMatch(/^16\./)
  })

  test('is of the version whose protected members we use', () => {
    const { packages } = JSON.parse(readFileSync(path.resolve('package-lock.json'), 'utf8'))
    expect(packages['node_modules/@eventstore/db-client'].version).toBe('6.2.1')
  })
})
