/**
 * The judgement: what is to become of one candidate at one moment. Pure; it knows no queue, no log and no clock, and it is
 * the only place where a rule becomes a reason and a disposition.
 *
 *     deadline ahead, grace included ----------------------------> fresh (or late)
 *     passed, the kind's delay not over yet ----------------------> stale
 *     passed --> a witness to ask? --> waiting, active -----------> alive
 *                     |                completed, failed, absent -> reconcile, by the witness
 *                     '--------------- unknown, or none ----------> reconcile, by the clock
 */
import type { CommandOf } from '../authority/commands.ts'
import { earliestDeadline } from '../authority/deadlines.ts'
import type { DeadlineRule, Evidence, OperationError, ReasonCode } from '../authority/events.ts'
import { judgeDeadline } from '../authority/freshness.ts'
import { graceMsOf, type UnheardTime } from '../authority/grace.ts'
import type { JsonValue } from '../authority/json-value.ts'
import { DEFAULT_POLICY } from '../authority/lifecycle-policy.ts'
import type { Operation } from '../authority/operation.ts'
import type { RegistryAddress } from '../authority/questions.ts'
import { backoffMs } from '../authority/retry-backoff.ts'
import { isActive } from '../authority/status.ts'
import type { Candidate } from './candidates.ts'

/** What the queue underneath says of an operation's job. */
export type Testimony =
  | { readonly answer: 'waiting' | 'active' | 'absent' | 'unknown' }
  | { readonly answer: 'completed'; readonly result?: JsonValue }
  | { readonly answer: 'failed'; readonly error?: OperationError }

export type Reconciliation = Pick<CommandOf<'ReconcileOperation'>, 'evidence' | 'reasonCode' | 'disposition'>

export type Verdict =
  /** Nothing to do before `nextAt`. */
  | { readonly type: 'fresh' | 'late'; readonly nextAt: number }
  /** To be shown, and not to be ended before `nextAt`. */
  | { readonly type: 'stale'; readonly nextAt: number }
  /** Its witness has to be asked first. */
  | { readonly type: 'ask' }
  /** Its witness saw it: a sign of life. */
  | { readonly type: 'alive' }
  | ({ readonly type: 'reconcile' } & Reconciliation)

/** Of a candidate, what it is judged by: whatever row or record tells it. */
export type JudgedFacts = Omit<Candidate, 'basis'>

export interface Moment {
  readonly now: number
  readonly unheard: readonly UnheardTime[]
  /** From 0 to 1, for the jitter of a next attempt. */
  readonly fraction: number
  /** How far the clock was behind by which its deadline was set, as far as clocks may not differ. */
  readonly latenessMs?: number
}

/** `testimony` is undefined where the witness was not asked, null where the kind has none. */
export function judgeCandidate(
  candidate: JudgedFacts,
  testimony: Testimony | null | undefined,
  moment: Moment,
): Verdict {
  const { deadline, policy } = candidate
  const { now, unheard, latenessMs = 0 } = moment
  // Silence that began later is worth nothing from later on.
  const heardSince = { ...deadline, sinceAt: deadline.sinceAt + latenessMs }
  const graceMs = latenessMs + graceMsOf(unheard, heardSince, policy, now)
  const { freshness, deadlineAt, reconcileAt } = judgeDeadline(deadline, now, graceMs, policy?.reconcileDelayMs ?? 0)
  if (freshness !== 'likely_stale')
    return { type: freshness === 'late' ? 'late' : 'fresh', nextAt: deadlineAt as number }
  if (now < (reconcileAt as number)) return { type: 'stale', nextAt: reconcileAt as number }
  if (testimony === undefined) return { type: 'ask' }
  return byWitness(candidate, testimony, graceMs, now) ?? byClock(candidate, testimony, graceMs, moment)
}

/**
 * The verdict that an operator may speak over an operation now, without its kind's delay and without asking a witness; undefined
 * where no deadline has passed.
 */
export function verdictNow(
  { workspace, owner }: RegistryAddress,
  operation: Operation,
  moment: Moment,
): Reconciliation | undefined {
  const { status, policy, cancel } = operation
  const deadline = earliestDeadline(operation)
  if (deadline === undefined || !isActive(status)) return undefined
  const impatient = policy === null ? null : { ...policy, reconcileDelayMs: 0 }
  const place = { workspace, owner, stream: '' }
  const candidate = {
    ...operation,
    ...place,
    status,
    deadline,
    policy: impatient,
    isCancelRequested: cancel !== undefined,
  }
  const verdict = judgeCandidate(candidate, null, moment)
  if (verdict.type !== 'reconcile') return undefined
  const { type: _type, ...reconciliation } = verdict
  return reconciliation
}

/** What the witness settles; undefined where the clock has to. */
function byWitness(
  candidate: JudgedFacts,
  testimony: Testimony | null,
  graceMs: number,
  now: number,
): Verdict | undefined {
  if (testimony === null) return undefined
  const { answer } = testimony
  const evidence: Evidence = { ...evidenceOf(candidate, graceMs, now), rule: 'witness', witness: answer }
  switch (answer) {
    case 'waiting':
    case 'active':
      // Life is no answer to an operation that lives and is stuck, runs too long or ignores a cancel.
      return SILENCE.has(candidate.deadline.rule) ? { type: 'alive' } : undefined
    case 'completed': {
      const result = testimony.result === undefined ? {} : { result: testimony.result }
      return reconciliation(evidence, 'run.adapter_out_of_sync', { type: 'complete', ...result })
    }
    case 'failed': {
      const error = testimony.error === undefined ? {} : { error: testimony.error }
      return reconciliation(evidence, 'run.queue_failure_bridge', { type: 'fail', ...error })
    }
    case 'absent':
      return reconciliation(evidence, 'run.never_enqueued', { type: 'fail' })
    case 'unknown':
      return undefined
    default:
      return answer satisfies never
  }
}

function byClock(
  candidate: JudgedFacts,
  testimony: Testimony | null,
  graceMs: number,
  { now, fraction }: Moment,
): Verdict {
  const { rule } = candidate.deadline
  const witness = testimony === null ? {} : { witness: testimony.answer }
  const evidence: Evidence = { ...evidenceOf(candidate, graceMs, now), rule, ...witness }
  const reasonCode = REASONS[rule]
  if (rule === 'cancel') return reconciliation(evidence, reasonCode, { type: 'cancel' })
  if (!mayRetry(candidate)) return reconciliation(evidence, reasonCode, { type: 'fail' })
  const { backoff } = (candidate.policy ?? DEFAULT_POLICY).retry
  const notBeforeAt = Math.floor(now) + backoffMs(backoff, candidate.attempt, fraction)
  return reconciliation(evidence, reasonCode, { type: 'retry', notBeforeAt })
}

/** Only an attempt that ran is tried again, by us only what no queue tries again, and nothing that was asked to end. */
function mayRetry({ status, attempt, policy, isCancelRequested }: JudgedFacts): boolean {
  const { maxAttempts, owner } = (policy ?? DEFAULT_POLICY).retry
  return status === 'running' && owner === 'verdict' && attempt < maxAttempts && !isCancelRequested
}

const SILENCE: ReadonlySet<DeadlineRule> = new Set(['queued', 'first_sign', 'sign'])

const REASONS: Readonly<Record<DeadlineRule, ReasonCode>> = {
  queued: 'run.stale_queued',
  first_sign: 'run.stale_running',
  sign: 'run.stale_running',
  progress: 'run.stalled',
  runtime: 'run.deadline_exceeded',
  cancel: 'run.cancel_ignored',
  retire: 'run.stale_retiring',
}

function reconciliation(
  evidence: Evidence,
  reasonCode: ReasonCode,
  disposition: Reconciliation['disposition'],
): Verdict {
  return { type: 'reconcile', evidence, reasonCode, disposition }
}

function evidenceOf({ attempt, lastRevision, lastSignAt, deadline }: JudgedFacts, graceMs: number, now: number) {
  const sign = lastSignAt === undefined ? {} : { lastSignAt }
  return { attempt, lastRevision, ...sign, deadlineAt: deadline.deadlineAt, judgedAt: Math.floor(now), graceMs }
}
