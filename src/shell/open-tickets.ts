/** The commands of one registry that wait for their answer: counted, settled once, and told to whoever waits for silence. */
import type { Place } from '../authority/command-answer.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { AddressedCommand } from './command-stamp.ts'
import type { LoadedRegistry } from './registry-loader.ts'
import { type NodeRefusal, nodeRejection } from './store-refusals.ts'
import { type Sender, type Settle, type Settlement, Ticket } from './ticket.ts'

export class OpenTickets {
  readonly #durable: () => LoadedRegistry
  #count = 0
  #idleWaiters: (() => void)[] = []

  constructor(durable: () => LoadedRegistry) {
    this.#durable = durable
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
    ticket.settle(settlement)
    this.#count--
    if (this.#count === 0 && this.#idleWaiters.length > 0) for (const wake of this.#idleWaiters.splice(0)) wake()
  }

  /** The authority says no, on the state of this place. */
  reject(ticket: Ticket, rejection: Rejection, place: Place = this.#here()): void {
    this.settle(ticket, { result: { type: 'refused', rejection, place } })
  }

  /** This node says no. */
  refuse(ticket: Ticket, refusal: NodeRefusal): void {
    if (!ticket.isSettled) this.reject(ticket, nodeRejection(ticket.addressed.command, refusal))
  }

  #here(): Place {
    const { state, position } = this.#durable()
    return { revision: state.revision, position }
  }

  /** Ends when every command so far has its answer. */
  async idle(): Promise<void> {
    if (this.#count === 0) return
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }
}
