/**
 * What may happen: a command and a state in, events or a refusal out. No clock, no randomness, no configuration; time,
 * minted ids and resolved defaults travel in the command. The order of guards is law (lifecycle.md, section 4):
 *
 *     remembered command id -> registry retired -> not found -> lease -> the command's own guards -> status (the machine)
 */
import type { Command, StampedCommand } from './commands.ts'
import { decideOperation } from './decide-operation.ts'
import { decideRegistration } from './decide-registration.ts'
import {
  changeLimits,
  collectCompleted,
  openRegistry,
  recordSigns,
  retireOwner,
  terminateOwner,
} from './decide-registry.ts'
import { beginWait, cancelWait, expireWait } from './decide-wait.ts'
import { type Decision, refuse } from './decision.ts'
import type { RegistryState } from './registry.ts'

/** The same state and the same command give the same decision, for ever. Never throws, never changes the state. */
export function decide(state: RegistryState, stamped: StampedCommand): Decision {
  return rememberedDecision(state, stamped) ?? retiredDecision(state, stamped) ?? decideCommand(state, stamped)
}

function rememberedDecision(
  state: RegistryState,
  { command, commandId, digest }: StampedCommand,
): Decision | undefined {
  const remembered = state.commands.get(commandId)
  if (remembered === undefined) return undefined
  const facts = { commandId, command: command.type }
  if (remembered.digest !== digest) {
    return refuse('command_id_reused', `command id ${commandId} was used for another command before`, facts)
  }
  if (remembered.rolledBack) {
    return refuse('registration_rolled_back', `the registration by command ${commandId} was rolled back`, facts)
  }
  return { type: 'remembered', remembered }
}

/** A retired owner still ends, collects and forgets; and a wait that is satisfied already is a read. */
function retiredDecision(state: RegistryState, { command }: StampedCommand): Decision | undefined {
  if (state.retired === undefined) return undefined
  switch (command.type) {
    case 'TerminateOwner':
    case 'RetireOwner':
    case 'CollectCompleted':
    case 'CancelWait':
    case 'BeginWaitAll':
    case 'BeginWaitAny':
      return undefined
    default:
      return ownerRetired(command)
  }
}

function ownerRetired(command: Command): Decision {
  const operationId = 'id' in command ? { operationId: command.id } : {}
  return refuse('owner_retired', `${command.type} refused: the owner is retired`, {
    ...operationId,
    command: command.type,
  })
}

function decideCommand(state: RegistryState, stamped: StampedCommand): Decision {
  const { command } = stamped
  switch (command.type) {
    case 'RegisterOperation':
      return decideRegistration(state, command, stamped)
    case 'OpenRegistry':
      return openRegistry(state, command, stamped)
    case 'ChangeLimits':
      return changeLimits(state, command, stamped)
    case 'RetireOwner':
      return retireOwner(state, command, stamped)
    case 'TerminateOwner':
      return terminateOwner(state, command)
    case 'CollectCompleted':
      return collectCompleted(state)
    case 'RecordSigns':
      return recordSigns(state, command)
    case 'BeginWaitAll':
    case 'BeginWaitAny': {
      const decision = beginWait(state, command, stamped)
      const isRead = decision.type === 'unchanged' || state.retired === undefined
      return isRead ? decision : ownerRetired(command)
    }
    case 'CancelWait':
      return cancelWait(state, command)
    case 'ExpireWait':
      return expireWait(state, command, stamped.at)
    default:
      return decideOperation(state, command, stamped)
  }
}
