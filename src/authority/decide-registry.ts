/** Commands of the registry as a whole: opening, limits, the end of its owner, collection, signs of life. */
import type { CommandOf, Resolved, StampedCommand } from './commands.ts'
import { accept, type Decision, refuse, UNCHANGED } from './decision.ts'
import type { LifecycleEvent, Limits } from './events.ts'
import { operationByNumber, type RegistryState } from './registry.ts'
import { isActive } from './status.ts'

/** RegistryOpened, for the first command that needs a registry; nothing once it is open. */
export function openingEvents(
  state: RegistryState,
  { opening }: Resolved,
  given: Partial<Limits> = {},
): readonly LifecycleEvent[] {
  if (state.registryId !== undefined) return []
  if (opening === undefined)
    throw new Error('a command that opens a registry came without what opens it: the node mints it')
  const { registryId, digestKey, limits } = opening
  return [{ type: 'RegistryOpened', facts: { registryId, limits: withLimits(limits, given) }, content: { digestKey } }]
}

export function openRegistry(
  state: RegistryState,
  command: CommandOf<'OpenRegistry'>,
  { resolved }: StampedCommand,
): Decision {
  if (state.registryId === undefined)
    return { type: 'accepted', events: openingEvents(state, resolved, command.limits) }
  // What it does not name is as it may be: a default that changed since must not refuse a service that starts again.
  if (equalLimits(withLimits(state.limits, command.limits ?? {}), state.limits)) return UNCHANGED
  const facts = { limits: state.limits, command: command.type }
  return refuse('registry_already_open', 'the registry is open with other limits: ChangeLimits changes them', facts)
}

export function changeLimits(
  state: RegistryState,
  command: CommandOf<'ChangeLimits'>,
  { resolved }: StampedCommand,
): Decision {
  if (state.registryId === undefined)
    return { type: 'accepted', events: openingEvents(state, resolved, command.limits) }
  const limits = withLimits(state.limits, command.limits)
  return equalLimits(limits, state.limits)
    ? UNCHANGED
    : accept({ type: 'RegistryLimitsChanged', facts: { limits }, content: {} })
}

export function terminateOwner(state: RegistryState, { reason }: CommandOf<'TerminateOwner'>): Decision {
  const events = terminationEvents(state, reason)
  return events.length === 0 ? UNCHANGED : { type: 'accepted', events }
}

export function retireOwner(
  state: RegistryState,
  { reason }: CommandOf<'RetireOwner'>,
  { resolved }: StampedCommand,
): Decision {
  if (state.retired !== undefined) return UNCHANGED
  return accept(...openingEvents(state, resolved), ...terminationEvents(state, reason), {
    type: 'OwnerRetired',
    facts: {},
    content: { reason },
  })
}

/** One event for all active operations, however many; none when nothing is active. */
function terminationEvents(state: RegistryState, reason: string): readonly LifecycleEvent[] {
  if (state.activeCount === 0) return []
  const numbers: number[] = []
  for (const { number, status } of state.operations.values()) if (isActive(status)) numbers.push(number)
  numbers.sort((a, b) => a - b)
  const differences = numbers.map((number, i) => number - (numbers[i - 1] ?? 0))
  return [
    {
      type: 'OwnerTerminated',
      facts: { numbers: differences, firstSequence: state.sequence + 1 },
      content: { reason },
    },
  ]
}

export function collectCompleted(state: RegistryState): Decision {
  const sequences = [...state.retained].map((id) => state.operations.get(id)?.sequence ?? 0)
  const [fromSequence] = sequences
  const throughSequence = sequences.at(-1)
  if (fromSequence === undefined || throughSequence === undefined) return UNCHANGED
  return accept({ type: 'CompletedCollected', facts: { fromSequence, throughSequence }, content: {} })
}

/**
 * The latest sign of each operation that still lives. Passed over in silence: what was heard later already, and what was heard
 * before the attempt of now began, which came from an earlier one.
 */
export function recordSigns(state: RegistryState, { signs }: CommandOf<'RecordSigns'>): Decision {
  const latest = new Map<number, number>()
  for (const [number, heardAt] of signs) {
    const operation = operationByNumber(state, number)
    if (operation === undefined || !isActive(operation.status)) continue
    const { lastSignAt = -1, claimedAt, attemptEndedAt, registeredAt } = operation
    if (heardAt < (claimedAt ?? attemptEndedAt ?? registeredAt)) continue
    if (heardAt > Math.max(latest.get(number) ?? -1, lastSignAt)) latest.set(number, heardAt)
  }
  return latest.size === 0
    ? UNCHANGED
    : accept({ type: 'SignsOfLifeRecorded', facts: { signs: [...latest] }, content: {} })
}

function withLimits(limits: Limits, given: Partial<Limits>): Limits {
  const {
    maxConcurrent,
    maxCompleted,
    maxActiveWaits,
    activeCeiling,
    tombstones,
    feedRetention,
    commandMemory,
    endedWaits,
  } = given
  const { ms, min, max } = commandMemory ?? limits.commandMemory
  return {
    maxConcurrent: maxConcurrent === undefined ? limits.maxConcurrent : maxConcurrent,
    maxCompleted: maxCompleted ?? limits.maxCompleted,
    maxActiveWaits: maxActiveWaits === undefined ? limits.maxActiveWaits : maxActiveWaits,
    activeCeiling: activeCeiling ?? limits.activeCeiling,
    tombstones: tombstones ?? limits.tombstones,
    feedRetention: feedRetention ?? limits.feedRetention,
    commandMemory: { ms, min, max },
    endedWaits: endedWaits ?? limits.endedWaits,
  }
}

function equalLimits(one: Limits, other: Limits): boolean {
  return JSON.stringify(withLimits(one, {})) === JSON.stringify(withLimits(other, {}))
}
