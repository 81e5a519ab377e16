/**
 * A refusal is a value with a name and the facts. `decide` answers the first list; the second are the names under which a
 * node refuses before or after deciding. Doors throw both as `OperationRejected`.
 */
import type { Outcome } from './operation.ts'
import type { PresentStatus } from './status.ts'

export const DECISION_REJECTIONS = [
  'already_claimed',
  'already_peer_ready',
  'already_registered',
  'already_requested',
  'already_terminal',
  'attempts_exhausted',
  'cancel_requested',
  'command_id_reused',
  'contradiction_not_allowed',
  'disposition_not_allowed',
  'duplicate_wait_operation',
  'evidence_outdated',
  'illegal_transition',
  'lease_required',
  'max_concurrent_exceeded',
  'not_due',
  'not_found',
  'owner_retired',
  'peer_not_expected',
  'phase_out_of_order',
  'phases_unfinished',
  'registration_rolled_back',
  'registry_already_open',
  'retry_not_allowed',
  'rollback_refused',
  'stale_lease',
  'unknown_phase',
  'wait_already_active',
  'wait_id_conflict',
  'wait_not_active',
] as const

export const NODE_REJECTIONS = [
  /** The command does not fit its schema; facts name path and expectation. */
  'invalid_command',
  'unsafe_number',
  'content_too_large',
  'policy_violation',
  /** Too many commands wait for this registry; retryable. */
  'overloaded',
  /** Lost every race for the next revision; certainly not stored, retryable. */
  'contention',
  /** Nobody knows yet whether it was stored; retryable with the same command id only. */
  'outcome_unknown',
  /** Certainly not stored; retryable. */
  'store_unavailable',
  'store_busy',
  'store_full',
  'store_read_only',
  'append_too_large',
  /** The history of this registry contradicts itself; nothing is decided on it. */
  'registry_stopped',
  /** A defect of this program: certainly not stored, told in its log. */
  'internal_error',
  'shutting_down',
  'too_many_cursors',
  'cursor_ahead',
  /** Belongs to another filter, sort or log, or to one from before a restore: ask for the first page again. */
  'bad_page_token',
  /** The read models do not reach the position in time; facts say how far they are. Retryable. */
  'read_model_behind',
  /** There are no read models yet, or nobody follows the log into them. Retryable. */
  'not_served',
] as const

export type DecisionRejectionCode = (typeof DECISION_REJECTIONS)[number]
export type RejectionCode = DecisionRejectionCode | (typeof NODE_REJECTIONS)[number]

export interface Rejection {
  readonly code: RejectionCode
  /** A sentence for people: what was asked, of which operation, what stands against it. */
  readonly message: string
  readonly facts: RejectionFacts
  /** What the sender wanted is so already, or can no longer matter: doors resolve it with `changed: false`. */
  readonly idempotent?: true
}

export interface RejectionFacts {
  readonly operationId?: string
  readonly number?: number
  readonly currentStatus?: PresentStatus
  readonly outcome?: Outcome
  /** Where the outcome stands in the stream, when the registry no longer holds it; the shell reads it from there. */
  readonly terminalRevision?: number
  readonly command?: string
  readonly [fact: string]: unknown
}
