/**
 * What a node adds to a command before it is decided: the time, minted ids, resolved defaults, and the digest by which the
 * same command is known again. All of it happens anew when a command is decided again on another state.
 */
import { hash } from 'node:crypto'
import type { Command, Resolved, StampedCommand } from '../authority/commands.ts'
import { claimantOf } from '../authority/commands.ts'
import type { Limits } from '../authority/events.ts'
import { type KindDefinitions, resolveKind } from '../authority/kinds.ts'
import type { NodeTimings } from '../authority/lifecycle-policy.ts'
import type { RegistryState } from '../authority/registry.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { Clock } from '../runtime/clock.ts'
import { type RandomSource, randomHex, uuidV7 } from '../runtime/ids.ts'

export interface StampSettings extends NodeTimings {
  readonly clock: Clock
  readonly random: RandomSource
  readonly kinds: KindDefinitions
  /** For registries that open without limits of their own. */
  readonly limits: Limits
  readonly waitDeadlineMs: number
  readonly waitDeadlineMsMax: number
}

/** A command with its id, ready to be stamped; minted ids are kept, so that deciding again means the same operation. */
export interface AddressedCommand {
  readonly command: Command
  readonly commandId: string
  /** The JSON text of what the sender sent, in schema key order. */
  readonly text: string
  readonly minted: { operationId?: string; waitId?: string }
  /** How many coalesced reports of progress it stands for. */
  readonly reports?: number
}

export function addressCommand(
  command: Command,
  commandId: string | undefined,
  settings: Pick<StampSettings, 'clock' | 'random'>,
  text: string = JSON.stringify(command),
): AddressedCommand {
  const id = commandId ?? uuidV7(settings.clock.now(), settings.random)
  return { command, commandId: id, text, minted: {} }
}

/** Stamped for a decision on this state; or a refusal, when its policy contradicts itself or its kind. */
export function stampCommand(
  { command, commandId, text, minted, reports }: AddressedCommand,
  state: RegistryState,
  settings: StampSettings,
): StampedCommand | Rejection {
  // Stored as whole milliseconds; a clock that is handed in may know more.
  const at = Math.floor(settings.clock.now())
  const opening = openingOf(state, command, settings)
  const digestKey = state.digestKey ?? opening?.digestKey
  const digest = digestKey === undefined ? '' : digestOf(digestKey, text)
  const base: Resolved = opening === undefined ? {} : { opening }
  const stamped = (resolved: Resolved): StampedCommand => ({ command, commandId, digest, at, resolved })
  switch (command.type) {
    case 'RegisterOperation': {
      const { kindFacts, policy, violations } = resolveKind(settings.kinds, command.kind, command.policy, settings)
      const [violation] = violations
      // A command that was accepted before is answered as before, whatever its kind's bounds are now; a retired owner comes first.
      const isAsked = !state.commands.has(commandId) && state.retired === undefined
      if (violation !== undefined && isAsked) {
        const { message, kind, rule, numbers } = violation
        return { code: 'policy_violation', message, facts: { command: command.type, kind, rule, numbers } }
      }
      if (command.id === undefined) minted.operationId ??= uuidV7(at, settings.random)
      const claimant = command.claim === undefined ? {} : { claimant: claimantOf(command) ?? { id: commandId } }
      const operationId = minted.operationId === undefined ? {} : { operationId: minted.operationId }
      return stamped({ ...base, kindFacts, policy, ...operationId, ...claimant })
    }
    case 'ProvisioningSucceeded':
      return stamped({ ...base, claimant: claimantOf(command) ?? { id: commandId } })
    case 'BeginWaitAll':
    case 'BeginWaitAny': {
      if (command.waitId === undefined) minted.waitId ??= uuidV7(at, settings.random)
      const waitId = minted.waitId === undefined ? {} : { waitId: minted.waitId }
      const { waitDeadlineMs, waitDeadlineMsMax } = settings
      if (command.deadlineAt !== undefined && command.deadlineAt > at + waitDeadlineMsMax) {
        const expected = `at most ${waitDeadlineMsMax} ms from now`
        const facts = { path: 'deadlineAt', expected, command: command.type }
        return { code: 'invalid_command', message: `deadlineAt: ${expected}`, facts }
      }
      return stamped({ ...base, ...waitId, deadlineAt: at + waitDeadlineMs })
    }
    case 'ReportProgress':
      return stamped(reports === undefined ? base : { ...base, reports })
    default:
      return stamped(base)
  }
}

function openingOf(state: RegistryState, command: Command, settings: StampSettings): Resolved['opening'] {
  switch (command.type) {
    case 'RegisterOperation':
    case 'OpenRegistry':
    case 'ChangeLimits':
    case 'RetireOwner':
      break
    default:
      return undefined
  }
  if (state.registryId !== undefined) {
    // An open registry keeps what it has: OpenRegistry compares only the limits that it names.
    return { registryId: state.registryId, digestKey: state.digestKey ?? '', limits: settings.limits }
  }
  const registryId = uuidV7(settings.clock.now(), settings.random)
  return { registryId, digestKey: randomHex(32, settings.random), limits: settings.limits }
}

/** The first 16 bytes of SHA-256(digestKey || text): a guess at a forgotten command can't be confirmed without the key. */
function digestOf(digestKey: string, text: string): string {
  // One UTF-16 unit is at most three bytes.
  const sizeMax = KEY_BYTES + text.length * 3
  if (scratch.length < sizeMax) scratch = Buffer.allocUnsafeSlow(sizeMax)
  scratch.write(digestKey, 0, KEY_BYTES, 'hex')
  const end = KEY_BYTES + scratch.write(text, KEY_BYTES, 'utf8')
  const digest = hash('sha256', scratch.subarray(0, end), 'hex').slice(0, DIGEST_DIGITS)
  if (scratch.length > SCRATCH_BYTES_KEPT) scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES_KEPT)
  return digest
}

const KEY_BYTES = 32
const DIGEST_DIGITS = 32
/** One buffer for every digest saves two allocations per command. */
const SCRATCH_BYTES_KEPT = 64 * 1024
let scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES_KEPT)
