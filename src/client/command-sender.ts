/** Commands to one registry through a door: an answer comes back, a refusal is thrown, an idempotent one is an answer. */

import type { CommandAnswer, CommandResult } from '../authority/command-answer.ts'
import type { Command } from '../authority/commands.ts'
import type { Refusable, RegistryAddress } from '../authority/questions.ts'
import { answerUnchanged } from '../authority/unchanged-answer.ts'
import type { SendOptions, VerdictDoor } from './door.ts'
import { given } from './given-options.ts'
import { OperationRejected } from './operation-errors.ts'

/** How one command is sent; what is not given is as the Verdict was opened. */
export type CallOptions = SendOptions

/** Commands are checked at the door's border, so they may be written with fields that are absent or not yet known good. */
export type CommandInput = Command | Readonly<Record<string, unknown>>

export class CommandSender {
  readonly door: VerdictDoor
  readonly registry: RegistryAddress
  readonly #actor: string | undefined
  readonly #newId: () => string

  constructor(door: VerdictDoor, registry: RegistryAddress, actor: string | undefined, newId: () => string) {
    this.door = door
    this.registry = registry
    this.#actor = actor
    this.#newId = newId
  }

  newCommandId(): string {
    return this.#newId()
  }

  /** Throws OperationRejected for a refusal, unless it is an idempotent one: that is answered with `changed: false`. */
  async send(command: CommandInput, options: CallOptions = {}): Promise<CommandAnswer> {
    const commandId = given(options).commandId ?? this.newCommandId()
    return answerOf(await this.result(command, { ...options, commandId }), commandId)
  }

  /** The door's own answer, refusals included. */
  result(command: CommandInput, options: CallOptions): Promise<CommandResult> {
    return this.door.send(this.registry, command, this.options(options))
  }

  options(options: CallOptions): SendOptions {
    return this.#actor === undefined ? given(options) : { actor: this.#actor, ...given(options) }
  }
}

function answerOf(result: CommandResult, commandId: string): CommandAnswer {
  if (result.type === 'answered') return result.answer
  const { rejection, place } = result
  if (rejection.idempotent !== true) throw new OperationRejected(rejection, commandId)
  return answerUnchanged(rejection, place)
}

/** The answer to a question; throws OperationRejected for a refusal. */
export function answered<T>(asked: Refusable<T>): T {
  if (asked.type === 'refused') throw new OperationRejected(asked.rejection)
  return asked.answer
}
