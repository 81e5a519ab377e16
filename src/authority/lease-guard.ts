/**
 * Who may speak for an attempt. An epoch that a command carries is compared on every command, cancel and abort too; what only
 * the holder of the lease can know must carry it, as long as the lease has a claimant (lifecycle.md, section 4).
 */
import type { OperationCommand } from './commands.ts'
import { type Decision, refuse, truthOf } from './decision.ts'
import type { Operation, Tombstone } from './operation.ts'

/** The commands that a lease guards: a contradiction is told about a refused report and is guarded otherwise. */
export type LeasedCommand = Exclude<OperationCommand, { readonly type: 'RecordContradiction' }>

/** An epoch that is carried must be the open one, or the one that a terminal event kept; a worker must carry it. */
export function leaseRefusal(target: Operation | Tombstone, command: LeasedCommand): Decision | undefined {
  const { epoch, claimed } = leaseOf(target)
  const carried = command.leaseEpoch
  const facts = { ...truthOf(target, command.type), ...(epoch === undefined ? {} : { leaseEpoch: epoch }) }
  if (carried !== undefined) {
    if (carried === epoch) return undefined
    const message = `${command.type} carries lease epoch ${carried} of operation ${command.id}, which is not its lease`
    return refuse('stale_lease', message, { ...facts, carriedEpoch: carried })
  }
  const byOperator = command.type === 'FailOperation' && command.asOperator === true
  if (!claimed || byOperator || !WORKER_COMMANDS.has(command.type)) return undefined
  const message = `${command.type} of operation ${command.id} must carry the lease epoch: a worker holds it`
  return refuse('lease_required', message, truthOf(target, command.type))
}

/** The open lease, or the one that a terminal event kept. */
export function leaseOf(target: Operation | Tombstone): { readonly epoch?: number; readonly claimed: boolean } {
  if (!('registeredAt' in target)) {
    const { leaseEpoch, claimed } = target
    return leaseEpoch === undefined ? { claimed } : { epoch: leaseEpoch, claimed }
  }
  const { lease } = target
  return lease === undefined ? { claimed: false } : { epoch: lease.epoch, claimed: lease.claimant !== undefined }
}

/** Commands that only the holder of the lease may send, once somebody holds one. */
const WORKER_COMMANDS: ReadonlySet<OperationCommand['type']> = new Set([
  'ReportProgress',
  'RecordHeartbeat',
  'StartPhase',
  'CompletePhase',
  'FailPhase',
  'PeerReady',
  'CompleteOperation',
  'FailOperation',
  'RetryAttempt',
  'MarkRetired',
])
