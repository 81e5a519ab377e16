/**
 * Waits: one answer for many operations. A wait that is satisfied already is a read and stores nothing; a known wait id
 * attaches to what it began; anything else is recorded, so that the waiter may come back on any node.
 */
import type { CommandOf, StampedCommand } from './commands.ts'
import { accept, type Decision, refuse } from './decision.ts'
import type { LifecycleEvent, WaitMode } from './events.ts'
import { PersistentMap } from './persistent-map.ts'
import { type EndedWait, isSatisfied, type RegistryState, type Wait } from './registry.ts'

export function beginWait(
  state: RegistryState,
  command: CommandOf<'BeginWaitAll' | 'BeginWaitAny'>,
  { at, resolved, commandId }: StampedCommand,
): Decision {
  const mode: WaitMode = command.type === 'BeginWaitAll' ? 'all' : 'any'
  const waitId = command.waitId ?? resolved.waitId
  const deadlineAt = command.deadlineAt ?? resolved.deadlineAt
  if (waitId === undefined || deadlineAt === undefined) {
    throw new Error(`${command.type} ${commandId} came without a resolved wait id or deadline: the node stamps both`)
  }
  const known = state.waits.get(waitId) ?? state.endedWaits.get(waitId)
  if (known !== undefined) {
    if (isSameWait(known, mode, command.ids)) return { type: 'unchanged', wait: known }
    return refuse('wait_id_conflict', `wait ${waitId} was begun for other operations`, {
      waitId,
      command: command.type,
    })
  }
  const asked = membersOf(state, command.ids)
  if (asked.unknown === undefined && asked.repeated === undefined && isSatisfied({ mode, ...asked })) {
    const { members, reached } = asked
    const runId = command.runId === undefined ? {} : { runId: command.runId }
    const satisfied: EndedWait = {
      waitId,
      mode,
      members,
      reached,
      beganAt: at,
      deadlineAt,
      revision: state.revision,
      ending: 'satisfied',
      endedRevision: state.revision,
      ...runId,
    }
    return { type: 'unchanged', wait: satisfied }
  }
  const expired = expiredWaits(state, at)
  const { maxActiveWaits } = state.limits
  const active = state.waits.size - expired.length
  if (maxActiveWaits !== null && active >= maxActiveWaits) {
    const facts = { waitId, limit: maxActiveWaits, active, command: command.type }
    return refuse('wait_already_active', `${active} waits are active, at most ${maxActiveWaits} may be`, facts)
  }
  const { repeated, unknown, members } = asked
  if (repeated !== undefined) {
    const facts = { operationId: repeated, waitId, command: command.type }
    return refuse('duplicate_wait_operation', `operation ${repeated} is named twice in wait ${waitId}`, facts)
  }
  if (unknown !== undefined) {
    const facts = { operationId: unknown, waitId, command: command.type }
    return refuse('not_found', `wait ${waitId} names operation ${unknown}, which is not there`, facts)
  }
  const began: LifecycleEvent = {
    type: 'WaitBegan',
    facts: {
      waitId,
      mode,
      numbers: members.map(({ number }) => number),
      ...(command.runId === undefined ? {} : { runId: command.runId }),
      deadlineAt,
    },
    content: {},
  }
  return accept(...expired, began)
}

export function cancelWait(state: RegistryState, { type, waitId }: CommandOf<'CancelWait'>): Decision {
  if (!state.waits.has(waitId)) return notActive(type, waitId)
  return accept({ type: 'WaitCancelled', facts: { waitId }, content: {} })
}

export function expireWait(state: RegistryState, { type, waitId }: CommandOf<'ExpireWait'>, at: number): Decision {
  const wait = state.waits.get(waitId)
  if (wait === undefined) return notActive(type, waitId)
  const { deadlineAt } = wait
  if (deadlineAt > at) {
    return refuse('not_due', `wait ${waitId} ends at ${deadlineAt}`, { waitId, deadlineAt, command: type })
  }
  return accept({ type: 'WaitExpired', facts: { waitId }, content: {} })
}

function notActive(command: string, waitId: string): Decision {
  return refuse('wait_not_active', `wait ${waitId} is not active`, { waitId, command })
}

function isSameWait(known: Wait, mode: WaitMode, ids: readonly string[]): boolean {
  return known.mode === mode && known.members.length === ids.length && known.members.every(({ id }, i) => id === ids[i])
}

interface Asked {
  readonly members: Wait['members']
  readonly reached: Wait['reached']
  readonly repeated?: string
  readonly unknown?: string
}

/** The members by number, and the first repeated and the first unknown id. */
function membersOf(state: RegistryState, ids: readonly string[]): Asked {
  const seen = new Set<string>()
  const members: { id: string; number: number }[] = []
  let reached = PersistentMap.empty<number, number>()
  let repeated: string | undefined
  let unknown: string | undefined
  for (const id of ids) {
    if (seen.has(id)) repeated ??= id
    seen.add(id)
    const target = state.operations.get(id) ?? state.tombstones.get(id)
    if (target === undefined) {
      unknown ??= id
      continue
    }
    members.push({ id, number: target.number })
    if (target.terminalRevision !== undefined) reached = reached.set(target.number, target.terminalRevision)
  }
  return {
    members,
    reached,
    ...(repeated === undefined ? {} : { repeated }),
    ...(unknown === undefined ? {} : { unknown }),
  }
}

/**
 * Waits whose deadline passed without anybody telling; the longest passed first, as many as one append takes for sure. No
 * search before the first deadline that a wait may have.
 */
function expiredWaits(state: RegistryState, at: number): readonly LifecycleEvent[] {
  if (at < state.waitsExpireFrom) return []
  return [...state.waits.values()]
    .filter(({ deadlineAt }) => deadlineAt <= at)
    .sort((one, other) => one.deadlineAt - other.deadlineAt || one.revision - other.revision)
    .slice(0, EXPIRED_PER_APPEND_MAX)
    .map(({ waitId }) => ({ type: 'WaitExpired', facts: { waitId }, content: {} }))
}

const EXPIRED_PER_APPEND_MAX = 256
