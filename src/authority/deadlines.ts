/**
 * When an operation, left alone, will have been silent, stuck or unfinished for too long: one pure function of its facts
 * (lifecycle.md, section 9). Projections store what it says, the reconciler and `decide` recompute it; nobody else knows a
 * threshold.
 */
import type { DeadlineRule } from './events.ts'
import type { Policy } from './lifecycle-policy.ts'
import type { Operation } from './operation.ts'

/** The facts that deadlines rest on. An operation has them all; so has a row of a projection. */
export type DeadlineFacts = Pick<
  Operation,
  'status' | 'registeredAt' | 'attemptEndedAt' | 'notBeforeAt' | 'claimedAt' | 'lastSignAt' | 'retireRequestedAt'
> & {
  readonly policy: Policy | null
  readonly progress: Pick<Operation['progress'], 'lastAt' | 'inAttempt'>
  readonly cancel?: Pick<NonNullable<Operation['cancel']>, 'deadlineAt'>
}

export interface Deadline {
  readonly rule: DeadlineRule
  readonly deadlineAt: number
  /** Since when the clock of this rule runs. */
  readonly sinceAt: number
  /** From here on the operation is late: where a rule knows lateness, and before the deadline. */
  readonly lateAt?: number
}

/**
 * All deadlines of an active operation, in the order of the rules; of equal ones the later in this order wins. An
 * operation without a policy has only the deadline of a requested cancel.
 */
export function deadlinesOf(facts: DeadlineFacts): readonly Deadline[] {
  const { policy, status } = facts
  const found: Deadline[] = []
  const add = (
    rule: DeadlineRule,
    sinceAt: number | undefined,
    afterMs: number | null | undefined,
    lateMs?: number,
  ) => {
    if (sinceAt === undefined || afterMs === null || afterMs === undefined) return
    const late = lateMs === undefined ? {} : { lateAt: sinceAt + lateMs }
    found.push({ rule, sinceAt, deadlineAt: sinceAt + afterMs, ...late })
  }
  if (status === 'provisioning') {
    add('queued', queuedSince(facts), policy?.provisioningTimeoutMs)
  } else if (status === 'running' || status === 'retiring') {
    const { claimedAt, lastSignAt, progress } = facts
    if (policy !== null) {
      // A sign is written at latest a quarter of staleAfter after it was heard; the other five quarters are real silence.
      const quarter = Math.ceil(policy.staleAfterMs / 4)
      if (lastSignAt === undefined) add('first_sign', claimedAt, policy.startGraceMs)
      else add('sign', lastSignAt, policy.staleAfterMs + quarter, policy.lateAfterMs + quarter)
      add('progress', progress.inAttempt > 0 ? progress.lastAt : claimedAt, policy.progressTimeoutMs)
      add('runtime', claimedAt, policy.maxRuntimeMs)
    }
    const { cancel } = facts
    if (cancel !== undefined) found.push({ rule: 'cancel', sinceAt: cancel.deadlineAt, deadlineAt: cancel.deadlineAt })
    if (status === 'retiring') add('retire', facts.retireRequestedAt, policy?.retireTimeoutMs)
  }
  return found
}

/**
 * The deadline that comes first; undefined where nothing threatens. Silence makes an operation late under whatever rule
 * it will be judged, so the `lateAt` of the one rule that has it goes with it.
 */
export function earliestDeadline(facts: DeadlineFacts): Deadline | undefined {
  let earliest: Deadline | undefined
  let lateAt: number | undefined
  for (const deadline of deadlinesOf(facts)) {
    if (earliest === undefined || deadline.deadlineAt <= earliest.deadlineAt) earliest = deadline
    lateAt ??= deadline.lateAt
  }
  return earliest === undefined || lateAt === earliest.lateAt ? earliest : { ...earliest, lateAt }
}

/** Whether two standings of one operation may differ in their deadlines: a look at facts that is cheaper than computing them. */
export function movesDeadlines(before: DeadlineFacts, after: DeadlineFacts): boolean {
  return (
    before.status !== after.status ||
    before.lastSignAt !== after.lastSignAt ||
    before.claimedAt !== after.claimedAt ||
    before.progress !== after.progress ||
    before.cancel !== after.cancel ||
    before.retireRequestedAt !== after.retireRequestedAt ||
    before.notBeforeAt !== after.notBeforeAt ||
    before.attemptEndedAt !== after.attemptEndedAt
  )
}

/** A witness's sign of life counts for a queued operation too: it is the last sign of an attempt that has no claim yet. */
function queuedSince({ registeredAt, attemptEndedAt, notBeforeAt, lastSignAt }: DeadlineFacts): number {
  return Math.max(attemptEndedAt ?? registeredAt, notBeforeAt ?? 0, lastSignAt ?? 0)
}
