/**
 * What a registry keeps of an operation: the whole record while it is active or retained, a tombstone after that.
 * Both are folded from events alone.
 */
import type { Claimant, DeadlineRule, KindFacts, OperationError, ReasonCode, Reconciliation } from './events.ts'
import type { JsonValue } from './json-value.ts'
import type { Policy } from './lifecycle-policy.ts'
import type { PresentStatus, TerminalStatus } from './status.ts'

/** The one trusted terminal truth of an operation. Never changes once it is there. */
export type Outcome =
  | { readonly status: 'completed'; readonly result: JsonValue; readonly reconciliation?: Reconciliation }
  | {
      readonly status: 'failed'
      readonly error: OperationError
      readonly reasonCode?: ReasonCode
      readonly reconciliation?: Reconciliation
    }
  | { readonly status: 'cancelled'; readonly reason?: string; readonly reconciliation?: Reconciliation }
  | { readonly status: 'aborted' | 'retired'; readonly reason?: string }
  | { readonly status: 'terminated'; readonly reason: string }

export interface Lease {
  /** Revision of the claim: grows over the whole registry, so that no worker of an earlier life ever passes. */
  readonly epoch: number
  readonly claimant?: Claimant
  /** Open while its worker may work; kept for comparison by a terminal event. */
  readonly open: boolean
}

/** `interrupted`: its attempt ended while it ran; `closed`: the operation ended before it did. */
export type PhaseStatus = 'pending' | 'started' | 'completed' | 'failed' | 'interrupted' | 'closed'

export interface Phase {
  readonly name: string
  readonly status: PhaseStatus
  readonly attempt?: number
  readonly startedAt?: number
  readonly endedAt?: number
  readonly result?: JsonValue
  readonly error?: OperationError
}

export interface Progress {
  /** Reports of all attempts. */
  readonly count: number
  /** Reports of this attempt. */
  readonly inAttempt: number
  readonly message?: string
  readonly percent?: number
  readonly processed?: number
  readonly total?: number
  readonly lastAt?: number
}

export interface CancelRequest {
  readonly requestedAt: number
  readonly deadlineAt: number
  readonly reason?: string
}

export interface Contradiction {
  readonly claimed: 'completed' | 'failed'
  readonly leaseEpoch?: number
  readonly revision: number
}

export interface Operation {
  readonly id: string
  /** Revision of its registration: unique in the registry for ever. */
  readonly number: number
  readonly kind: string
  readonly kindFacts: KindFacts
  readonly policy: Policy | null
  readonly key?: string
  readonly retryOf?: { readonly id: string; readonly number: number }
  readonly name?: string
  readonly source?: string
  readonly input?: JsonValue
  readonly labels?: Readonly<Record<string, string>>
  readonly status: PresentStatus
  readonly registrationCommandId: string
  readonly joined: boolean
  /** Was ever a member of a wait. */
  readonly waitedFor: boolean
  /** The active waits that it is missing in. */
  readonly waits: readonly string[]
  readonly attempt: number
  readonly lease?: Lease
  /** Not to be claimed before; gone once claimed. */
  readonly notBeforeAt?: number
  readonly registeredAt: number
  /** First start of all attempts. */
  readonly startedAt?: number
  /** Claim of this attempt. */
  readonly claimedAt?: number
  /** End of the attempt before this one. */
  readonly attemptEndedAt?: number
  readonly completedAt?: number
  /** Last sign of life of this attempt. */
  readonly lastSignAt?: number
  readonly peer?: JsonValue
  readonly progress: Progress
  readonly phases: readonly Phase[]
  readonly cancel?: CancelRequest
  readonly retireRequestedAt?: number
  /** Rules under attention in this attempt; `raised` stays true only until it is cleared, both happen once. */
  readonly attention: readonly { readonly rule: DeadlineRule; readonly raised: boolean }[]
  readonly contradictions: readonly Contradiction[]
  /** Why the attempt before this one ended. */
  readonly lastError?: OperationError
  readonly outcome?: Outcome
  readonly sequence?: number
  readonly terminalRevision?: number
  /** The last event that carries its number; signs, attention and waits excepted. */
  readonly lastRevision: number
}

/**
 * A stored time as this operation's story tells it: never before what is known to have happened to it, so that a wall clock
 * that steps back makes no elapsed time negative and reorders nothing (lifecycle.md, section 4).
 */
export function stampAfter(operation: Operation, at: number): number {
  const { registeredAt, attemptEndedAt, claimedAt, lastSignAt, cancel, retireRequestedAt } = operation
  return Math.max(
    at,
    registeredAt,
    attemptEndedAt ?? 0,
    claimedAt ?? 0,
    lastSignAt ?? 0,
    cancel?.requestedAt ?? 0,
    retireRequestedAt ?? 0,
  )
}

/** What stays of an operation that was evicted, collected or discarded: enough to decide, in the usual order. */
export interface Tombstone {
  readonly id: string
  readonly number: number
  readonly status: TerminalStatus
  readonly terminalRevision: number
  readonly leaseEpoch?: number
  /** Its last lease had a claimant. */
  readonly claimed: boolean
  /** Lease epochs whose late reports contradicted it; null for a report without one. */
  readonly contradicted: readonly (number | null)[]
}

export function tombstoneOf(operation: Operation): Tombstone {
  const { id, number, status, terminalRevision, lease, contradictions } = operation
  if (terminalRevision === undefined)
    throw new Error(`only a terminal operation leaves a tombstone, ${id} is ${status}`)
  return {
    id,
    number,
    // A terminal revision is set by terminal events alone, together with their status.
    status: status as TerminalStatus,
    terminalRevision,
    ...(lease === undefined ? {} : { leaseEpoch: lease.epoch }),
    claimed: lease?.claimant !== undefined,
    contradicted: contradictions.map(({ leaseEpoch }) => leaseEpoch ?? null),
  }
}
