/** What operations are counted by, how it follows from one of them, and which events leave it as it is. */
import type { LifecycleEvent } from '../src/authority/events.ts'
import type { Operation } from '../src/authority/operation.ts'
import type { PresentStatus } from '../src/authority/status.ts'
import type { RowKey } from './projection.ts'

/** What operations are counted by. */
export interface Standing {
  readonly workspace: string
  readonly kind: string
  readonly status: PresentStatus
  /** Empty where there is none. */
  readonly reasonCode: string
  readonly isReconciled: 0 | 1
  /** Somebody should look at it after its end, or because a late report contradicts what is known. */
  readonly needsFollowUp: 0 | 1
}

export interface CountRow extends Standing {
  readonly operations: number
}

interface Operated {
  readonly workspace: string
  readonly operation: Operation
}

export function countKey(standing: Standing): RowKey {
  const { workspace, kind, status, reasonCode, isReconciled, needsFollowUp } = standing
  return [workspace, kind, status, reasonCode, isReconciled, needsFollowUp]
}

export function isSameStanding(one: Standing, other: Standing): boolean {
  return (
    one.status === other.status &&
    one.kind === other.kind &&
    one.workspace === other.workspace &&
    one.reasonCode === other.reasonCode &&
    one.isReconciled === other.isReconciled &&
    one.needsFollowUp === other.needsFollowUp
  )
}

/** The count after so many more; none is no row. */
export function counted(row: CountRow | undefined, key: RowKey, change: number): CountRow | undefined {
  const operations = (row?.operations ?? 0) + change
  if (operations === 0) return undefined
  return row === undefined ? { ...standingOfKey(key), operations } : { ...row, operations }
}

export function standingOf({ workspace, operation }: Operated): Standing {
  const { kind, status, outcome, contradictions } = operation
  const reconciliation = outcome !== undefined && 'reconciliation' in outcome ? outcome.reconciliation : undefined
  const reasonCode = outcome?.status === 'failed' ? outcome.reasonCode : undefined
  const isReconciled = reconciliation === undefined ? 0 : 1
  const needsFollowUp = isReconciled === 1 || status === 'failed' || contradictions.length > 0 ? 1 : 0
  return {
    workspace,
    kind,
    status,
    reasonCode: reasonCode ?? reconciliation?.reasonCode ?? '',
    isReconciled,
    needsFollowUp,
  }
}

export function standingOfKey(key: RowKey): Standing {
  const [workspace, kind, status, reasonCode, isReconciled, needsFollowUp] = key
  return {
    workspace: String(workspace),
    kind: String(kind),
    status: status as PresentStatus, // written from one
    reasonCode: String(reasonCode),
    isReconciled: isReconciled === 1 ? 1 : 0,
    needsFollowUp: needsFollowUp === 1 ? 1 : 0,
  }
}

/** Events that leave status and follow-up as they are: by far the most. */
export function keepsStanding(event: LifecycleEvent): boolean {
  switch (event.type) {
    case 'ProgressReported':
    case 'SignsOfLifeRecorded':
    case 'PhaseStarted':
    case 'PhaseCompleted':
    case 'PhaseFailed':
    case 'PeerBecameReady':
    case 'CancelRequested':
    case 'RegistrationJoined':
    case 'AttentionRaised':
    case 'AttentionCleared':
      return true
    default:
      return false
  }
}
