/**
 * An async function as the worker of an operation: heartbeats are kept while it runs, its signal tells it when to stop, and
 * whatever becomes of it is reported until somebody has it.
 *
 *     returns                          -> complete     (a result that can't be stored fails it, with the reason)
 *     throws                           -> fail
 *     throws because a cancel was asked -> cancelled
 *     throws because this process closes -> another attempt where the policy allows one, else fail
 *     lost its lease                   -> nothing; what it claims after that is refused, and put on record
 */
import type { OperationError } from '../authority/events.ts'
import { bareErrorOf, errorOf, UNSTORABLE } from './error-input.ts'
import { keepHeartbeats } from './heartbeat.ts'
import type { Lease, ProgressReport } from './lease.ts'
import { OperationRejected } from './operation-errors.ts'
import { ProgressReporter } from './progress-reporter.ts'
import { type RetryParts, retriedCall } from './retried-call.ts'

/** What a kept function is given. */
export interface Attempt<I> {
  readonly id: string
  readonly input: I
  /** Aborted when a cancel is requested or the lease is lost; its reason is an AttemptAborted. */
  readonly signal: AbortSignal
  /** From 1. */
  readonly attempt: number
  /** As often as you like: reports that come too fast are one. */
  progress(report: ProgressReport): void
  /**
   * A step of the operation, in order. One that was completed before, by an earlier attempt or by the operation that this one
   * tries again, is not run: its kept result is returned.
   */
  phase<T>(name: string, run: () => T | Promise<T>): Promise<T>
  /** An extra sign of life; they are kept anyway while the event loop turns. */
  heartbeat(): Promise<void>
}

export type AttemptFunction<I, R> = (attempt: Attempt<I>) => R | Promise<R>

/** Never rejects: what can't be reported is logged. */
export async function runAttempt<I, R>(
  lease: Lease,
  input: I,
  run: AttemptFunction<I, R>,
  parts: RetryParts,
): Promise<void> {
  const stopHeartbeats = keepHeartbeats(lease, parts.clock, parts.log)
  const progress = new ProgressReporter(lease, parts.log)
  try {
    const report = await endOf(lease, () => run(attemptOf(lease, input, progress, parts)))
    await progress.flush()
    if (report !== undefined) await tell(lease, report, parts)
  } finally {
    stopHeartbeats()
    lease[Symbol.dispose]()
  }
}

export type Report =
  | { readonly type: 'complete'; readonly result: unknown }
  | { readonly type: 'fail'; readonly error: OperationError }
  | { readonly type: 'cancelled' }
  | { readonly type: 'stopped' }

/** Undefined where there is nothing to say: it stopped because it was over. */
export async function endOf<R>(lease: Lease, run: () => R | Promise<R>): Promise<Report | undefined> {
  try {
    return { type: 'complete', result: await run() }
  } catch (error) {
    if (!isAbort(error, lease.signal)) return { type: 'fail', error: errorOf(error) }
    if (lease.abortedFor === 'cancel_requested') return { type: 'cancelled' }
    return lease.abortedFor === 'shutdown' ? { type: 'stopped' } : undefined
  }
}

const CAUSES_MAX = 8

/** Whether something was thrown because of the signal: its reason, or an AbortError, itself or as a cause. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false
  let thrown = error
  for (let i = 0; i < CAUSES_MAX; i++) {
    if (thrown === signal.reason) return true
    if (!(thrown instanceof Error)) return false
    if (thrown.name === 'AbortError') return true
    thrown = thrown.cause
  }
  return false
}

async function tell(lease: Lease, report: Report, parts: RetryParts): Promise<void> {
  const what = { operationId: lease.id, leaseEpoch: lease.leaseEpoch, report: report.type }
  try {
    switch (report.type) {
      case 'complete':
        return await complete(lease, report.result, parts)
      case 'fail':
        return await fail(lease, report.error, parts)
      case 'cancelled':
        return await cancelled(lease, parts)
      case 'stopped':
        return await giveBack(lease, parts)
      default:
        return report satisfies never
    }
  } catch (error) {
    const code = error instanceof OperationRejected ? error.code : undefined
    parts.log.warn({ ...what, code, error: String(error) }, 'the end of an operation could not be reported')
  }
}

/** An operation that can't be completed as its worker says must not stay open: it fails, and says why. */
async function complete(lease: Lease, result: unknown, parts: RetryParts): Promise<void> {
  try {
    await once(parts, lease, (options) => lease.complete(result, options))
  } catch (error) {
    if (!(error instanceof OperationRejected) || error.retryable || OVER.has(error.code)) throw error
    await fail(
      lease,
      { message: `it ran to its end, but could not be completed: ${error.message}`, code: error.code },
      parts,
    )
  }
}

async function fail(lease: Lease, error: OperationError, parts: RetryParts): Promise<void> {
  try {
    await once(parts, lease, (options) => lease.fail(error, options))
  } catch (refusal) {
    if (!(refusal instanceof OperationRejected) || !UNSTORABLE.has(refusal.code)) throw refusal
    await once(parts, lease, (options) => lease.fail(bareErrorOf(error), options))
  }
}

export const STOPPED: OperationError = { message: 'the process that ran it was shut down', code: 'worker_stopped' }

async function cancelled(lease: Lease, parts: RetryParts): Promise<void> {
  const reason = await lease.cancelReason()
  await once(parts, lease, (options) => lease.cancelled(reason, options))
}

async function giveBack(lease: Lease, parts: RetryParts): Promise<void> {
  try {
    await once(parts, lease, (options) => lease.retry(STOPPED, { ...options, notBefore: parts.clock.now() }))
  } catch (error) {
    if (!(error instanceof OperationRejected) || !NO_MORE_ATTEMPTS.has(error.code)) throw error
    await fail(lease, STOPPED, parts)
  }
}

/** One command, under one id, however often it has to be sent. */
export function once(
  parts: RetryParts,
  lease: Lease,
  call: (options: { readonly commandId: string }) => Promise<unknown>,
): Promise<void> {
  const options = { commandId: lease.newCommandId() }
  return retriedCall(parts, { operationId: lease.id, commandId: options.commandId }, async () => {
    await call(options)
  })
}

/** There is nothing left to end. */
export const OVER: ReadonlySet<string> = new Set([
  'already_terminal',
  'stale_lease',
  'not_found',
  'owner_retired',
  'shutting_down',
  'registry_stopped',
])
export const NO_MORE_ATTEMPTS: ReadonlySet<string> = new Set([
  'attempts_exhausted',
  'cancel_requested',
  'illegal_transition',
])

export function attemptOf<I>(lease: Lease, input: I, progress: ProgressReporter, parts: RetryParts): Attempt<I> {
  const { id, attempt, signal } = lease
  return {
    id,
    input,
    attempt,
    signal,
    progress: (report) => progress.report(report),
    phase: (name, run) => runPhase(lease, name, run, parts),
    heartbeat: async () => {
      await lease.heartbeat()
    },
  }
}

async function runPhase<T>(lease: Lease, name: string, run: () => T | Promise<T>, parts: RetryParts): Promise<T> {
  const { completedPhases, signal } = lease
  // What a phase returned is what it was written to return; JSON is all that is kept of it.
  if (completedPhases.has(name)) return completedPhases.get(name) as T
  signal.throwIfAborted()
  await once(parts, lease, (options) => lease.startPhase(name, options))
  try {
    const result = await run()
    await once(parts, lease, (options) => lease.completePhase(name, result, options))
    return result
  } catch (error) {
    if (!isAbort(error, signal)) await tellFailedPhase(lease, name, error, parts)
    throw error
  }
}

/** The error itself goes on to the function, which may have an answer to it; this one only puts it on record. */
async function tellFailedPhase(lease: Lease, name: string, error: unknown, parts: RetryParts): Promise<void> {
  try {
    await once(parts, lease, (options) => lease.failPhase(name, bareErrorOf(errorOf(error)), options))
  } catch (refusal) {
    parts.log.warn(
      { operationId: lease.id, phase: name, error: String(refusal) },
      'a failed phase could not be recorded',
    )
  }
}
