/** What BullMQ says of a job, in the words of the bridge. */
import { type Job, type JobsOptions, type Queue, UnrecoverableError } from 'bullmq'
import type { OperationError } from '../authority/events.ts'
import type { JobStart, QueueJob } from './queue-job.ts'
import type { AfterThrow } from './queue-run.ts'

/** A job as it is known before it is added, too. */
export interface JobFacts<D = Job['data']> {
  readonly queueName: string
  readonly name: string
  readonly data: D
  readonly opts: JobsOptions
}

export function jobFactsOf<D>({ queueName, name, data, opts }: Job<D>): JobFacts<D> {
  return { queueName, name, data, opts }
}

/** Unlike its name, unique in one Redis. */
export function queueKeyOf({ name, qualifiedName }: Pick<Queue, 'name' | 'qualifiedName'>): string {
  return qualifiedName === `bull:${name}` ? name : qualifiedName
}

export function queueJobOf(job: Job): QueueJob {
  if (job.id === undefined) throw new Error(`a job of queue ${job.queueName} came without its id`)
  const queue = queueKeyOf({ name: job.queueName, qualifiedName: job.queueQualifiedName })
  return { queue, jobId: job.id, addedAt: job.timestamp }
}

export function jobStartOf(job: Job, kind: string): JobStart {
  const { attemptsStarted, attemptsMade, opts } = job
  return { ...queueJobOf(job), kind, attempts: opts.attempts ?? 0, started: attemptsStarted, ended: attemptsMade }
}

/** How BullMQ will take it; it decides so itself a moment later. */
export function afterThrow(job: Job, thrown: unknown, now: number): AfterThrow {
  if (isPutBack(thrown)) return { type: 'put_back' }
  const made = job.attemptsMade + 1
  const isFinal = made >= (job.opts.attempts ?? 0) || isUnrecoverable(thrown)
  return isFinal ? { type: 'given_up' } : { type: 'again', notBefore: Math.floor(now) + backoffMsMin(job.opts, made) }
}

export function isUnrecoverable(thrown: unknown): boolean {
  return thrown instanceof UnrecoverableError || (thrown instanceof Error && thrown.name === 'UnrecoverableError')
}

const PUT_BACK_NAMES: ReadonlySet<string> = new Set([
  'DelayedError',
  'WaitingError',
  'WaitingChildrenError',
  'RateLimitError',
])

function isPutBack(thrown: unknown): boolean {
  return thrown instanceof Error && PUT_BACK_NAMES.has(thrown.name)
}

/** The shortest pause that BullMQ may draw: a claim must not be too early. Of strategies of one's own nothing is known. */
function backoffMsMin({ backoff }: JobsOptions, attemptsMade: number): number {
  if (backoff === undefined) return 0
  if (typeof backoff === 'number') return backoff
  const { type, delay = 0, jitter = 0 } = backoff
  if (type !== 'fixed' && type !== 'exponential') return 0
  const ms = type === 'fixed' ? delay : 2 ** (attemptsMade - 1) * delay
  return Math.floor(ms * (1 - Math.min(1, Math.max(0, jitter))))
}

/** Why BullMQ gave up on the job; undefined while it has not. A job that stalled too often only waits to be told so. */
export async function failureOf(job: Job | undefined): Promise<OperationError | undefined> {
  if (job === undefined) return undefined
  if (typeof job.deferredFailure === 'string' && job.deferredFailure !== '') {
    return { message: job.deferredFailure, code: 'job_failed' }
  }
  if (!(await job.isFailed())) return undefined
  return { message: job.failedReason || 'the job failed without a reason', code: 'job_failed' }
}
