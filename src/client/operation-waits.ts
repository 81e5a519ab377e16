/** Waiting for several operations of one owner: recorded, so that it outlives this process. */
import type { Outcome } from '../authority/operation.ts'
import type { WaitAnswer, WaitMember } from '../authority/questions.ts'
import { answered, type CommandSender } from './command-sender.ts'
import { type Moment, momentMs } from './durations.ts'
import { invalidInput, WaitCancelled, WaitExpired } from './operation-errors.ts'
import { OperationHandle } from './operation-handle.ts'

export interface WaitOptions {
  /** Aborting cancels the wait. */
  readonly signal?: AbortSignal
  /** Whoever comes back with it, from any process, gets the answer. Minted when not given. */
  readonly waitId?: string
  readonly runId?: string
  /** Default: in an hour. */
  readonly deadline?: Moment
}

const OPTION_NAMES: readonly string[] = ['signal', 'waitId', 'runId', 'deadline', 'workspace', 'owner']

/** An operation by its id or its handle. */
export type Waited = string | OperationHandle

export interface FirstOutcome {
  readonly id: string
  /** Its place in the list that was asked for. */
  readonly index: number
  readonly outcome: Outcome
}

/** The outcomes of all of them, in the order asked. Throws WaitExpired, WaitCancelled, OperationRejected, the signal's reason. */
export async function waitForAll(
  sender: CommandSender,
  operations: readonly Waited[],
  options: WaitOptions,
): Promise<readonly Outcome[]> {
  const { members } = await ended(sender, 'all', operations, options)
  return members.map(outcomeOf)
}

/** The one that ended first; undefined for an empty list. Throws as `waitForAll` does. */
export async function waitForAny(
  sender: CommandSender,
  operations: readonly Waited[],
  options: WaitOptions,
): Promise<FirstOutcome | undefined> {
  const { members, winner } = await ended(sender, 'any', operations, options)
  const index = members.findIndex(({ id }) => id === winner)
  const first = members[index]
  return first === undefined ? undefined : { id: first.id, index, outcome: outcomeOf(first) }
}

async function ended(
  sender: CommandSender,
  mode: 'all' | 'any',
  operations: readonly Waited[],
  options: WaitOptions,
): Promise<WaitAnswer> {
  // A time-out under a name that is not known would be a wait of an hour.
  const stray = Object.keys(options).find((name) => !OPTION_NAMES.includes(name))
  if (stray !== undefined) throw invalidInput(stray, `one of ${OPTION_NAMES.join(', ')}`, stray)
  const { signal, waitId, runId, deadline } = options
  if (!Array.isArray(operations)) throw invalidInput('operations', 'a list of ids or handles', operations)
  const request = {
    mode,
    ids: operations.map((operation, index) => idOf(operation, index, sender)),
    ...(signal === undefined ? {} : { signal }),
    ...(waitId === undefined ? {} : { waitId }),
    ...(runId === undefined ? {} : { runId }),
    ...(deadline === undefined ? {} : { deadlineAt: momentMs(deadline, 'deadline') }),
  }
  const wait = answered(await sender.door.wait(sender.registry, request, sender.options({})))
  if (wait.ending === 'expired') throw new WaitExpired(wait)
  if (wait.ending === 'cancelled') throw new WaitCancelled(wait)
  return wait
}

function idOf(operation: Waited, index: number, { registry }: CommandSender): string {
  if (!(operation instanceof OperationHandle)) return operation
  const { id, workspace, owner } = operation
  if (workspace === registry.workspace && owner === registry.owner) return id
  const expected = `an operation of owner ${registry.owner} in workspace ${registry.workspace}: a wait is one owner's`
  throw invalidInput(`operations.${index}`, expected, `${id} of ${owner} in ${workspace}`)
}

function outcomeOf({ id, outcome }: WaitMember): Outcome {
  if (outcome === undefined) throw new Error(`a satisfied wait came without the outcome of ${id}`)
  return outcome
}
