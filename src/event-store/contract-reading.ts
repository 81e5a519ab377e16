/** Cases of the contract: streams, the whole log and its positions are read from anywhere. */

import type { ContractCase } from './contract-case.ts'
import { all, appendSome, errorOf, lastOf, positionNow } from './contract-events.ts'
import type { EventReader, StoredEvent } from './event-store.ts'

export function readingContract({ describe, onLog, expect }: ContractCase): void {
  describe('reading', () => {
    onLog('a stream is read forwards and backwards from anywhere, with a limit', async (log) => {
      const store = await log.open()
      const stream = log.stream('ranges')
      for (const count of [1, 3, 1, 2]) await appendSome(store, stream, count)
      await appendSome(store, log.stream('beside'), 2)
      const revisions = async (options: Parameters<EventReader['readStream']>[1]) =>
        (await all(store.readStream(stream, options))).map(({ revision }) => revision)
      const forwards = { direction: 'forwards' } as const
      const backwards = { direction: 'backwards' } as const
      expect(await revisions({})).toEqual([0, 1, 2, 3, 4, 5, 6])
      expect(await revisions(forwards)).toEqual([0, 1, 2, 3, 4, 5, 6])
      expect(await revisions(backwards)).toEqual([6, 5, 4, 3, 2, 1, 0])
      expect(await revisions({ ...forwards, from: 2 })).toEqual([2, 3, 4, 5, 6])
      expect(await revisions({ ...forwards, from: 2, limit: 3 })).toEqual([2, 3, 4])
      expect(await revisions({ ...backwards, from: 2 })).toEqual([2, 1, 0])
      expect(await revisions({ ...backwards, from: 3, limit: 2 })).toEqual([3, 2])
      expect(await revisions({ ...backwards, limit: 1 })).toEqual([6])
      expect(await revisions({ limit: 0 })).toEqual([])
      expect(await revisions({ ...backwards, limit: 0 })).toEqual([])
      expect(await revisions({ from: 6 })).toEqual([6])
      expect(await revisions({ from: 7 })).toEqual([])
      expect(await revisions({ from: Number.MAX_SAFE_INTEGER })).toEqual([])
      expect(await revisions({ ...backwards, from: 99, limit: 2 })).toEqual([6, 5])
      expect(await revisions({ ...backwards, from: 0 })).toEqual([0])
      expect(await revisions({ ...backwards, from: -1 })).toEqual([])
      expect(await revisions({ ...forwards, from: -1, limit: 2 })).toEqual([0, 1])
    })

    onLog('the event at a position is found there, and nothing at any other', async (log) => {
      const store = await log.open()
      const stream = log.stream('at')
      await appendSome(store, stream, 3)
      const stored = await all(store.readStream(stream))
      for (const event of stored) expect(await store.at(event.position)).toEqual(event)
      const last = lastOf(stored).position
      expect((await store.end()) >= last).toEqual(true)
      expect(await all(store.readAll({ after: await store.end() }))).toEqual([])
      expect(await store.at(0n)).toEqual(undefined)
      expect(await store.at(last + 1_000_000n)).toEqual(undefined)
    })

    onLog('a stream that is not there has no events and no head', async (log) => {
      const store = await log.open()
      const stream = log.stream('missing')
      expect(await all(store.readStream(stream))).toEqual([])
      expect(await all(store.readStream(stream, { direction: 'backwards' }))).toEqual([])
      expect(await all(store.readStream(stream, { from: 5 }))).toEqual([])
      expect(await store.head(stream)).toEqual(undefined)
    })

    onLog('the head is the last event, also when another store wrote it', async (log) => {
      const [one, two] = [await log.open(), await log.open()]
      const stream = log.stream('head')
      for (const [index, writer] of [one, two, one].entries()) {
        const last = lastOf(await appendSome(writer, stream, index + 1))
        const head = { revision: last.revision, position: last.position, hash: last.hash }
        expect(await one.head(stream)).toEqual(head)
        expect(await two.head(stream)).toEqual(head)
      }
    })

    onLog('the whole log is read in order behind a position, by prefix and with a limit', async (log) => {
      const store = await log.open()
      const before = await positionNow(store, log)
      const stored: StoredEvent[] = []
      for (const owner of ['a/1', 'b', 'a/2', 'A', 'a/1'])
        stored.push(...(await appendSome(store, log.stream(owner), 2)))
      const own = { after: before, prefixes: [log.prefix] }
      const ofStreams = (...streams: string[]) => stored.filter(({ stream }) => streams.includes(stream))
      expect(await all(store.readAll(own))).toEqual(stored)
      expect(await all(store.readAll({ ...own, limit: 3 }))).toEqual(stored.slice(0, 3))
      expect(await all(store.readAll({ ...own, limit: 0 }))).toEqual([])
      for (const [index, { position }] of stored.entries()) {
        expect(await all(store.readAll({ ...own, after: position }))).toEqual(stored.slice(index + 1))
      }
      const [one, two, b, upper] = ['a/1', 'a/2', 'b', 'A'].map((owner) => log.stream(owner)) as [
        string,
        string,
        string,
        string,
      ]
      const prefixed = (prefixes: string[]) => all(store.readAll({ after: before, prefixes }))
      expect(await prefixed([one.slice(0, -1)])).toEqual(ofStreams(one, two))
      expect(await prefixed([b, upper])).toEqual(ofStreams(b, upper))
      expect(await prefixed([b, b, log.prefix])).toEqual(stored)
      expect(await prefixed([log.prefix.toUpperCase()])).toEqual([])
      expect(await prefixed([])).toEqual([])
      // A position need not be one that an event has.
      expect(await all(store.readAll({ ...own, after: (stored[0]?.position ?? 0n) - 1n }))).toEqual(stored)
      const unfiltered = await all(store.readAll({ after: before }))
      expect(unfiltered.filter(({ stream }) => stream.startsWith(log.prefix))).toEqual(stored)
      expect(
        await all(store.readAll({ after: lastOf(unfiltered).position + 1_000_000n, prefixes: [log.prefix] })),
      ).toEqual([])
    })

    onLog('a reader that is aborted throws the reason of its signal', async (log) => {
      const store = await log.open()
      const stream = log.stream('aborted')
      const after = await positionNow(store, log)
      await appendSome(store, stream, 3)
      const reason = new Error('not wanted any more')
      const readers = (signal: AbortSignal) => [
        store.readStream(stream, { signal }),
        store.readStream(stream, { direction: 'backwards', signal }),
        store.readAll({ after, prefixes: [log.prefix], signal }),
      ]
      for (const reader of readers(AbortSignal.abort(reason))) expect(await errorOf(() => all(reader))).toEqual(reason)
      for (const index of [0, 1, 2]) {
        const controller = new AbortController()
        const reader = readers(controller.signal)[index]?.[Symbol.asyncIterator]()
        expect((await reader?.next())?.done).toEqual(false)
        controller.abort(reason)
        expect(await errorOf(async () => reader?.next())).toEqual(reason)
      }
    })

    onLog('a reader that is left early holds nothing: appends and the close go on', async (log) => {
      const store = await log.open()
      const stream = log.stream('left')
      const after = await positionNow(store, log)
      await appendSome(store, stream, 5)
      const given: number[] = []
      for await (const { revision } of store.readStream(stream)) {
        given.push(revision)
        break
      }
      for await (const { revision } of store.readAll({ after, prefixes: [stream] })) {
        given.push(revision)
        break
      }
      for await (const item of store.follow({ after, prefixes: [stream] })) {
        if (item.type === 'event') given.push(item.event.revision)
        break
      }
      expect(given).toEqual([0, 0, 0])
      // One that was never begun and one in the middle are let go by the close.
      store.readStream(stream)
      await store.readStream(stream)[Symbol.asyncIterator]().next()
      await appendSome(store, stream, 1)
      await store.close()
    })
  })
}
