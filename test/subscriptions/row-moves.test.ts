import path from 'node:path'
import { expect, test } from 'vitest'
import { livenessQuestion } from '../../src/app/read-side-of-node.ts'
import { RowMoves } from '../../src/subscriptions/row-moves.ts'
import { freshFolder, openedNode, register, TALLIES_QUESTION, tallies } from './support/read-side-node.ts'

const LONG_MS = 60_000
const NEVER = new AbortController().signal

/** As two threads have it. */
function following() {
  const shared = RowMoves.shared()
  return { follower: new RowMoves(shared), asker: new RowMoves(shared) }
}

test('a rest ends as soon as somebody waits for rows', async () => {
  const { follower, asker } = following()
  let isOver = false
  const rest = follower.restUnlessWanted(LONG_MS, NEVER).then(() => {
    isOver = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isOver).toBe(false)
  const waiting = asker.untilMoved('rows', asker.moves, LONG_MS)
  await rest
  follower.moved()
  await waiting
})

test('whoever began to wait before the rest keeps it from beginning, once', async () => {
  const { follower, asker } = following()
  const waiting = asker.untilMoved('rows', asker.moves, LONG_MS)
  await follower.restUnlessWanted(LONG_MS, NEVER)
  const seen = asker.moves
  follower.moved()
  await waiting
  expect(asker.moves).toBe(seen + 1)
  await asker.untilMoved('rows', seen, LONG_MS)
  await follower.restUnlessWanted(LONG_MS, NEVER)
  await follower.restUnlessWanted(1, NEVER)
})

test('whoever follows hears whose rows are waited for, once', async () => {
  const { follower, asker } = following()
  const waiting = [asker.untilMoved('one', asker.moves, LONG_MS), asker.untilMoved('two', asker.moves, LONG_MS)]
  const isWanted = follower.wanted()
  expect(['one', 'two', 'three'].filter(isWanted)).toEqual(['one', 'two'])
  expect(['one', 'two', 'three'].filter(follower.wanted())).toEqual([])
  follower.moved()
  await Promise.all(waiting)
})

test('a rest ends when whoever rests is to stop', async () => {
  const stop = new AbortController()
  const rest = following().follower.restUnlessWanted(LONG_MS, stop.signal)
  stop.abort()
  await rest
  await following().follower.restUnlessWanted(LONG_MS, stop.signal)
})

test('however long rows are gathered before they are written, a question that needs them is answered', async () => {
  const node = await openedNode(path.join(freshFolder(), 'verdict.db'), { settings: { projectionBatchMs: LONG_MS } })
  for (let i = 1; i <= 3; i++) {
    const position = await register(node, 'a', `id-${i}`, 'k')
    expect(await tallies(node, position)).toEqual({ k: i })
  }
})

test('where many events come rows are gathered, whoever waits', async () => {
  const file = path.join(freshFolder(), 'verdict.db')
  const first = await openedNode(file)
  await tallies(first, await register(first, 'a', 'first', 'k'))
  await first.door.close()
  const writing = await openedNode(file, { readModels: { follow: 'never' } })
  const positions = await Promise.all(Array.from({ length: 150 }, (_, i) => register(writing, 'a', `id-${i}`, 'k')))
  await writing.door.close()
  const node = await openedNode(file, { settings: { projectionBatchMs: LONG_MS } })
  expect(await tallies(node, positions.at(-1))).toEqual({ k: 151 })
  const position = await register(node, 'a', 'last', 'k')
  const asked = node.readSide.ask(TALLIES_QUESTION, [], { atLeast: position, timeoutMs: 200 })
  await expect(asked).rejects.toMatchObject({ code: 'read_model_behind' })
})

test('where many events come rows that nobody waits for are gathered for longer, and are there as soon as they are asked for', async () => {
  const node = await openedNode(path.join(freshFolder(), 'verdict.db'), { settings: { projectionRestMs: LONG_MS } })
  await tallies(node, await register(node, 'a', 'first', 'k'))
  for (let round = 1; round <= 3; round++) {
    const all = Array.from({ length: 150 }, (_, i) => register(node, 'a', `id-${round}-${i}`, 'k'))
    const last = (await Promise.all(all)).at(-1)
    expect(await tallies(node, last)).toEqual({ k: 1 + round * 150 })
    const asked = { atLeast: last, timeoutMs: LONG_MS }
    const { answer } = await node.readSide.ask(livenessQuestion('activeByKindAsked'), [], asked)
    expect(answer).toEqual(new Map([['k', 1 + round * 150]]))
  }
})
