/**
 * What `decide` may answer, and the sentences of its refusals.
 */
import type { LifecycleEvent } from './events.ts'
import type { Operation, Tombstone } from './operation.ts'
import type { EndedWait, RememberedCommand, Wait } from './registry.ts'
import type { DecisionRejectionCode, Rejection, RejectionFacts } from './rejections.ts'

export type Decision =
  /** At least one event, in order; they belong into one append. */
  | { readonly type: 'accepted'; readonly events: readonly LifecycleEvent[] }
  /** All is as the sender wants it: nothing to store. A wait that is known or satisfied at once is told. */
  | { readonly type: 'unchanged'; readonly wait?: Wait | EndedWait }
  /** The same command was accepted before: its first answer is its answer. */
  | { readonly type: 'remembered'; readonly remembered: RememberedCommand }
  | { readonly type: 'rejected'; readonly rejection: Rejection }

export function accept(...events: LifecycleEvent[]): Decision {
  return { type: 'accepted', events }
}

export const UNCHANGED: Decision = { type: 'unchanged' }

export function refuse(code: DecisionRejectionCode, message: string, facts: RejectionFacts = {}): Decision {
  return { type: 'rejected', rejection: { code, message, facts } }
}

/** A refusal that changes nothing for the sender: what it wants is so already, or can no longer matter. */
export function refuseIdempotent(code: DecisionRejectionCode, message: string, facts: RejectionFacts): Decision {
  return { type: 'rejected', rejection: { code, message, facts, idempotent: true } }
}

/** The truth about an operation, as every refusal carries it. */
export function truthOf(target: Operation | Tombstone, command: string): RejectionFacts {
  const { id, number, status } = target
  const known = { operationId: id, number, currentStatus: status, command }
  if (!('registeredAt' in target)) return { ...known, terminalRevision: target.terminalRevision }
  const { outcome, terminalRevision } = target
  return outcome === undefined ? known : { ...known, outcome, terminalRevision }
}

/** The machine's no. */
export function illegal(target: Operation | Tombstone, command: { readonly type: string }): Decision {
  const message = `${command.type} is not legal for operation ${target.id}, which is ${target.status}`
  return refuse('illegal_transition', message, truthOf(target, command.type))
}
