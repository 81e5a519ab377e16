/**
 * What BullMQ is set to do, held against the policy of a kind: settings under which queue and policy would judge one job
 * differently are refused before there is a job. Each violation names kind, numbers, rule and way out.
 */
import type { JobsOptions, WorkerOptions } from 'bullmq'
import type { Policy, PolicyViolation } from '../authority/lifecycle-policy.ts'

export interface BullmqSettings {
  /** A worker of the queue; its defaults are BullMQ's. */
  readonly worker?: Partial<WorkerOptions>
  /** As a job is added, the queue's defaults included. */
  readonly job?: JobsOptions
}

/** Starts of a job that BullMQ does not count as attempts. */
export type SpareAttempts = number

export function bullmqViolations(
  kind: string,
  policy: Policy,
  spareAttempts: SpareAttempts,
  { worker, job }: BullmqSettings,
): readonly PolicyViolation[] {
  const violations: PolicyViolation[] = []
  const hold = (holds: boolean, rule: string, numbers: Readonly<Record<string, number>>, wayOut: string) => {
    if (holds) return
    const told = Object.entries(numbers)
      .map(([name, value]) => `${name} = ${value}`)
      .join(', ')
    const message = `policy of kind "${kind}" on BullMQ: ${rule} does not hold (${told}): ${wayOut}`
    violations.push({ kind, rule, numbers, message })
  }
  const { staleAfterMs, maxRuntimeMs } = policy
  if (worker !== undefined) {
    const { lockDuration = LOCK_DURATION_MS, stalledInterval = STALLED_INTERVAL_MS, skipLockRenewal } = worker
    const { maxStalledCount = MAX_STALLED_COUNT, maxStartedAttempts } = worker
    hold(
      Math.max(lockDuration, stalledInterval) + stalledInterval < staleAfterMs,
      'max(lockDuration, stalledInterval) + stalledInterval < staleAfterMs',
      { lockDuration, stalledInterval, staleAfterMs },
      'lower lockDuration and stalledInterval or raise staleAfterMs, or an operation is given up before BullMQ hands its job to another worker',
    )
    hold(
      maxStalledCount <= spareAttempts,
      'maxStalledCount <= spareAttempts',
      { maxStalledCount, spareAttempts },
      'raise spareAttempts of the bridge or lower maxStalledCount, or BullMQ starts a stalled job for which no attempt is left',
    )
    if (skipLockRenewal === true) {
      hold(
        (maxRuntimeMs ?? Number.MAX_SAFE_INTEGER) < lockDuration,
        'maxRuntimeMs < lockDuration, where skipLockRenewal is set',
        { maxRuntimeMs: maxRuntimeMs ?? Number.MAX_SAFE_INTEGER, lockDuration },
        'set maxRuntimeMs below lockDuration or renew locks, or BullMQ hands out the job again while it still runs',
      )
    }
    const { attempts } = job ?? {}
    if (maxStartedAttempts !== undefined && attempts !== undefined) {
      hold(
        maxStartedAttempts === 0 || attempts <= maxStartedAttempts,
        'attempts <= maxStartedAttempts',
        { attempts, maxStartedAttempts },
        'raise maxStartedAttempts or lower attempts, or BullMQ gives up a job that has attempts left',
      )
    }
  }
  const keptForMs = Math.min(keepMs(job?.removeOnFail), keepMs(worker?.removeOnFail))
  hold(
    keptForMs >= FAILED_KEPT_FOR * staleAfterMs,
    `removeOnFail keeps a job for ${FAILED_KEPT_FOR} x staleAfterMs`,
    { removeOnFailMs: keptForMs, staleAfterMs },
    'keep failed jobs for longer (removeOnFail: { age: seconds }), or a failure that nobody heard is gone before the queue is asked for it',
  )
  return violations
}

/** BullMQ's defaults. */
const LOCK_DURATION_MS = 30_000
const STALLED_INTERVAL_MS = 30_000
const MAX_STALLED_COUNT = 1
/** The reconciler asks once staleAfter has passed by a quarter, and its pass. */
const FAILED_KEPT_FOR = 2

/**
 * For how long a failed job is kept at least, as far as time says it; how long a number of jobs lasts is the queue's traffic.
 * Completed jobs may go at once: their operations were completed before.
 */
function keepMs(keep: JobsOptions['removeOnFail']): number {
  if (keep === true || keep === 0) return 0
  if (typeof keep !== 'object') return Number.MAX_SAFE_INTEGER
  const { age, count } = { age: undefined, ...keep }
  if (count === 0) return 0
  return age === undefined ? Number.MAX_SAFE_INTEGER : age * 1_000
}
