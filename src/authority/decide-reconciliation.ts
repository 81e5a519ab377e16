/**
 * A verdict over an operation that did not speak for itself. The sender shows what it saw; whatever happened in between
 * wins: evidence that no longer holds changes nothing (lifecycle.md, section 9).
 */
import type { CommandOf, StampedCommand } from './commands.ts'
import { deadlinesOf } from './deadlines.ts'
import { type Decision, refuse, truthOf } from './decision.ts'
import type { Evidence, LifecycleEvent, OperationError, ReasonCode } from './events.ts'
import { DEFAULT_POLICY } from './lifecycle-policy.ts'
import type { Operation } from './operation.ts'
import { REASON_SENTENCES } from './reason-sentences.ts'

/** The event that the disposition asks for, to be put to the machine; or why it may not be. */
export function reconcile(
  operation: Operation,
  command: CommandOf<'ReconcileOperation'>,
  { at }: Pick<StampedCommand, 'at'>,
  sequence: number,
): LifecycleEvent | Decision {
  const { evidence, disposition, reasonCode } = command
  const { id, number } = operation
  if (!evidenceHolds(operation, evidence, at)) return evidenceOutdated(operation, command)
  const reconciliation = { reasonCode, evidence }
  switch (disposition.type) {
    case 'fail': {
      const error = disposition.error ?? sentence(reasonCode)
      return {
        type: 'OperationFailed',
        facts: { id, number, sequence, reasonCode, reconciliation },
        content: { error },
      }
    }
    case 'retry': {
      const why = retryRefusal(operation)
      if (why !== undefined) {
        const facts = { ...truthOf(operation, command.type), why }
        return refuse('retry_not_allowed', `operation ${id} may not be retried: ${why}`, facts)
      }
      const { notBeforeAt } = disposition
      const facts = { id, number, attempt: operation.attempt, notBeforeAt, reconciliation }
      return { type: 'AttemptLost', facts, content: { error: disposition.error ?? sentence(reasonCode) } }
    }
    case 'cancel':
      if (operation.cancel === undefined) return dispositionRefused(operation, command, 'no cancel was requested')
      return {
        type: 'OperationCancelled',
        facts: { id, number, sequence, reconciliation },
        content: reasonOf(disposition.reason === undefined ? operation.cancel : disposition),
      }
    case 'complete': {
      const witnessed = evidence.rule === 'witness' && evidence.witness === 'completed'
      if (!witnessed)
        return dispositionRefused(operation, command, 'only a witness that saw it complete may complete it')
      const { result = null } = disposition
      return { type: 'OperationCompleted', facts: { id, number, sequence, reconciliation }, content: { result } }
    }
    default:
      return disposition satisfies never
  }
}

export function evidenceOutdated(
  operation: Parameters<typeof truthOf>[0],
  command: CommandOf<'ReconcileOperation'>,
): Decision {
  const message = `operation ${operation.id} moved on since it was judged`
  return refuse('evidence_outdated', message, truthOf(operation, command.type))
}

/** Whether a retry of this operation is allowed by its own policy; the reason when it is not. */
export function retryRefusal(operation: Operation): 'cancel_requested' | 'attempts_exhausted' | undefined {
  if (operation.cancel !== undefined) return 'cancel_requested'
  const { maxAttempts } = (operation.policy ?? DEFAULT_POLICY).retry
  return operation.attempt >= maxAttempts ? 'attempts_exhausted' : undefined
}

function evidenceHolds(operation: Operation, evidence: Evidence, at: number): boolean {
  if (evidence.attempt !== operation.attempt) return false
  if (evidence.rule === 'witness') return operation.lastRevision <= evidence.lastRevision
  const deadline = deadlinesOf(operation).find(({ rule }) => rule === evidence.rule)
  return deadline !== undefined && deadline.deadlineAt + evidence.graceMs <= at
}

function dispositionRefused(operation: Operation, command: CommandOf<'ReconcileOperation'>, why: string): Decision {
  const facts = { ...truthOf(operation, command.type), disposition: command.disposition.type, why }
  return refuse('disposition_not_allowed', `operation ${operation.id} may not be ended so: ${why}`, facts)
}

function sentence(reasonCode: ReasonCode): OperationError {
  return { message: REASON_SENTENCES[reasonCode], code: reasonCode }
}

function reasonOf({ reason }: { readonly reason?: string }): { readonly reason?: string } {
  return reason === undefined ? {} : { reason }
}
