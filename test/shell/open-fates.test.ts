import { describe, expect, test } from 'vitest'
import { LogError } from '../../src/event-store/event-store.ts'
import { createMemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { OpenFates } from '../../src/shell/open-fates.ts'
import { faulty, Hold } from './support/faulty-store.ts'
import { answered, codeOf, OWNER, openShell, refused, running, STREAM, turns, typesIn } from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }
const IN_DOUBT = { ...REGISTER, id: 'b' }
const ID = { commandId: 'b-once' }
const AWAY = new LogError('log_unavailable', 'away')

/** A node that has told the sender of `IN_DOUBT` that nobody knows; whether it was stored is known to the log alone. */
async function nodeInDoubt({ isStored = true, settings = {} } = {}) {
  const log = createMemoryLog()
  const store = faulty(openMemoryStore({ log }))
  const clock = new HandMovedClock()
  const shell = openShell({ store, clock, settings })
  await running(shell, 'a')
  store.always = { type: 'unknown', isStored }
  const sent = codeOf(shell, IN_DOUBT, ID)
  await turns()
  await clock.advance(10_000)
  expect(await sent).toBe('outcome_unknown')
  /** The log is there again, and has told what became of it. */
  const resolve = async () => {
    store.always = undefined
    await clock.advance(3_000)
  }
  /** Other registries come into memory, where there is room for none: how many there are then, the last one included. */
  const letGo = async () => {
    for (const owner of ['bob', 'carol']) {
      await shell.list({ workspace: 'default', owner })
      await clock.advance(1_000)
    }
    return shell.hot.registries
  }
  return { log, store, clock, shell, resolve, letGo }
}

describe('a command that was told that nobody knows, sent again under its id', () => {
  test.each([true, false])(
    'is told the same until the log says what became of it (stored: %s), then its first answer',
    async (isStored) => {
      const { store, clock, shell, resolve } = await nodeInDoubt({ isStored })
      for (let times = 0; times < 3; times++) {
        expect(await refused(shell, IN_DOUBT, ID)).toMatchObject({
          code: 'outcome_unknown',
          message: expect.stringContaining('under the same command id'),
          facts: { retryable: true },
        })
        await clock.advance(500)
      }
      expect(await codeOf(shell, { ...REGISTER, id: 'c' })).toBe('store_unavailable')
      await resolve()
      expect(await answered(shell, IN_DOUBT, ID)).toMatchObject({ operationId: 'b', changed: true, revision: 3 })
      expect((await typesIn(store)).filter((type) => type === 'OperationRegistered')).toHaveLength(2)
    },
  )

  test('is told the same while the head can not be read, though this node knows by now that it is stored', async () => {
    const { store, shell, resolve } = await nodeInDoubt()
    await resolve()
    store.readError = AWAY
    expect(await codeOf(shell, IN_DOUBT, ID)).toBe('outcome_unknown')
    expect(await codeOf(shell, { type: 'CompleteOperation', id: 'nobody' })).toBe('store_unavailable')
    store.readError = undefined
    expect(await answered(shell, IN_DOUBT, ID)).toMatchObject({ operationId: 'b', changed: true })
  })

  test('is told the same while what others wrote can not be read', async () => {
    const { log, store, clock, shell, resolve } = await nodeInDoubt()
    await resolve()
    store.readError = AWAY
    await answered(openShell({ store: openMemoryStore({ log }), clock }), { ...REGISTER, id: 'c' })
    const beaten = codeOf(shell, { ...REGISTER, id: 'd' })
    await turns()
    const again = codeOf(shell, IN_DOUBT, ID)
    await clock.advance(1_000)
    expect([await beaten, await again]).toEqual(['store_unavailable', 'outcome_unknown'])
  })

  test('is told the same when its registry was let go meanwhile and can not be loaded', async () => {
    const { store, shell, resolve, letGo } = await nodeInDoubt({ settings: { hotBytesMax: 1 } })
    await resolve()
    expect(await letGo()).toBe(1)
    store.readError = AWAY
    expect(await codeOf(shell, IN_DOUBT, ID)).toBe('outcome_unknown')
    expect(await codeOf(shell, { ...REGISTER, id: 'c' })).toBe('store_unavailable')
    store.readError = undefined
    expect(await answered(shell, IN_DOUBT, ID)).toMatchObject({ operationId: 'b', changed: true })
  })

  test('is told the same by a registry that is stopped, where others are told why', async () => {
    const { log, shell, resolve, letGo } = await nodeInDoubt({ settings: { hotBytesMax: 1 } })
    await resolve()
    expect(await letGo()).toBe(1)
    log.streams.set(STREAM, log.streams.get(STREAM)?.slice(1) ?? [])
    expect(await codeOf(shell, IN_DOUBT, ID)).toBe('outcome_unknown')
    expect(await codeOf(shell, { ...REGISTER, id: 'c' })).toBe('registry_stopped')
  })

  test('is told the same where too many wait, and by a node that closes', async () => {
    const { store, shell, resolve } = await nodeInDoubt({ settings: { commandsQueuedMax: 1 } })
    await resolve()
    const hold = new Hold()
    store.faults.push({ type: 'held', hold, stored: 'after' })
    const first = shell.send(OWNER, { ...REGISTER, id: 'c' })
    await hold.arrived
    const codes = [codeOf(shell, IN_DOUBT, ID), codeOf(shell, { ...REGISTER, id: 'd' })]
    expect(await Promise.all(codes)).toEqual(['outcome_unknown', 'overloaded'])
    hold.open()
    await first
    const closing = shell.close()
    expect(await codeOf(shell, IN_DOUBT, ID)).toBe('outcome_unknown')
    await closing
    expect(await codeOf(shell, IN_DOUBT, ID)).toBe('outcome_unknown')
    expect(await codeOf(shell, { ...REGISTER, id: 'd' })).toBe('shutting_down')
  })

  test('is told the same as a report of progress, which else would be heard', async () => {
    const store = faulty(openMemoryStore())
    const clock = new HandMovedClock()
    const shell = openShell({ store, clock, settings: { progressStoredAtOnce: 1 } })
    const leaseEpoch = await running(shell, 'a')
    store.always = { type: 'unknown', isStored: true }
    const report = { type: 'ReportProgress', id: 'a', leaseEpoch, percent: 10 }
    const sent = codeOf(shell, report, { commandId: 'once' })
    await turns()
    await clock.advance(10_000)
    expect(await sent).toBe('outcome_unknown')
    expect(await codeOf(shell, report, { commandId: 'once' })).toBe('outcome_unknown')
    expect(await codeOf(shell, report, { commandId: 'another' })).toBe('store_unavailable')
  })
})

test('a command that is sent twice before anybody gave up is told twice that nobody knows', async () => {
  const store = faulty(openMemoryStore())
  const clock = new HandMovedClock()
  const shell = openShell({ store, clock })
  await running(shell, 'a')
  const hold = new Hold()
  store.faults.push({ type: 'held', hold, stored: 'after' })
  const first = codeOf(shell, IN_DOUBT, ID)
  await hold.arrived
  const second = codeOf(shell, IN_DOUBT, ID)
  await turns()
  store.readError = AWAY
  const third = codeOf(shell, IN_DOUBT, ID)
  expect(await third).toBe('outcome_unknown')
  await clock.advance(10_000)
  expect([await first, await second]).toEqual(['outcome_unknown', 'outcome_unknown'])
  hold.open()
})

test('a command in whose place others stand is certainly not stored: its fate is open no more', async () => {
  const { log, store, clock, shell, resolve } = await nodeInDoubt({ isStored: false })
  const other = openShell({ store: openMemoryStore({ log }), clock })
  await answered(other, { ...REGISTER, id: 'c' })
  await resolve()
  store.readError = AWAY
  await answered(other, { ...REGISTER, id: 'd' })
  const again = codeOf(shell, IN_DOUBT, ID)
  await turns()
  await clock.advance(1_000)
  expect(await again).toBe('store_unavailable')
})

test('a registry of whose append nobody knows is not let go: its events are sent until the log tells, though nobody waits', async () => {
  const { store, resolve, letGo } = await nodeInDoubt({ isStored: false, settings: { hotBytesMax: 1 } })
  const registered = async () => (await typesIn(store)).filter((type) => type === 'OperationRegistered').length
  expect([await letGo(), await registered()]).toEqual([2, 1])
  await resolve()
  expect([await letGo(), await registered()]).toEqual([1, 2])
})

describe('what a node remembers of open fates', () => {
  const fates = (max: number) => {
    const clock = new HandMovedClock()
    return { clock, fates: new OpenFates(clock, { max, ms: 1_000 }) }
  }

  test('is one command of one registry each, until it is closed', () => {
    const { fates: open } = fates(10)
    open.opened('one', 'x')
    expect([open.isOpen('one', 'x'), open.isOpen('one', 'y'), open.isOpen('two', 'x')]).toEqual([true, false, false])
    open.closed('two', 'x')
    expect(open.isOpen('one', 'x')).toBe(true)
    open.closed('one', 'x')
    expect(open.isOpen('one', 'x')).toBe(false)
  })

  test('ends when the registry itself has forgotten the command', async () => {
    const { clock, fates: open } = fates(10)
    open.opened('one', 'x')
    await clock.advance(600)
    open.opened('one', 'y')
    open.opened('one', 'x')
    await clock.advance(600)
    expect([open.isOpen('one', 'x'), open.isOpen('one', 'y')]).toEqual([true, true])
    await clock.advance(400)
    expect([open.isOpen('one', 'x'), open.isOpen('one', 'y'), open.size]).toEqual([false, false, 0])
  })

  test('is bounded: where more were open than it holds, any command may be one of them for as long', async () => {
    const { clock, fates: open } = fates(3)
    for (const id of ['1', '2', '3']) open.opened('one', id)
    expect(open.isOpen('two', 'never sent')).toBe(false)
    open.opened('one', '4')
    expect(open.size).toBe(3)
    expect([open.isOpen('one', '1'), open.isOpen('two', 'never sent')]).toEqual([true, true])
    await clock.advance(1_000)
    expect([open.isOpen('one', '1'), open.isOpen('two', 'never sent'), open.size]).toEqual([false, false, 0])
  })
})
