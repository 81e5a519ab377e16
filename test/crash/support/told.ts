/** What clients were told, over all lives of the server. Whatever stands here must be so, then and for ever. */
export interface Answer {
  readonly owner: string
  readonly type: string
  /** What is the same each time: the place that is told may be further on, and the status is that of now. */
  readonly text: string
  readonly revision: number
  readonly position: bigint
  /** False where all was as it was wanted already. */
  readonly changed: boolean
}

/** An operation's end, as somebody was told it. */
export interface ToldEnd {
  readonly owner: string
  readonly id: string
  readonly ending: string
  readonly by: 'watcher' | 'wait' | 'SDK' | 'repetition'
}

export interface ToldEvent {
  readonly position: bigint
  readonly type: string
}

export class Told {
  readonly answers = new Map<string, Answer>()
  /** Codes of refusals, by command id. */
  readonly refusals = new Map<string, string>()
  readonly ends: ToldEnd[] = []
  readonly events: ToldEvent[] = []
  /** What needs no log to be wrong. */
  readonly faults: string[] = []
  /** Requests that nobody answered, or that were refused for now, and that were asked again. */
  retried = 0

  answer(commandId: string, answer: Answer): void {
    const before = this.answers.get(commandId)
    this.answers.set(commandId, before ?? answer)
    if (before !== undefined && before.text !== answer.text) {
      this.faults.push(`${commandId} was answered ${before.text}, and then ${answer.text}`)
    }
    const refused = this.refusals.get(commandId)
    if (refused !== undefined) this.faults.push(`${commandId} was refused (${refused}) and answered`)
  }

  refusal(commandId: string, code: string): void {
    this.refusals.set(commandId, code)
    if (this.answers.has(commandId)) this.faults.push(`${commandId} was answered, and then refused (${code})`)
  }

  event(event: ToldEvent): void {
    const last = this.events.at(-1)
    if (last !== undefined && event.position <= last.position) {
      this.faults.push(`the event at ${event.position} was told after that at ${last.position}`)
    }
    this.events.push(event)
  }
}
