import { describe, expect, test, vi } from 'vitest'
import type { Advance, EventStore, FollowItem } from '../../src/event-store/event-store.ts'
import { BackOff } from '../../src/event-store/eventstoredb-deadline.ts'
import { CursorEvents } from '../support/cursor-events.ts'
import { FAILURES } from '../support/eventstoredb-messages.ts'
import { openOn, startServer } from '../support/eventstoredb-rig.ts'
import type { EventStoreDbServer } from '../support/eventstoredb-server.ts'

const STREAM = 'cursors-default/owner'
const OTHER = 'cursors-default/other'

describe('following', () => {
  test('gives history and live events once, in order, with a mark behind everything that was given', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const events = new CursorEvents(STREAM)
    await store.append(STREAM, 'no_stream', events.next(3))
    const reader = follower(store, [STREAM])
    expect(await reader.until(2)).toEqual([0, 1, 2])
    expect(await reader.next()).toEqual({ type: 'caught_up', position: server.log.records.at(-1)?.position })
    await store.append(STREAM, 2, events.next(2))
    expect(await reader.until(4)).toEqual([3, 4])
  })

  test('wanted streams only moves its mark over all others', async () => {
    const server = await startServer()
    const store = await openOn(server)
    await store.append(OTHER, 'no_stream', new CursorEvents(OTHER).next(40))
    server.log.write('orders-1', { type: 'OrderPlaced' })
    server.log.write('$stats-0', { type: '$statsCollected' })
    const reader = follower(store, [STREAM])
    expect(await reader.next()).toEqual({ type: 'caught_up', position: server.log.records.at(-1)?.position })
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())
    expect(await reader.until(0)).toEqual([0])
  })

  test("gives a reader that asks for every stream the log's events and no one else's", async () => {
    const server = await startServer()
    const store = await openOn(server)
    server.log.write('orders-1', { type: 'OrderPlaced' })
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())
    const reader = store.follow()[Symbol.asyncIterator]()
    const given = [await reader.next(), await reader.next(), await reader.next()]
    expect(given.map(({ value }) => (value.type === 'event' ? value.event.stream : value.type))).toEqual([
      'admin',
      STREAM,
      'caught_up',
    ])
    await reader.return?.()
  })

  test('stops with a clear error at an event in our stream that something else wrote', async () => {
    const server = await startServer()
    const store = await openOn(server)
    server.log.write(STREAM, { type: 'OrderPlaced' })
    const reader = follower(store, [STREAM])
    await expect(reader.next()).rejects.toMatchObject({
      code: 'log_damaged',
      message: expect.stringContaining(`Stream '${STREAM}' at revision 0: an event of the type 'OrderPlaced'`),
    })
  })

  const losses: [string, (server: EventStoreDbServer) => void][] = [
    ['breaks', (server) => server.endSubscriptions(FAILURES.brokenStream)],
    ['ends without a word', (server) => server.endSubscriptions()],
    ['falls silent', (server) => server.silenceSubscriptions()],
  ]

  test.each(losses)('goes on when the subscription %s, and nothing is lost or told twice', async (_name, lose) => {
    const server = await startServer()
    const store = await openOn(server, { signOfLifeMs: 25 })
    const events = new CursorEvents(STREAM)
    const reader = follower(store, [STREAM])
    await store.append(STREAM, 'no_stream', events.next(2))
    expect(await reader.until(1)).toEqual([0, 1])
    const advances = watched(store)
    lose(server)
    await store.append(STREAM, 1, events.next(3))
    expect(await reader.until(4)).toEqual([2, 3, 4])
    await vi.waitFor(() => expect(advances).toContainEqual({ type: 'unsure' }))
    await store.append(STREAM, 4, events.next())
    expect(await reader.until(5)).toEqual([5])
    await vi.waitFor(() => expect(advances).toContainEqual({ type: 'appended', stream: STREAM, revision: 5 }))
    expect(store.health()).toEqual({ status: 'ok' })
  })

  test('goes on when the server was away, whatever was appended before and after', async () => {
    const server = await startServer()
    const store = await openOn(server, { signOfLifeMs: 25, appendDeadlineMs: 300, now: () => 1_000 })
    const events = new CursorEvents(STREAM)
    const reader = follower(store, [STREAM])
    await store.append(STREAM, 'no_stream', events.next())
    expect(await reader.until(0)).toEqual([0])
    server.kill()
    await vi.waitFor(() => expect(store.health()).toMatchObject({ status: 'unavailable', since: 1_000 }))
    await server.start()
    const sent = events.next(2)
    await vi.waitFor(async () => expect((await store.append(STREAM, 0, sent)).type).toBe('acknowledged'))
    expect(await reader.until(2)).toEqual([1, 2])
    await vi.waitFor(() => expect(store.health()).toEqual({ status: 'ok' }))
  })

  test('is left at once, also while the server does not answer', async () => {
    const server = await startServer()
    const store = await openOn(server, { appendDeadlineMs: 20_000 })
    server.readFaults.push({ type: 'silence', afterEvents: 0 })
    const reader = store.follow()[Symbol.asyncIterator]()
    const waiting = reader.next()
    await vi.waitFor(() => expect(server.calls.openReads).toBe(1))
    await reader.return?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await vi.waitFor(() => expect(server.calls.openReads).toBe(0))
  })

  test('ends when the log is closed', async () => {
    const server = await startServer()
    const store = await openOn(server)
    const reader = store.follow()[Symbol.asyncIterator]()
    await reader.next()
    await reader.next()
    const waiting = reader.next()
    await store.close()
    expect(await waiting).toEqual({ done: true, value: undefined })
  })
})

describe('watching', () => {
  test("tells others' appends, in order per stream, until it is stopped", async () => {
    const server = await startServer()
    const [store, others] = [await openOn(server), await openOn(server)]
    const advances: Advance[] = []
    const stop = store.watch((advance) => advances.push(advance))
    const events = new CursorEvents(STREAM)
    await others.append(STREAM, 'no_stream', events.next(3))
    await vi.waitFor(() =>
      expect(advances).toEqual([0, 1, 2].map((revision) => ({ type: 'appended', stream: STREAM, revision }))),
    )
    stop()
    stop()
    const later = watched(store)
    await others.append(STREAM, 2, events.next())
    await vi.waitFor(() => expect(later).toHaveLength(1))
    expect(advances).toHaveLength(3)
  })
})

describe('the back-off', () => {
  test('doubles from a second to half a minute, each wait between half of it and all of it', async () => {
    vi.useFakeTimers()
    try {
      const waits = []
      for (const random of [0, 1]) {
        const backOff = new BackOff(1_000, 30_000, () => random)
        for (let tries = 0; tries < 7; tries++) {
          const began = Date.now()
          const waiting = backOff.wait(new AbortController().signal)
          await vi.runAllTimersAsync()
          await waiting
          waits.push(Date.now() - began)
        }
      }
      expect(waits).toEqual([
        ...[500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000],
        ...[1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000],
      ])
    } finally {
      vi.useRealTimers()
    }
  })

  test('ends early when nobody waits any more', async () => {
    const controller = new AbortController()
    const waiting = new BackOff(1_000_000, 1_000_000, () => 1).wait(controller.signal)
    controller.abort()
    await waiting
    await new BackOff(1_000_000, 1_000_000, () => 1).wait(controller.signal)
  })
})

function watched(store: EventStore): Advance[] {
  const advances: Advance[] = []
  store.watch((advance) => advances.push(advance))
  return advances
}

function follower(store: EventStore, prefixes: readonly string[]) {
  const iterator = store.follow({ prefixes })[Symbol.asyncIterator]()
  const next = async (): Promise<FollowItem> => {
    const { value, done } = await iterator.next()
    if (done) throw new Error('The log ended.')
    return value
  }
  return {
    next,
    /** The revisions that come, up to this one. */
    async until(revision: number): Promise<number[]> {
      const revisions: number[] = []
      while (revisions.at(-1) !== revision) {
        const item = await next()
        if (item.type === 'event') revisions.push(item.event.revision)
      }
      return revisions
    },
  }
}
