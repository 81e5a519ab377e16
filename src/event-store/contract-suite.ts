/**
 * What every adapter of the log must hold, as a suite that each runs: `eventStoreContract('my log', makeLog, { describe,
 * test, expect })`. It brings no test runner, so it runs in anyone's. It shares its log with others without being
 * disturbed by them: each test writes streams of its own and reads behind its own beginning, so a server that is not
 * empty will do.
 *
 * A case found in one adapter belongs here.
 */
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises'
import { encodeEvents, randomSalts } from './event-codec.ts'
import {
  type Advance,
  type AppendResult,
  type EventReader,
  type EventStore,
  type ExpectedRevision,
  type FollowItem,
  LogError,
  type NewEvent,
  type StoredEvent,
} from './event-store.ts'
import { chainFault, GENESIS_HASH, verifyChain } from './hash-chain.ts'
import { registryStream } from './stream-names.ts'

/** One log, of which several stores can be opened as several processes would. */
export interface ContractLog {
  open(): Promise<EventStore>
  /** After the test; the stores that it opened are closed already. */
  dispose(): Promise<void> | void
}

/** Those of vitest, of jest, or `node:test` with `(actual) => ({ toEqual: (wanted) => assert.deepEqual(actual, wanted) })`. */
export interface ContractTools {
  readonly describe: (name: string, define: () => void) => unknown
  readonly test: (name: string, run: () => Promise<void>) => unknown
  readonly expect: (actual: unknown) => { toEqual(expected: unknown): unknown }
}

/** Defines the suite. `makeLog` is called once in each test. */
export function eventStoreContract(
  name: string,
  makeLog: () => Promise<ContractLog> | ContractLog,
  { describe, test, expect }: ContractTools,
): void {
  /** A test with a log of its own: everything opened is closed, also when it fails. */
  const onLog = (outcome: string, run: (log: OpenLog) => Promise<void>) =>
    test(outcome, async () => {
      const log = new OpenLog(await makeLog())
      try {
        await run(log)
      } finally {
        await log.end()
      }
    })

  describe(`${name}: the contract of the log`, () => {
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

    describe('stream names and bytes', () => {
      const bytes128 = 'ä'.repeat(64)
      const owners: readonly string[] = [
        'plain',
        'Plain',
        'a b',
        'a%20b',
        'a%2520b',
        '%',
        '/',
        '..',
        "'; DROP TABLE streams; --",
        '"',
        '$all',
        '\u0000',
        '\n',
        '\u2028',
        '\ufeff',
        'é',
        'e\u0301',
        '𝒳',
        '日本',
        'x'.repeat(128),
        bytes128,
        `${bytes128.slice(1)}ö`,
        '%_*?[a]',
      ]

      onLog('streams of hostile names keep apart and come back by their name', async (log) => {
        const store = await log.open()
        const before = await positionNow(store, log)
        const streams = owners.map((owner) => log.stream(owner))
        const stored: StoredEvent[] = []
        for (const stream of streams) stored.push(...(await appendSome(store, stream, 1)))
        const other = await log.open()
        for (const [index, stream] of streams.entries()) {
          expect(await all(other.readStream(stream))).toEqual([stored[index]])
        }
        expect(await all(other.readAll({ after: before, prefixes: [log.prefix] }))).toEqual(stored)
      })

      onLog('the workspace may have 128 bytes as well', async (log) => {
        const store = await log.open()
        const workspace = `${randomUUID()}${'é'.repeat(46)}`
        expect(Buffer.byteLength(workspace)).toEqual(128)
        const stream = registryStream({ workspace, owner: bytes128 })
        const stored = await appendSome(store, stream, 2)
        expect(await all(store.readStream(stream))).toEqual(stored)
      })

      onLog('every text comes back byte for byte', async (log) => {
        const [writer, reader] = [await log.open(), await log.open()]
        const stream = log.stream('bytes')
        const contents: unknown[] = [
          JSON.parse('{"b":1,"10":2,"9":3,"a":4,"-1":5,"01":6,"4294967295":7}'),
          JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":null,"":"empty"}'),
          JSON.parse('{"high":"\\ud800","low":"\\udfff","turned":"\\udc00\\ud800","pair":"\\ud83d\\ude00"}'),
          [-0, 0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 0.1, 2 ** 53, -(2 ** 53)],
          '\u2028\u2029\u0000\u001f\u007f\ufeff\ufffe\uffff"\\/\b\f\n\r\t',
          ',"content":{"salt":"',
          '日本語 עברית 𝒳 e\u0301 é ﷽',
          { deep: JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`) },
          [null, true, false, '', [], {}],
        ]
        const events = encode(stream, undefined, contents)
        acknowledged(await writer.append(stream, 'no_stream', events))
        const read = await all(reader.readStream(stream))
        expect(read.map(newEventOf)).toEqual(events)
        expect((await verifyChain(read)).type).toEqual('intact')
        expect(read.map(({ content }) => content.slice(content.indexOf(',"value":')))).toEqual(
          contents.map((result) => `,"value":${JSON.stringify({ result })}}`),
        )
      })

      onLog('a content of 400 KiB comes back as it was', async (log) => {
        const store = await log.open()
        const stream = log.stream('large')
        const events = encode(stream, undefined, ['é\u0001'.repeat((400 * 1024) / 8)])
        acknowledged(await store.append(stream, 'no_stream', events))
        expect((await all(store.readStream(stream))).map(newEventOf)).toEqual(events)
      })
    })

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
        for (const reader of readers(AbortSignal.abort(reason)))
          expect(await errorOf(() => all(reader))).toEqual(reason)
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

    describe('following', () => {
      onLog('gives history, then what comes, own and foreign, each once and in order', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        const before = await positionNow(own, log)
        const stored: StoredEvent[] = []
        for (const owner of ['a', 'b', 'a']) stored.push(...(await appendSome(own, log.stream(owner), 2)))
        const following = new Following(own.follow({ after: before, prefixes: [log.prefix] }))
        await following.untilCaughtUp(6)
        expect(following.events).toEqual(stored)
        for (const [store, owner] of [
          [own, 'a'],
          [other, 'a'],
          [other, 'c'],
          [own, 'b'],
        ] as const) {
          stored.push(...(await appendSome(store, log.stream(owner), 2)))
        }
        await following.untilCaughtUp(stored.length)
        expect(following.events).toEqual(stored)
        expect(following.misplacedMarks()).toEqual([])
        await following.leave()
      })

      onLog('gives everything that is appended while it reads the history', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        const before = await positionNow(own, log)
        for (let round = 0; round < 5; round++) await appendSome(own, log.stream('history'), 3)
        const following = new Following(own.follow({ after: before, prefixes: [log.prefix] }))
        const rounds = 15
        const writing = [own, other].map(async (store, index) => {
          for (let round = 0; round < rounds; round++) await appendSome(store, log.stream(`live${index}`), 1)
        })
        await following.untilCaughtUp(15 + 2 * rounds)
        await Promise.all(writing)
        expect(following.events).toEqual(await all(own.readAll({ after: before, prefixes: [log.prefix] })))
        expect(following.events.length).toEqual(15 + 2 * rounds)
        await following.leave()
      })

      onLog('goes on behind the position it is given', async (log) => {
        const store = await log.open()
        const stored = await appendSome(store, log.stream('resumed'), 5)
        const following = new Following(store.follow({ after: stored[2]?.position ?? 0n, prefixes: [log.prefix] }))
        await following.untilCaughtUp(2)
        expect(following.events).toEqual(stored.slice(3))
        await following.leave()
      })

      onLog('tells that it is caught up where there is nothing to give', async (log) => {
        const store = await log.open()
        const before = await positionNow(store, log)
        const following = new Following(store.follow({ after: before, prefixes: [log.stream('nothing')] }))
        await following.untilCaughtUp(0)
        expect(following.events).toEqual([])
        await following.leave()
      })

      onLog('ends without an error when its signal aborts, before, while it waits and in the middle', async (log) => {
        const store = await log.open()
        const before = await positionNow(store, log)
        await appendSome(store, log.stream('ended'), 3)
        const options = { after: before, prefixes: [log.prefix] }
        expect(await all(store.follow({ ...options, signal: AbortSignal.abort() }))).toEqual([])

        const waiting = new AbortController()
        const following = new Following(store.follow({ ...options, signal: waiting.signal }))
        await following.untilCaughtUp(3)
        const ended = following.untilEnd()
        waiting.abort()
        await ended
        expect(following.events.length).toEqual(3)

        const middle = new AbortController()
        const given: FollowItem['type'][] = []
        for await (const item of store.follow({ ...options, signal: middle.signal })) {
          given.push(item.type)
          middle.abort()
        }
        expect(given).toEqual(['event'])
      })

      onLog('ends when it is left while it waits', async (log) => {
        const store = await log.open()
        const before = await positionNow(store, log)
        const following = new Following(store.follow({ after: before, prefixes: [log.stream('left')] }))
        await following.untilCaughtUp(0)
        const ended = following.untilEnd()
        await following.leave()
        await ended
      })
    })

    describe('watching', () => {
      onLog('tells of appends of others, in order, until it is stopped', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        const stream = log.stream('watched')
        const told = new Told(own, stream)
        for (let revision = 0; revision < 4; revision++) {
          await appendSome(other, stream, 1)
          await told.until(revision)
        }
        expect(told.revisions).toEqual([...told.revisions].sort((a, b) => a - b))
        told.stop()
        told.stop()
        const heard = told.count
        const still = new Told(own, stream)
        await appendSome(other, stream, 1)
        await still.until(4)
        still.stop()
        expect(told.count).toEqual(heard)
      })

      onLog('what it tells of is there to be read', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        const stream = log.stream('told')
        const told = new Told(own, stream)
        const stored = await appendSome(other, stream, 2)
        await told.until(1)
        told.stop()
        expect(await all(own.readStream(stream))).toEqual(stored)
      })
    })

    describe('turns', () => {
      onLog('a writer that has its turn is not overtaken, however busy the others are', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        if (own.turn === undefined) return
        const stream = log.stream('turn')
        await appendSome(own, stream, 1)
        let isDone = false
        const others = [0, 1].map(async () => {
          let won = 0
          while (!isDone) {
            const head = await other.head(stream)
            const result = await other.append(stream, head?.revision ?? 'no_stream', someEvents(stream, head, 1))
            if (result.type === 'acknowledged') won++
            await nextTurnOfTheLoop()
          }
          return won
        })
        const answers: string[] = []
        for (let turn = 0; turn < 8; turn++) {
          const result = await own.turn(async (appender) => {
            const head = await own.head(stream)
            await nextTurnOfTheLoop()
            return await appender.append(stream, head?.revision ?? 'no_stream', someEvents(stream, head, 1))
          })
          answers.push(result.type)
        }
        isDone = true
        const wonByOthers = await Promise.all(others)
        expect(answers).toEqual(Array(8).fill('acknowledged'))
        const stored = await all(own.readStream(stream))
        expect(stored.length).toEqual(9 + wonByOthers.reduce((sum, won) => sum + won, 0))
        expect((await verifyChain(stored)).type).toEqual('intact')
      })

      onLog('turns of one store come one after another, and what is thrown in one ends only that one', async (log) => {
        const store = await log.open()
        if (store.turn === undefined) return
        const order: string[] = []
        const turns = ['a', 'b', 'c'].map((name) =>
          store.turn?.(async (appender) => {
            order.push(`${name} begins`)
            const stream = log.stream(name)
            acknowledged(await appender.append(stream, 'no_stream', someEvents(stream, undefined, 1)))
            order.push(`${name} ends`)
            if (name === 'b') throw new Error('b fails')
            return name
          }),
        )
        const results = await Promise.allSettled(turns)
        expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message))).toEqual(
          ['a', 'b fails', 'c'],
        )
        expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
      })

      onLog('a turn in which nothing was appended leaves the log to the others', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        if (own.turn === undefined) return
        expect(await own.turn(async () => 'looked')).toEqual('looked')
        await appendSome(other, log.stream('after'), 1)
        await appendSome(own, log.stream('after'), 1)
      })
    })

    describe('identity and health', () => {
      onLog('all stores of a log name the same log and timeline, as the first event of admin does', async (log) => {
        const [one, two] = [await log.open(), await log.open()]
        const identity = await one.identity()
        expect(await two.identity()).toEqual(identity)
        expect([typeof identity.logId, identity.logId.length > 0, identity.timeline]).toEqual(['string', true, 1])
        const [first] = await all(one.readStream('admin', { limit: 1 }))
        expect([first?.type, first?.revision]).toEqual(['LogOpened', 0])
        expect(first && chainFault(first, undefined)).toEqual(undefined)
      })

      onLog('a log that works says so', async (log) => {
        const store = await log.open()
        await appendSome(store, log.stream('well'), 1)
        expect(store.health()).toEqual({ status: 'ok' })
      })
    })

    describe('closing', () => {
      onLog('twice is once', async (log) => {
        const store = await log.open()
        await Promise.all([store.close(), store.close()])
        await store.close()
        expect(store.health().status).toEqual('closed')
      })

      onLog('appends that were sent are finished, and are there for others', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        const streams = ['a', 'b', 'c', 'd'].map((name) => log.stream(name))
        const sent = streams.map((stream) => own.append(stream, 'no_stream', someEvents(stream, undefined, 2)))
        const closed = own.close()
        expect((await Promise.all(sent)).map(({ type }) => type)).toEqual(Array(4).fill('acknowledged'))
        await closed
        for (const stream of streams) expect((await other.head(stream))?.revision).toEqual(1)
      })

      onLog('an append after it is refused as closed, and stores nothing', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        const stream = log.stream('late')
        const closed = own.close()
        const whileClosing = await own.append(stream, 'no_stream', someEvents(stream, undefined, 1))
        await closed
        const after = await own.append(stream, 'no_stream', someEvents(stream, undefined, 1))
        for (const result of [whileClosing, after]) {
          if (result.type !== 'refused') throw new Error(`It was ${result.type}.`)
          expect(result.reason).toEqual('closed')
        }
        expect(await other.head(stream)).toEqual(undefined)
      })

      onLog('ends every reader: those that follow without an error, those in the middle as closed', async (log) => {
        const store = await log.open()
        const stream = log.stream('open')
        const after = await positionNow(store, log)
        await appendSome(store, stream, 3)
        const following = new Following(store.follow({ after, prefixes: [stream] }))
        await following.untilCaughtUp(3)
        const reading = store.readStream(stream)[Symbol.asyncIterator]()
        const readingAll = store.readAll({ after, prefixes: [stream] })[Symbol.asyncIterator]()
        await Promise.all([reading.next(), readingAll.next()])
        const ended = following.untilEnd()
        await store.close()
        await ended
        expect(await logErrorCode(() => reading.next())).toEqual('log_closed')
        expect(await logErrorCode(() => readingAll.next())).toEqual('log_closed')
      })

      onLog('reading after it is refused as closed', async (log) => {
        const store = await log.open()
        const stream = log.stream('shut')
        await appendSome(store, stream, 1)
        await store.close()
        for (const read of [
          () => store.head(stream),
          () => store.identity(),
          () => all(store.readStream(stream)),
          () => all(store.readAll()),
          async () => all(store.follow()),
        ]) {
          expect(await logErrorCode(read)).toEqual('log_closed')
        }
        if (store.turn) expect(await logErrorCode(async () => store.turn?.(async () => 'late'))).toEqual('log_closed')
      })

      onLog('leaves the other stores of the log as they are', async (log) => {
        const [own, other] = [await log.open(), await log.open()]
        const stream = log.stream('staying')
        const before = await positionNow(other, log)
        const following = new Following(other.follow({ after: before, prefixes: [stream] }))
        await appendSome(own, stream, 1)
        await own.close()
        await appendSome(other, stream, 1)
        await following.untilCaughtUp(2)
        expect(following.events).toEqual(await all(other.readStream(stream)))
        await following.leave()
        const later = await log.open()
        expect(await all(later.readStream(stream))).toEqual(following.events)
      })
    })
  })
}

/** What a test holds of its log: the stores it opened, and names that nobody else has. */
class OpenLog {
  readonly #log: ContractLog
  readonly #stores: EventStore[] = []
  readonly #workspace = `contract ${randomUUID()}`

  constructor(log: ContractLog) {
    this.#log = log
  }

  /** Of all streams of this test. */
  get prefix(): string {
    return this.stream('')
  }

  get first(): EventStore {
    const [first] = this.#stores
    if (first === undefined) throw new Error('No store was opened.')
    return first
  }

  stream(owner: string): string {
    return registryStream({ workspace: this.#workspace, owner })
  }

  async open(): Promise<EventStore> {
    const store = await this.#log.open()
    this.#stores.push(store)
    return store
  }

  async end(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()))
    await this.#log.dispose()
  }
}

/** Somebody who follows, and what was given so far. */
class Following {
  readonly items: FollowItem[] = []
  readonly #iterator: AsyncIterator<FollowItem>

  constructor(followed: AsyncIterable<FollowItem>) {
    this.#iterator = followed[Symbol.asyncIterator]()
  }

  get events(): StoredEvent[] {
    return this.items.flatMap((item) => (item.type === 'event' ? [item.event] : []))
  }

  /** Until so many events were given, and behind them a mark. */
  async untilCaughtUp(events: number): Promise<void> {
    for (let isMarked = false; this.events.length < events || !isMarked; ) {
      const { done, value } = await this.#iterator.next()
      if (done) throw new Error(`It ended after ${this.events.length} of ${events} events.`)
      this.items.push(value)
      isMarked = value.type === 'caught_up'
    }
  }

  async untilEnd(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#iterator.next()
      if (done) return
      this.items.push(value)
    }
  }

  /** Marks that stand before an event that they cover, or behind one that they don't. */
  misplacedMarks(): bigint[] {
    return this.items.flatMap((mark, index) => {
      if (mark.type !== 'caught_up') return []
      const isRight = this.items.every(
        (item, at) => item.type !== 'event' || item.event.position <= mark.position === at < index,
      )
      return isRight ? [] : [mark.position]
    })
  }

  async leave(): Promise<void> {
    await this.#iterator.return?.()
  }
}

/** What a watcher of a store was told of one stream; after `unsure` it looks for itself, as a watcher must. */
class Told {
  readonly revisions: number[] = []
  readonly stop: () => void
  count = 0
  readonly #store: EventStore
  readonly #stream: string
  #wake: () => void = () => {}

  constructor(store: EventStore, stream: string) {
    this.#store = store
    this.#stream = stream
    this.stop = store.watch((advance) => this.#hear(advance))
  }

  async until(revision: number): Promise<void> {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      if ((this.revisions.at(-1) ?? -1) >= revision) return
      await woken
    }
  }

  #hear(advance: Advance): void {
    this.count++
    if (advance.type === 'unsure') {
      void this.#store.head(this.#stream).then((head) => head && this.#note(head.revision))
    } else if (advance.stream === this.#stream) {
      this.#note(advance.revision)
    }
  }

  #note(revision: number): void {
    this.revisions.push(revision)
    this.#wake()
  }
}

/** Events behind a place in a stream (undefined: its beginning) that no other call gives. */
function someEvents(
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

function encode(
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
async function appendSome(store: EventStore, stream: string, count: number): Promise<StoredEvent[]> {
  const head = await store.head(stream)
  acknowledged(await store.append(stream, head?.revision ?? 'no_stream', someEvents(stream, head, count)))
  return await all(store.readStream(stream, { from: (head?.revision ?? -1) + 1 }))
}

/** A position that everything stored before has reached. */
async function positionNow(store: EventStore, log: OpenLog): Promise<bigint> {
  return lastOf(await appendSome(store, log.stream('beginning'), 1)).position
}

function acknowledged(result: AppendResult): AppendResult & { type: 'acknowledged' } {
  if (result.type === 'acknowledged') return result
  throw new Error(`The append was ${result.type}: ${JSON.stringify(result)}`)
}

function newEventOf({ id, hash, type, body, content }: StoredEvent): NewEvent {
  return { id, hash, type, body, content }
}

function lastOf<T>(items: readonly T[]): T {
  const last = items.at(-1)
  if (last === undefined) throw new Error('There is none.')
  return last
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

async function errorOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error
  }
  return 'nothing was thrown'
}

async function logErrorCode(run: () => Promise<unknown>): Promise<unknown> {
  const error = await errorOf(run)
  return error instanceof LogError ? error.code : error
}
