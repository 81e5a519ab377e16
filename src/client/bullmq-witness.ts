/** BullMQ as the witness of its jobs: what it knows of the job of an operation, and nothing more. */
import type { Job, Queue } from 'bullmq'
import type { JsonValue } from '../authority/json-value.ts'
import type { WitnessQuestion, WitnessReport } from '../authority/witness.ts'
import { failureOf, queueKeyOf } from './bullmq-job.ts'
import { jobOf } from './queue-job.ts'

/** Never throws; `unknown` where the queue can't be asked or the operation is about no job of this queue. */
export async function witnessed(
  queue: Queue,
  { id }: WitnessQuestion,
  warn: (error: unknown) => void,
): Promise<WitnessReport> {
  const address = jobOf(queueKeyOf(queue), id)
  if (address === undefined) return { answer: 'unknown' }
  try {
    const job: Job | undefined = await queue.getJob(address.jobId)
    const isAnother = address.addedAt !== undefined && job?.timestamp !== address.addedAt
    return job === undefined || isAnother ? { answer: 'absent' } : await reportOn(queue, job, address.jobId)
  } catch (error) {
    warn(error)
    return { answer: 'unknown' }
  }
}

async function reportOn(queue: Queue, job: Job, jobId: string): Promise<WitnessReport> {
  const error = await failureOf(job)
  if (error !== undefined) return { answer: 'failed', error }
  const state = await job.getState()
  switch (state) {
    case 'completed':
      // Read again: what is completed has its result by now. BullMQ keeps it as JSON.
      return { answer: 'completed', result: resultOf(await queue.getJob(jobId)) }
    case 'waiting':
    case 'prioritized':
    case 'delayed':
    case 'waiting-children':
      return { answer: 'waiting' }
    case 'active':
      return { answer: (await isLocked(queue, jobId)) ? 'active' : 'unknown' }
    case 'failed':
      // It failed between two looks; the next one will see why.
      return { answer: 'unknown' }
    case 'unknown':
      return { answer: (await queue.getJob(jobId)) === undefined ? 'absent' : 'unknown' }
    default:
      return state satisfies never
  }
}

function resultOf(job: Job | undefined): JsonValue {
  const result: JsonValue | undefined = job?.returnvalue
  return result ?? null
}

/**
 * A worker that lives renews its lock. Without one the job is listed as active until another worker looks for stalled jobs,
 * which may be never: that must not count as a sign of life.
 */
async function isLocked(queue: Queue, jobId: string): Promise<boolean> {
  // Of the backends of BullMQ only those on Redis have a client to ask.
  const client = await (queue.backend as Partial<Queue['backend']>).client
  return client !== undefined && (await client.get(`${queue.toKey(jobId)}:lock`)) !== null
}
