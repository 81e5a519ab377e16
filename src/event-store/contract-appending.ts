/** Cases of the contract: what an append stores, and what it answers. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises'
import type { ContractCase } from './contract-case.ts'
import {
  acknowledged,
  all,
  appendSome,
  errorOf,
  lastOf,
  newEventOf,
  positionNow,
  someEvents,
} from './contract-events.ts'
import type { AppendResult, EventStore, ExpectedRevision, NewEvent } from './event-store.ts'
import { GENESIS_HASH, verifyChain } from './hash-chain.ts'

export function appendingContract({ describe, onLog, expect }: ContractCase): void {
  describe('appending', () => {
    onLog('the first append to a stream begins it at revision 0', async (log) => {
      const store = await log.open()
      const stream = log.stream('first')
      const events = someEvents(stream, undefined, 2)
      const result = acknowledged(await store.append(stream, 'no_stream', events))
      expect(result.revision).toEqual(1)
      const read = await all(store.readStream(stream))
      expect(read.map(newEventOf)).toEqual(events)
      expect(read.map(({ revision }) => revision)).toEqual([0, 1])
      expect(read.map((event) => event.stream)).toEqual([stream, stream])
      expect(read[1]?.position).toEqual(result.position)
    })

    onLog(
      'an append to another place than the expected one is a conflict that says both, and stores nothing',
      async (log) => {
        const store = await log.open()
        const stream = log.stream('conflict')
        const conflict = (expected: ExpectedRevision, actual: ExpectedRevision): AppendResult => ({
          type: 'refused',
          reason: 'conflict',
          expected,
          actual,
        })
        const behindNothing = someEvents(stream, { revision: 4, hash: GENESIS_HASH }, 1)
        expect(await store.append(stream, 4, behindNothing)).toEqual(conflict(4, 'no_stream'))
        expect(await store.head(stream)).toEqual(undefined)

        const stored = await appendSome(store, stream, 3)
        const other = someEvents(stream, undefined, 2)
        expect(await store.append(stream, 'no_stream', other)).toEqual(conflict('no_stream', 2))
        const inTheMiddle = someEvents(stream, stored[0], 1)
        expect(await store.append(stream, 0, inTheMiddle)).toEqual(conflict(0, 2))
        const tooFar = someEvents(stream, { revision: 3, hash: GENESIS_HASH }, 1)
        expect(await store.append(stream, 3, tooFar)).toEqual(conflict(3, 2))
        expect(await all(store.readStream(stream))).toEqual(stored)
      },
    )

    onLog(
      'the same events with the same old expectation get their first answer again and are stored once',
      async (log) => {
        const [one, two] = [await log.open(), await log.open()]
        const stream = log.stream('again')
        const first = someEvents(stream, undefined, 2)
        const firstAnswer = await one.append(stream, 'no_stream', first)
        const second = someEvents(stream, { revision: 1, hash: lastOf(first).hash }, 3)
        const secondAnswer = await one.append(stream, 1, second)
        for (const store of [one, two]) {
          expect(await store.append(stream, 'no_stream', first)).toEqual(firstAnswer)
          expect(await store.append(stream, 1, second)).toEqual(secondAnswer)
        }
        expect((await all(one.readStream(stream))).map(newEventOf)).toEqual([...first, ...second])
      },
    )

    onLog('a first part of stored events is acknowledged with its own last revision and position', async (log) => {
      const store = await log.open()
      const stream = log.stream('part')
      const events = someEvents(stream, undefined, 3)
      await store.append(stream, 'no_stream', events)
      const [, second] = await all(store.readStream(stream))
      expect(await store.append(stream, 'no_stream', events.slice(0, 2))).toEqual({
        type: 'acknowledged',
        revision: 1,
        position: second?.position,
      })
    })

    onLog('events of two appends sent again as one are acknowledged: the same bytes stand there', async (log) => {
      const store = await log.open()
      const stream = log.stream('joined')
      const events = someEvents(stream, undefined, 3)
      await store.append(stream, 'no_stream', events.slice(0, 1))
      const last = await store.append(stream, 0, events.slice(1))
      expect(await store.append(stream, 'no_stream', events)).toEqual(last)
      expect((await all(store.readStream(stream))).length).toEqual(3)
    })

    onLog('a stored first event with another second one, or one more, is a conflict', async (log) => {
      const store = await log.open()
      const stream = log.stream('other-second')
      const events = someEvents(stream, undefined, 2)
      await store.append(stream, 'no_stream', events)
      const conflict = { type: 'refused', reason: 'conflict', expected: 'no_stream', actual: 1 }
      const other = [...events.slice(0, 1), ...someEvents(stream, { revision: 0, hash: events[0]?.hash ?? '' }, 1)]
      expect(await store.append(stream, 'no_stream', other)).toEqual(conflict)
      const more = [...events, ...someEvents(stream, { revision: 1, hash: lastOf(events).hash }, 1)]
      expect(await store.append(stream, 'no_stream', more)).toEqual(conflict)
      expect((await all(store.readStream(stream))).map(newEventOf)).toEqual(events)
    })

    onLog('the same append sent twice at once is stored once and answered alike', async (log) => {
      const [one, two] = [await log.open(), await log.open()]
      const stream = log.stream('twice-at-once')
      const events = someEvents(stream, undefined, 2)
      const [first, ...others] = await Promise.all([
        one.append(stream, 'no_stream', events),
        two.append(stream, 'no_stream', events),
        one.append(stream, 'no_stream', events),
      ])
      expect(acknowledged(first).revision).toEqual(1)
      expect(others).toEqual([first, first])
      expect((await all(two.readStream(stream))).map(newEventOf)).toEqual(events)
    })

    onLog('all events of an append become visible at once', async (log) => {
      const [writer, reader] = [await log.open(), await log.open()]
      const stream = log.stream('at-once')
      const perAppend = 7
      let isDone = false
      const writing = (async () => {
        for (let appended = 0; appended < 12; appended++) await appendSome(writer, stream, perAppend)
        isDone = true
      })()
      const lengths: number[] = []
      while (!isDone) {
        lengths.push(((await reader.head(stream))?.revision ?? -1) + 1)
        await nextTurnOfTheLoop()
      }
      await writing
      lengths.push(((await reader.head(stream))?.revision ?? -1) + 1)
      expect(lengths.filter((length) => length % perAppend !== 0)).toEqual([])
      expect(lengths.at(-1)).toEqual(84)
    })

    onLog('of many writers on one stream through two stores exactly one wins each revision', async (log) => {
      const stores = [await log.open(), await log.open()]
      const stream = log.stream('contended')
      const won = new Map<number, string>()
      const winsEach = 5
      const write = async (store: EventStore) => {
        for (let wins = 0; wins < winsEach; ) {
          const head = await store.head(stream)
          const events = someEvents(stream, head, 1)
          const result = await store.append(stream, head?.revision ?? 'no_stream', events)
          if (result.type === 'refused' && result.reason === 'conflict') continue
          const { revision } = acknowledged(result)
          if (won.has(revision)) throw new Error(`Revision ${revision} was won twice.`)
          won.set(revision, lastOf(events).id)
          wins++
        }
      }
      await Promise.all(stores.flatMap((store) => [write(store), write(store), write(store)]))
      const stored = await all(log.first.readStream(stream))
      expect(stored.map(({ revision, id }) => [revision, id])).toEqual([...won].sort(([a], [b]) => a - b))
      expect(stored.length).toEqual(6 * winsEach)
      expect((await verifyChain(stored)).type).toEqual('intact')
    })

    onLog('positions strictly increase in the order of answers, over all streams and stores', async (log) => {
      const stores = [await log.open(), await log.open()]
      const before = await positionNow(log.first, log)
      const answered: bigint[] = []
      for (let round = 0; round < 4; round++) {
        for (const [index, store] of stores.entries()) {
          for (const part of ['a', 'b']) {
            const stored = await appendSome(store, log.stream(`${part}${index}`), 2)
            answered.push(...stored.map(({ position }) => position))
          }
        }
      }
      expect(answered).toEqual([...answered].sort((a, b) => (a < b ? -1 : 1)))
      expect(new Set(answered).size).toEqual(answered.length)
      const read = await all(log.first.readAll({ after: before, prefixes: [log.prefix] }))
      expect(read.map(({ position }) => position)).toEqual(answered)
    })

    onLog('a misuse throws, and stores nothing', async (log) => {
      const store = await log.open()
      const stream = log.stream('misuse')
      const [good] = someEvents(stream, undefined, 1)
      if (good === undefined) throw new Error('one event was asked for')
      const misuses: readonly [what: string, stream: string, ExpectedRevision, NewEvent[]][] = [
        ['no events', stream, 'no_stream', []],
        ['a stream without a name', '', 'no_stream', [good]],
        ['a name with a lone surrogate', 'registry-\ud800', 'no_stream', [good]],
        ['a body of another stream', log.stream('other'), 'no_stream', [good]],
        ['a body of another revision', stream, 0, [good]],
        ['a revision below 0', stream, -1, [good]],
        ['half a revision', stream, 0.5, [good]],
        ['no revision', stream, Number.NaN, [good]],
        ['a body of another type', stream, 'no_stream', [{ ...good, type: 'OwnerRetired' }]],
        ['a body that is cut', stream, 'no_stream', [{ ...good, body: good.body.slice(0, -1) }]],
        ['a line break in the body', stream, 'no_stream', [{ ...good, body: good.body.replace(',', '\n,') }]],
        ['a content without salt', stream, 'no_stream', [{ ...good, content: '{"value":1}' }]],
        ['a hash that is none', stream, 'no_stream', [{ ...good, hash: 'abc' }]],
        ['bytes that no text has', stream, 'no_stream', [{ ...good, content: '{"salt":"\ud800"}' }]],
      ]
      const accepted: string[] = []
      for (const [what, to, expected, events] of misuses) {
        const error = await errorOf(async () => store.append(to, expected, events))
        if (!(error instanceof TypeError)) accepted.push(`${what}: ${String(error)}`)
      }
      expect(accepted).toEqual([])
      expect(await store.head(stream)).toEqual(undefined)
    })
  })
}
