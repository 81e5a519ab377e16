/**
 * How much an operation may still be trusted: the one judgement that list, detail, metrics and reconciler share
 * (lifecycle.md, section 9). No page and no query has a threshold of its own.
 */
import { type Deadline, type DeadlineFacts, earliestDeadline } from './deadlines.ts'
import type { DeadlineRule } from './events.ts'
import { isTerminal } from './status.ts'

export type Freshness = 'fresh' | 'late' | 'likely_stale' | 'reconciled' | 'terminal' | 'no_policy'

export interface Judgement {
  readonly freshness: Freshness
  readonly rule?: DeadlineRule
  /** Since when the rule's clock runs, epoch ms. */
  readonly sinceAt?: number
  /** When it becomes likely stale, epoch ms, grace included. */
  readonly deadlineAt?: number
  /** When the reconciler acts, epoch ms: the deadline and the kind's reconcileDelay. */
  readonly reconcileAt?: number
  readonly lastSignAt?: number
}

export type ProblemClass = 'active_attention' | 'terminal_follow_up' | 'none'

export type FreshnessFacts = DeadlineFacts & {
  readonly outcome?: { readonly status: string; readonly reconciliation?: unknown }
  readonly contradictions?: readonly unknown[]
}

/** Judges an operation at a time. `graceMs` is the time in which the authority could not hear: every deadline moves by it. */
export function judge(facts: FreshnessFacts, now: number, graceMs: number): Judgement {
  const signed = facts.lastSignAt === undefined ? {} : { lastSignAt: facts.lastSignAt }
  if (isTerminal(facts.status)) {
    return { freshness: facts.outcome?.reconciliation === undefined ? 'terminal' : 'reconciled', ...signed }
  }
  const deadline = earliestDeadline(facts)
  if (deadline === undefined) return { freshness: facts.policy === null ? 'no_policy' : 'fresh', ...signed }
  return { ...judgeDeadline(deadline, now, graceMs, facts.policy?.reconcileDelayMs ?? 0), ...signed }
}

/** Compares a computed deadline, such as one that a projection stores, with the time. */
export function judgeDeadline(deadline: Deadline, now: number, graceMs: number, reconcileDelayMs: number): Judgement {
  const deadlineAt = deadline.deadlineAt + graceMs
  const late = deadline.lateAt !== undefined && now >= deadline.lateAt + graceMs
  return {
    freshness: now >= deadlineAt ? 'likely_stale' : late ? 'late' : 'fresh',
    rule: deadline.rule,
    sinceAt: deadline.sinceAt,
    deadlineAt,
    reconcileAt: deadlineAt + reconcileDelayMs,
  }
}

/** What an operator has to do with it: look now, look afterwards, nothing. */
export function problemClassOf(facts: FreshnessFacts, judgement: Judgement): ProblemClass {
  if (judgement.freshness === 'likely_stale') return 'active_attention'
  const contradicted = (facts.contradictions?.length ?? 0) > 0
  const failed = facts.outcome?.status === 'failed'
  return judgement.freshness === 'reconciled' || failed || contradicted ? 'terminal_follow_up' : 'none'
}
