/** The history of a round as calls of single operations, as the model of one operation takes them. */
import type { CommandAnswer, CommandResult } from '../../../src/authority/command-answer.ts'
import type { Outcome } from '../../../src/authority/operation.ts'
import type { OperationSnapshot } from '../../../src/authority/questions.ts'
import { DECISION_REJECTIONS, type Rejection } from '../../../src/authority/rejections.ts'
import { type Entry, type History, type Timed, toldTo } from './history.ts'
import type { Call } from './linearizability.ts'
import type { CommandInput } from './node-protocol.ts'
import type { OperationCommandInput, OperationInput, OperationOutput, Told, View } from './operation-model.ts'

export interface OperationCall extends Call<OperationInput, OperationOutput> {
  /** Where it was sent. */
  readonly node: string
}

/** By registry and id, with a space between. */
export type Observations = Map<string, OperationCall[]>

export function observationsOf(history: History): Observations {
  const observed: Observations = new Map()
  const add = (owner: string, id: string, call: OperationCall) => {
    const calls = observed.get(`${owner} ${id}`) ?? []
    observed.set(`${owner} ${id}`, calls)
    calls.push(call)
  }
  const terminations: [string, OperationCall][] = []
  for (const sent of history.byCommandId().values()) {
    const isRepeated = sent.length > 1
    for (const entry of sent) {
      const { owner, command, commandId } = entry.asked
      if (command.type === 'TerminateOwner') {
        const isCertain = !isRepeated && toldTo(entry) !== undefined
        terminations.push([owner, callOf(entry, { type: 'terminate_owner', reason: commandId, isCertain }, ACCEPTED)])
      }
      if (command.id === undefined) continue
      const result = toldTo(entry)?.value
      // Certainly not stored, and nothing was told: as if it had never been sent.
      if (result?.type === 'refused' && isNodeRefusal(result.rejection) && !isUnknown(result)) continue
      const isHeard = command.type === 'RecordHeartbeat' && result?.type !== 'refused'
      // Answered on the state that a node follows, which may lag.
      if (isHeard) continue
      const input: OperationInput = { type: 'command', command: commandInput(command), commandId, isRepeated }
      const output = result === undefined || isUnknown(result) ? undefined : commandOutput(command, result)
      add(owner, command.id, callOf(entry, input, output))
    }
    for (const join of joinsIn(sent)) add(join.owner, join.id, join.call)
  }
  for (const entry of history.of('snapshot')) {
    const told = toldTo(entry)
    if (told === undefined) continue
    const view = told.value === undefined ? undefined : viewIn(told.value)
    add(entry.asked.owner, entry.asked.id, callOf(entry, { type: 'snapshot' }, { type: 'seen', view }))
  }
  for (const entry of history.of('outcome')) {
    const told = toldTo(entry)
    if (told === undefined) continue
    const output = told.value.type === 'answered' ? endedAs(told.value.answer.outcome) : NOT_THERE
    add(entry.asked.owner, entry.asked.id, callOf(entry, { type: 'outcome' }, output))
  }
  for (const [owner, call] of terminations) {
    for (const [key, calls] of observed) if (key.startsWith(`${owner} `)) calls.push(call)
  }
  return observed
}

const ACCEPTED: OperationOutput = { type: 'accepted' }
const NOT_THERE: OperationOutput = { type: 'not_there' }
const DECIDED: ReadonlySet<string> = new Set(DECISION_REJECTIONS)

export function isNodeRefusal({ code }: Rejection): boolean {
  return !DECIDED.has(code)
}

/** Nobody knows whether it was stored. */
export function isUnknown(result: CommandResult): boolean {
  return result.type === 'refused' && result.rejection.code === 'outcome_unknown'
}

/** How an operation ended, and by whom: each ending has a text of its own. */
export function endingText(outcome: Outcome): string {
  switch (outcome.status) {
    case 'completed':
      return `completed ${(outcome.result as { readonly by: string }).by}` // as random-commands.ts completes
    case 'failed':
      return `failed ${outcome.error.message}`
    default:
      return `${outcome.status} ${outcome.reason ?? ''}`
  }
}

function callOf(entry: Timed, input: OperationInput, output: OperationOutput | undefined): OperationCall {
  const { node, invokedAt, answered } = entry
  const known = answered === undefined || output === undefined ? {} : { answered: { at: answered.at, output } }
  return { node, input, invokedAt, ...known }
}

function commandInput(command: CommandInput): OperationCommandInput {
  const { type, leaseEpoch, key, claim, registrationCommandId, result, error, reason } =
    command as OperationCommandInput & {
      readonly result?: { readonly by: string }
      readonly error?: { readonly message: string }
      readonly reason?: string
    } // as random-commands.ts makes them
  const ending = result?.by ?? error?.message ?? reason
  return {
    type,
    ...(leaseEpoch === undefined ? {} : { leaseEpoch }),
    ...(key === undefined ? {} : { key }),
    ...(claim === undefined ? {} : { claim }),
    ...(registrationCommandId === undefined ? {} : { registrationCommandId }),
    ...(ending === undefined ? {} : { ending }),
  }
}

function commandOutput(command: CommandInput, result: CommandResult): OperationOutput {
  if (result.type === 'answered') {
    const { answer } = result
    if (answer.operationId !== command.id) return { type: 'joined_other' }
    const { number, status, sequence, outcome, cancelRequested } = answer
    return {
      type: 'accepted',
      ...toldOf({ number, status, sequence, outcome, cancelRequested }, epochIn(command, answer)),
    }
  }
  const { code, idempotent = false, facts } = result.rejection
  const { number, currentStatus: status, outcome, leaseEpoch } = facts
  // A stale lease is told with the one that counts, and with none where there is none.
  const epoch = typeof leaseEpoch === 'number' ? leaseEpoch : code === 'stale_lease' ? 0 : undefined
  return { type: 'refused', code, isIdempotent: idempotent, ...toldOf({ number, status, outcome }, epoch) }
}

/** Of a claim; every other answer only gives back the lease that it came with. */
function epochIn({ type }: CommandInput, { leaseEpoch }: CommandAnswer): number | undefined {
  return type === 'RegisterOperation' || type === 'ProvisioningSucceeded' ? leaseEpoch : undefined
}

interface Truth {
  readonly number?: number | undefined
  readonly status?: string | undefined
  readonly sequence?: number | undefined
  readonly outcome?: Outcome | undefined
  readonly cancelRequested?: boolean | undefined
}

function toldOf({ number, status, sequence, outcome, cancelRequested }: Truth, epoch: number | undefined): Told {
  return {
    ...(number === undefined ? {} : { number }),
    ...(status === undefined ? {} : { status }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(outcome === undefined ? {} : { ending: endingText(outcome) }),
    ...(cancelRequested === undefined ? {} : { cancelRequested }),
  }
}

function endedAs(outcome: Outcome): OperationOutput {
  return { type: 'accepted', status: outcome.status, ending: endingText(outcome) }
}

function viewIn(snapshot: OperationSnapshot): View {
  const { attempt, lease, progress, key, cancel, number, status, sequence, outcome } = snapshot
  return {
    attempt,
    isLeaseOpen: lease?.open === true,
    reports: progress.count,
    ...(key === undefined ? {} : { key }),
    ...toldOf({ number, status, sequence, outcome, cancelRequested: cancel !== undefined }, lease?.epoch),
  }
}

/** A registration that found another operation by its key is a look at that one: between the first copy and the last answer. */
function joinsIn(
  sent: readonly Entry<'send'>[],
): readonly { readonly owner: string; readonly id: string; readonly call: OperationCall }[] {
  return sent.flatMap((entry) => {
    const { owner, command } = entry.asked
    const result = toldTo(entry)?.value
    if (result?.type !== 'answered' || result.answer.joined !== true || result.answer.operationId === undefined)
      return []
    const { operationId: id, number } = result.answer
    const input: OperationInput = { type: 'join', key: String(command.key) }
    const first = { ...entry, invokedAt: Math.min(...sent.map(({ invokedAt }) => invokedAt)) }
    return [{ owner, id, call: callOf(first, input, { type: 'accepted', ...toldOf({ number }, undefined) }) }]
  })
}
