/** May an operation begin here? Identity first, then the key, then capacity, then the time of a claim. */
import type { CommandOf, StampedCommand } from './commands.ts'
import { openingEvents } from './decide-registry.ts'
import { accept, type Decision, refuse, truthOf } from './decision.ts'
import type { LifecycleEvent, Limits } from './events.ts'
import { operationByNumber, type RegistryState } from './registry.ts'

export function decideRegistration(
  state: RegistryState,
  command: CommandOf<'RegisterOperation'>,
  { commandId, at, resolved }: StampedCommand,
): Decision {
  const { kindFacts, policy = null } = resolved
  const id = command.id ?? resolved.operationId
  if (id === undefined || kindFacts === undefined) {
    throw new Error(`RegisterOperation ${commandId} came without a resolved id or kind: the node stamps both`)
  }
  const known = state.operations.get(id) ?? state.tombstones.get(id)
  if (known !== undefined) {
    const message = `operation ${id} is registered already (${known.status})`
    return refuse('already_registered', message, truthOf(known, command.type))
  }
  const holder = command.key === undefined ? undefined : state.keys.get(command.key)
  const joined = holder === undefined ? undefined : operationByNumber(state, holder)
  if (joined !== undefined) {
    return accept({ type: 'RegistrationJoined', facts: { id: joined.id, number: joined.number }, content: {} })
  }
  const limits = state.registryId === undefined ? (resolved.opening?.limits ?? state.limits) : state.limits
  const full = capacityRefusal(limits, state.activeCount, command, id)
  if (full) return full
  if (command.claim !== undefined && command.notBeforeAt !== undefined && command.notBeforeAt > at) {
    const facts = { operationId: id, notBeforeAt: command.notBeforeAt, command: command.type }
    return refuse('not_due', `operation ${id} may not be claimed before ${command.notBeforeAt}`, facts)
  }
  const stray = Object.keys(command.phaseResults ?? {}).find((phase) => kindFacts.phases?.includes(phase) === false)
  if (stray !== undefined) {
    const facts = { operationId: id, phase: stray, phases: kindFacts.phases, command: command.type }
    return refuse('unknown_phase', `kind ${command.kind} has no phase ${stray}`, facts)
  }
  const opening = openingEvents(state, resolved)
  // Nothing to ask of the machine: from absent it has this one way, without a guard.
  const registered = registration(command, id, kindFacts, policy)
  const events: LifecycleEvent[] = [...opening, registered]
  if (command.claim !== undefined) {
    const claimant = command.claim.claimant ?? resolved.claimant
    const number = state.revision + 1 + opening.length
    events.push({
      type: 'OperationStarted',
      facts: { id, number, attempt: 1, ...(claimant === undefined ? {} : { claimant }) },
      content: {},
    })
  }
  return { type: 'accepted', events }
}

/** A registry that this command would open has the limits that it would open with. */
function capacityRefusal(
  { maxConcurrent, activeCeiling }: Limits,
  active: number,
  command: CommandOf<'RegisterOperation'>,
  id: string,
): Decision | undefined {
  const asked = command.maxConcurrent === undefined ? maxConcurrent : command.maxConcurrent
  const limit = Math.min(asked ?? activeCeiling, activeCeiling)
  if (active < limit) return undefined
  const facts = { operationId: id, limit, active, command: command.type }
  return refuse('max_concurrent_exceeded', `${active} operations are active, at most ${limit} may be`, facts)
}

function registration(
  command: CommandOf<'RegisterOperation'>,
  id: string,
  kindFacts: NonNullable<StampedCommand['resolved']['kindFacts']>,
  policy: NonNullable<StampedCommand['resolved']['policy']> | null,
): LifecycleEvent {
  const { kind, key, notBeforeAt, retryOf, name, source, input, labels, phaseResults } = command
  return {
    type: 'OperationRegistered',
    facts: {
      id,
      kind,
      kindFacts,
      policy,
      ...(key === undefined ? {} : { key }),
      ...(notBeforeAt === undefined ? {} : { notBeforeAt }),
      ...(retryOf === undefined ? {} : { retryOf }),
    },
    content: {
      ...(name === undefined ? {} : { name }),
      ...(source === undefined ? {} : { source }),
      ...(input === undefined ? {} : { input }),
      ...(labels === undefined ? {} : { labels }),
      ...(phaseResults === undefined ? {} : { phaseResults }),
    },
  }
}
