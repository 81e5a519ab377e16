/**
 * A job's function as the worker of its operation. What becomes of it is Verdict's first, and the queue's only then: a worker
 * that dies in between leaves an operation that has ended, and its job is told so when it is handed out again.
 *
 *     returns                         -> completed
 *     throws, the queue tries again   -> next attempt, not before the queue's back-off
 *     throws, the queue gives up      -> failed, as the queue's failure
 *     throws because a cancel was asked -> cancelled
 *     puts the job back itself        -> next attempt
 *     lost its lease                  -> nothing; the truth is told
 */
import type { OperationError } from '../authority/events.ts'
import type { Outcome } from '../authority/operation.ts'
import type { RegistryAddress } from '../authority/questions.ts'
import { isTerminal } from '../authority/status.ts'
import { bareErrorOf, errorOf, UNSTORABLE } from './error-input.ts'
import { keepHeartbeats } from './heartbeat.ts'
import type { Lease } from './lease.ts'
import { OperationRejected } from './operation-errors.ts'
import { type Attempt, attemptOf, endOf, NO_MORE_ATTEMPTS, OVER, once } from './operation-runner.ts'
import { ProgressReporter } from './progress-reporter.ts'
import { type BridgeParts, queueFailure, speakForQueue } from './queue-verdict.ts'

/** What the queue will do with a job whose function threw this. */
export type AfterThrow =
  /** Epoch ms, at the earliest. */
  | { readonly type: 'again'; readonly notBefore: number }
  | { readonly type: 'given_up' }
  /** The function itself has put the job back into the queue: that is no failure. */
  | { readonly type: 'put_back' }

/** How the job is to end. */
export type JobEnd =
  | { readonly type: 'completed'; readonly result: unknown }
  /** As its function ended it. */
  | { readonly type: 'thrown'; readonly thrown: unknown }
  /** Whatever the queue's rules say: it must not be run again. */
  | { readonly type: 'over'; readonly outcome: Outcome | undefined; readonly thrown?: unknown }
  /** Somebody else works on it. */
  | { readonly type: 'lost' }

export interface JobFunction {
  readonly run: (attempt: Attempt<unknown>) => unknown
  readonly afterThrow: (thrown: unknown) => AfterThrow
}

/** Throws what could not be reported. */
export async function runJob(
  parts: BridgeParts,
  address: RegistryAddress,
  lease: Lease,
  { run, afterThrow }: JobFunction,
): Promise<JobEnd> {
  const stopHeartbeats = keepHeartbeats(lease, parts.clock, parts.log)
  const progress = new ProgressReporter(lease, parts.log)
  let thrown: unknown
  const kept = async (attempt: Attempt<unknown>) => {
    try {
      return await run(attempt)
    } catch (error) {
      thrown = error
      throw error
    }
  }
  try {
    const report = await endOf(lease, () => kept(attemptOf(lease, lease.input, progress, parts)))
    await progress.flush()
    const job: Job = { parts, address, lease, thrown }
    switch (report?.type) {
      case undefined:
        return await truth(job)
      case 'complete':
        return await complete(job, report.result)
      case 'cancelled':
        return await cancelled(job)
      case 'stopped':
      case 'fail':
        return await failed(job, report.type === 'fail' ? report.error : errorOf(thrown), afterThrow(thrown))
      default:
        return report satisfies never
    }
  } finally {
    stopHeartbeats()
    lease[Symbol.dispose]()
  }
}

interface Job {
  readonly parts: BridgeParts
  readonly address: RegistryAddress
  readonly lease: Lease
  readonly thrown: unknown
}

async function complete(job: Job, result: unknown): Promise<JobEnd> {
  const { parts, lease } = job
  try {
    await once(parts, lease, (options) => lease.complete(result, options))
    return { type: 'completed', result }
  } catch (error) {
    if (!(error instanceof OperationRejected) || error.retryable) throw error
    if (OVER.has(error.code)) return truth(job)
    const message = `it ran to its end, but could not be completed: ${error.message}`
    return giveUp({ ...job, thrown: error }, { message, code: error.code })
  }
}

async function cancelled(job: Job): Promise<JobEnd> {
  const { parts, lease } = job
  const reason = await lease.cancelReason()
  try {
    await once(parts, lease, (options) => lease.cancelled(reason, options))
  } catch (error) {
    if (!(error instanceof OperationRejected) || !OVER.has(error.code)) throw error
  }
  return truth(job)
}

async function failed(job: Job, error: OperationError, after: AfterThrow): Promise<JobEnd> {
  const { parts, thrown } = job
  if (after.type === 'given_up') return giveUp(job, error)
  const notBefore = after.type === 'again' ? after.notBefore : Math.floor(parts.clock.now())
  try {
    await tryAgain(job, error, notBefore)
    return { type: 'thrown', thrown }
  } catch (refusal) {
    if (!(refusal instanceof OperationRejected)) throw refusal
    if (refusal.code === 'cancel_requested') return cancelled(job)
    // The job is out of this worker's hands: whoever is handed it next will find that no attempt is left.
    if (after.type === 'put_back' && NO_MORE_ATTEMPTS.has(refusal.code)) return { type: 'thrown', thrown }
    if (NO_MORE_ATTEMPTS.has(refusal.code)) return giveUp(job, error)
    if (OVER.has(refusal.code)) return truth(job)
    throw refusal
  }
}

async function tryAgain({ parts, lease }: Job, error: OperationError, notBefore: number): Promise<void> {
  const retry = (told: OperationError) => once(parts, lease, (options) => lease.retry(told, { ...options, notBefore }))
  try {
    await retry(error)
  } catch (refusal) {
    if (!(refusal instanceof OperationRejected) || !UNSTORABLE.has(refusal.code)) throw refusal
    await retry(bareErrorOf(error))
  }
}

/** The queue's failure, said by the worker whose failure it is, under its lease. */
async function giveUp(job: Job, error: OperationError): Promise<JobEnd> {
  const { parts, address, lease } = job
  const failure = { ...queueFailure(error), leaseEpoch: lease.leaseEpoch }
  try {
    await speakForQueue(parts, { ...address, id: lease.id }, ({ number }) =>
      number === lease.number ? failure : undefined,
    )
  } catch (refusal) {
    if (!(refusal instanceof OperationRejected) || !OVER.has(refusal.code)) throw refusal
  }
  return truth(job)
}

/** Where the operation stands, when nothing more can be said under this lease. */
async function truth({ parts, address, lease, thrown }: Job): Promise<JobEnd> {
  const operation = parts.verdict.operation({ ...address, id: lease.id })
  const snapshot = await operation.snapshot()
  if (snapshot !== undefined && (snapshot.number !== lease.number || !isTerminal(snapshot.status)))
    return { type: 'lost' }
  // No longer held, or not at all any more: whoever asks for the outcome of what was let go has it at once.
  const outcome = snapshot?.outcome ?? (await operation.outcome().catch(() => undefined))
  return outcome?.status === 'completed'
    ? { type: 'completed', result: outcome.result }
    : { type: 'over', outcome, thrown }
}
