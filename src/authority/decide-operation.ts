/**
 * Commands of one operation. Each has its own guards, in the order of lifecycle.md's table, and proposes events; whether
 * an event may happen is asked of the machine, and of nobody else.
 */
import { workerFacts } from './command-answer.ts'
import type { CommandOf, OperationCommand, StampedCommand } from './commands.ts'
import { recordContradiction } from './decide-contradiction.ts'
import { proposePhase } from './decide-phase.ts'
import { evidenceOutdated, reconcile, retryRefusal } from './decide-reconciliation.ts'
import { type Decision, illegal, refuse, refuseIdempotent, truthOf } from './decision.ts'
import type { LifecycleEvent } from './events.ts'
import type { LeasedCommand } from './lease-guard.ts'
import { leaseOf, leaseRefusal } from './lease-guard.ts'
import { DEFAULT_POLICY } from './lifecycle-policy.ts'
import type { Operation, Tombstone } from './operation.ts'
import { machineFactsOf } from './operation-facts.ts'
import { labelOf, stepOf } from './operation-machine.ts'
import type { RegistryState } from './registry.ts'
import { isTerminal } from './status.ts'

export function decideOperation(state: RegistryState, command: OperationCommand, stamped: StampedCommand): Decision {
  const target = state.operations.get(command.id) ?? state.tombstones.get(command.id)
  if (target === undefined) return notFound(command)
  if (command.type === 'RecordContradiction') return recordContradiction(target, command, state.revision)
  const refusal =
    leaseRefusal(target, command) ?? (command.type === 'PeerReady' ? peerRefusal(target, command) : undefined)
  if (refusal) return refusal
  return isLive(target) ? decideActive(state, target, command, stamped) : terminalAnswer(target, command)
}

/** On a terminal operation these want what is so already, or what can no longer matter. */
const IDEMPOTENT_ON_TERMINAL: ReadonlySet<OperationCommand['type']> = new Set([
  'ProvisioningSucceeded',
  'PeerReady',
  'ReportProgress',
  'RecordHeartbeat',
  'RequestRetire',
  'MarkRetired',
  'AbortProvisioning',
  'RequestCancel',
])

function notFound(command: OperationCommand): Decision {
  const facts = { operationId: command.id, command: command.type }
  return refuse('not_found', `${command.type} refused: there is no operation ${command.id}`, facts)
}

/** Peer guards come before the status, and are skipped where only a tombstone is left. */
function peerRefusal(target: Operation | Tombstone, command: CommandOf<'PeerReady'>): Decision | undefined {
  if (!('registeredAt' in target)) return undefined
  if (!target.kindFacts.expectsPeer) {
    const message = `operation ${target.id} is of kind ${target.kind}, which expects no peer`
    return refuse('peer_not_expected', message, truthOf(target, command.type))
  }
  if (target.peer === undefined) return undefined
  return refuse('already_peer_ready', `operation ${target.id} has its peer already`, truthOf(target, command.type))
}

function isLive(target: Operation | Tombstone): target is Operation {
  return 'registeredAt' in target && !isTerminal(target.status)
}

function terminalAnswer(target: Operation | Tombstone, command: OperationCommand): Decision {
  if (command.type === 'ReconcileOperation') return evidenceOutdated(target, command)
  const message = `${command.type} refused: operation ${target.id} is ${target.status}`
  const facts = { ...truthOf(target, command.type), ...leaseFact(target) }
  return IDEMPOTENT_ON_TERMINAL.has(command.type)
    ? refuseIdempotent('already_terminal', message, facts)
    : refuse('already_terminal', message, facts)
}

function leaseFact(target: Operation | Tombstone): { readonly leaseEpoch?: number } {
  const { epoch } = leaseOf(target)
  return epoch === undefined ? {} : { leaseEpoch: epoch }
}

function decideActive(
  state: RegistryState,
  operation: Operation,
  command: LeasedCommand,
  stamped: StampedCommand,
): Decision {
  const proposed = propose(operation, command, stamped, state.sequence + 1)
  if (isDecision(proposed)) return proposed
  const label = labelOf(proposed)
  const legal = label !== undefined && stepOf(operation.status, machineFactsOf(operation), label) !== undefined
  return legal ? { type: 'accepted', events: [proposed] } : illegal(operation, command)
}

function isDecision(proposed: LifecycleEvent | Decision): proposed is Decision {
  return !('facts' in proposed)
}

/** The one event that a command asks for, after its own guards; the machine has the last word. */
function propose(
  operation: Operation,
  command: LeasedCommand,
  stamped: StampedCommand,
  sequence: number,
): LifecycleEvent | Decision {
  const { id, number, attempt } = operation
  const { at } = stamped
  const of = { id, number }
  switch (command.type) {
    case 'ProvisioningSucceeded':
      return claim(operation, command, stamped)
    case 'ProvisioningFailed':
      // Its event is FailOperation's, which is legal further on: here alone decide looks at the status itself.
      if (operation.status !== 'provisioning') return illegal(operation, command)
      return { type: 'OperationFailed', facts: { ...of, sequence }, content: { error: command.error } }
    case 'AbortProvisioning':
      return { type: 'OperationAborted', facts: { ...of, sequence }, content: reasonOf(command) }
    case 'PeerReady':
      return { type: 'PeerBecameReady', facts: of, content: { peer: command.peer } }
    case 'ReportProgress': {
      const { message, percent, processed, total } = command
      const numbers = {
        ...(percent === undefined ? {} : { percent }),
        ...(processed === undefined ? {} : { processed }),
        ...(total === undefined ? {} : { total }),
      }
      const content = message === undefined ? {} : { message }
      return { type: 'ProgressReported', facts: { ...of, reports: stamped.resolved.reports ?? 1, ...numbers }, content }
    }
    case 'RecordHeartbeat':
      // A witness may sign for a queued operation, a heartbeat may not: it comes from a worker, so it needs an attempt.
      if (operation.lease?.open !== true) return illegal(operation, command)
      return { type: 'SignsOfLifeRecorded', facts: { signs: [[number, at]] }, content: {} }
    case 'StartPhase':
    case 'CompletePhase':
    case 'FailPhase':
      return proposePhase(operation, command)
    case 'CompleteOperation': {
      const unfinished = operation.phases.filter(({ status }) => status !== 'completed').map(({ name }) => name)
      if (unfinished.length > 0) {
        const facts = { ...truthOf(operation, command.type), phases: unfinished }
        return refuse('phases_unfinished', `operation ${id} has unfinished phases: ${unfinished.join(', ')}`, facts)
      }
      return { type: 'OperationCompleted', facts: { ...of, sequence }, content: { result: command.result ?? null } }
    }
    case 'FailOperation':
      return { type: 'OperationFailed', facts: { ...of, sequence }, content: { error: command.error } }
    case 'RetryAttempt': {
      const why = retryRefusal(operation)
      if (why !== undefined) {
        return refuse(why, `operation ${id} may not be tried again: ${why}`, {
          ...truthOf(operation, command.type),
          attempt,
        })
      }
      const { error, notBeforeAt } = command
      return { type: 'AttemptFailed', facts: { ...of, attempt, notBeforeAt }, content: { error } }
    }
    case 'RequestCancel':
      return requestCancel(operation, command, at, sequence)
    case 'CancelOperation':
      return { type: 'OperationCancelled', facts: { ...of, sequence }, content: reasonOf(command) }
    case 'RequestRetire':
      if (operation.retireRequestedAt !== undefined) {
        const truth = truthOf(operation, command.type)
        return refuseIdempotent('already_requested', `operation ${id} was asked to retire before`, truth)
      }
      return { type: 'RetireRequested', facts: of, content: {} }
    case 'MarkRetired':
      return { type: 'OperationRetired', facts: { ...of, sequence }, content: reasonOf(command) }
    case 'ReconcileOperation':
      return reconcile(operation, command, stamped, sequence)
    case 'RaiseAttention':
    case 'ClearAttention':
      return proposeAttention(operation, command)
    case 'RollbackRegistration': {
      const why = rollbackRefusal(operation, command)
      if (why !== undefined) {
        const facts = { ...truthOf(operation, command.type), why }
        return refuse('rollback_refused', `the registration of operation ${id} stays: ${why}`, facts)
      }
      return { type: 'RegistrationRolledBack', facts: of, content: {} }
    }
    default:
      return command satisfies never
  }
}

function claim(
  operation: Operation,
  command: CommandOf<'ProvisioningSucceeded'>,
  { at, resolved }: StampedCommand,
): LifecycleEvent | Decision {
  const { id, number, attempt, notBeforeAt, lease } = operation
  if (notBeforeAt !== undefined && notBeforeAt > at) {
    const facts = { ...truthOf(operation, command.type), notBeforeAt }
    return refuse('not_due', `operation ${id} may not be claimed before ${notBeforeAt}`, facts)
  }
  const claimant = command.claimant ?? resolved.claimant
  if (lease?.open === true && operation.retireRequestedAt === undefined) {
    const facts = { ...truthOf(operation, command.type), claimant: lease.claimant }
    const message = `operation ${id} is claimed already`
    return lease.claimant?.id === claimant?.id
      ? refuseIdempotent('already_claimed', message, { ...facts, leaseEpoch: lease.epoch, ...workerFacts(operation) })
      : refuse('already_claimed', message, facts)
  }
  return {
    type: 'OperationStarted',
    facts: { id, number, attempt, ...(claimant === undefined ? {} : { claimant }) },
    content: {},
  }
}

/** In provisioning nobody has to be asked, so a cancel comes true at once; the machine says which of the two it is. */
function requestCancel(
  operation: Operation,
  command: CommandOf<'RequestCancel'>,
  at: number,
  sequence: number,
): LifecycleEvent | Decision {
  const { id, number, cancel } = operation
  if (cancel !== undefined) {
    const facts = { ...truthOf(operation, command.type), deadlineAt: cancel.deadlineAt }
    return refuseIdempotent('already_requested', `a cancel of operation ${id} was requested before`, facts)
  }
  const graceMs = (operation.policy ?? DEFAULT_POLICY).cancelGraceMs
  const content = reasonOf(command)
  const asked = stepOf(operation.status, machineFactsOf(operation), 'CancelRequested')
  if (asked === undefined) return { type: 'OperationCancelled', facts: { id, number, sequence }, content }
  return { type: 'CancelRequested', facts: { id, number, deadlineAt: command.deadlineAt ?? at + graceMs }, content }
}

/** Raised once and cleared once per attempt and rule. */
function proposeAttention(
  operation: Operation,
  command: CommandOf<'RaiseAttention' | 'ClearAttention'>,
): LifecycleEvent | Decision {
  const { id, number, attempt, attention } = operation
  const { rule } = command
  const known = attention.find((one) => one.rule === rule)
  const isSo = command.type === 'RaiseAttention' ? known !== undefined : known?.raised !== true
  if (isSo) {
    const facts = { ...truthOf(operation, command.type), rule }
    return refuseIdempotent(
      'already_requested',
      `${command.type} of operation ${id} for ${rule}: it is so already`,
      facts,
    )
  }
  const facts = { id, number, attempt, rule }
  return command.type === 'RaiseAttention'
    ? { type: 'AttentionRaised', facts, content: {} }
    : { type: 'AttentionCleared', facts, content: {} }
}

function rollbackRefusal(operation: Operation, command: CommandOf<'RollbackRegistration'>): string | undefined {
  if (operation.registrationCommandId !== command.registrationCommandId) return 'another command registered it'
  if (operation.startedAt !== undefined) return 'it was claimed'
  if (operation.joined) return 'another registration joined it'
  return operation.waitedFor ? 'a wait relies on it' : undefined
}

function reasonOf({ reason }: { readonly reason?: string }): { readonly reason?: string } {
  return reason === undefined ? {} : { reason }
}
