import path from 'node:path'
import { Queue } from 'bullmq'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { JobPolicy } from '../../src/bullmq.ts'
import type { OperationHandle } from '../../src/client/operation-handle.ts'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { needs } from '../support/needs.ts'
import { bullmqRig, QUICK } from './bullmq-rig.ts'
import { type WorkerOrder, WorkerProcess } from './bullmq-worker-process.ts'

const WITHIN = { timeout: 20_000, interval: 20 }
const DATA = { tenant: 'acme' }
const FREQUENT: Readonly<Record<string, JobPolicy>> = { export: { staleAfter: '6s', heartbeatInterval: '200ms' } }

describe.skipIf(!needs('redis-server'))('what a queue does when things break', () => {
  const rig = bullmqRig()
  const processes: WorkerProcess[] = []
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((one) => one.kill()))
  })

  /** A log on disk, a bridge over it in this process, a queue, and workers in processes of their own. */
  async function broken() {
    const log = path.join(freshFolder(), 'verdict.db')
    const verdict = await openedAt(log)
    const bridge = rig.bridge(verdict, { policies: FREQUENT })
    const queue = rig.queue()
    const worker = (does: WorkerOrder['does'], options: WorkerOrder['options'] = {}): WorkerProcess => {
      const order = { log, socket: rig.redis.socket, queue: queue.name, does, policies: FREQUENT }
      const one = new WorkerProcess({ ...order, options: { ...QUICK, ...options } })
      processes.push(one)
      return one
    }
    return { log, verdict, bridge, queue, worker }
  }

  test('a worker that is killed loses its attempt, and the next worker completes the operation', async () => {
    const { bridge, queue, worker } = await broken()
    const { operation } = await bridge.add(queue, 'export', DATA)
    const killed = worker('hang')
    await killed.said('runs')
    const next = worker('complete')
    await killed.kill()
    expect(await operation.result()).toEqual({ by: next.pid, attempt: 2 })
    await next.said('completed')
    await next.kill()
    const lost = (await operation.history()).filter(({ event }) => event.type === 'AttemptLost')
    expect(lost.map(({ event }) => event.facts)).toMatchObject([
      { attempt: 1, reconciliation: { reasonCode: 'run.infrastructure_timeout_or_abandonment' } },
    ])
  })

  test('a job that stalls too often fails its operation once, with two listeners at it in two nodes', async () => {
    const { log, bridge, queue, worker } = await broken()
    const other = rig.bridge(await openedAt(log))
    await Promise.all([bridge.listen(queue).ready, other.listen(queue).ready])
    const { operation } = await bridge.add(queue, 'export', DATA, { attempts: 3 })
    const killed = worker('hang', { maxStalledCount: 0 })
    await killed.said('runs')
    const next = worker('complete', { maxStalledCount: 0 })
    await killed.kill()
    expect(await operation.outcome()).toMatchObject({
      status: 'failed',
      error: { message: 'job stalled more than allowable limit', code: 'job_failed' },
      reasonCode: 'run.queue_failure_bridge',
      reconciliation: { evidence: { rule: 'witness', witness: 'failed', attempt: 1 } },
    })
    await next.said('failed')
    await next.kill()
    expect(await terminalFacts(operation)).toEqual(['OperationFailed'])
    expect(next.lines.filter(({ what }) => what === 'runs')).toEqual([])
  })

  test('a failure that nobody heard is found by the next listener, and known to the witness before', async () => {
    const { bridge, queue, worker } = await broken()
    const { operation, job } = await bridge.add(queue, 'export', DATA, { attempts: 3 })
    const killed = worker('hang', { maxStalledCount: 0 })
    await killed.said('runs')
    const next = worker('complete', { maxStalledCount: 0 })
    await killed.kill()
    await next.said('failed')
    await next.kill()
    const snapshot = await operation.snapshot()
    expect(snapshot?.status).toBe('running')

    const witness = bridge.witness(queue)
    const error = { message: 'job stalled more than allowable limit', code: 'job_failed' }
    const question = { workspace: 'default', owner: 'acme', id: operation.id, number: 0, attempt: 1, kind: 'export' }
    expect(await witness(question)).toEqual({ answer: 'failed', error })

    const listener = bridge.listen(queue)
    expect(await listener.ready).toEqual({ scanned: 1, bridged: 1 })
    expect(await operation.outcome()).toMatchObject({ status: 'failed', error, reasonCode: 'run.queue_failure_bridge' })
    expect(await listener.scan()).toEqual({ scanned: 1, bridged: 0 })
    expect(await queue.getJobState(job.id ?? '')).toBe('failed')
  })

  test('a worker that completed and died is not overruled by the queue, which hands the job out again', async () => {
    const { bridge, queue, worker } = await broken()
    await bridge.listen(queue).ready
    const { operation, job } = await bridge.add(queue, 'export', DATA)
    const died = worker('die_before_the_queue_knows')
    await died.exited
    expect(await operation.result()).toEqual({ by: died.pid, attempt: 1 })
    expect(await queue.getJobState(job.id ?? '')).toBe('active')
    const next = worker('complete')
    await next.said('completed')
    await next.kill()
    expect(next.lines.filter(({ what }) => what === 'runs')).toEqual([])
    expect((await queue.getJob(job.id ?? ''))?.returnvalue).toEqual({ by: died.pid, attempt: 1 })
    expect(await terminalFacts(operation)).toEqual(['OperationCompleted'])
  })

  test('a worker that completed and died is not overruled by the queue, which gives up the job', async () => {
    const { bridge, queue, worker } = await broken()
    const listener = bridge.listen(queue)
    await listener.ready
    const { operation } = await bridge.add(queue, 'export', DATA)
    const died = worker('die_before_the_queue_knows', { maxStalledCount: 0 })
    await died.exited
    const next = worker('complete', { maxStalledCount: 0 })
    await next.said('failed')
    await next.kill()
    expect(await listener.scan()).toMatchObject({ bridged: 0 })
    expect(await operation.result()).toEqual({ by: died.pid, attempt: 1 })
    expect(await terminalFacts(operation)).toEqual(['OperationCompleted'])
  })

  test('a worker that was stopped and goes on learns that its attempt was lost', async () => {
    const { bridge, queue, worker } = await broken()
    const { operation } = await bridge.add(queue, 'export', DATA)
    const stopped = worker('hang')
    await stopped.said('runs')
    stopped.signal('SIGSTOP')
    const next = worker('complete')
    expect(await operation.result()).toEqual({ by: next.pid, attempt: 2 })
    stopped.signal('SIGCONT')
    expect(await stopped.said('aborted')).toMatchObject({ attempt: 1 })
    await Promise.all([next.kill(), stopped.kill()])
    expect(await terminalFacts(operation)).toEqual(['OperationCompleted'])
  })

  test('a stall is shown as a lost attempt before another worker has the job', async () => {
    const { bridge, queue, worker } = await broken()
    await bridge.listen(queue).ready
    const { operation } = await bridge.add(queue, 'export', DATA)
    const killed = worker('hang', { skipStalledCheck: true })
    await killed.said('runs')
    // It looks for stalled jobs, and takes none.
    const onlooker = rig.worker(bridge, queue, () => 'never', { autorun: false })
    await killed.kill()
    await onlooker.startStalledCheckTimer()
    await vi.waitFor(
      async () => expect(await operation.snapshot()).toMatchObject({ status: 'provisioning', attempt: 2 }),
      WITHIN,
    )
    expect(await bridge.witness(queue)(questionOf(operation))).toEqual({ answer: 'waiting' })
  })

  test('a job whose worker is gone is active to the queue and no sign of life to the witness', async () => {
    const { bridge, queue, worker } = await broken()
    const { operation } = await bridge.add(queue, 'export', DATA)
    const witness = bridge.witness(queue)
    expect(await witness(questionOf(operation))).toEqual({ answer: 'waiting' })
    const killed = worker('hang')
    await killed.said('runs')
    expect(await witness(questionOf(operation))).toEqual({ answer: 'active' })
    await killed.kill()
    await vi.waitFor(async () => expect(await witness(questionOf(operation))).toEqual({ answer: 'unknown' }), WITHIN)
    expect(await queue.getJobState(operation.id)).toBe('active')
  })

  test('a Redis that crashes in the middle and comes back changes nothing', async () => {
    const { bridge, queue } = await broken()
    const listener = bridge.listen(queue)
    await listener.ready
    const goOn = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    rig.worker(
      bridge,
      queue,
      async (job, { progress }) => {
        begun.resolve()
        await goOn.promise
        progress({ message: 'nearly there' })
        if (job.data.fails) throw new Error('in the end')
        return 'whole'
      },
      { concurrency: 2 },
    )
    const good = await bridge.add(queue, 'export', DATA)
    const bad = await bridge.add(queue, 'export', { ...DATA, fails: true })
    await begun.promise
    await rig.redis.kill()
    goOn.resolve()
    expect(await good.operation.result()).toBe('whole')
    await rig.redis.start()
    expect(await bad.operation.outcome()).toMatchObject({ status: 'failed', reasonCode: 'run.queue_failure_bridge' })
    await vi.waitFor(async () => {
      expect(await queue.getJobState(good.operation.id)).toBe('completed')
      expect(await queue.getJobState(bad.operation.id)).toBe('failed')
    }, WITHIN)
    expect(await terminalFacts(good.operation)).toEqual(['OperationCompleted'])
    expect(await terminalFacts(bad.operation)).toEqual(['OperationFailed'])
  })

  test('a job that nobody knows to be added stays registered until the queue is asked', async () => {
    const { bridge, verdict } = await broken()
    const connection = { path: rig.redis.socket, maxRetriesPerRequest: 0, enableOfflineQueue: false }
    const queue = new Queue('unreachable', { connection })
    queue.on('error', () => {})
    await queue.waitUntilReady()
    const witness = bridge.witness(queue)
    await rig.redis.kill()
    await expect(bridge.add(queue, 'export', DATA)).rejects.toThrow()
    const [left] = await verdict.owner('acme').list()
    if (left === undefined) throw new Error('the registration was taken back')
    expect(left.status).toBe('provisioning')
    expect(await witness({ ...left, workspace: 'default' })).toEqual({ answer: 'unknown' })
    await rig.redis.start()
    await vi.waitFor(async () => expect(await witness(left)).toEqual({ answer: 'absent' }), WITHIN)
    // What the reconciler makes of it.
    const { revision } = await verdict.owner('acme').overview()
    const evidence = {
      rule: 'witness' as const,
      witness: 'absent' as const,
      attempt: 1,
      lastRevision: revision,
      judgedAt: Date.now(),
      graceMs: 0,
    }
    const operation = verdict.operation({ owner: 'acme', id: left.id })
    await operation.reconcile({ evidence, reasonCode: 'run.never_enqueued', disposition: { type: 'fail' } })
    expect(await operation.outcome()).toMatchObject({ status: 'failed', reasonCode: 'run.never_enqueued' })
    await queue.close()
  })
})

async function terminalFacts(operation: OperationHandle<unknown>): Promise<readonly string[]> {
  const types = (await operation.history()).map(({ event }) => event.type)
  return types.filter((type) => /^Operation(?!Registered|Started)/.test(type))
}

function questionOf({ workspace, owner, id }: OperationHandle<unknown>) {
  return { workspace, owner, id, number: 0, attempt: 1, kind: 'export' }
}
