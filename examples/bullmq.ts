import { mkdirSync } from 'node:fs'
import { Queue, Worker } from 'bullmq'
import { bullmqBridge } from '../src/bullmq.ts' // where the package is installed: 'verdict/bullmq'
import { openVerdict } from '../src/index.ts' // 'verdict'

const connection = { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' }
mkdirSync('.verdict', { recursive: true })
await using verdict = await openVerdict('.verdict/verdict.db')
await using bridge = bullmqBridge(verdict, { owner: (job) => job.data.tenant })

const queue = new Queue('export', { connection })
const worker = new Worker(
  'export',
  bridge.processor(async (job, { progress, attempt }) => {
    if (job.data.rows === 0) throw new Error('nothing to export')
    if (attempt === 1) throw new Error('the network was down')
    progress({ processed: job.data.rows, total: job.data.rows })
    return { rows: job.data.rows }
  }),
  { connection },
)
bridge.guard('export', { worker }) // refuses settings that contradict the policy of the kind
await bridge.listen(queue).ready // failures that no worker could tell

// The operation is registered before its job is in the queue; the queue tries it again, and the operation knows.
const march = await bridge.add(queue, 'export', { tenant: 'acme', rows: 3 }, { attempts: 3 })
console.log(await march.operation.result(), 'in attempt', (await march.operation.snapshot())?.attempt)

// When the queue gives up the operation has failed, with its reason.
const empty = await bridge.add(queue, 'export', { tenant: 'acme', rows: 0 })
const outcome = await empty.operation.outcome()
if (outcome.status === 'failed') console.log(outcome.reasonCode, outcome.error.message)

await worker.close()
await queue.close()
