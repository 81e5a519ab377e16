import { describe, expect, test } from 'vitest'
import { earliestDeadline } from '../../src/authority/deadlines.ts'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { type Fault, faulty, Hold } from './support/faulty-store.ts'
import {
  answered,
  codeOf,
  foldedFrom,
  type NodeOptions,
  OWNER,
  openShell,
  running,
  storedIn,
  turns,
  typesIn,
} from './support/nodes.ts'

const STALE_AFTER_MS = 60_000
const KINDS = { test: { policy: { staleAfterMs: STALE_AFTER_MS, heartbeatIntervalMs: 10_000, lateAfterMs: 30_000 } } }
const FULL: Fault = { type: 'refused', reason: 'full' }

function node(options: NodeOptions = {}) {
  const store = faulty(openMemoryStore())
  const clock = new HandMovedClock()
  const shell = openShell({ store, clock, kinds: KINDS as NonNullable<NodeOptions['kinds']>, ...options })
  const count = async (type: string) => (await typesIn(store)).filter((one) => one === type).length
  return { store, clock, shell, count }
}

describe('signs of life', () => {
  test('are answered as heard and written together within a quarter of staleAfter', async () => {
    const { store, clock, shell, count } = node()
    const a = await running(shell, 'a')
    const b = await running(shell, 'b')
    for (const [id, leaseEpoch] of Object.entries({ a, b })) {
      await answered(shell, { type: 'RecordHeartbeat', id, leaseEpoch })
    }
    await clock.advance(1_000)
    expect(await count('SignsOfLifeRecorded')).toBe(1)
    const start = clock.now()
    for (let i = 0; i < 5; i++) {
      await clock.advance(1_000)
      const answer = await answered(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: a })
      expect(answer).toMatchObject({ changed: true, nextHeartbeatBefore: clock.now() + 10_000 })
      await answered(shell, { type: 'RecordHeartbeat', id: 'b', leaseEpoch: b })
    }
    expect(await count('SignsOfLifeRecorded')).toBe(1)
    await clock.advance(STALE_AFTER_MS / 4 - 5_000)
    expect(await count('SignsOfLifeRecorded')).toBe(2)
    const { operations } = await foldedFrom(store)
    for (const id of ['a', 'b']) expect(operations.get(id)?.lastSignAt).toBe(start + 5_000)
  })

  test('of an attempt are known to the log a second after the first, so that a death is judged by silence', async () => {
    const { store, clock, shell } = node({ kinds: {} })
    const epoch = await running(shell, 'a')
    await clock.advance(10)
    const heardAt = clock.now()
    await answered(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: epoch })
    await clock.advance(1_000)
    const operation = (await foldedFrom(store)).operations.get('a')
    expect(operation?.lastSignAt).toBe(heardAt)
    // Five minutes of silence and the quarter, not the day that an unknown kind may take to its first sign.
    expect(operation && earliestDeadline(operation)).toMatchObject({ rule: 'sign', deadlineAt: heardAt + 375_000 })
  })

  test('of an attempt that ends within a second are not written', async () => {
    const { clock, shell, count } = node()
    const epoch = await running(shell, 'a')
    await answered(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: epoch })
    await answered(shell, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })
    await clock.advance(STALE_AFTER_MS)
    expect(await count('SignsOfLifeRecorded')).toBe(0)
  })

  test('are written at shutdown', async () => {
    const { clock, shell, store } = node()
    const epoch = await running(shell, 'a')
    await clock.advance(10)
    await answered(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: epoch })
    await shell.close()
    expect((await foldedFrom(store)).operations.get('a')?.lastSignAt).toBe(clock.now())
  })

  test('stand in the log before a reconciliation is decided, and win', async () => {
    const { clock, shell, store } = node()
    const epoch = await running(shell, 'a')
    await answered(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: epoch })
    await clock.advance(STALE_AFTER_MS * 2)
    await answered(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: epoch })
    const evidence = { rule: 'sign', attempt: 1, lastRevision: epoch, judgedAt: clock.now(), graceMs: 0 }
    const reconcile = {
      type: 'ReconcileOperation',
      id: 'a',
      evidence,
      reasonCode: 'run.stale_running',
      disposition: { type: 'fail' },
    }
    expect(await codeOf(shell, reconcile)).toBe('evidence_outdated')
    expect((await foldedFrom(store)).operations.get('a')?.lastSignAt).toBe(clock.now())
  })

  test('that a refused append carried are written by the next one', async () => {
    const { clock, shell, store } = node()
    const epoch = await running(shell, 'a')
    await clock.advance(10)
    const heardAt = clock.now()
    await answered(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: epoch })
    const evidence = { rule: 'sign', attempt: 1, lastRevision: epoch, judgedAt: clock.now(), graceMs: 0 }
    const reconcile = {
      type: 'ReconcileOperation',
      id: 'a',
      evidence,
      reasonCode: 'run.stale_running',
      disposition: { type: 'fail' },
    }
    store.faults.push(FULL)
    // Twice in one turn: the second time the pending state already knows the sign.
    await Promise.all([codeOf(shell, reconcile), codeOf(shell, reconcile)])
    await clock.advance(STALE_AFTER_MS / 4)
    expect((await foldedFrom(store)).operations.get('a')?.lastSignAt).toBe(heardAt)
  })

  test('can not be heard while they can not be written, and are heard again as soon as they can', async () => {
    const { clock, shell, store } = node()
    const epoch = await running(shell, 'a')
    const beat = { type: 'RecordHeartbeat', id: 'a', leaseEpoch: epoch }
    await clock.advance(10)
    const heardAt = clock.now()
    await answered(shell, beat)
    store.always = FULL
    await clock.advance(STALE_AFTER_MS / 4)
    expect(await codeOf(shell, beat)).toBe('store_unavailable')
    store.always = undefined
    await clock.advance(1_000)
    expect((await foldedFrom(store)).operations.get('a')?.lastSignAt).toBe(heardAt)
    expect(await codeOf(shell, beat)).toBe('answered')
  })

  test('are heard again when the operation that could not be written has ended', async () => {
    const { clock, shell, store } = node()
    const a = await running(shell, 'a')
    const b = await running(shell, 'b')
    await clock.advance(10)
    await answered(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: a })
    store.faults.push(FULL)
    await clock.advance(1_000)
    expect(await codeOf(shell, { type: 'RecordHeartbeat', id: 'b', leaseEpoch: b })).toBe('store_unavailable')
    await answered(shell, { type: 'CompleteOperation', id: 'a', leaseEpoch: a })
    await clock.advance(2_000)
    expect(await codeOf(shell, { type: 'RecordHeartbeat', id: 'b', leaseEpoch: b })).toBe('answered')
  })

  test('of a stale lease are refused', async () => {
    const { shell } = node()
    await running(shell, 'a')
    expect(await codeOf(shell, { type: 'RecordHeartbeat', id: 'a', leaseEpoch: 99 })).toBe('stale_lease')
    expect(await codeOf(shell, { type: 'RecordHeartbeat', id: 'a' })).toBe('lease_required')
  })
})

describe('progress', () => {
  const report = (leaseEpoch: number, percent: number) => ({ type: 'ReportProgress', id: 'a', leaseEpoch, percent })

  test('is stored at once ten times, then once a second under the last command id, with its count', async () => {
    const { clock, shell, store, count } = node()
    const epoch = await running(shell, 'a')
    for (let i = 1; i <= 10; i++) await answered(shell, report(epoch, i))
    expect(await count('ProgressReported')).toBe(10)
    for (let i = 11; i <= 17; i++) await answered(shell, report(epoch, i), { commandId: `report-${i}` })
    expect(await count('ProgressReported')).toBe(10)
    await clock.advance(1_000)
    const last = JSON.parse((await storedIn(store)).at(-1)?.body ?? '')
    expect(last).toMatchObject({
      type: 'ProgressReported',
      facts: { reports: 7, percent: 17 },
      metadata: { commandId: 'report-17' },
    })
    expect((await foldedFrom(store)).operations.get('a')?.progress).toMatchObject({ count: 17, percent: 17 })
  })

  test('of a worker that waits for no answer floods the log no more', async () => {
    const { clock, shell, store, count } = node()
    const epoch = await running(shell, 'a')
    await Promise.all(Array.from({ length: 500 }, (_, i) => answered(shell, report(epoch, i / 5))))
    expect(await count('ProgressReported')).toBe(10)
    await clock.advance(1_000)
    expect(await count('ProgressReported')).toBe(11)
    expect((await foldedFrom(store)).operations.get('a')?.progress).toMatchObject({ count: 500, percent: 99.8 })
  })

  test('that is held stands before the terminal event', async () => {
    const { shell, store } = node()
    const epoch = await running(shell, 'a')
    for (let i = 1; i <= 12; i++) await answered(shell, report(epoch, i))
    await answered(shell, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })
    expect((await typesIn(store)).slice(-2)).toEqual(['ProgressReported', 'OperationCompleted'])
    expect(await shell.snapshot(OWNER, 'a')).toMatchObject({ status: 'completed', progress: { count: 12 } })
  })

  test.each([
    ['its own append', async (clock: HandMovedClock) => clock.advance(1_000)],
    [
      'the append of the command that it made way for',
      async (_: HandMovedClock, shell: ReturnType<typeof openShell>) => {
        await codeOf(shell, { type: 'RequestRetire', id: 'a' })
      },
    ],
  ])('that was held is not lost when %s is refused', async (_, act) => {
    const { clock, shell, store } = node()
    const epoch = await running(shell, 'a')
    for (let i = 1; i <= 12; i++) await answered(shell, report(epoch, i))
    store.faults.push(FULL)
    await act(clock, shell)
    await turns()
    await answered(shell, report(epoch, 13))
    await clock.advance(2_000)
    expect((await foldedFrom(store)).operations.get('a')?.progress).toMatchObject({ count: 13, percent: 13 })
  })

  test('is stored report by report where the setting is 0', async () => {
    const { shell, count } = node({ settings: { progressCoalesceMs: 0 } })
    const epoch = await running(shell, 'a')
    for (let i = 1; i <= 15; i++) await answered(shell, report(epoch, i))
    expect(await count('ProgressReported')).toBe(15)
  })

  test('is written at shutdown', async () => {
    const { shell, store } = node()
    const epoch = await running(shell, 'a')
    for (let i = 1; i <= 12; i++) await answered(shell, report(epoch, i))
    await shell.close()
    expect((await foldedFrom(store)).operations.get('a')?.progress).toMatchObject({ count: 12, percent: 12 })
  })
})

test('a node that shuts down answers what was sent before, and refuses what comes after', async () => {
  const { shell, store } = node()
  await running(shell, 'a')
  const hold = new Hold()
  store.faults.push({ type: 'held', hold, stored: 'after' })
  const sent = Array.from({ length: 20 }, (_, i) =>
    codeOf(shell, { type: 'RegisterOperation', kind: 'test', id: `b${i}` }),
  )
  await hold.arrived
  const closing = shell.close()
  expect(await codeOf(shell, { type: 'RegisterOperation', kind: 'test', id: 'late' })).toBe('shutting_down')
  hold.open()
  await closing
  expect(await Promise.all(sent)).toEqual(Array(20).fill('answered'))
  expect((await foldedFrom(store)).activeCount).toBe(21)
})
