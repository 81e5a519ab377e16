import path from 'node:path'
import { expect, test } from 'vitest'
import { openSqliteLogReader } from '../../src/event-store/sqlite-log-reader.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import { QuestionDesk } from '../../src/subscriptions/question-desk.ts'
import { RowMoves } from '../../src/subscriptions/row-moves.ts'
import { atTheEnd, freshFolder, openedNode, register, TALLIES_QUESTION, tallies } from './support/read-side-node.ts'
import { talliesAsked } from './support/tally-projections.ts'

test('questions are answered while the log does not answer, and it is asked once at a time', async () => {
  const file = path.join(freshFolder(), 'verdict.db')
  const node = await openedNode(file)
  await tallies(node, await register(node, 'a', 'x', 'k'))
  await node.door.close()
  const log = await openSqliteLogReader({ path: file })
  let looks = 0
  const desk = new QuestionDesk({
    path: `${file}-views`,
    // As one that is away: nothing comes back, and no error either.
    reader: {
      ...log,
      at() {
        looks++
        return new Promise(() => {})
      },
    },
    load: async () => talliesAsked,
    versionOf: async () => 1,
    moves: new RowMoves(RowMoves.shared()),
    pollMs: 20,
    // Time goes as fast as somebody waits for it.
    clock: { ...SYSTEM_CLOCK, after: (_ms, call) => SYSTEM_CLOCK.after(0, call, 'awaited') },
  })
  atTheEnd(async () => {
    desk.close()
    await log.close()
  })
  const asked = { question: TALLIES_QUESTION, parameters: [], atLeast: undefined, timeoutMs: 1_000, withLag: false }
  const { signal } = new AbortController()
  const answers = await Promise.all([desk.ask(asked, signal), desk.ask({ ...asked, atLeast: 1n }, signal)])
  expect(answers.map(({ answer }) => answer)).toEqual([{ k: 1 }, { k: 1 }])
  expect(looks).toBe(1)
})
