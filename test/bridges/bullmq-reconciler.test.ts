import path from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { EmbeddedVerdict } from '../../src/app/embedded-verdict.ts'
import { MEMORY_LOCATION } from '../../src/app/log-of-node.ts'
import { openNode } from '../../src/app.ts'
import type { JobPolicy } from '../../src/bullmq.ts'
import type { OperationHandle } from '../../src/client/operation-handle.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { needs } from '../support/needs.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { bullmqRig, QUICK } from './bullmq-rig.ts'
import { WorkerProcess } from './bullmq-worker-process.ts'

const WITHIN = { timeout: 20_000, interval: 20 }
const DATA = { tenant: 'acme' }
const HOUR_MS = 3_600_000

describe.skipIf(!needs('redis-server'))('the reconciler with a queue as its witness', () => {
  const rig = bullmqRig()
  const toClose: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of toClose.splice(0).reverse()) await close()
  })

  test('a failure that no bridge heard, its process being killed, is bridged once by the reconcilers of others', async () => {
    const log = path.join(freshFolder(), 'verdict.db')
    const policies: Readonly<Record<string, JobPolicy>> = { export: { staleAfter: '2s', heartbeatInterval: '200ms' } }
    const queue = rig.queue()
    const adding = await openedAt(log, { reconciler: false })
    const bridge = rig.bridge(adding, { policies })
    const { operation, job } = await bridge.add(queue, 'export', DATA, { attempts: 3 })
    const order = { log, socket: rig.redis.socket, queue: queue.name, does: 'hang' as const, policies }
    const bridging = new WorkerProcess({ ...order, options: { ...QUICK, maxStalledCount: 0 } })
    toClose.push(() => bridging.kill())
    await bridging.said('runs')
    await bridging.kill()
    await adding.close()

    // It gives the job up, and knows nothing of operations.
    const deaf = rig.plainWorker(queue, async () => 'never', { maxStalledCount: 0 })
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('failed'), WITHIN)
    await deaf.close()

    const witness = bridge.witness(queue)
    const [watching] = await Promise.all(
      [1, 2].map(() => openedAt(log, { reconciler: { witnesses: { export: witness } } })),
    )
    const watched = watching?.operation({ owner: 'acme', id: operation.id })
    if (watched === undefined) throw new Error('nobody watches')
    expect(await watched.outcome()).toMatchObject({
      status: 'failed',
      error: { message: 'job stalled more than allowable limit', code: 'job_failed' },
      reasonCode: 'run.queue_failure_bridge',
      reconciliation: { evidence: { rule: 'witness', witness: 'failed', attempt: 1 } },
    })
    // The other one may have ended it: rows show that a moment later, and until then it is judged again, by the log.
    await vi.waitFor(async () => {
      const report = await watching?.reconcile()
      expect(report).toMatchObject({ reconciled: 0 })
      expect(report).toMatchObject({ candidates: 0 })
    }, WITHIN)
    expect((await typesOf(watched)).filter((type) => type === 'OperationFailed')).toHaveLength(1)
  })

  test('jobs that wait in the queue for six hours are not ended, and run when a worker comes', async () => {
    const clock = new HandMovedClock(Date.now())
    const queue = rig.queue()
    const node = await openNode(MEMORY_LOCATION, {
      clock,
      log: new RecordingLog(),
      reconciler: { witnesses: { export: (question) => bridge.witness(queue)(question) } },
    })
    const verdict = new EmbeddedVerdict(node, { clock })
    toClose.push(() => verdict.close())
    const bridge = rig.bridge(verdict, { clock, policies: { export: { provisioningTimeout: '1h' } } })
    const added = await Promise.all([1, 2, 3].map((n) => bridge.add(queue, 'export', { ...DATA, n })))
    const lost = await verdict.register('export', { owner: 'acme', policy: { provisioningTimeout: '1h' } })

    for (let hour = 1; hour <= 6; hour++) {
      await clock.advance(HOUR_MS)
      expect(await verdict.reconcile()).toMatchObject({ alive: 3, reconciled: hour === 1 ? 1 : 0 })
    }
    for (const { operation } of added) {
      expect(await operation.snapshot()).toMatchObject({
        status: 'provisioning',
        judgement: { freshness: 'fresh' },
      })
      const types = await typesOf(operation)
      expect(types).toEqual(['OperationRegistered', ...Array.from({ length: 6 }, () => 'SignsOfLifeRecorded')])
    }
    // Of the same kind, as silent as they: of it the queue knows nothing.
    expect(await lost.outcome()).toMatchObject({ status: 'failed', reasonCode: 'run.never_enqueued' })

    rig.worker(bridge, queue, (job) => ({ n: job.data.n }))
    expect(await Promise.all(added.map(({ operation }) => operation.result()))).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  })
})

async function typesOf(operation: OperationHandle<unknown>): Promise<readonly string[]> {
  return (await operation.history()).map(({ event }) => event.type)
}
