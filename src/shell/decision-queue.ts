/**
 * Commands that arrived and are not decided, in order of arrival, and the one place where a command meets the authority:
 * what it accepts joins the pending side, every other decision is withheld.
 *
 * A decision that throws is a defect of ours, and of one command: states are values, so whatever threw has changed none,
 * and what is pending takes a command whole or not at all. That command is refused; stopping its registry would let one
 * command, sent again and again, keep everybody else from working, and nothing false could be stored meanwhile.
 */
import type { Command } from '../authority/commands.ts'
import { decide } from '../authority/decide.ts'
import type { RegistryState } from '../authority/registry.ts'
import { type AddressedCommand, type StampSettings, stampCommand } from './command-stamp.ts'
import type { OpenTickets } from './open-tickets.ts'
import type { PendingSide } from './pending-side.ts'
import { appendTooLarge, nodeRejection } from './store-refusals.ts'
import type { Sender, Settle, Ticket } from './ticket.ts'
import type { WithheldAnswers } from './withheld-answers.ts'

/** A command that the shell sends on its own account. */
export interface OwnCommand {
  readonly addressed: AddressedCommand
  readonly sender: Sender
  readonly settle: Settle
}

/** Commands of the shell that must stand in the log before this one is decided. */
export type Before = (command: Command, pending: RegistryState) => readonly OwnCommand[]

export interface QueueParts {
  readonly tickets: OpenTickets
  readonly pending: PendingSide
  readonly withheld: WithheldAnswers
  readonly settings: StampSettings
  readonly before: Before
  /** Whether commands may be decided now. */
  readonly isOpen: () => boolean
  /** There is something to send. */
  readonly onAccepted: () => void
  /** Deciding it threw. */
  readonly onFault: (ticket: Ticket, error: unknown) => void
}

export class DecisionQueue {
  readonly #parts: QueueParts
  #waiting: Ticket[] = []
  #isDeciding = false

  constructor(parts: QueueParts) {
    this.#parts = parts
  }

  add(tickets: readonly Ticket[]): void {
    for (const ticket of tickets) this.#waiting.push(ticket)
  }

  takeAll(): Ticket[] {
    return this.#waiting.splice(0)
  }

  /** Decides what waits, for as long as that may be. */
  decideAll(): void {
    if (this.#isDeciding) return
    this.#isDeciding = true
    const { isOpen } = this.#parts
    try {
      while (isOpen() && this.#waiting.length > 0) {
        const waiting = this.#waiting.sort((a, b) => a.order - b.order)
        this.#waiting = []
        for (const ticket of waiting) {
          if (isOpen()) this.decide(ticket)
          else this.#waiting.push(ticket)
        }
      }
    } finally {
      this.#isDeciding = false
    }
  }

  decide(ticket: Ticket): void {
    const { before, pending, tickets } = this.#parts
    for (const { addressed, sender, settle } of before(ticket.addressed.command, pending.state)) {
      // Before the command that they make way for, also when all of them are decided again.
      this.#decideOrFault(tickets.open(addressed, sender, ticket.order - 0.5, settle))
    }
    this.#decideOrFault(ticket)
  }

  #decideOrFault(ticket: Ticket): void {
    try {
      this.#decideAlone(ticket)
    } catch (error) {
      this.#parts.onFault(ticket, error)
    }
  }

  #decideAlone(ticket: Ticket): void {
    const { pending, tickets, withheld, settings, onAccepted } = this.#parts
    const { state } = pending
    const stamped = stampCommand(ticket.addressed, state, settings)
    if (!('resolved' in stamped)) {
      tickets.reject(ticket, stamped)
      return
    }
    const decision = decide(state, stamped)
    if (decision.type !== 'accepted') {
      withheld.withhold(ticket, decision, state.revision)
      return
    }
    const tooLarge = pending.add(ticket, stamped, decision.events)
    if (tooLarge === undefined) {
      onAccepted()
      return
    }
    const refusal = appendTooLarge(tooLarge, stamped.command, state.activeCount)
    const rejection = nodeRejection(stamped.command, refusal)
    withheld.withhold(ticket, { type: 'rejected', rejection }, state.revision)
  }
}
