/** What somebody may want next, given what was last heard of an operation: mostly what fits, now and then what does not. */
import { KIND } from './node-options.ts'
import type { CommandInput } from './node-protocol.ts'

/** What the senders together have heard of an id; it may be out of date. */
export interface Known {
  status?: string
  /** Newest last. */
  readonly epochs: number[]
  registeredBy?: string
  /** The last one that was answered. */
  last?: { readonly command: CommandInput; readonly commandId: string }
}

export const KEYS = ['key-1', 'key-2']

type Wish = readonly [weight: number, make: (known: Known) => CommandInput | undefined]

export function randomCommand(random: () => number, id: string, commandId: string, known: Known): CommandInput {
  const table = random() < STRAY ? ALL : (WISHES[known.status ?? 'absent'] ?? WISHES.ended)
  for (;;) {
    const command = chosen(random, table ?? ALL)(known)
    if (command !== undefined)
      return { ...command, id, ...endingIn(command.type, commandId), ...leaseIn(random, command, known) }
  }
}

const STRAY = 0.08
/** Share of the workers' commands that come with a lease of before, or with none. */
const WRONG_LEASE = 0.08

const REGISTER: Wish = [30, () => ({ type: 'RegisterOperation', kind: KIND })]
const REGISTER_KEYED: Wish = [8, () => ({ type: 'RegisterOperation', kind: KIND, key: KEYS[0] })]
const REGISTER_KEYED_TOO: Wish = [8, () => ({ type: 'RegisterOperation', kind: KIND, key: KEYS[1] })]
const REGISTER_CLAIMED: Wish = [20, () => ({ type: 'RegisterOperation', kind: KIND, claim: {} })]
const CLAIM: Wish = [30, () => ({ type: 'ProvisioningSucceeded' })]
const ABORT: Wish = [4, () => ({ type: 'AbortProvisioning' })]
const PROGRESS: Wish = [20, () => ({ type: 'ReportProgress', message: 'on the way' })]
const HEARTBEAT: Wish = [12, () => ({ type: 'RecordHeartbeat' })]
const COMPLETE: Wish = [22, () => ({ type: 'CompleteOperation' })]
const FAIL: Wish = [6, () => ({ type: 'FailOperation' })]
const RETRY: Wish = [10, () => ({ type: 'RetryAttempt', notBeforeAt: 0 })]
const REQUEST_CANCEL: Wish = [12, () => ({ type: 'RequestCancel' })]
const CANCEL: Wish = [6, () => ({ type: 'CancelOperation' })]
const REQUEST_RETIRE: Wish = [4, () => ({ type: 'RequestRetire' })]
const MARK_RETIRED: Wish = [3, () => ({ type: 'MarkRetired' })]
const CLAIM_AGAIN: Wish = [6, CLAIM[1]]
const ROLL_BACK: Wish = [
  10,
  ({ registeredBy }) =>
    registeredBy === undefined ? undefined : { type: 'RollbackRegistration', registrationCommandId: registeredBy },
]

const BEGIN = [REGISTER, REGISTER_KEYED, REGISTER_KEYED_TOO, REGISTER_CLAIMED]
const WORK = [PROGRESS, HEARTBEAT, COMPLETE, FAIL, RETRY, REQUEST_CANCEL, CANCEL, REQUEST_RETIRE, MARK_RETIRED]
const ALL: readonly Wish[] = [...BEGIN, CLAIM, ABORT, ROLL_BACK, ...WORK]
const WISHES: Readonly<Record<string, readonly Wish[]>> = {
  absent: BEGIN,
  provisioning: [CLAIM, ABORT, ROLL_BACK, REQUEST_CANCEL, CANCEL],
  running: [CLAIM_AGAIN, ...WORK],
  retiring: WORK,
  ended: [...BEGIN, ...WORK],
}

function chosen(random: () => number, wishes: readonly Wish[]): Wish[1] {
  let left = random() * wishes.reduce((sum, [weight]) => sum + weight, 0)
  for (const [weight, make] of wishes) {
    left -= weight
    if (left < 0) return make
  }
  return () => undefined
}

/** What ends an operation says by whom, so that each ending is told from every other. */
function endingIn(type: string, commandId: string): object {
  switch (type) {
    case 'CompleteOperation':
      return { result: { by: commandId } }
    case 'FailOperation':
    case 'RetryAttempt':
      return { error: { message: commandId } }
    case 'AbortProvisioning':
    case 'RequestCancel':
    case 'CancelOperation':
    case 'MarkRetired':
      return { reason: commandId }
    default:
      return {}
  }
}

const OF_WORKERS = new Set([
  'ReportProgress',
  'RecordHeartbeat',
  'CompleteOperation',
  'FailOperation',
  'RetryAttempt',
  'MarkRetired',
])

function leaseIn(random: () => number, { type }: CommandInput, { epochs }: Known): object {
  if (!OF_WORKERS.has(type)) return {}
  const isWrong = random() < WRONG_LEASE
  const leaseEpoch = isWrong ? epochs[Math.floor(random() * (epochs.length + 1))] : epochs.at(-1)
  return leaseEpoch === undefined ? {} : { leaseEpoch }
}
