import type { JobsOptions, WorkerOptions } from 'bullmq'
import { describe, expect, test } from 'vitest'
import { bullmqBridge, type JobPolicy } from '../../src/bullmq.ts'
import { opened, refusalOf } from './support/opened-verdict.ts'

interface Case {
  readonly policy?: JobPolicy
  readonly worker?: Partial<WorkerOptions>
  readonly job?: JobsOptions
  readonly spareAttempts?: number
}

describe('settings of BullMQ', () => {
  test.each<[string, Case, RegExp]>([
    [
      'a dead worker is noticed after its operation was given up',
      { policy: { staleAfter: '1m' }, worker: {} },
      /kind "export" on BullMQ: max\(lockDuration, stalledInterval\) \+ stalledInterval < staleAfterMs does not hold \(lockDuration = 30000, stalledInterval = 30000, staleAfterMs = 60000\): lower lockDuration/,
    ],
    [
      'a long lock',
      { worker: { lockDuration: 280_000 } },
      /lockDuration = 280000, stalledInterval = 30000, staleAfterMs = 300000/,
    ],
    [
      'more stalls than attempts to spare',
      { worker: { maxStalledCount: 2 } },
      /maxStalledCount <= spareAttempts .*maxStalledCount = 2, spareAttempts = 1\): raise spareAttempts/,
    ],
    ['none to spare', { worker: {}, spareAttempts: 0 }, /maxStalledCount = 1, spareAttempts = 0/],
    [
      'locks that are not renewed, without a maxRuntime',
      { worker: { skipLockRenewal: true } },
      /maxRuntimeMs < lockDuration, where skipLockRenewal is set/,
    ],
    [
      'locks that are not renewed, and shorter than a run',
      { policy: { maxRuntime: '1m' }, worker: { skipLockRenewal: true } },
      /maxRuntimeMs = 60000, lockDuration = 30000/,
    ],
    [
      'fewer starts than attempts',
      { worker: { maxStartedAttempts: 2 }, job: { attempts: 3 } },
      /attempts <= maxStartedAttempts .*attempts = 3, maxStartedAttempts = 2/,
    ],
    [
      'failed jobs that go at once',
      { job: { removeOnFail: true } },
      /removeOnFail keeps a job for 2 x staleAfterMs does not hold \(removeOnFailMs = 0, staleAfterMs = 300000\): keep failed jobs/,
    ],
    ['failed jobs of which none is kept', { job: { removeOnFail: { count: 0 } } }, /removeOnFailMs = 0/],
    ['failed jobs that go too early', { job: { removeOnFail: { age: 599 } } }, /removeOnFailMs = 599000/],
    [
      'a worker that lets failed jobs go',
      { worker: { removeOnFail: { age: 10, count: 5 } } },
      /removeOnFailMs = 10000/,
    ],
  ])('are refused: %s', async (_what, { policy, spareAttempts, ...settings }, sentence) => {
    const refusal = await refusalOf(async () => (await guarded(policy, spareAttempts)).guard('export', settings))
    expect(refusal.code).toBe('policy_violation')
    expect(refusal.message).toMatch(sentence)
    expect(refusal.facts).toMatchObject({ kind: 'export', rule: expect.any(String), numbers: expect.any(Object) })
  })

  test.each<[string, Case]>([
    ["BullMQ's own defaults", { worker: {}, job: { attempts: 3 } }],
    ['completed jobs that go at once', { job: { removeOnComplete: true } }],
    ['failed jobs that are kept long enough', { job: { removeOnFail: { age: 600 } } }],
    ['a number of failed jobs', { job: { removeOnFail: 1_000 } }],
    [
      'locks that are not renewed, and longer than a run',
      { policy: { maxRuntime: '20s' }, worker: { skipLockRenewal: true } },
    ],
    ['as many stalls as there are attempts to spare', { worker: { maxStalledCount: 3 }, spareAttempts: 3 }],
  ])('are taken: %s', async (_what, { policy, spareAttempts, ...settings }) => {
    expect((await guarded(policy, spareAttempts)).guard('export', settings)).toBeUndefined()
  })

  test('of a kind without a policy of its own are held against that of unknown kinds', async () => {
    const bridge = await guarded({ staleAfter: '10m' })
    const refusal = await refusalOf(async () => bridge.guard('toString', { worker: { lockDuration: 290_000 } }))
    expect(refusal.facts).toMatchObject({ kind: 'toString', numbers: { staleAfterMs: 300_000 } })
  })
})

async function guarded(policy: JobPolicy = {}, spareAttempts?: number) {
  const spare = spareAttempts === undefined ? {} : { spareAttempts }
  return bullmqBridge(await opened(), { policies: { export: policy }, ...spare })
}
