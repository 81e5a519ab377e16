import { expect, test } from 'vitest'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { faulty } from './support/faulty-store.ts'
import { answered, codeOf, openShell, running, turns, typesIn } from './support/nodes.ts'

const FULL = { type: 'refused', reason: 'full' } as const

async function contradicted() {
  const log = new RecordingLog()
  const clock = new HandMovedClock()
  const store = faulty(openMemoryStore())
  const shell = openShell({ store, clock, log })
  const leaseEpoch = await running(shell, 'a')
  await answered(shell, { type: 'CancelOperation', id: 'a' })
  const late = () => codeOf(shell, { type: 'CompleteOperation', id: 'a', leaseEpoch, result: 1 }, { commandId: 'late' })
  const sent = () => store.appends.filter(({ types }) => types.includes('ContradictionRecorded')).length
  return { log, clock, store, shell, late, sent }
}

test('a contradiction whose append is refused for a while is on record as soon as it can be, once', async () => {
  const { log, clock, store, late, sent } = await contradicted()
  store.faults.push(FULL, FULL, { type: 'unknown', isStored: true })
  expect(await late()).toBe('already_terminal')
  await expect.poll(sent).toBe(1)
  await clock.advance(60_000)
  await expect
    .poll(async () => (await typesIn(store)).filter((type) => type === 'ContradictionRecorded'))
    .toHaveLength(1)
  await turns()
  await clock.advance(600_000)
  await turns()
  expect((await typesIn(store)).filter((type) => type === 'ContradictionRecorded')).toHaveLength(1)
  expect(log.lines).toEqual([])
})

test('a contradiction that is refused again and again is sent later and later, given up after ten tries, and logged', async () => {
  const { log, clock, store, late, sent } = await contradicted()
  store.always = FULL
  expect(await late()).toBe('already_terminal')
  await expect.poll(sent).toBe(1)
  for (const [index, waitMs] of [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000].entries()) {
    await clock.advance(waitMs - 1)
    expect(sent()).toBe(index + 1)
    await clock.advance(1)
    expect(sent()).toBe(index + 2)
  }
  await expect.poll(() => log.lines).toMatchObject([{ facts: { operationId: 'a', code: 'store_full', tries: 10 } }])
  await clock.advance(600_000)
  await turns()
  expect(sent()).toBe(10)
})

test('a contradiction that waits to be sent again is given up and logged when the node shuts down', async () => {
  const { log, shell, store, late, sent } = await contradicted()
  store.always = FULL
  expect(await late()).toBe('already_terminal')
  await expect.poll(sent).toBe(1)
  await turns()
  await shell.close()
  await expect.poll(() => log.lines).toMatchObject([{ facts: { operationId: 'a', code: 'store_full', tries: 1 } }])
  expect(sent()).toBe(1)
})

test('a contradiction that the authority refuses is let be', async () => {
  const { log, shell, store, late } = await contradicted()
  await late()
  await expect.poll(async () => (await typesIn(store)).at(-1)).toBe('ContradictionRecorded')
  await late()
  await turns()
  expect((await typesIn(store)).filter((type) => type === 'ContradictionRecorded')).toHaveLength(1)
  expect(log.lines).toEqual([])
  await shell.close()
})
