/**
 * One life of an operation as it looks from outside, and what a command may make of it: lifecycle.md, section 4, written
 * anew so that the code under test does not judge itself.
 */
export interface OperationCommandInput {
  readonly type: string
  readonly leaseEpoch?: number
  readonly key?: string
  readonly claim?: unknown
  readonly registrationCommandId?: string
  /** What its end would be told as, by endingText. */
  readonly ending?: string
  readonly claimantId?: string
}

/** What an answer tells; absent: not told. */
export interface Told {
  readonly number?: number
  readonly status?: string
  readonly epoch?: number
  readonly sequence?: number
  /** By endingText. */
  readonly ending?: string
  readonly cancelRequested?: boolean
}

export interface View extends Told {
  readonly attempt: number
  readonly isLeaseOpen: boolean
  readonly reports: number
  readonly key?: string
}

export interface Life extends View {
  readonly status: string
  /** 0: it has no lease. Absent: there is one, and nobody was told its epoch. */
  readonly epoch?: number
  readonly cancelRequested: boolean
  readonly isRetireRequested: boolean
  readonly wasStarted: boolean
  readonly registeredBy: string
  readonly claimantId?: string
  readonly isRecordGone: boolean
  /** The how manieth life of its id. */
  readonly ordinal: number
}

/** What may become of a command: a refusal, or the operation as it leaves it. */
export type Fate = { readonly life: Life; readonly refusal: Refusal } | { readonly life: Life | undefined }
type Refusal = { readonly code: string; readonly isIdempotent?: true }

export const ATTEMPTS_MAX = 3
export const NO_LEASE = 0
export const ACTIVE = new Set(['provisioning', 'running', 'retiring'])
const WORKER_COMMANDS = new Set([
  'ReportProgress',
  'RecordHeartbeat',
  'CompleteOperation',
  'FailOperation',
  'RetryAttempt',
  'MarkRetired',
])
const IDEMPOTENT_WHEN_ENDED = new Set([
  'ProvisioningSucceeded',
  'ReportProgress',
  'RecordHeartbeat',
  'RequestRetire',
  'MarkRetired',
  'AbortProvisioning',
  'RequestCancel',
])

/** Every way in which a command may end on an operation that is there, in the order of guards of lifecycle.md, section 4. */
export function fatesOf(life: Life, command: OperationCommandInput, commandId: string): readonly Fate[] {
  const { leaseEpoch: carried, type } = command
  if (carried !== undefined && life.epoch === undefined) {
    return [...unguarded({ ...life, epoch: carried }, command, commandId), { life, refusal: { code: 'stale_lease' } }]
  }
  if (carried !== undefined && carried !== life.epoch) return [{ life, refusal: { code: 'stale_lease' } }]
  const mustCarry = WORKER_COMMANDS.has(type) && life.epoch !== NO_LEASE
  if (carried === undefined && mustCarry) return [{ life, refusal: { code: 'lease_required' } }]
  return unguarded(life, command, commandId)
}

function unguarded(life: Life, command: OperationCommandInput, commandId: string): readonly Fate[] {
  const { type } = command
  const refused = (code: string): readonly Fate[] => [{ life, refusal: { code } }]
  const soAlready = (code: string): readonly Fate[] => [{ life, refusal: { code, isIdempotent: true } }]
  const becomes = (change: Partial<Life>): readonly Fate[] => [{ life: { ...life, ...change } }]
  const ends = (status: string): readonly Fate[] =>
    becomes({ status, isLeaseOpen: false, ending: `${status} ${command.ending ?? ''}` })
  if (!ACTIVE.has(life.status)) {
    return IDEMPOTENT_WHEN_ENDED.has(type) ? soAlready('already_terminal') : refused('already_terminal')
  }
  const isQueued = life.status === 'provisioning'
  switch (type) {
    case 'ProvisioningSucceeded': {
      if (life.status === 'running') {
        const isSame = life.claimantId === (command.claimantId ?? commandId)
        return isSame ? soAlready('already_claimed') : refused('already_claimed')
      }
      if (!isQueued) return refused('illegal_transition')
      const { epoch: _none, ...rest } = life
      const claimantId = command.claimantId ?? commandId
      return [{ life: { ...rest, claimantId, status: 'running', isLeaseOpen: true, wasStarted: true } }]
    }
    case 'AbortProvisioning':
      return isQueued ? ends('aborted') : refused('illegal_transition')
    case 'ReportProgress':
      return isQueued ? refused('illegal_transition') : becomes({ reports: life.reports + 1 })
    case 'RecordHeartbeat':
      return isQueued ? refused('illegal_transition') : becomes({})
    case 'CompleteOperation':
      return isQueued ? refused('illegal_transition') : ends('completed')
    case 'FailOperation':
      return ends('failed')
    case 'RetryAttempt':
      if (life.cancelRequested) return refused('cancel_requested')
      if (life.attempt >= ATTEMPTS_MAX) return refused('attempts_exhausted')
      if (life.status !== 'running') return refused('illegal_transition')
      return becomes({ status: 'provisioning', attempt: life.attempt + 1, epoch: NO_LEASE, isLeaseOpen: false })
    case 'RequestCancel':
      if (life.cancelRequested) return soAlready('already_requested')
      return isQueued ? ends('cancelled') : becomes({ cancelRequested: true })
    case 'CancelOperation':
      return ends('cancelled')
    case 'RequestRetire':
      if (life.isRetireRequested) return soAlready('already_requested')
      return isQueued ? refused('illegal_transition') : becomes({ status: 'retiring', isRetireRequested: true })
    case 'MarkRetired':
      return isQueued ? refused('illegal_transition') : ends('retired')
    case 'RollbackRegistration': {
      const mayGo = command.registrationCommandId === life.registeredBy && !life.wasStarted
      // A wait or a registration that joined, neither of which is seen here, keeps it as well.
      return mayGo ? [{ life: undefined }, ...refused('rollback_refused')] : refused('rollback_refused')
    }
    default:
      throw new Error(`the model knows no ${type}`)
  }
}
