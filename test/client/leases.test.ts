import { describe, expect, test } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { opened, refusalOf } from './support/opened-verdict.ts'

describe('step by step', () => {
  test('an operation is registered, claimed, worked on and completed', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened('memory', { clock, kinds: { peer: { expectsPeer: true } } })
    const handle = await verdict.register('peer', { input: { file: 'x' } })
    const lease = await verdict.claim(handle.id, { claimant: { id: 'worker-1', host: 'here' } })
    expect(lease).toMatchObject({
      id: handle.id,
      number: handle.number,
      attempt: 1,
      leaseEpoch: 2,
      input: { file: 'x' },
    })
    expect(lease.nextHeartbeatBefore).toBe(clock.now() + 60_000)
    await clock.advance(1_000)
    expect(await lease.heartbeat()).toMatchObject({ cancelRequested: false, leaseEpoch: 2 })
    expect(lease.nextHeartbeatBefore).toBe(clock.now() + 60_000)
    await lease.peerReady({ port: 7 })
    await lease.progress({ processed: 1, total: 4, message: 'one' })
    expect(await handle.snapshot()).toMatchObject({
      status: 'running',
      peer: { port: 7 },
      progress: { count: 1, percent: 25, message: 'one' },
      lease: { epoch: 2, open: true, claimant: { id: 'worker-1', host: 'here' } },
    })
    expect(await lease.complete({ rows: 4 })).toMatchObject({ changed: true, status: 'completed', sequence: 1 })
    expect(await handle.result()).toEqual({ rows: 4 })
    expect(lease.signal.aborted).toBe(false)
  })

  test('claiming again is the same lease for the same claimant, and refused to every other', async () => {
    const verdict = await opened()
    await verdict.register('k', { id: 'a' })
    const first = await verdict.claim('a', { claimant: { id: 'w' } })
    const again = await verdict.claim('a', { claimant: { id: 'w' } })
    expect(again.leaseEpoch).toBe(first.leaseEpoch)
    expect(await refusalOf(verdict.claim('a', { claimant: { id: 'x' } }))).toMatchObject({ code: 'already_claimed' })
    expect(await refusalOf(verdict.claim('a'))).toMatchObject({ code: 'already_claimed' })
  })

  test('claiming again tells of a cancel and of the next heartbeat, as the claim did', async () => {
    const verdict = await opened()
    await verdict.register('k', { id: 'a' })
    const claim = { type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w' } }
    const first = await verdict.send(claim)
    await verdict.operation('a').cancel()
    const again = await verdict.send(claim)
    const { leaseEpoch, nextHeartbeatBefore } = first
    expect(again).toMatchObject({ changed: false, leaseEpoch, nextHeartbeatBefore, cancelRequested: true })
    expect((await verdict.claim('a', { claimant: { id: 'w' } })).abortedFor).toBe('cancel_requested')
  })

  test('a worker that was given up can not speak for the operation any longer, and is told', async () => {
    const verdict = await opened()
    await verdict.register('k', { id: 'a', policy: { retry: { maxAttempts: 3 } } })
    const old = await verdict.claim('a')
    await old.retry('the disk is full', { notBefore: new Date(0) })
    const lease = await verdict.claim('a')
    expect(lease.attempt).toBe(2)
    const late = await refusalOf(old.complete('mine'))
    expect(late).toMatchObject({
      code: 'stale_lease',
      current: { status: 'running' },
      facts: { carriedEpoch: old.leaseEpoch },
    })
    expect(old.abortedFor).toBe('attempt_lost')
    expect(lease.signal.aborted).toBe(false)
    await lease.complete('truly mine')
    expect(await verdict.operation('a').result()).toBe('truly mine')
    expect((await verdict.operations.get('a'))?.contradictions).toBe(1)
  })

  test('an attempt that fails waits for its time before the next one', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened('memory', { clock })
    await verdict.register('k', { id: 'a', policy: { retry: { maxAttempts: 2 } } })
    const notBefore = clock.now() + 10_000
    await (await verdict.claim('a')).retry(Object.assign(new Error('busy'), { code: 'busy' }), { notBefore })
    expect(await refusalOf(verdict.claim('a'))).toMatchObject({ code: 'not_due', facts: { notBeforeAt: notBefore } })
    await clock.advance(10_000)
    const last = await verdict.claim('a')
    expect(await refusalOf(last.retry('busy', { notBefore }))).toMatchObject({ code: 'attempts_exhausted' })
    await last.fail('gave up')
    expect((await verdict.operations.get('a'))?.diagnostics?.lastError).toEqual({ message: 'busy', code: 'busy' })
  })

  test('an operation that is not due yet is not begun, and one without a lease is not spoken for', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened('memory', { clock })
    const notBefore = new Date(clock.now() + 5_000)
    expect(await refusalOf(verdict.start('k', { notBefore }, () => 1))).toMatchObject({ code: 'not_due' })
    await verdict.start('k', { id: 'a' })
    expect(await refusalOf(verdict.operation('a').complete(1))).toMatchObject({ code: 'lease_required' })
    expect(await verdict.operation('a').complete(1, { leaseEpoch: 2 })).toMatchObject({ status: 'completed' })
  })

  test('winding down is asked for, and then said', async () => {
    const verdict = await opened()
    const { lease } = await verdict.start('k', { id: 'a' })
    expect(await verdict.operation('a').retire()).toMatchObject({ changed: true, status: 'retiring' })
    expect(await verdict.operation('a').retire()).toMatchObject({ changed: false, status: 'retiring' })
    await lease?.markRetired('drained')
    expect(await verdict.operation('a').outcome()).toEqual({ status: 'retired', reason: 'drained' })
  })

  test('an operator ends what its worker can not', async () => {
    const verdict = await opened()
    const { lease } = await verdict.start('k', { id: 'a' })
    await verdict.operation('a').fail({ message: 'the host is gone', code: 'host_gone' })
    expect(await verdict.operation('a').outcome()).toMatchObject({ status: 'failed', error: { code: 'host_gone' } })
    await expect.poll(() => lease?.abortedFor).toBe('ended')
  })

  test('a lease that is let go listens no longer', async () => {
    const verdict = await opened()
    await verdict.register('k', { id: 'a' })
    const lease = await verdict.claim('a')
    // The listener is in its place before it is taken away.
    await lease.heartbeat()
    lease[Symbol.dispose]()
    lease[Symbol.dispose]()
    await verdict.operation('a').forceCancel()
    expect(lease.signal.aborted).toBe(false)
  })
})
