/** A command on its way to its answer. It is answered once, however often it has to be decided. */

import type { CommandResult } from '../authority/command-answer.ts'
import type { Decision } from '../authority/decision.ts'
import type { RegistryState } from '../authority/registry.ts'
import type { AddressedCommand } from './command-stamp.ts'

/** Who sends a command, and on whose thread of work: stored with its events. */
export interface Sender {
  readonly actor: string
  /** For whom the actor says he acts. */
  readonly onBehalfOf?: string
  readonly correlationId?: string
  readonly causationId?: string
  readonly traceparent?: string
}

/** What the shell does on its own account. */
export const SHELL: Sender = { actor: 'verdict' }

/** A result, and for an accepted command the state that it was decided on. */
export interface Settlement {
  readonly result: CommandResult
  readonly stateBefore?: RegistryState
}

export type Settle = (settlement: Settlement) => void

/** A decision without events. */
export type Eventless = Exclude<Decision, { type: 'accepted' }>

/** A decision without events, and the state that it was taken on. */
export interface Withheld {
  readonly decision: Eventless
  /** What it was taken on: its answer tells how things stood there, not what came while it was withheld. */
  readonly state: RegistryState
  /** Unknown for a pending state. */
  readonly position: bigint | undefined
}

export class Ticket {
  readonly addressed: AddressedCommand
  readonly sender: Sender
  /** Place in the order of arrival at this registry. */
  readonly order: number
  /** How often a conflict undid its decision. */
  conflicts = 0
  /** A head of the stream that was read after this command arrived. */
  headRevision: number | undefined
  withheld: Withheld | undefined
  #settle: Settle | undefined

  constructor(addressed: AddressedCommand, sender: Sender, order: number, settle: Settle) {
    this.addressed = addressed
    this.sender = sender
    this.order = order
    this.#settle = settle
  }

  get isSettled(): boolean {
    return this.#settle === undefined
  }

  /** The first settlement counts; others are forgotten. */
  settle(settlement: Settlement): void {
    const settle = this.#settle
    this.#settle = undefined
    settle?.(settlement)
  }
}
