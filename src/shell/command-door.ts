/**
 * Commands from outside: checked, handed to their registry's writer, answered with all that the log knows. What follows
 * from a refusal (a report that contradicts the truth goes on record) is sent from here, too.
 */
import type { CommandResult } from '../authority/command-answer.ts'
import { type Command, parseCommand } from '../authority/commands.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { RegistryName } from '../event-store/stream-names.ts'
import { addressCommand } from './command-stamp.ts'
import { contradictionIn } from './contradictions.ts'
import type { HotRegistry } from './hot-registry.ts'
import { outcomeAt } from './outcome-reader.ts'
import { failureOf } from './registry-loader.ts'
import { nameFault, type RegistryNames } from './registry-names.ts'
import type { NodeParts } from './shell-parts.ts'
import { nodeRejection, SHUTTING_DOWN, unreadable } from './store-refusals.ts'
import { type Sender, type Settlement, SHELL } from './ticket.ts'

export interface SenderOptions extends Partial<Sender> {
  readonly commandId?: string
}

const NO_PLACE = { revision: -1, position: 0n }

export class CommandDoor {
  readonly #parts: NodeParts
  readonly #names: RegistryNames

  constructor(parts: NodeParts, names: RegistryNames) {
    this.#parts = parts
    this.#names = names
  }

  /** Never rejects. Commands of one registry are decided in the order of these calls. */
  send(name: RegistryName, input: unknown, options: SenderOptions): Promise<Settlement> {
    const { settings, registries } = this.#parts
    const { commandId } = options
    const stream = this.#names.streamOf(name)
    if (typeof stream !== 'string') return refused(stream)
    const fault = commandId === undefined ? undefined : nameFault('commandId', commandId, settings.bounds)
    if (fault !== undefined) return refused(fault)
    const parsed = parseCommand(input, settings.bounds)
    if ('rejection' in parsed) return refused(parsed.rejection)
    const { command } = parsed
    const registry = registries.use(stream)
    if (!(registry instanceof Promise)) return this.#submit(registry, command, options)
    return registry.then((opened) => this.#submit(opened, command, options))
  }

  #submit(registry: HotRegistry | undefined, command: Command, options: SenderOptions): Promise<Settlement> {
    if (registry === undefined) return refused(nodeRejection(command, SHUTTING_DOWN))
    const addressed = addressCommand(command, options.commandId, this.#parts)
    const { promise, resolve } = Promise.withResolvers<Settlement>()
    registry.submit(addressed, senderOf(options), (settlement) => {
      const { result } = settlement
      if (result.type === 'answered') resolve(settlement)
      else resolve(this.#afterRefusal(registry, command, addressed.commandId, result))
    })
    return promise
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
      const sender: Sender = { ...SHELL, causationId: commandId }
      registry.submit(addressCommand(contradiction, undefined, this.#parts), sender, () => {})
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

function senderOf({ actor = 'anonymous', correlationId, causationId, traceparent }: SenderOptions): Sender {
  if (correlationId === undefined && causationId === undefined && traceparent === undefined) return { actor }
  return {
    actor,
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(causationId === undefined ? {} : { causationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  }
}

function refused(rejection: Rejection): Promise<Settlement> {
  return Promise.resolve({ result: { type: 'refused', rejection, place: NO_PLACE } })
}
