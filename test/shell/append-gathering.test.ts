import { expect, test } from 'vitest'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { faulty, Hold } from './support/faulty-store.ts'
import { answered, OWNER, openShell, turns } from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }

/** A node whose first append, of one event, waits to be let go. */
async function nodeWithHeldAppend() {
  const store = faulty(openMemoryStore())
  const shell = openShell({ store })
  await answered(shell, { ...REGISTER, id: 'first' })
  store.appends.length = 0
  const hold = new Hold()
  store.faults.push({ type: 'held', hold, stored: 'after' })
  const register = (id: string) => shell.send(OWNER, { ...REGISTER, id })
  const held = register('held')
  await hold.arrived
  const events = () => store.appends.map(({ types }) => types.length)
  return { shell, register, held, hold, events }
}

test('what is decided while an append is on its way leaves in one append', async () => {
  const { register, held, hold, events } = await nodeWithHeldAppend()
  const later = ['a', 'b', 'c'].map(register)
  await turns()
  hold.open()
  await Promise.all([held, ...later])
  expect(events()).toEqual([1, 3])
})

test('what follows at once upon an answer leaves together with what waited for that append', async () => {
  const { register, held, hold, events } = await nodeWithHeldAppend()
  const goOn = async () => {
    await held
    // What lies between an answer and a caller's next command: promises, and nothing else.
    for (let layer = 0; layer < 20; layer++) await undefined
    return register('next')
  }
  const next = goOn()
  const waiting = register('waiting')
  await turns()
  hold.open()
  await Promise.all([next, waiting])
  expect(events()).toEqual([1, 2])
})

test('a command for which no append is on its way does not wait for others', async () => {
  const store = faulty(openMemoryStore())
  const shell = openShell({ store })
  await answered(shell, { ...REGISTER, id: 'first' })
  let isOver = false
  setImmediate(() => {
    isOver = true
  })
  await answered(shell, { ...REGISTER, id: 'second' })
  expect(isOver).toBe(false)
})
