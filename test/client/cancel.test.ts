import { describe, expect, test } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { freshFolder, opened, openedAt, refusalOf, untilAborted } from './support/opened-verdict.ts'

describe('a cancel', () => {
  test('is a request with a deadline that everybody sees, and the first one stands', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened('memory', { clock })
    const lease = await verdict.claim((await verdict.register('k', { id: 'a', policy: { cancelGrace: '90s' } })).id)
    const requestedAt = clock.now()
    expect(await verdict.operation('a').cancel({ reason: 'customer asked' })).toMatchObject({
      changed: true,
      status: 'running',
    })
    const cancel = { requestedAt, deadlineAt: requestedAt + 90_000, reason: 'customer asked' }
    expect((await verdict.operations.get('a'))?.cancel).toEqual(cancel)
    await clock.advance(1_000)
    expect(await verdict.operation('a').cancel({ reason: 'again', deadline: clock.now() })).toMatchObject({
      changed: false,
    })
    expect((await verdict.operations.get('a'))?.cancel).toEqual(cancel)
    expect(lease.abortedFor).toBe('cancel_requested')
  })

  test('with a deadline of its own has that one', async () => {
    const verdict = await opened()
    await verdict.start('k', { id: 'a' })
    await verdict.operation('a').cancel({ deadline: new Date(5_000_000) })
    expect((await verdict.operations.get('a'))?.cancel?.deadlineAt).toBe(5_000_000)
  })

  test('that its worker ignores is forced after the deadline, with the evidence, and the worker is told', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened('memory', { clock, reconciler: false })
    const { lease } = await verdict.start('k', { id: 'a', policy: { cancelGrace: '30s' } })
    const handle = verdict.operation('a')
    await handle.cancel({ reason: 'customer asked' })
    const deadlineAt = (await handle.snapshot())?.cancel?.deadlineAt ?? 0
    const judgement = (judgedAt: number) => ({
      evidence: { rule: 'cancel' as const, attempt: 1, lastRevision: 3, deadlineAt, judgedAt, graceMs: 0 },
      reasonCode: 'run.cancel_ignored' as const,
      disposition: { type: 'cancel' as const },
    })
    await clock.advance(29_999)
    expect(await refusalOf(handle.reconcile(judgement(clock.now())))).toMatchObject({ code: 'evidence_outdated' })
    await clock.advance(1)
    await handle.reconcile(judgement(clock.now()))
    expect(await handle.outcome()).toMatchObject({
      status: 'cancelled',
      reason: 'customer asked',
      reconciliation: { reasonCode: 'run.cancel_ignored', evidence: { rule: 'cancel', deadlineAt } },
    })
    expect((await handle.history()).map(({ event }) => event.type)).toEqual([
      'OperationRegistered',
      'OperationStarted',
      'CancelRequested',
      'OperationCancelled',
    ])
    expect(await refusalOf(lease?.complete('too late') ?? Promise.resolve())).toMatchObject({
      code: 'already_terminal',
    })
  })

  test('before anybody works on it comes true at once', async () => {
    const verdict = await opened()
    const handle = await verdict.register('k', { id: 'a' })
    expect(await handle.cancel({ reason: 'not needed' })).toMatchObject({ status: 'cancelled' })
    expect(await refusalOf(verdict.claim('a'))).toMatchObject({
      code: 'already_terminal',
      current: { status: 'cancelled' },
    })
  })

  test('that another process asks for reaches the function that runs in this one', async () => {
    const file = `${freshFolder()}/verdict.db`
    const [worker, operator] = [await openedAt(file), await openedAt(file)]
    const handle = await worker.start('slow', { id: 'a' }, untilAborted)
    await operator.operation('a').cancel({ reason: 'from elsewhere' })
    expect(await handle.outcome()).toEqual({ status: 'cancelled', reason: 'from elsewhere' })
    expect(await operator.operation('a').outcome()).toEqual({ status: 'cancelled', reason: 'from elsewhere' })
  })
})
