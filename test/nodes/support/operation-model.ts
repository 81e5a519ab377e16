/**
 * One operation id as it looks from outside: a register that commands compare and set. Written anew from lifecycle.md, not
 * with the code that it judges. What depends on other operations (is there room, who holds the key) and what a registry
 * forgets by itself (records, then tombstones) may happen or not; the log's own check is exact about those.
 *
 *     absent -> provisioning -> running -> retiring -> ended -> (record gone) -> (forgotten) absent
 *
 * A number or an epoch that nobody was told yet is unknown, and known from the first answer on that tells it.
 */
import type { Model } from './linearizability.ts'

export type OperationInput =
  | {
      readonly type: 'command'
      readonly command: OperationCommandInput
      readonly commandId: string
      /** It was sent more than once: it has one effect all the same. */
      readonly isRepeated: boolean
    }
  /** A registration of another id found this one by its key. */
  | { readonly type: 'join'; readonly key: string }
  /** `isCertain`: it ended whatever was active at its time; else it may have been at another time. */
  | { readonly type: 'terminate_owner'; readonly reason: string; readonly isCertain: boolean }
  | { readonly type: 'snapshot' }
  | { readonly type: 'outcome' }

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

export type OperationOutput =
  | ({ readonly type: 'accepted' } & Told)
  /** The registration found another id by its key. */
  | { readonly type: 'joined_other' }
  | ({ readonly type: 'refused'; readonly code: string; readonly isIdempotent: boolean } & Told)
  | { readonly type: 'seen'; readonly view: View | undefined }
  | { readonly type: 'not_there' }

export interface View extends Told {
  readonly attempt: number
  readonly isLeaseOpen: boolean
  readonly reports: number
  readonly key?: string
}

interface Life extends View {
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

interface Done extends Told {
  readonly ordinal: number
  readonly isRolledBack?: true
}

export interface OperationState {
  readonly life?: Life
  readonly lives: number
  /** No number and no epoch of a later life is as low. */
  readonly floor: number
  /** What repeated commands did. */
  readonly done: Readonly<Record<string, Done>>
}

export const ATTEMPTS_MAX = 3
const NO_LEASE = 0
const ACTIVE = new Set(['provisioning', 'running', 'retiring'])
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

export const OPERATION_MODEL: Model<OperationState, OperationInput, OperationOutput> = {
  initial: { lives: 0, floor: -1, done: {} },
  keyOf: (state) => JSON.stringify(state),
  changesNothing: ({ type }, output) =>
    type === 'snapshot' || type === 'outcome' || type === 'join' || output?.type === 'refused',
  step(state, input, output) {
    switch (input.type) {
      case 'command':
        return afterCommand(state, input, output)
      case 'join':
        return afterJoin(state, input.key, output)
      case 'terminate_owner':
        return afterTermination(state, input)
      case 'snapshot':
      case 'outcome':
        return afterRead(state, output)
      default:
        return input satisfies never
    }
  },
}

/** What may become of a command: a refusal, or the operation as it leaves it. */
type Fate = { readonly life: Life; readonly refusal: Refusal } | { readonly life: Life | undefined }
type Refusal = { readonly code: string; readonly isIdempotent?: true }

function afterCommand(
  state: OperationState,
  input: OperationInput & { type: 'command' },
  output: OperationOutput | undefined,
): readonly OperationState[] {
  const { commandId, isRepeated, command } = input
  const done = state.done[commandId]
  if (done !== undefined) return afterRepetition(state, commandId, done, output)
  const { life } = state
  const isRegistration = command.type === 'RegisterOperation'
  const after: OperationState[] = []
  // What has ended may have been forgotten meanwhile.
  if (life === undefined || !ACTIVE.has(life.status)) {
    const free = forgotten(state)
    if (isRegistration) after.push(...afterRegistration(free, input, output))
    else if (output === undefined || (output.type === 'refused' && output.code === 'not_found')) after.push(free)
  }
  if (life === undefined) return after
  if (isRegistration) {
    const isRefused = output === undefined || (output.type === 'refused' && output.code === 'already_registered')
    const told = isRefused ? bound(life, output) : undefined
    if (told !== undefined) after.push({ ...state, life: told })
    // Whether this or an earlier copy of it joined is not known here.
    if (output?.type === 'joined_other' && isRepeated) after.push(state)
    return after
  }
  for (const fate of fatesOf(life, command, commandId)) {
    if ('refusal' in fate) {
      const { code, isIdempotent = false } = fate.refusal
      const fits =
        output === undefined ||
        (output.type === 'refused' && output.code === code && output.isIdempotent === isIdempotent)
      const told = fits ? bound(fate.life, output) : undefined
      if (told !== undefined) after.push({ ...state, life: told })
    } else if (output === undefined || output.type === 'accepted') {
      const next = fate.life === undefined ? undefined : bound(fate.life, output)
      if (next === undefined && fate.life !== undefined) continue
      if (next === undefined && output?.number !== undefined && output.number !== life.number) continue
      const left = next === undefined ? rolledBack(state, life) : { ...state, life: next }
      after.push(isRepeated ? withDone(left, commandId, next ?? life, output) : left)
    }
  }
  return after
}

function afterRegistration(
  state: OperationState,
  { command, commandId, isRepeated }: OperationInput & { type: 'command' },
  output: OperationOutput | undefined,
): readonly OperationState[] {
  if (output?.type === 'joined_other') return [state]
  if (output?.type === 'refused') return output.code === 'max_concurrent_exceeded' ? [state] : []
  if (output !== undefined && output.type !== 'accepted') return []
  const isClaimed = command.claim !== undefined
  const number = output?.number
  if (number !== undefined && number <= state.floor) return []
  if (isClaimed && number !== undefined && output?.epoch !== number + 1) return []
  const ordinal = state.lives + 1
  const begun: Life = {
    ordinal,
    status: isClaimed ? 'running' : 'provisioning',
    attempt: 1,
    ...(isClaimed ? { claimantId: command.claimantId ?? commandId } : { epoch: NO_LEASE }),
    isLeaseOpen: isClaimed,
    reports: 0,
    cancelRequested: false,
    isRetireRequested: false,
    wasStarted: isClaimed,
    registeredBy: commandId,
    isRecordGone: false,
    ...(command.key === undefined ? {} : { key: command.key }),
  }
  const life = bound(begun, output)
  if (life === undefined) return []
  const registered = { ...state, lives: ordinal, life }
  return [isRepeated ? withDone(registered, commandId, life, output) : registered]
}

/** Every way in which a command may end on an operation that is there, in the order of guards of lifecycle.md, section 4. */
function fatesOf(life: Life, command: OperationCommandInput, commandId: string): readonly Fate[] {
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

/** The first answer again: what it did as it was, how it stands as of now. */
function afterRepetition(
  state: OperationState,
  commandId: string,
  done: Done,
  output: OperationOutput | undefined,
): readonly OperationState[] {
  if (output === undefined) return [state]
  if (done.isRolledBack) {
    return output.type === 'refused' && output.code === 'registration_rolled_back' ? [state] : []
  }
  if (output.type !== 'accepted') return []
  const { status, cancelRequested, ...first } = output
  for (const name of ['number', 'epoch', 'sequence', 'ending'] as const) {
    if (done[name] !== undefined && first[name] !== done[name]) return []
  }
  const known = { ...state, done: { ...state.done, [commandId]: toldBy(done.ordinal, output) } }
  const { life } = state
  const isGone = status === undefined
  if (life === undefined || life.ordinal !== done.ordinal) return isGone ? [known] : []
  // Its id is forgotten; a later life would be another ordinal.
  if (isGone) return ACTIVE.has(life.status) ? [] : [forgotten(known)]
  const now: Told = {
    ...(first.number === undefined ? {} : { number: first.number }),
    status,
    ...(cancelRequested === undefined ? {} : { cancelRequested }),
  }
  const told = bound(life, now)
  return told === undefined ? [] : [{ ...known, life: told }]
}

function afterJoin(state: OperationState, key: string, output: OperationOutput | undefined): readonly OperationState[] {
  const { life } = state
  if (output === undefined || output.type !== 'accepted') return [state]
  if (life === undefined || !ACTIVE.has(life.status) || life.key !== key) return []
  const told = bound(life, output.number === undefined ? undefined : { number: output.number })
  return told === undefined ? [] : [{ ...state, life: told }]
}

function afterTermination(
  state: OperationState,
  { reason, isCertain }: OperationInput & { type: 'terminate_owner' },
): readonly OperationState[] {
  const { life } = state
  if (life === undefined || !ACTIVE.has(life.status)) return [state]
  const ending = `terminated ${reason}`
  const ended = { ...state, life: { ...life, status: 'terminated', isLeaseOpen: false, ending } }
  return isCertain ? [ended] : [ended, state]
}

function afterRead(state: OperationState, output: OperationOutput | undefined): readonly OperationState[] {
  const { life } = state
  if (output === undefined) return [state]
  const hasEnded = life !== undefined && !ACTIVE.has(life.status)
  if (output.type === 'not_there') return life === undefined || hasEnded ? [forgotten(state)] : []
  if (output.type === 'accepted') return hasEnded && bound(life, output) !== undefined ? [state] : []
  if (output.type !== 'seen') return []
  const { view } = output
  if (view === undefined) {
    if (life === undefined) return [state]
    return hasEnded ? [{ ...state, life: { ...life, isRecordGone: true } }] : []
  }
  if (life === undefined || life.isRecordGone) return []
  const { attempt, isLeaseOpen, reports, key, ...told } = view
  const fits =
    attempt === life.attempt && isLeaseOpen === life.isLeaseOpen && reports === life.reports && key === life.key
  if (!fits || (told.ending ?? '') !== (life.ending ?? '')) return []
  const next = bound(life, { ...told, epoch: told.epoch ?? NO_LEASE })
  return next === undefined ? [] : [{ ...state, life: next }]
}

/** The life with what an answer told of it; undefined where the answer contradicts it. */
function bound(life: Life, told: (Told & { readonly code?: string }) | OperationOutput | undefined): Life | undefined {
  if (told === undefined || !isTold(told)) return life
  const { number, epoch, sequence } = told
  if (told.status !== undefined && told.status !== life.status) return undefined
  if (told.ending !== undefined && told.ending !== life.ending) return undefined
  if (told.cancelRequested !== undefined && told.cancelRequested !== life.cancelRequested) return undefined
  if (number !== undefined && life.number !== undefined && number !== life.number) return undefined
  if (epoch !== undefined && life.epoch !== undefined && epoch !== life.epoch) return undefined
  if (sequence !== undefined && life.sequence !== undefined && sequence !== life.sequence) return undefined
  const knownNumber = number ?? life.number
  if (epoch !== undefined && epoch !== NO_LEASE && knownNumber !== undefined && epoch <= knownNumber) return undefined
  return {
    ...life,
    ...(number === undefined ? {} : { number }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(sequence === undefined ? {} : { sequence }),
  }
}

function isTold(output: Told | OperationOutput): output is Told {
  return !('type' in output) || output.type === 'accepted' || output.type === 'refused'
}

function forgotten(state: OperationState): OperationState {
  const { life, ...rest } = state
  if (life === undefined) return state
  return { ...rest, floor: Math.max(state.floor, life.number ?? -1, life.epoch ?? -1) }
}

function rolledBack(state: OperationState, life: Life): OperationState {
  const known = state.done[life.registeredBy]
  const done = known === undefined ? {} : { [life.registeredBy]: { ...known, isRolledBack: true as const } }
  return { ...forgotten(state), done: { ...state.done, ...done } }
}

function withDone(
  state: OperationState,
  commandId: string,
  { ordinal }: Life,
  output: OperationOutput | undefined,
): OperationState {
  return { ...state, done: { ...state.done, [commandId]: toldBy(ordinal, output) } }
}

function toldBy(ordinal: number, output: OperationOutput | undefined): Done {
  if (output?.type !== 'accepted') return { ordinal }
  const { number, epoch, sequence, ending } = output
  return {
    ordinal,
    ...(number === undefined ? {} : { number }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(ending === undefined ? {} : { ending }),
  }
}
