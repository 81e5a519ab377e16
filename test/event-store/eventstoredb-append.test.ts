import { describe, expect, test, vi } from 'vitest'
import type { AppendResult, NewEvent } from '../../src/event-store/event-store.ts'
import { CursorEvents } from '../support/cursor-events.ts'
import { FAILURES } from '../support/eventstoredb-messages.ts'
import { collect, openOn, startServer } from '../support/eventstoredb-rig.ts'
import type { AppendFault } from '../support/eventstoredb-server.ts'

const STREAM = 'cursors-default/owner'

describe('an append whose answer says nothing certain', () => {
  const failures = Object.entries(FAILURES).filter(([name]) => name !== 'denied')
  const faults: [string, AppendFault][] = [
    ...failures.flatMap(([name, failure]): [string, AppendFault][] => [
      [`${name}, stored`, { type: 'fail', stored: true, failure }],
      [`${name}, not stored`, { type: 'fail', stored: false, failure }],
    ]),
    ['a refusal of the user, stored all the same', { type: 'fail', stored: true, failure: FAILURES.denied }],
    ['a connection reset, stored', { type: 'reset', stored: true }],
    ['a connection reset, not stored', { type: 'reset', stored: false }],
    ['a server that falls silent, stored', { type: 'silence', stored: true }],
    ['a server that falls silent, not stored', { type: 'silence', stored: false }],
    ['a clean end of the stream of appends, stored', { type: 'end', stored: true }],
    ['a clean end of the stream of appends, not stored', { type: 'end', stored: false }],
    ['a conflict that names what was expected', { type: 'nonsense_conflict' }],
  ]

  test.each(faults)('(%s) is unknown, and sent again it is stored once', async (name, fault) => {
    const server = await startServer()
    const store = await openOn(server, { appendDeadlineMs: 1_000 })
    const events = new CursorEvents(STREAM)
    expect(await store.append(STREAM, 'no_stream', events.next(2))).toMatchObject({ type: 'acknowledged', revision: 1 })
    const sent = events.next(3)

    server.appendFaults.push(fault)
    // When the server says that it gave up waiting, it can be asked what became of it.
    const isFound = name === 'deadline, stored'
    expect(await store.append(STREAM, 1, sent)).toMatchObject({ type: isFound ? 'acknowledged' : 'unknown' })
    const again = await store.append(STREAM, 1, sent)

    const stored = await collect(store.readStream(STREAM))
    expect(again).toEqual({ type: 'acknowledged', revision: 4, position: stored.at(-1)?.position })
    expect(stored.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4])
  })
})

describe('an append', () => {
  test('that was stored is acknowledged although the server calls it a conflict', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const sent = new CursorEvents(STREAM).next(2)
    server.appendFaults.push({ type: 'stored_but_conflict' })
    expect(await store.append(STREAM, 'no_stream', sent)).toEqual({
      type: 'acknowledged',
      revision: 1,
      position: server.log.stream(STREAM)[1]?.position,
    })
  })

  test('whose answer has no position is acknowledged with the one that stands in the log', async () => {
    const server = await startServer()
    const store = await openOn(server)
    server.appendFaults.push({ type: 'no_position' })
    expect(await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())).toEqual({
      type: 'acknowledged',
      revision: 0,
      position: server.log.stream(STREAM)[0]?.position,
    })
  })

  // The client would look for the second answer in its map, find nothing, and end the process.
  test('that is answered twice is answered once, and the next one as well', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const events = new CursorEvents(STREAM)
    server.appendFaults.push({ type: 'twice' })
    expect(await store.append(STREAM, 'no_stream', events.next())).toMatchObject({ type: 'acknowledged', revision: 0 })
    expect(await store.append(STREAM, 0, events.next())).toMatchObject({ type: 'acknowledged', revision: 1 })
  })

  test('that waits for its answer loses nothing when another makes the client move to another node', async () => {
    const server = await startServer()
    const store = await openOn(server)
    let answer = () => {}
    server.appendFaults.push(
      { type: 'late', until: new Promise((resolve) => (answer = resolve)) },
      { type: 'fail', stored: false, failure: FAILURES.notReady },
    )
    const waiting = store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())
    const [other, third] = [new CursorEvents('cursors-default/other'), new CursorEvents('cursors-default/third')]
    expect(await store.append(other.stream, 'no_stream', other.next())).toMatchObject({ type: 'unknown' })
    expect(await store.append(third.stream, 'no_stream', third.next())).toMatchObject({ type: 'acknowledged' })
    expect(server.calls.batchStreams).toBe(2)
    answer()
    expect(await waiting).toMatchObject({ type: 'acknowledged', revision: 0 })
  })

  test('of many that are sent at once keeps its order behind the one before it', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const events = new CursorEvents(STREAM)
    const appends = Array.from({ length: 200 }, (_, index) =>
      store.append(STREAM, index === 0 ? 'no_stream' : index - 1, events.next()),
    )
    expect((await Promise.all(appends)).map(({ type }) => type)).toEqual(Array(200).fill('acknowledged'))
    expect(server.log.stream(STREAM)).toHaveLength(200)
  })

  test('that lost to another is a conflict that names what was met, and writes as JSON', async () => {
    const server = await startServer()
    const [mine, others] = [await openOn(server), await openOn(server)]
    await others.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(3))
    const conflict = await mine.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(2))
    // The client's error carries bigint fields, which JSON.stringify refuses.
    expect(JSON.parse(JSON.stringify(conflict))).toEqual({
      type: 'refused',
      reason: 'conflict',
      expected: 'no_stream',
      actual: 2,
    })
    expect(await mine.append('cursors-default/nobody', 5, eventsFrom('cursors-default/nobody', 6))).toEqual({
      type: 'refused',
      reason: 'conflict',
      expected: 5,
      actual: 'no_stream',
    })
  })

  test('that is sent again while the first copy waits for its answer is stored once, and the late answer harms nobody', async () => {
    const server = await startServer()
    const store = await openOn(server, { appendDeadlineMs: 1_000 })
    const events = new CursorEvents(STREAM)
    const sent = events.next()
    let answerFirst = () => {}
    server.appendFaults.push({ type: 'late', until: new Promise((resolve) => (answerFirst = resolve)) })
    expect(await store.append(STREAM, 'no_stream', sent)).toMatchObject({ type: 'unknown' })
    expect(await store.append(STREAM, 'no_stream', sent)).toMatchObject({ type: 'acknowledged', revision: 0 })
    answerFirst()
    expect(await store.append(STREAM, 0, events.next())).toMatchObject({ type: 'acknowledged', revision: 1 })
    expect(server.log.stream(STREAM)).toHaveLength(2)
  })

  // A real server may let an identical copy wait for two seconds and fail it, when it comes while the first is under way.
  test('that is asked for again while it is under way is sent once, and answered to both', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const events = new CursorEvents(STREAM)
    const sent = events.next(2)
    let answer = () => {}
    server.appendFaults.push({ type: 'late', until: new Promise((resolve) => (answer = resolve)) })
    const { append } = server.calls
    const both = [store.append(STREAM, 'no_stream', sent), store.append(STREAM, 'no_stream', [...sent])]
    await vi.waitFor(() => expect(server.log.stream(STREAM)).toHaveLength(2))
    answer()
    const position = server.log.stream(STREAM)[1]?.position
    expect(await Promise.all(both)).toEqual(Array(2).fill({ type: 'acknowledged', revision: 1, position }))
    expect(server.calls.append).toBe(append + 1)
    // Afterwards it is sent again, and one that holds more is another one.
    expect(await store.append(STREAM, 'no_stream', sent)).toEqual({ type: 'acknowledged', revision: 1, position })
    expect(await store.append(STREAM, 1, events.next())).toMatchObject({ type: 'acknowledged', revision: 2 })
    expect(server.calls.append).toBe(append + 3)
  })

  test('above 960 KiB is refused before it is sent', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const sent = server.calls.append
    const large = new CursorEvents(STREAM).next(2, 'x'.repeat(480 * 1024))
    expect(await store.append(STREAM, 'no_stream', large)).toMatchObject({ type: 'refused', reason: 'too_large' })
    expect(server.calls.append).toBe(sent)
    const fitting = new CursorEvents(STREAM).next(2, 'x'.repeat(479 * 1024))
    expect(await store.append(STREAM, 'no_stream', fitting)).toMatchObject({ type: 'acknowledged', revision: 1 })
  })

  test("above the server's own limit is refused with a sentence that names its option", async () => {
    const server = await startServer()
    const store = await openOn(server)
    server.log.maxAppendSize = 100
    expect(await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())).toEqual({
      type: 'refused',
      reason: 'too_large',
      message: 'The server takes up to 100 bytes in one append, see its option MaxAppendSize.',
    })
  })

  test('to a stream that somebody deleted for good is refused as damaged', async () => {
    const server = await startServer()
    const store = await openOn(server)
    server.log.tombstone(STREAM)
    expect(await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())).toMatchObject({
      type: 'refused',
      reason: 'damaged',
    })
  })

  test('to a server that is away is unknown at once, and acknowledged when it is back', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const events = new CursorEvents(STREAM)
    await store.append(STREAM, 'no_stream', events.next())
    const sent = events.next()
    server.kill()
    expect(await store.append(STREAM, 0, sent)).toMatchObject({ type: 'unknown' })
    await server.start()
    await expect.poll(() => store.append(STREAM, 0, sent)).toMatchObject({ type: 'acknowledged', revision: 1 })
  })

  test('that is under way is answered before the log is closed, and later ones are refused', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const events = new CursorEvents(STREAM)
    let answer = () => {}
    server.appendFaults.push({ type: 'late', until: new Promise((resolve) => (answer = resolve)) })
    const appending = store.append(STREAM, 'no_stream', events.next())
    const closing = store.close()
    expect(await store.append(STREAM, 0, events.next())).toMatchObject({ type: 'refused', reason: 'closed' })
    answer()
    await closing
    expect(await appending).toMatchObject({ type: 'acknowledged', revision: 0 })
  })
})

describe('four writers on two stores in a storm of faults', () => {
  const storms: readonly AppendFault[] = [
    ...Object.values(FAILURES).flatMap((failure): AppendFault[] => [
      { type: 'fail', stored: true, failure },
      { type: 'fail', stored: false, failure },
    ]),
    { type: 'reset', stored: true },
    { type: 'reset', stored: false },
    { type: 'end', stored: true },
    { type: 'end', stored: false },
    { type: 'silence', stored: true },
    { type: 'twice' },
    { type: 'stored_but_conflict' },
    { type: 'no_position' },
  ]

  test.each([1, 2, 3])('lose nothing, store nothing twice, and agree on every revision (seed %i)', async (seed) => {
    const server = await startServer()
    const stores = [await openOn(server, { appendDeadlineMs: 80 }), await openOn(server, { appendDeadlineMs: 80 })]
    const random = seeded(seed)
    const write = async (writer: number): Promise<NewEvent[]> => {
      const events = new CursorEvents(`cursors-default/${writer}`)
      const written: NewEvent[] = []
      while (written.length < 60) {
        const sent = events.next(1 + Math.floor(random() * 3))
        const expected = written.length === 0 ? 'no_stream' : written.length - 1
        if (random() < 0.4) server.appendFaults.push(storms[Math.floor(random() * storms.length)] ?? { type: 'twice' })
        // The node changes as well: what one store did not learn, the other resolves.
        for (let result = await append(); result.type !== 'acknowledged'; result = await append()) {
          expect(result.type).toBe('unknown')
        }
        written.push(...sent)

        function append() {
          return (stores[Math.floor(random() * 2)] ?? stores[0])?.append(
            events.stream,
            expected,
            sent,
          ) as Promise<AppendResult>
        }
      }
      return written
    }
    const written = await Promise.all([0, 1, 2, 3].map(write))
    for (const [writer, events] of written.entries()) {
      const stored = server.log.stream(`cursors-default/${writer}`)
      expect(stored.map(({ id }) => id)).toEqual(events.map(({ id }) => id))
    }
  })
})

/** Mulberry32: the same numbers for the same seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** One event that claims to stand at this revision. */
function eventsFrom(stream: string, revision: number) {
  return new CursorEvents(stream).next(revision + 1).slice(-1)
}
