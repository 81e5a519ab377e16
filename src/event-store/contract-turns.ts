/** Cases of the contract, for stores that have turns: the right to write, held while one decides. */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises'
import type { ContractCase } from './contract-case.ts'
import { acknowledged, all, appendSome, someEvents } from './contract-events.ts'
import { verifyChain } from './hash-chain.ts'

export function turnsContract({ describe, onLog, expect }: ContractCase): void {
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
      expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message))).toEqual([
        'a',
        'b fails',
        'c',
      ])
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
}
