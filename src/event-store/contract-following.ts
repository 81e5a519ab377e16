/** Cases of the contract: history, then what comes, and word of it. */

import type { ContractCase } from './contract-case.ts'
import { all, appendSome, positionNow } from './contract-events.ts'
import { Following, Told } from './contract-listeners.ts'
import type { FollowItem, StoredEvent } from './event-store.ts'

export function followingContract({ describe, onLog, expect }: ContractCase): void {
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
}
