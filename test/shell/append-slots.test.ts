import { expect, test } from 'vitest'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { AppendSlots } from '../../src/shell/append-slots.ts'
import { faulty, Hold } from './support/faulty-store.ts'
import { openShell, turns } from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }
const ownerOf = (owner: string) => ({ workspace: 'default', owner })

/** A node over a log that is busy with two appends at once; all registries are loaded. */
async function busyNode() {
  const clock = new HandMovedClock()
  const store = Object.assign(faulty(openMemoryStore()), { appendsAtOnce: 2 })
  const shell = openShell({ store, clock })
  const owners = ['a', 'b', 'c', 'd'].map(ownerOf)
  await Promise.all(owners.map((owner) => shell.send(owner, { ...REGISTER, id: 'first' })))
  store.appends.length = 0
  const register = (owner: string, id: string) => shell.send(ownerOf(owner), { ...REGISTER, id })
  const appended = () => store.appends.map(({ stream, types }) => `${stream.slice(-1)} ${types.length}`)
  return { clock, store, register, appended }
}

test('what is decided while a busy log is waited for leaves in one append, in the order of arrival', async () => {
  const { store, register, appended } = await busyNode()
  const [one, two] = [new Hold(), new Hold()]
  store.faults.push({ type: 'held', hold: one, stored: 'after' }, { type: 'held', hold: two, stored: 'after' })
  const sent = [register('a', '1'), register('b', '1')]
  await Promise.all([one.arrived, two.arrived])
  for (const id of ['1', '2', '3']) {
    sent.push(register('d', id))
    await turns()
  }
  sent.push(register('c', '1'))
  await turns()
  expect(appended()).toEqual(['a 1', 'b 1'])
  two.open()
  await sent[1]
  await turns()
  expect(appended()).toEqual(['a 1', 'b 1', 'd 3', 'c 1'])
  one.open()
  expect((await Promise.all(sent)).map(({ type }) => type)).toEqual(Array(6).fill('answered'))
})

test('a log that answers nobody is not waited for: everybody learns in time that nobody knows', async () => {
  const { clock, store, register, appended } = await busyNode()
  const holds = ['a', 'b', 'c', 'd'].map(() => new Hold())
  store.faults.push(...holds.map((hold) => ({ type: 'held', hold, stored: 'never' }) as const))
  const sent = ['a', 'b', 'c', 'd'].map((owner) => register(owner, '1'))
  await turns()
  expect(appended()).toEqual(['a 1', 'b 1'])
  // One look that remembers who was answered before, and one that finds that nobody was since.
  await clock.advance(200)
  expect(appended()).toEqual(['a 1', 'b 1', 'c 1', 'd 1'])
  await clock.advance(10_000)
  expect((await Promise.all(sent)).map((answer) => 'rejection' in answer && answer.rejection.code)).toEqual(
    Array(4).fill('outcome_unknown'),
  )
})

test('a slot that nobody needs after all goes to the next one', async () => {
  const slots = new AppendSlots(new HandMovedClock(), 1)
  const sent: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const send = (name: string, sending: Promise<void> | undefined) => () => {
    sent.push(name)
    return sending
  }
  slots.request(send('first', promise))
  slots.request(send('nothing', undefined))
  slots.request(send('second', Promise.resolve()))
  expect(sent).toEqual(['first'])
  resolve()
  await turns()
  expect(sent).toEqual(['first', 'nothing', 'second'])
})
