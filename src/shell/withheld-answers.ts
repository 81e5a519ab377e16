/**
 * Decisions without events: refusals, and answers that all is so already. Such a decision leaves only when it is true for
 * good: the state that it was taken on is durable, and a head of the stream that was read after the command arrived was not
 * beyond that state. Otherwise it is decided again.
 */
import type { HeadReader } from './head-reader.ts'
import type { Eventless, Ticket } from './ticket.ts'

export interface WithheldParts {
  readonly heads: HeadReader
  readonly durableRevision: () => number
  readonly answer: (ticket: Ticket, decision: Eventless) => void
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
    ticket.withheld = { decision, revision }
    this.#tickets.add(ticket)
    if (decision.type === 'remembered' || ticket.headRevision !== undefined) {
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
    const durable = this.#parts.durableRevision()
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
    if (revision > this.#parts.durableRevision()) return
    const isTrueForGood = decision.type === 'remembered'
    if (headRevision === undefined && !isTrueForGood) return
    this.#tickets.delete(ticket)
    const isOutdated = headRevision !== undefined && headRevision > revision
    if (isTrueForGood || !isOutdated) this.#parts.answer(ticket, decision)
    else this.#parts.decideAgain(ticket, headRevision)
  }
}
