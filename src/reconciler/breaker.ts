/**
 * The doubt before a massacre: when so much of a kind seems dead at once, it is likelier that the reconciler is deaf. Then
 * none of it is reconciled, until an operator who looked says so.
 */

export interface BreakerLimits {
  /** So many are never too many. */
  readonly operationsMax: number
  /** Of the kind's active operations. */
  readonly shareMax: number
}

export interface OpenBreaker {
  readonly kind: string
  readonly openedAt: number
  /** Operations of the kind that were dead or about to be when it opened. */
  readonly suspects: number
  readonly active: number
}

/** On record: every node of the log knows it. */
export interface Release {
  readonly at: number
  readonly actor: string
  readonly reason: string
}

export function isTooMuch(suspects: number, active: number, { operationsMax, shareMax }: BreakerLimits): boolean {
  return suspects > Math.max(operationsMax, shareMax * active)
}

/** The breakers of one node. Lost with their process: what opened one opens it again in the next pass, but for what was released. */
export class Breakers {
  readonly #limits: BreakerLimits
  readonly #open = new Map<string, OpenBreaker>()
  readonly #releases = new Map<string, Release>()

  constructor(limits: BreakerLimits) {
    this.#limits = limits
  }

  get open(): readonly OpenBreaker[] {
    return [...this.#open.values()]
  }

  /** The release that covers what was suspect by then: it was looked at. */
  releaseOf(kind: string): Release | undefined {
    return this.#releases.get(kind)
  }

  isTooMuch(suspects: number, active: number): boolean {
    return isTooMuch(suspects, active, this.#limits)
  }

  trip(breaker: OpenBreaker): void {
    this.#open.set(breaker.kind, breaker)
  }

  /**
   * What is suspect by then may be reconciled; what comes later is weighed anew. The kinds whose breaker was open and is
   * closed by it.
   */
  released(releases: ReadonlyMap<string, Release>): readonly string[] {
    const closed: string[] = []
    for (const [kind, release] of releases) {
      if (this.#releases.get(kind)?.at === release.at) continue
      this.#releases.set(kind, release)
      const open = this.#open.get(kind)
      if (open === undefined || open.openedAt > release.at) continue
      this.#open.delete(kind)
      closed.push(kind)
    }
    return closed
  }
}
