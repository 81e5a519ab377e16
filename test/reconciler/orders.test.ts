/** What operators tell the reconcilers of a log: on record, known to every node, and still so after a restart. */
import { describe, expect, test, vi } from 'vitest'
import { openNode } from '../../src/app.ts'
import { verifyLog } from '../../src/audit/verify.ts'
import { decodeLogEvent } from '../../src/event-store/event-codec.ts'
import type { EventStore } from '../../src/event-store/event-store.ts'
import { ADMIN_STREAM } from '../../src/event-store/stream-names.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { openRig, SILENCE_MS, testLog } from './support/rig.ts'

async function recorded(store: EventStore) {
  const found = []
  for await (const stored of store.readStream(ADMIN_STREAM, { from: 1 })) {
    const { event, metadata } = decodeLogEvent(stored)
    found.push({ type: event.type, facts: event.facts, content: event.content, actor: metadata.actor, at: metadata.at })
  }
  return found
}

describe.each([
  ['in memory', () => undefined],
  ['in a file', testLog],
])('an order to the reconciler %s', (_where, location) => {
  test('stands in the chained admin stream with who gave it and why', async () => {
    const rig = await openRig({}, location())
    const { reconciler, store } = rig.node
    await reconciler.changeMode('export', 'observe', { actor: 'mara', reason: 'the queue is being moved' })
    await reconciler.release('export', { reason: 'the machine burnt down' })
    const at = rig.clock.now()
    expect(await recorded(store)).toEqual([
      {
        type: 'ReconcilerModeChanged',
        facts: { kind: 'export', mode: 'observe' },
        content: { reason: 'the queue is being moved' },
        actor: 'mara',
        at,
      },
      {
        type: 'ReconcilerBreakerReleased',
        facts: { kind: 'export' },
        content: { reason: 'the machine burnt down' },
        actor: 'operator',
        at,
      },
    ])
    expect(await verifyLog(store)).toMatchObject({ faults: [] })
  })
})

test.each([
  [{ kind: '', reason: 'r' }, 'a kind has 1 to 128 bytes, got 0'],
  [{ kind: 'k', reason: ' ' }, 'an order to the reconciler has a reason of 1 to 1024 characters'],
])('an order without its words is none: %o', async ({ kind, reason }, message) => {
  const { reconciler, store } = (await openRig()).node
  await expect(reconciler.changeMode(kind, 'off', { reason })).rejects.toThrow(message)
  await expect(reconciler.release(kind, { reason })).rejects.toThrow(message)
  expect(await recorded(store)).toEqual([])
})

test('a mode outlives the process in which it was set, and counts more than what is configured', async () => {
  const clock = new HandMovedClock()
  const location = testLog()
  const reconciler = { modes: { export: 'enforce' } } as const
  const first = await openRig({ clock, reconciler }, location)
  await first.running('a')
  await first.node.reconciler.changeMode('export', 'observe', { reason: 'not yet' })
  await first.node.door.close()
  await clock.advance(SILENCE_MS)
  const second = await openRig({ clock, reconciler }, location)
  expect(await second.node.reconcile({ withoutGrace: true })).toMatchObject({ observed: 1, reconciled: 0 })
  expect(second.node.reconciler.status.modes).toEqual({
    export: { mode: 'observe', order: { at: expect.any(Number), actor: 'operator', reason: 'not yet' } },
  })
})

test('what one process says, another one that runs follows before its next pass, and its open breaker is released', async () => {
  const clock = new HandMovedClock()
  const location = testLog()
  const here = await openRig({ clock }, location)
  for (let i = 0; i < 21; i++) await here.running(`a-${i}`)
  await here.running('b', { kind: 'import' })
  await here.advance(SILENCE_MS)
  const there = await openRig({ clock }, location)
  await there.node.reconciler.changeMode('import', 'off', { reason: 'its workers have no pulse' })
  expect(await here.node.reconcile()).toMatchObject({ candidates: 22, heldByBreaker: 21, skipped: 1, reconciled: 0 })
  expect(await there.node.reconciler.release('export', { actor: 'mara', reason: 'they are gone' })).toBe(false)
  expect(await here.node.reconcile()).toMatchObject({ candidates: 22, reconciled: 21, skipped: 1 })
  expect(here.node.reconciler.status).toMatchObject({ breakers: [], modes: { import: { mode: 'off' } } })
  expect(here.warnings.map(({ facts }) => facts)).toEqual([
    { code: 'reconciler_breaker_open', kind: 'export', suspects: 21, active: 21 },
    { code: 'reconciler_breaker_released', kind: 'export', actor: 'mara', reason: 'they are gone' },
  ])
})

test('a release covers those that were suspect when it was given, also on a node that starts later, and nobody else', async () => {
  const clock = new HandMovedClock()
  const location = testLog()
  const first = await openRig({ clock }, location)
  for (let i = 0; i < 21; i++) await first.running(`a-${i}`)
  await first.advance(SILENCE_MS)
  await first.node.reconciler.release('export', { reason: 'they are gone' })
  for (let i = 0; i < 21; i++) await first.running(`later-${i}`)
  await first.node.door.close()
  const second = await openRig({ clock }, location)
  expect(await second.node.reconcile({ withoutGrace: true })).toMatchObject({ reconciled: 21, heldByBreaker: 0 })
  await second.advance(SILENCE_MS)
  expect(await second.node.reconcile({ withoutGrace: true })).toMatchObject({ reconciled: 0, heldByBreaker: 21 })
})

test('orders of several processes at once are all on record', async () => {
  const location = testLog()
  const [one, other] = [await openRig({}, location), await openRig({}, location)]
  await Promise.all(
    Array.from({ length: 10 }, (_, i) => {
      const { reconciler } = (i % 2 === 0 ? one : other).node
      return reconciler.changeMode(`kind-${i}`, 'off', { reason: 'all at once' })
    }),
  )
  expect((await recorded(one.node.store)).map(({ facts }) => facts)).toHaveLength(10)
  expect(await verifyLog(one.node.store)).toMatchObject({ faults: [] })
})

test('a process that runs hears of an order at once, and does not wait for its next sweep', async () => {
  const location = testLog()
  const options = { log: { warn: () => {} }, settings: { reconcileSweepMs: 3_600_000, aliveMarkMs: 600_000 } }
  const here = await openNode(location, options)
  const there = await openNode(location, options)
  try {
    here.reconciler.start()
    await there.reconciler.changeMode('export', 'off', { reason: 'now' })
    await vi.waitFor(() => expect(here.reconciler.modeOf('export')).toBe('off'), { timeout: 10_000 })
    await there.reconciler.changeMode('export', 'observe', { reason: 'and now' })
    await vi.waitFor(() => expect(here.reconciler.modeOf('export')).toBe('observe'), { timeout: 10_000 })
  } finally {
    await here.door.close()
    await there.door.close()
  }
})
