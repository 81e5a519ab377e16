/**
 * Decisions without events: refusals, answers that all is so already, and repetitions, whose first answer is told with how
 * the operation stands now. Such a decision leaves only when it is true for good: the state that it was taken on is durable,
 * and a head of the stream that was read after the command arrived was not beyond that state. Otherwise it is decided again.
 */
import type { Place } from '../authority/command-answer.ts'
import type { HeadReader } from './head-reader.ts'
import type { LoadedRegistry } from './registry-loader.ts'
import type { Eventless, Ticket } from './ticket.ts'

export interface WithheldParts {
  readonly heads: HeadReader
  readonly durable: () => LoadedRegistry
  /** The place is that of the state which the decision was taken on. */
  readonly answer: (ticket: Ticket, decision: Eventless, place: Place) => void
  /** Others have written up to this revision since. */
  readonly decideAgain: (ticket: Ticket, headRevision: number) => void
  readonly cannotTell: (ticket: Ticket, error: unknown) => void
}

export class WithheldAnswers {
  readonly #parts: WithheldParts
  readonly #tickets = new Set<Ticket>()

  constructor(parts: WithheldParts) {
    this.#parts = parts
  }

  withhold(ticket: Ticket, decision: Eventless, revision: number): void {
    const durable = this.#parts.durable()
    const position = revision === durable.state.revision ? durable.position : undefined
    ticket.withheld = { decision, revision, position }
    this.#tickets.add(ticket)
    if (ticket.headRevision !== undefined) {
      this.#release(ticket)
      return
    }
    this.#parts.heads.revision().then(
      (head) => {
        ticket.headRevision ??= head
        this.#release(ticket)
      },
      (error: unknown) => {
        if (this.#tickets.delete(ticket)) this.#parts.cannotTell(ticket, error)
      },
    )
  }

  /** More is durable than before. */
  release(): void {
    if (this.#tickets.size === 0) return
    for (const ticket of this.#tickets) this.#release(ticket)
  }

  /** Takes out those that were decided on more than is durable. */
  takeUnfounded(): Ticket[] {
    const durable = this.#parts.durable().state.revision
    return this.#take((ticket) => (ticket.withheld?.revision ?? -1) > durable)
  }

  takeAll(): Ticket[] {
    return this.#take(() => true)
  }

  #take(isTaken: (ticket: Ticket) => boolean): Ticket[] {
    const taken: Ticket[] = []
    for (const ticket of this.#tickets) {
      if (!isTaken(ticket)) continue
      this.#tickets.delete(ticket)
      taken.push(ticket)
    }
    return taken
  }

  #release(ticket: Ticket): void {
    const { withheld, headRevision } = ticket
    if (withheld === undefined || !this.#tickets.has(ticket)) return
    const { decision, revision } = withheld
    const durable = this.#parts.durable()
    if (revision > durable.state.revision) return
    if (headRevision === undefined) return
    this.#tickets.delete(ticket)
    if (headRevision <= revision)
      this.#parts.answer(ticket, decision, { revision, position: withheld.position ?? durable.position })
    else this.#parts.decideAgain(ticket, headRevision)
  }
}
