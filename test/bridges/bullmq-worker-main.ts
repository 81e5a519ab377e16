/**
 * A worker in a process of its own, to be killed: `node bullmq-worker-main.ts '{"log", "socket", "queue", "options"}'`. It does
 * with a job what the job's data says, and prints a line of JSON for each thing that happens.
 */
import { type Job, Worker, type WorkerOptions } from 'bullmq'
import { openVerdict } from '../../src/app.ts'
import { bullmqBridge } from '../../src/bullmq.ts'
import type { WorkerOrder } from './bullmq-worker-process.ts'

const order: WorkerOrder = JSON.parse(process.argv[2] ?? '')
const verdict = await openVerdict(order.log, { log: { warn: () => {} } })
const bridge = bullmqBridge(verdict, {
  owner: (job) => job.data.tenant,
  policies: order.policies ?? {},
  log: { warn: () => {} },
})

const say = (what: string, job: Job, more: Readonly<Record<string, unknown>> = {}) =>
  process.stdout.write(`${JSON.stringify({ what, jobId: job.id, ...more })}\n`)

const process_ = bridge.processor(async (job, { attempt, signal }) => {
  signal.addEventListener('abort', () => say('aborted', job, { attempt, why: String(signal.reason) }))
  say('runs', job, { attempt })
  if (order.does === 'hang') await new Promise(() => setInterval(() => {}, 60_000))
  return { by: process.pid, attempt }
})

const options: WorkerOptions = { connection: { path: order.socket }, ...order.options }
const worker = new Worker(
  order.queue,
  async (job, token, signal) => {
    const result = await process_(job, token, signal)
    if (order.does === 'die_before_the_queue_knows') process.kill(process.pid, 'SIGKILL')
    return result
  },
  options,
)
worker.on('error', () => {})
worker.on('completed', (job) => say('completed', job))
worker.on('failed', (job, error) => job !== undefined && say('failed', job, { error: error.message }))
