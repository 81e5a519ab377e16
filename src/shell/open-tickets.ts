/**
 * The commands of one registry that wait for their answer: counted, settled once, and told to whoever waits for silence.
 * What this node refuses without knowing whether an earlier sending of it was stored is told so, and nothing else.
 */
import type { Place } from '../authority/command-answer.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { AddressedCommand } from './command-stamp.ts'
import type { LoadedRegistry } from './registry-loader.ts'
import { type NodeRefusal, nodeRejection, outcomeUnknown } from './store-refusals.ts'
import { type Sender, type Settle, type Settlement, Ticket } from './ticket.ts'

export interface OpenTicketsParts {
  readonly durable: () => LoadedRegistry
  /** Whether a command may be stored, as far as this node knows, though nobody could be told so. */
  readonly mayBeStored: (commandId: string) => boolean
  /** The command is told that nobody knows. */
  readonly onUnknown: (commandId: string) => void
  /** The command is told what is true for good. */
  readonly onTold: (commandId: string) => void
}

export class OpenTickets {
  readonly #parts: OpenTicketsParts
  #count = 0
  #idleWaiters: (() => void)[] = []

  constructor(parts: OpenTicketsParts) {
    this.#parts = parts
  }

  get count(): number {
    return this.#count
  }

  open(addressed: AddressedCommand, sender: Sender, order: number, settle: Settle): Ticket {
    this.#count++
    return new Ticket(addressed, sender, order, settle)
  }

  settle(ticket: Ticket, settlement: Settlement): void {
    if (ticket.isSettled) return
    this.#parts.onTold(ticket.addressed.commandId)
    this.#end(ticket, settlement)
  }

  #end(ticket: Ticket, settlement: Settlement): void {
    ticket.settle(settlement)
    this.#count--
    if (this.#count === 0 && this.#idleWaiters.length > 0) for (const wake of this.#idleWaiters.splice(0)) wake()
  }

  /** The authority says no, on the state of this place. */
  reject(ticket: Ticket, rejection: Rejection, place: Place = this.#here()): void {
    this.settle(ticket, { result: { type: 'refused', rejection, place } })
  }

  /** This node says no; or that nobody knows, where an earlier sending of the same command may be stored. */
  refuse(ticket: Ticket, refusal: NodeRefusal): void {
    if (ticket.isSettled) return
    const { command, commandId } = ticket.addressed
    const { mayBeStored, onUnknown } = this.#parts
    const isUnknown = refusal.code === 'outcome_unknown' || mayBeStored(commandId)
    if (isUnknown) onUnknown(commandId)
    const told = isUnknown && refusal.code !== 'outcome_unknown' ? outcomeUnknown(refusal.message) : refusal
    this.#end(ticket, { result: { type: 'refused', rejection: nodeRejection(command, told), place: this.#here() } })
  }

  #here(): Place {
    const { state, position } = this.#parts.durable()
    return { revision: state.revision, position }
  }

  /** Ends when every command so far has its answer. */
  async idle(): Promise<void> {
    if (this.#count === 0) return
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }
}
