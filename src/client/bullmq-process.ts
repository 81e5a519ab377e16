/** A job in the hands of a worker: claimed, run, reported, and then ended as its operation ended. */
import { DelayedError, type Job, UnrecoverableError } from 'bullmq'
import type { Outcome } from '../authority/operation.ts'
import { afterThrow, isUnrecoverable, jobFactsOf, jobStartOf } from './bullmq-job.ts'
import type { JobMeaning } from './bullmq-meaning.ts'
import { type JobAttempt, MirroredProgress } from './bullmq-progress.ts'
import { OperationRejected } from './operation-errors.ts'
import { claimJob } from './queue-claim.ts'
import { runJob } from './queue-run.ts'
import type { BridgeParts } from './queue-verdict.ts'

const PUT_BACK_MS_MIN = 10

export interface HandedOut<D, R> {
  readonly job: Job<D, R>
  readonly token: string | undefined
  /** BullMQ's own word to stop. */
  readonly stopped: AbortSignal | undefined
  readonly run: (job: Job<D, R>, attempt: JobAttempt) => R | Promise<R>
}

/** The job's result, or what is to be thrown at BullMQ. */
export async function processJob<D, J extends D, R>(
  parts: BridgeParts,
  meaning: JobMeaning<D>,
  { job, token, stopped, run }: HandedOut<J, R>,
): Promise<R> {
  const { clock, log } = parts
  const facts = jobFactsOf<D>(job)
  const address = meaning.addressOf(facts)
  const start = jobStartOf(job, meaning.kindOf(facts))
  const register = (attempts: number) => meaning.registration(facts, start.kind, attempts)
  const claim = await forGood(() => claimJob(parts, address, start, register, meaning.worker))
  switch (claim.type) {
    case 'claimed':
      break
    case 'over':
      return ended<R>(claim.id, claim.outcome)
    case 'outdated':
      throw new Error(`job ${start.jobId} was handed to another worker since: this one is not to run it`)
    case 'not_yet':
      await job.moveToDelayed(Math.max(claim.at, clock.now() + PUT_BACK_MS_MIN), token)
      throw new DelayedError(`operation ${claim.id} is not to be had yet: ${claim.why}`)
    default:
      return claim satisfies never
  }
  const { lease } = claim
  const stop = () => lease.abort('shutdown')
  stopped?.addEventListener('abort', stop, { once: true })
  if (stopped?.aborted) stop()
  const progress = new MirroredProgress(job, log)
  const end = await runJob(parts, address, lease, {
    run: (attempt) => run(job, progress.of(attempt)),
    afterThrow: (thrown) => afterThrow(job, thrown, clock.now()),
  }).finally(() => stopped?.removeEventListener('abort', stop))
  // Only now: a queue that is out of reach must not keep the truth waiting.
  await progress.flush()
  switch (end.type) {
    case 'completed':
      // What the function returned, or what another attempt of it did.
      return end.result as R
    case 'thrown':
      throw end.thrown
    case 'lost':
      throw new Error(`operation ${lease.id}: another worker has this job now`)
    case 'over': {
      const { thrown } = end
      const isFinal = isUnrecoverable(thrown) || job.attemptsMade + 1 >= (job.opts.attempts ?? 0)
      if (end.outcome?.status === 'failed' && isFinal && thrown instanceof Error) throw thrown
      return ended<R>(lease.id, end.outcome)
    }
    default:
      return end satisfies never
  }
}

/** What can't be claimed now and never will must not be tried again by the queue. */
async function forGood<T>(claim: () => Promise<T>): Promise<T> {
  try {
    return await claim()
  } catch (error) {
    if (!(error instanceof OperationRejected) || error.retryable) throw error
    throw new UnrecoverableError(`${error.code}: ${error.message}`)
  }
}

/** The job of an operation that is over: it completes with it, or fails for good. */
function ended<R>(id: string, outcome: Outcome | undefined): R {
  // Stored as JSON by the one who knew the type.
  if (outcome?.status === 'completed') return outcome.result as R
  throw new UnrecoverableError(`operation ${id} is over: ${outcome === undefined ? 'it has ended' : told(outcome)}`)
}

function told(outcome: Exclude<Outcome, { status: 'completed' }>): string {
  const why = outcome.status === 'failed' ? outcome.error.message : outcome.reason
  return why === undefined ? outcome.status : `${outcome.status}, ${why}`
}
