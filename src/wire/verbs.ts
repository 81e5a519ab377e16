/** Custom verbs of the API (AIP-136) and the commands that they are: the same table for the server and for its clients. */
import type { CommandType } from '../authority/commands.ts'

/** `POST /v1/operations/{id}:verb`; the body is the command without its type and id. */
export const OPERATION_VERBS = {
  claim: 'ProvisioningSucceeded',
  'provisioning-failed': 'ProvisioningFailed',
  abort: 'AbortProvisioning',
  'peer-ready': 'PeerReady',
  progress: 'ReportProgress',
  heartbeat: 'RecordHeartbeat',
  'start-phase': 'StartPhase',
  'complete-phase': 'CompletePhase',
  'fail-phase': 'FailPhase',
  complete: 'CompleteOperation',
  fail: 'FailOperation',
  retry: 'RetryAttempt',
  cancel: 'RequestCancel',
  'force-cancel': 'CancelOperation',
  retire: 'RequestRetire',
  'mark-retired': 'MarkRetired',
  reconcile: 'ReconcileOperation',
  rollback: 'RollbackRegistration',
} as const satisfies Readonly<Record<string, CommandType>>
export type OperationVerb = keyof typeof OPERATION_VERBS

/** `POST /v1/workspaces/{workspace}/owners/{owner}:verb`; `collect` answers what it collected and stands apart. */
export const OWNER_VERBS = {
  open: 'OpenRegistry',
  'change-limits': 'ChangeLimits',
  terminate: 'TerminateOwner',
  retire: 'RetireOwner',
} as const satisfies Readonly<Record<string, CommandType>>
export type OwnerVerb = keyof typeof OWNER_VERBS

/**
 * Commands that nodes send themselves, from what they saw: nobody from outside may speak in their place. The shell writes
 * signs of life; contradictions follow from refused reports.
 */
export const COMMANDS_OF_NODES: ReadonlySet<CommandType> = new Set(['RecordSigns', 'RecordContradiction'])
