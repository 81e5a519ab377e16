/**
 * Commands from outside: checked, handed to their registry's writer, answered with all that the log knows. What follows
 * from a refusal (a report that contradicts the truth goes on record) is sent from here, too.
 */
import type { CommandResult } from '../authority/command-answer.ts'
import { type Command, type ParsedCommand, parseCommand } from '../authority/commands.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { RegistryName } from '../event-store/stream-names.ts'
import { addressCommand } from './command-stamp.ts'
import { type Contradictions, contradictionIn } from './contradictions.ts'
import type { HotRegistry } from './hot-registry.ts'
import { outcomeAt } from './outcome-reader.ts'
import { failureOf } from './registry-loader.ts'
import { nameFault, type RegistryNames } from './registry-names.ts'
import type { NodeParts } from './shell-parts.ts'
import { nodeRejection, outcomeUnknown, SHUTTING_DOWN, unreadable } from './store-refusals.ts'
import type { Sender, Settle, Settlement } from './ticket.ts'

export interface SenderOptions extends Partial<Sender> {
  readonly commandId?: string
}

/** Bytes of each text that tells who sent a command, and on whose behalf. */
const SENDER_BYTES_MAX = 256
const SENDER_FIELDS = ['actor', 'onBehalfOf', 'correlationId', 'causationId', 'traceparent'] as const
const NO_PLACE = { revision: -1, position: 0n }

export class CommandDoor {
  readonly #parts: NodeParts
  readonly #names: RegistryNames
  readonly #contradictions: Contradictions

  constructor(parts: NodeParts, names: RegistryNames, contradictions: Contradictions) {
    this.#parts = parts
    this.#names = names
    this.#contradictions = contradictions
  }

  /** Commands of one registry are decided in the order of these calls. */
  send(name: RegistryName, input: unknown, options: SenderOptions, settle: Settle): void {
    const { settings, registries } = this.#parts
    const { commandId } = options
    const stream = this.#names.streamOf(name)
    if (typeof stream !== 'string') {
      settle(refusedWith(stream))
      return
    }
    const fault =
      (commandId === undefined ? undefined : nameFault('commandId', commandId, settings.bounds)) ?? senderFault(options)
    const parsed = fault === undefined ? parseCommand(input, settings.bounds) : { rejection: fault }
    if ('rejection' in parsed) {
      settle(refusedWith(parsed.rejection))
      return
    }
    const registry = registries.use(stream)
    const submit = (opened: HotRegistry | undefined): void => {
      if (opened === undefined) settle(this.#shutDown(stream, parsed.command, commandId))
      else this.#submit(opened, parsed, options, settle)
    }
    if (registry instanceof Promise) void registry.then(submit)
    else submit(registry)
  }

  /** The same, for those who wait. Never rejects. */
  sent(name: RegistryName, input: unknown, options: SenderOptions): Promise<Settlement> {
    return new Promise((resolve) => this.send(name, input, options, resolve))
  }

  #shutDown(stream: string, command: Command, commandId: string | undefined): Settlement {
    const isUnknown = commandId !== undefined && this.#parts.fates.isOpen(stream, commandId)
    return refusedWith(nodeRejection(command, isUnknown ? outcomeUnknown(SHUTTING_DOWN.message) : SHUTTING_DOWN))
  }

  #submit(registry: HotRegistry, { command, text }: ParsedCommand, options: SenderOptions, settle: Settle): void {
    const addressed = addressCommand(command, options.commandId, this.#parts, text)
    registry.submit(addressed, senderOf(options), (settlement) => {
      const { result } = settlement
      if (result.type === 'answered') settle(settlement)
      else void this.#afterRefusal(registry, command, addressed.commandId, result).then(settle)
    })
  }

  async #afterRefusal(
    registry: HotRegistry,
    command: Command,
    commandId: string,
    result: CommandResult & { readonly type: 'refused' },
  ): Promise<Settlement> {
    const rejection = await this.#withOutcome(registry, command, result.rejection)
    const contradiction = contradictionIn(command, rejection)
    if (contradiction !== undefined) {
      const addressed = addressCommand(contradiction, undefined, this.#parts)
      void this.#contradictions.record(registry.stream, addressed, commandId)
    }
    return { result: { ...result, rejection } }
  }

  /** A refusal tells the outcome, also of an operation of which only a tombstone is left. */
  async #withOutcome(registry: HotRegistry, command: Command, rejection: Rejection): Promise<Rejection> {
    const { terminalRevision, outcome } = rejection.facts
    if (terminalRevision === undefined || outcome !== undefined) return rejection
    const { store } = this.#parts
    try {
      const told = await registry.hold(() => outcomeAt(store, registry.stream, terminalRevision))
      return { ...rejection, facts: { ...rejection.facts, outcome: told } }
    } catch (error) {
      return nodeRejection(command, unreadable(failureOf(registry.stream, error)))
    }
  }
}

/** It is stored with every event: what is no text, or has no end, must be refused before anything is decided. */
function senderFault(options: SenderOptions): Rejection | undefined {
  for (const field of SENDER_FIELDS) {
    const value: unknown = options[field]
    const fault = value === undefined ? undefined : nameFault(field, value, { nameBytesMax: SENDER_BYTES_MAX })
    if (fault !== undefined) return fault
  }
  return undefined
}

function senderOf({ actor = 'anonymous', onBehalfOf, correlationId, causationId, traceparent }: SenderOptions): Sender {
  return {
    actor,
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(causationId === undefined ? {} : { causationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  }
}

function refusedWith(rejection: Rejection): Settlement {
  return { result: { type: 'refused', rejection, place: NO_PLACE } }
}
