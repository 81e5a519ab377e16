import path from 'node:path'
import { expect, test } from 'vitest'
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
  const waiting = asker.untilMoved(asker.moves, LONG_MS)
  await rest
  follower.moved()
  await waiting
})

test('whoever began to wait before the rest keeps it from beginning, once', async () => {
  const { follower, asker } = following()
  const waiting = asker.untilMoved(asker.moves, LONG_MS)
  await follower.restUnlessWanted(LONG_MS, NEVER)
  const seen = asker.moves
  follower.moved()
  await waiting
  expect(asker.moves).toBe(seen + 1)
  await asker.untilMoved(seen, LONG_MS)
  await follower.restUnlessWanted(LONG_MS, NEVER)
  await follower.restUnlessWanted(1, NEVER)
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
