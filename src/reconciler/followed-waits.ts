/** The waits of one registry that are not over, by what their events tell: who is missing in each, and until when. */

interface ActiveWait {
  readonly mode: 'all' | 'any'
  readonly missing: Set<number>
  readonly deadlineAt: number
}

export class FollowedWaits {
  readonly #waits = new Map<string, ActiveWait>()

  began(waitId: string, mode: 'all' | 'any', missing: readonly number[], deadlineAt: number): void {
    this.#waits.set(waitId, { mode, missing: new Set(missing), deadlineAt })
  }

  /** An operation ended; what that satisfies is over. */
  ended(number: number): void {
    for (const [waitId, { mode, missing }] of this.#waits) {
      if (missing.delete(number) && (mode === 'any' || missing.size === 0)) this.#waits.delete(waitId)
    }
  }

  over(waitId: string): void {
    this.#waits.delete(waitId)
  }

  overdue(until: number): readonly { readonly waitId: string; readonly deadlineAt: number }[] {
    const overdue: { readonly waitId: string; readonly deadlineAt: number }[] = []
    for (const [waitId, { deadlineAt }] of this.#waits) if (deadlineAt <= until) overdue.push({ waitId, deadlineAt })
    return overdue
  }

  earliestDue(after: number): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { deadlineAt } of this.#waits.values()) if (deadlineAt > after) earliest = Math.min(earliest, deadlineAt)
    return earliest
  }
}
