/**
 * A job of a queue as every bridge tells it, and the names under which it is known to Verdict. All of it is derived from what
 * the queue itself keeps, so that any process, at any time, finds the operation of a job and the job of an operation:
 *
 *     job id (a UUID, as bridges mint them)  <-> operation id, the same
 *     any other job id                       <-> `queue/job@when it was added`: such ids are used again, and in other queues
 *     run again after it had finished        <-> the same with `~2`, `~3` ...: another life, another operation
 */
import { createHash } from 'node:crypto'

/** A job, as long as it is the same one: a job that is added again under its id is another one. */
export interface QueueJob {
  /** Name of the queue, unique among those whose operations share an owner. */
  readonly queue: string
  readonly jobId: string
  /** Epoch ms, by the queue. */
  readonly addedAt: number
}

/** How often the queue has done something to a job, as it stands when a worker is handed the job. */
export interface JobCounts {
  /** Handed to a worker, this time included. */
  readonly started: number
  /** Of those, how many the queue has seen end: completed, failed, failed for now. */
  readonly ended: number
}

export interface JobStart extends QueueJob, JobCounts {
  readonly kind: string
  /** Attempts that the queue allows in all. */
  readonly attempts: number
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** Within what JavaScript counts exactly: a number beyond that is none of ours. */
const PLAIN = /^([0-9a-f-]{36})(?:~(\d{1,15}))?$/
const QUALIFIED = /^(.+)@(\d{1,15})(?:~(\d{1,15}))?$/s

/** Life 1 is the first one. */
export function operationIdOf({ queue, jobId, addedAt }: QueueJob, life: number): string {
  const base = UUID.test(jobId) ? jobId : `${queue}/${jobId}@${addedAt}`
  return life === 1 ? base : `${base}~${life}`
}

export interface JobAddress {
  readonly jobId: string
  /** Absent where the job id says it all. */
  readonly addedAt?: number
}

/** The job of this queue that an operation is about; undefined when it is about none. */
export function jobOf(queue: string, operationId: string): JobAddress | undefined {
  const [, uuid = ''] = PLAIN.exec(operationId) ?? []
  if (UUID.test(uuid)) return { jobId: uuid }
  if (!operationId.startsWith(`${queue}/`)) return undefined
  const [, jobId, addedAt] = QUALIFIED.exec(operationId.slice(queue.length + 1)) ?? []
  return jobId === undefined ? undefined : { jobId, addedAt: Number(addedAt) }
}

/** Whoever registers this life of this job does so under one command id; it tells when the life began. */
export function registrationCommandIdOf(job: QueueJob, life: number, ended: number): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([job.queue, job.jobId]))
    .digest('base64url')
  return `job-registration:${digest.slice(0, DIGEST_CHARACTERS)}:${life}:${job.addedAt}:${ended}`
}

const DIGEST_CHARACTERS = 22

export interface Birth {
  readonly addedAt: number
  readonly ended: number
}

export function birthIn(commandId: string): Birth | undefined {
  const [, addedAt, ended] = /^job-registration:[\w-]+:\d{1,15}:(\d{1,15}):(\d{1,15})$/.exec(commandId) ?? []
  return addedAt === undefined ? undefined : { addedAt: Number(addedAt), ended: Number(ended) }
}

/** One claimant for each start: a worker that the queue gave up is another one than the worker that has the job now. */
export function claimantIdOf({ addedAt, started, ended }: JobStart): string {
  return `job-start:${addedAt}:${started}:${ended}`
}

export type ClaimedStart = JobCounts & Pick<QueueJob, 'addedAt'>

export function startIn(claimantId: string | undefined): ClaimedStart | undefined {
  const [, addedAt, started, ended] = /^job-start:(\d{1,15}):(\d{1,15}):(\d{1,15})$/.exec(claimantId ?? '') ?? []
  if (addedAt === undefined) return undefined
  return { addedAt: Number(addedAt), started: Number(started), ended: Number(ended) }
}
