/** Cases of the contract: which log it is, how it is, and its close. */

import type { ContractCase } from './contract-case.ts'
import { all, appendSome, logErrorCode, positionNow, someEvents } from './contract-events.ts'
import { Following } from './contract-listeners.ts'
import { chainFault } from './hash-chain.ts'

export function standingContract({ describe, onLog, expect }: ContractCase): void {
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
}
