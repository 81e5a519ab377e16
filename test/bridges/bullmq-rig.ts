import { type Job, Queue, type QueueOptions, Worker, type WorkerOptions } from 'bullmq'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { type BullmqBridge, type BullmqBridgeOptions, bullmqBridge, type JobAttempt } from '../../src/bullmq.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { RedisServer } from '../support/redis-server.ts'

/** Short enough for a test, long enough for a busy machine. */
export const QUICK = { lockDuration: 1_000, stalledInterval: 500, drainDelay: 1, runRetryDelay: 100 } as const

export type JobRun = (job: Job, attempt: JobAttempt) => unknown

/** A Redis for the file, and queues, workers and bridges that are closed with each test. */
export function bullmqRig() {
  let redis: RedisServer
  let queues = 0
  const toClose: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    redis = await RedisServer.started()
  })
  afterAll(() => redis.dispose())
  afterEach(async () => {
    for (const close of toClose.splice(0).reverse()) await close()
  })

  const closing = <T>(one: T, close: () => Promise<unknown>): T => {
    toClose.push(close)
    return one
  }
  const rig = {
    get redis(): RedisServer {
      return redis
    },
    get connection() {
      return { path: redis.socket }
    },
    queue(options: Partial<QueueOptions> = {}): Queue {
      queues++
      const queue = new Queue(`export-${queues}`, { connection: rig.connection, ...options })
      queue.on('error', () => {})
      return closing(queue, () => queue.close())
    },
    bridge(verdict: Verdict, options: BullmqBridgeOptions = {}): BullmqBridge {
      const bridge = bullmqBridge(verdict, { log: new RecordingLog(), owner: (job) => job.data.tenant, ...options })
      return closing(bridge, () => bridge.close())
    },
    plainWorker(queue: Queue, run: (job: Job) => Promise<unknown>, options: Partial<WorkerOptions> = {}): Worker {
      const worker = new Worker(queue.name, run, { connection: rig.connection, ...QUICK, ...options })
      worker.on('error', () => {})
      return closing(worker, () => worker.close(true))
    },
    worker(bridge: BullmqBridge, queue: Queue, run: JobRun, options: Partial<WorkerOptions> = {}): Worker {
      const worker = new Worker(queue.name, bridge.processor(run), { connection: rig.connection, ...QUICK, ...options })
      worker.on('error', () => {})
      return closing(worker, () => worker.close(true))
    },
  }
  return rig
}
