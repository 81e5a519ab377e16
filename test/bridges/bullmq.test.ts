import { DelayedError, type Job, type JobsOptions, UnrecoverableError } from 'bullmq'
import { describe, expect, test, vi } from 'vitest'
import type { OperationHandle } from '../../src/client/operation-handle.ts'
import { opened, refusalOf, untilAborted } from '../client/support/opened-verdict.ts'
import { needs } from '../support/needs.ts'
import { bullmqRig } from './bullmq-rig.ts'

const WITHIN = { timeout: 15_000, interval: 20 }
const DATA = { tenant: 'acme' }

describe.skipIf(!needs('redis-server'))('BullMQ jobs as operations', () => {
  const rig = bullmqRig()

  /** A job whose function works until it is aborted, or its own signal ends it, and follows. */
  async function held(
    options: JobsOptions = { attempts: 3 },
    own: () => AbortSignal = () => new AbortController().signal,
  ) {
    const bridge = rig.bridge(await opened())
    const queue = rig.queue()
    const { job, operation } = await bridge.add(queue, 'export', DATA, options)
    const started = Promise.withResolvers<void>()
    rig.worker(bridge, queue, (_job, { signal }) => {
      started.resolve()
      return untilAborted({ signal: AbortSignal.any([signal, own()]) })
    })
    await started.promise
    return { queue, job, operation }
  }

  test('a job and its operation have one id, and the operation completes before the job', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const { job, operation, isNew } = await bridge.add(queue, 'export', { ...DATA, rows: 3 }, { attempts: 3 })
    expect({ isNew, id: operation.id, owner: operation.owner }).toEqual({ isNew: true, id: job.id, owner: 'acme' })
    const registered = await operation.snapshot()
    expect(registered).toMatchObject({ status: 'provisioning', kind: 'export', source: `bullmq:${queue.name}` })

    const seen: unknown[] = []
    const worker = rig.worker(bridge, queue, async (given, { progress, phase, attempt, signal }) => {
      const rows = await phase('read', () => given.data.rows)
      progress({ processed: rows, total: 3, message: 'all of them' })
      return { rows, attempt, aborted: signal.aborted }
    })
    worker.on('completed', (done: Job, result: unknown) => seen.push([done.id, result]))
    const result = { rows: 3, attempt: 1, aborted: false }
    expect(await operation.result()).toEqual(result)
    await vi.waitFor(() => expect(seen).toEqual([[job.id, result]]), WITHIN)
    const done = await queue.getJob(job.id ?? '')
    expect(done?.progress).toEqual({ processed: 3, total: 3, message: 'all of them' })
    const [first] = await operation.history()
    expect(first?.event.facts).toMatchObject({ policy: { retry: { owner: 'queue', maxAttempts: 4 } } })
    const completedAt = (await operation.snapshot())?.completedAt ?? Number.POSITIVE_INFINITY
    expect(completedAt).toBeLessThanOrEqual(done?.finishedOn ?? 0)
  })

  test('a failed attempt is the next one of the operation, not before the back-off of the queue', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const { operation } = await bridge.add(queue, 'export', DATA, {
      attempts: 3,
      backoff: { type: 'fixed', delay: 300 },
    })
    rig.worker(bridge, queue, (job, { attempt }) => {
      if (attempt < 3) throw new Error(`no luck in ${attempt}`)
      return { made: job.attemptsMade }
    })
    expect(await operation.result()).toEqual({ made: 2 })
    const history = await operation.history()
    const steps = history.map(({ event }) => event.type).filter((type) => type !== 'SignsOfLifeRecorded')
    expect(steps).toEqual([
      'OperationRegistered',
      'OperationStarted',
      'AttemptFailed',
      'OperationStarted',
      'AttemptFailed',
      'OperationStarted',
      'OperationCompleted',
    ])
    for (const { event, metadata } of history) {
      if (event.type !== 'AttemptFailed') continue
      expect(event.facts.notBeforeAt).toBeGreaterThanOrEqual(metadata.at + 290)
      expect(event.content.error).toEqual({ message: `no luck in ${event.facts.attempt}` })
    }
  })

  test('attempts exhausted: the operation failed once, as the failure of the queue, with what was thrown', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const first = bridge.listen(queue)
    const second = bridge.listen(queue)
    await Promise.all([first.ready, second.ready])
    const { job, operation } = await bridge.add(queue, 'export', DATA, { attempts: 2 })
    rig.worker(bridge, queue, (_job, { attempt }) => {
      throw Object.assign(new Error(`disk full in ${attempt}`), { code: 'ENOSPC' })
    })
    expect(await operation.outcome()).toMatchObject({
      status: 'failed',
      error: { message: 'disk full in 2', code: 'ENOSPC' },
      reasonCode: 'run.queue_failure_bridge',
      reconciliation: { evidence: { rule: 'witness', witness: 'failed', attempt: 2 } },
    })
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('failed'), WITHIN)
    expect((await queue.getJob(job.id ?? ''))?.failedReason).toBe('disk full in 2')
    expect(await first.scan()).toMatchObject({ bridged: 0 })
    expect(await endings(operation)).toEqual(['OperationFailed'])
  })

  test('what is unrecoverable is not tried again', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const { operation } = await bridge.add(queue, 'export', DATA, { attempts: 5 })
    rig.worker(bridge, queue, () => {
      throw new UnrecoverableError('no such table')
    })
    expect(await operation.outcome()).toMatchObject({
      status: 'failed',
      error: { message: 'no such table' },
      reasonCode: 'run.queue_failure_bridge',
    })
    expect((await operation.snapshot())?.attempt).toBe(1)
  })

  test('a cancel aborts the function, and its job fails for good', async () => {
    const { queue, job, operation } = await held()
    await operation.cancel({ reason: 'customer asked' })
    expect(await operation.outcome()).toEqual({ status: 'cancelled', reason: 'customer asked' })
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('failed'), WITHIN)
    const failed = await queue.getJob(job.id ?? '')
    expect(failed).toMatchObject({
      attemptsMade: 1,
      failedReason: expect.stringContaining('cancelled, customer asked'),
    })
  })

  test('a job whose operation is over is not run, and fails for good', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const { job, operation } = await bridge.add(queue, 'export', DATA, { attempts: 3 })
    await operation.cancel({ reason: 'not needed' })
    let runs = 0
    rig.worker(bridge, queue, () => runs++)
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('failed'), WITHIN)
    expect(await queue.getJob(job.id ?? '')).toMatchObject({
      attemptsMade: 1,
      failedReason: `operation ${operation.id} is over: cancelled, not needed`,
    })
    expect(runs).toBe(0)
    expect(await operation.outcome()).toEqual({ status: 'cancelled', reason: 'not needed' })
  })

  test('a job that was added outside of the bridge is registered when it is claimed', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const job = await queue.add('import', DATA, { attempts: 2 })
    rig.worker(bridge, queue, (_job, { id }) => ({ id }))
    const operation = verdict.operation<{ id: string }>({
      owner: 'acme',
      id: `${queue.name}/${job.id}@${job.timestamp}`,
    })
    await vi.waitFor(
      async () => expect(await operation.snapshot()).toMatchObject({ kind: 'import', status: 'completed' }),
      WITHIN,
    )
    expect(await operation.result()).toEqual({ id: operation.id })
    const [registered] = await operation.history()
    expect(registered?.event.facts).toMatchObject({ policy: { retry: { owner: 'queue', maxAttempts: 3 } } })
  })

  test.each(['completed', 'failed'] as const)('a job that %s and is run again is a new operation', async (state) => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    let runs = 0
    rig.worker(bridge, queue, () => {
      runs++
      if (state === 'failed' && runs === 1) throw new Error('once')
      return { runs }
    })
    const { job, operation } = await bridge.add(queue, 'export', DATA)
    await operation.outcome()
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe(state), WITHIN)
    await (await queue.getJob(job.id ?? ''))?.retry(state)
    const again = verdict.operation({ owner: 'acme', id: `${job.id}~2` })
    await vi.waitFor(async () => expect(await again.snapshot()).toMatchObject({ status: 'completed' }), WITHIN)
    const before = await operation.snapshot()
    expect(before?.status).toBe(state)
    expect(await again.snapshot()).toMatchObject({
      outcome: { status: 'completed', result: { runs: 2 } },
      retryOf: { id: operation.id, number: before?.number },
    })
  })

  test('a job id that is added again names a new operation once the job is gone, and the old one before', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const added = await bridge.add(queue, 'export', DATA, { jobId: 'daily' })
    expect(added.operation.id).toBe(`${queue.name}/daily@${added.job.timestamp}`)
    const twice = await bridge.add(queue, 'export', DATA, { jobId: 'daily' })
    expect({ isNew: twice.isNew, id: twice.operation.id }).toEqual({ isNew: false, id: added.operation.id })
    rig.worker(bridge, queue, () => 'done')
    await added.operation.result()
    await vi.waitFor(async () => expect(await queue.getJobState('daily')).toBe('completed'), WITHIN)
    expect(await bridge.add(queue, 'export', DATA, { jobId: 'daily' })).toMatchObject({ isNew: false })
    await (await queue.getJob('daily'))?.remove()
    const next = await bridge.add(queue, 'export', DATA, { jobId: 'daily' })
    expect(next.isNew).toBe(true)
    expect(next.operation.id).not.toBe(added.operation.id)
    expect(await next.operation.result()).toBe('done')
  })

  test.each(['daily', '0198c1de-6f3a-7c52-9d0e-0123456789ab'])(
    'a job id that many add at once, %s, is one job and one operation',
    async (jobId) => {
      const verdict = await opened()
      const bridge = rig.bridge(verdict)
      const queue = rig.queue()
      const added = await Promise.all([1, 2, 3, 4, 5].map(() => bridge.add(queue, 'export', DATA, { jobId })))
      const ids = new Set(added.map(({ operation }) => operation.id))
      expect([...ids]).toHaveLength(1)
      expect(await verdict.owner('acme').overview()).toMatchObject({ active: 1 })
      // It is the one that its job knows: what ends it ends the job.
      await added[0]?.operation.cancel()
      let runs = 0
      rig.worker(bridge, queue, () => runs++)
      await vi.waitFor(async () => expect(await queue.getJobState(jobId)).toBe('failed'), WITHIN)
      expect(runs).toBe(0)
    },
  )

  test('the id of an operation that is added again, its job being gone, names another life of it', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue({ defaultJobOptions: { removeOnComplete: true } })
    rig.worker(bridge, queue, () => 'done')
    const { job, operation } = await bridge.add(queue, 'export', DATA)
    await operation.result()
    const jobId = job.id ?? ''
    await vi.waitFor(async () => expect(await queue.getJob(jobId)).toBeUndefined(), WITHIN)
    const again = await bridge.add(queue, 'export', DATA, { jobId })
    expect(again.operation.id).toBe(`${jobId}~2`)
    expect(await again.operation.result()).toBe('done')
    expect((await again.operation.snapshot())?.retryOf).toMatchObject({ id: jobId })
    expect(await endings(again.operation)).toEqual(['OperationCompleted'])
  })

  test('a job that puts itself back is no failure, and its next start is the next attempt', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const { job, operation } = await bridge.add(queue, 'export', DATA, { attempts: 1 })
    rig.worker(bridge, queue, async (given, { attempt }) => {
      if (attempt > 1) return { made: given.attemptsMade }
      await given.moveToDelayed(Date.now() + 50, given.token)
      throw new DelayedError()
    })
    expect(await operation.result()).toEqual({ made: 0 })
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('completed'), WITHIN)
  })

  test('a job that puts itself back more often than there are attempts to spare fails for good', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const { job, operation } = await bridge.add(queue, 'export', DATA, { attempts: 1 })
    let runs = 0
    rig.worker(bridge, queue, async (given) => {
      runs++
      await given.moveToDelayed(Date.now() + 10, given.token)
      throw new DelayedError()
    })
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('failed'), WITHIN)
    expect(await operation.outcome()).toMatchObject({
      status: 'failed',
      error: { code: 'attempts_exhausted' },
      reasonCode: 'run.queue_failure_bridge',
    })
    expect({ runs, ends: await endings(operation) }).toEqual({ runs: 2, ends: ['OperationFailed'] })
  })

  test('an operation that others end aborts the function, and its job fails for good', async () => {
    const { queue, job, operation } = await held()
    await operation.fail({ message: 'the customer is gone' })
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('failed'), WITHIN)
    expect((await queue.getJob(job.id ?? ''))?.failedReason).toBe(
      `operation ${operation.id} is over: failed, the customer is gone`,
    )
    expect(await endings(operation)).toEqual(['OperationFailed'])
  })

  test('a job that takes longer than its kind may is failed, its function aborted, and not tried again', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict, { policies: { export: { maxRuntime: '300ms' } } })
    const queue = rig.queue()
    const { job, operation } = await bridge.add(queue, 'export', DATA, { attempts: 3 })
    rig.worker(bridge, queue, (_job, attempt) => untilAborted(attempt))
    expect(await operation.outcome()).toMatchObject({ status: 'failed', reasonCode: 'run.deadline_exceeded' })
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('failed'), WITHIN)
    expect((await queue.getJob(job.id ?? ''))?.attemptsMade).toBe(1)
    expect(await endings(operation)).toEqual(['OperationFailed'])
  })

  test('a job whose own time is up in its last attempt is failed as the failure of the queue', async () => {
    const { queue, job, operation } = await held({ attempts: 1 }, () => AbortSignal.timeout(100))
    expect(await operation.outcome()).toMatchObject({
      status: 'failed',
      error: { message: 'The operation was aborted due to timeout' },
      reasonCode: 'run.queue_failure_bridge',
    })
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('failed'), WITHIN)
    expect(await endings(operation)).toEqual(['OperationFailed'])
  })

  test('a job that its worker is told to stop is tried again', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const { job, operation } = await bridge.add(queue, 'export', DATA, { attempts: 2 })
    const started = Promise.withResolvers<void>()
    const worker = rig.worker(bridge, queue, async (_job, { signal, attempt }) => {
      if (attempt === 2) return 'second'
      started.resolve()
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    await started.promise
    expect(worker.cancelJob(job.id ?? '')).toBe(true)
    expect(await operation.result()).toBe('second')
  })

  test('a witness tells what the queue knows of a job, and nothing of what is not its own', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const witness = bridge.witness(queue)
    const ask = (id: string) =>
      witness({ workspace: 'default', owner: 'acme', id, number: 0, attempt: 1, kind: 'export' })
    const { operation } = await bridge.add(queue, 'export', DATA, { delay: 60_000 })
    expect(await ask(operation.id)).toEqual({ answer: 'waiting' })
    expect(await ask('an operation of somebody else')).toEqual({ answer: 'unknown' })
    expect(await ask(crypto.randomUUID())).toEqual({ answer: 'absent' })
    const plain = await queue.add('export', DATA)
    expect(await ask(`${queue.name}/${plain.id}@${plain.timestamp}`)).toEqual({ answer: 'waiting' })
    expect(await ask(`${queue.name}/${plain.id}@1`)).toEqual({ answer: 'absent' })
    // A worker that knows nothing of the bridge.
    const worker = rig.plainWorker(queue, async () => ({ rows: 3 }))
    await vi.waitFor(async () => expect(await queue.getJobState(plain.id ?? '')).toBe('completed'), WITHIN)
    await worker.close()
    expect(await ask(`${queue.name}/${plain.id}@${plain.timestamp}`)).toEqual({
      answer: 'completed',
      result: { rows: 3 },
    })
  })

  test('an operation that is due later waits in the queue for as long', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const { job, operation } = await bridge.add(queue, 'export', DATA, { delay: 700 })
    rig.worker(bridge, queue, () => Date.now())
    // Somebody wants it now; the operation knows that it is not due.
    await job.promote()
    expect(await operation.result()).toBeGreaterThanOrEqual(job.timestamp + 700)
    expect((await operation.snapshot())?.attempt).toBe(1)
  })

  test('a job that can not be added takes its registration back', async () => {
    const verdict = await opened()
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    await expect(bridge.add(queue, 'export', DATA, { sizeLimit: 1 })).rejects.toThrow('exceeds the limit')
    expect(await verdict.owner('acme').list()).toEqual([])
    expect(await verdict.owner('acme').overview()).toMatchObject({ active: 0 })
  })

  test.each(['17', 'a:b', ''])(
    'a job id that BullMQ does not take is refused before anything is registered: "%s"',
    async (jobId) => {
      const verdict = await opened()
      const refusal = await refusalOf(rig.bridge(verdict).add(rig.queue(), 'export', DATA, { jobId }))
      expect({ code: refusal.code, path: refusal.facts.path }).toEqual({ code: 'invalid_command', path: 'jobId' })
      expect(await verdict.owner('acme').overview()).toMatchObject({ revision: -1 })
    },
  )

  test('a full owner refuses a job that is added, and lets one that was added elsewhere wait', async () => {
    const verdict = await opened('memory', { limits: { maxConcurrent: 1 } })
    const bridge = rig.bridge(verdict)
    const queue = rig.queue()
    const holder = await verdict.register('other', { owner: 'acme' })
    expect((await refusalOf(bridge.add(queue, 'export', DATA))).code).toBe('max_concurrent_exceeded')
    const job = await queue.add('export', DATA)
    rig.worker(bridge, queue, () => 'done')
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('delayed'), WITHIN)
    await holder.abort()
    await (await queue.getJob(job.id ?? ''))?.promote()
    await vi.waitFor(async () => expect(await queue.getJobState(job.id ?? '')).toBe('completed'), WITHIN)
  })
})

/** The terminal facts in an operation's story. */
async function endings(operation: OperationHandle<unknown>): Promise<readonly string[]> {
  const types = (await operation.history()).map(({ event }) => event.type)
  return types.filter((type) => /^Operation(?!Registered|Started)/.test(type))
}
