import path from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { OWNER, openRig, POLICY, SILENCE_MS } from './support/rig.ts'

describe('a worker that was given up', () => {
  test('is told the truth when it reports after all: a stale lease, and the end where its attempt was the last', async () => {
    const rig = await openRig()
    const policy = { ...POLICY, retry: { maxAttempts: 2, backoff: { initialMs: 0, factor: 1, maxMs: 0, jitter: 0 } } }
    const first = await rig.running('a', { policy })
    await rig.clock.advance(SILENCE_MS)
    expect(await rig.node.reconcile()).toMatchObject({ retried: 1 })
    const lost = { currentStatus: 'provisioning' }
    for (const type of ['RecordHeartbeat', 'ReportProgress', 'CompleteOperation']) {
      expect(await rig.refusal({ type, id: 'a', leaseEpoch: first })).toMatchObject({
        code: 'stale_lease',
        facts: lost,
      })
    }
    const { leaseEpoch: second } = await rig.send({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'two' } })
    await rig.send({ type: 'RecordHeartbeat', id: 'a', leaseEpoch: second })
    expect(await rig.refusal({ type: 'CompleteOperation', id: 'a', leaseEpoch: first })).toMatchObject({
      code: 'stale_lease',
      facts: { currentStatus: 'running' },
    })
    await rig.clock.advance(SILENCE_MS + 60_000)
    expect(await rig.node.reconcile()).toMatchObject({ reconciled: 1 })
    const told = await rig.refusal({ type: 'CompleteOperation', id: 'a', leaseEpoch: second, result: 'late' })
    expect(told).toMatchObject({
      code: 'already_terminal',
      facts: { currentStatus: 'failed', outcome: { status: 'failed', reasonCode: 'run.stale_running' } },
    })

    // Both late words are on record, shown and counted, and nothing of the truth has changed.
    await vi.waitFor(async () => expect((await rig.get('a')).contradictions).toBe(2))
    expect(await rig.get('a')).toMatchObject({
      status: 'failed',
      outcome: { reasonCode: 'run.stale_running' },
      problemClass: 'terminal_follow_up',
    })
    const contradictions = (await rig.node.door.history(OWNER, 'a'))
      .map(({ event }) => event)
      .filter(({ type }) => type === 'ContradictionRecorded')
    expect(contradictions.map(({ facts }) => facts)).toMatchObject([
      { claimed: 'completed', leaseEpoch: first },
      { claimed: 'completed', leaseEpoch: second },
    ])
  })
})

test('two reconcilers over one log end nobody twice, and lose to each other without harm', async () => {
  const location = path.join(freshFolder(), 'verdict.db')
  const [one, other] = [
    await openedAt(location, { reconciler: false }),
    await openedAt(location, { reconciler: false }),
  ]
  const ids = Array.from({ length: 15 }, (_, i) => `a-${i}`)
  for (const id of ids) await one.register('k', { id, policy: { provisioningTimeout: 1 } })
  await vi.waitFor(
    async () => {
      for (const { judgement } of await one.operations.list()) expect(judgement.freshness).toBe('likely_stale')
    },
    { timeout: 20_000 },
  )
  // Both look before either has acted.
  const [first, second] = await Promise.all([one.reconcile(), other.reconcile()])
  expect(first.reconciled + second.reconciled).toBe(15)
  expect(first.refused + second.refused).toBe(0)
  for (const id of ids) {
    const types = (await one.operation(id).history()).map(({ event }) => event.type)
    expect(types).toEqual(['OperationRegistered', 'OperationFailed'])
  }
  expect(await one.reconcile()).toMatchObject({ candidates: 0 })
  expect(await other.reconcile()).toMatchObject({ candidates: 0 })
})
