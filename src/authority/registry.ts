/**
 * The state of one registry: what its stream adds up to. A value: every fold gives a new one that shares what stayed
 * the same, so a durable and a pending state live side by side for the price of their difference.
 */
import { DEFAULT_LIMITS, type Limits, type WaitMode } from './events.ts'
import type { Operation, Tombstone } from './operation.ts'
import { PersistentMap } from './persistent-map.ts'
import { PersistentQueue } from './persistent-queue.ts'
import type { TerminalStatus } from './status.ts'

/** A wait for several operations. `reached` holds the terminal revision of each member that has one. */
export interface Wait {
  readonly waitId: string
  readonly mode: WaitMode
  /** In the order asked. */
  readonly members: readonly { readonly id: string; readonly number: number }[]
  readonly reached: PersistentMap<number, number>
  readonly runId?: string
  readonly beganAt: number
  readonly deadlineAt: number
  readonly revision: number
}

export interface EndedWait extends Wait {
  readonly ending: 'satisfied' | 'expired' | 'cancelled'
  /** The revision that ended it. */
  readonly endedRevision: number
}

export interface FeedRow {
  readonly sequence: number
  readonly id: string
  readonly number: number
  readonly kind: string
  readonly status: TerminalStatus
  readonly revision: number
  readonly completedAt: number
  readonly wakeOwner: boolean
}

/** An accepted command, as long as it is remembered. */
export interface RememberedCommand {
  readonly commandId: string
  readonly digest: string
  readonly type: string
  /** First of its events. */
  readonly revision: number
  readonly count: number
  readonly at: number
  /** Set when it registered an operation that was rolled back since. */
  readonly rolledBack?: true
}

export interface RegistryState {
  /** Undefined until the registry is opened. */
  readonly registryId: string | undefined
  readonly digestKey: string | undefined
  readonly limits: Limits
  readonly retired: { readonly at: number; readonly reason: string } | undefined
  /** Of the last event; -1 when there is none. */
  readonly revision: number
  /** The newest stored time. */
  readonly newestAt: number
  /** Last sequence given out: the watermark of the completion feed. */
  readonly sequence: number
  readonly activeCount: number
  /** Active and retained ones, by id. */
  readonly operations: PersistentMap<string, Operation>
  /** By id; an id is in one of the two maps at most. */
  readonly tombstones: PersistentMap<string, Tombstone>
  /** The id of every operation and tombstone, by number. */
  readonly ids: PersistentMap<number, string>
  /** Number of the active operation that holds a key. */
  readonly keys: PersistentMap<string, number>
  /** Ids of terminal operations kept whole, oldest completion first. */
  readonly retained: PersistentQueue<string>
  /** Ids of tombstones, oldest first. */
  readonly buried: PersistentQueue<string>
  readonly feed: PersistentQueue<FeedRow>
  /** Rows up to this sequence were dropped by feedRetention. */
  readonly feedDroppedThrough: number
  readonly commands: PersistentMap<string, RememberedCommand>
  /** The same, oldest first, with their times: what to forget is known without looking it up. */
  readonly commandOrder: PersistentQueue<Pick<RememberedCommand, 'commandId' | 'at'>>
  readonly waits: PersistentMap<string, Wait>
  /** No active wait has an earlier deadline; epoch ms. */
  readonly waitsExpireFrom: number
  readonly endedWaits: PersistentMap<string, EndedWait>
  readonly endedWaitOrder: PersistentQueue<string>
}

export const EMPTY_REGISTRY: RegistryState = {
  registryId: undefined,
  digestKey: undefined,
  limits: DEFAULT_LIMITS,
  retired: undefined,
  revision: -1,
  newestAt: 0,
  sequence: 0,
  activeCount: 0,
  operations: PersistentMap.empty(),
  tombstones: PersistentMap.empty(),
  ids: PersistentMap.empty(),
  keys: PersistentMap.empty(),
  retained: PersistentQueue.empty(),
  buried: PersistentQueue.empty(),
  feed: PersistentQueue.empty(),
  feedDroppedThrough: 0,
  commands: PersistentMap.empty(),
  commandOrder: PersistentQueue.empty(),
  waits: PersistentMap.empty(),
  waitsExpireFrom: Number.POSITIVE_INFINITY,
  endedWaits: PersistentMap.empty(),
  endedWaitOrder: PersistentQueue.empty(),
}

export function operationByNumber(state: RegistryState, number: number): Operation | undefined {
  const id = state.ids.get(number)
  const operation = id === undefined ? undefined : state.operations.get(id)
  return operation?.number === number ? operation : undefined
}

/** The feed row with the lowest sequence above one; places in the queue ascend with sequences. */
export function feedPlaceAfter(feed: PersistentQueue<FeedRow>, sequence: number): number {
  let low = feed.first
  let high = feed.next
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if ((feed.at(middle) as FeedRow).sequence > sequence) high = middle
    else low = middle + 1
  }
  return low
}

/** The winner of a wait for any: the lowest terminal revision, then the order asked; undefined while nobody has ended. */
export function winnerOf(wait: Wait): number | undefined {
  let winner: number | undefined
  let lowest = Number.POSITIVE_INFINITY
  for (const { number } of wait.members) {
    const revision = wait.reached.get(number)
    if (revision === undefined || revision >= lowest) continue
    lowest = revision
    winner = number
  }
  return winner
}

export function isSatisfied(wait: Pick<Wait, 'mode' | 'members' | 'reached'>): boolean {
  if (wait.members.length === 0) return true
  return wait.mode === 'any' ? wait.reached.size > 0 : wait.reached.size === wait.members.length
}

/** The first deadline of all active waits; infinite where nobody waits. */
export function firstWaitDeadline(waits: PersistentMap<string, Wait>): number {
  let first = Number.POSITIVE_INFINITY
  for (const { deadlineAt } of waits.values()) first = Math.min(first, deadlineAt)
  return first
}
