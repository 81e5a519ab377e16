/**
 * The doubt before a massacre: when so much of a kind seems dead at once, it is likelier that the reconciler is deaf. Then
 * none of it is reconciled, until an operator who looked says so.
 */
import { EVERY_KIND, type OrderOnRecord } from '../shell/reconciler-orders.ts'

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

export function isTooMuch(suspects: number, active: number, { operationsMax, shareMax }: BreakerLimits): boolean {
  return suspects > Math.max(operationsMax, shareMax * active)
}

/** The breakers of one node. Lost with their process: what opened one opens it again in the next pass, but for what was released. */
export class Breakers {
  readonly #limits: BreakerLimits
  readonly #open = new Map<string, OpenBreaker>()
  #releases: ReadonlyMap<string, OrderOnRecord> = new Map()

  constructor(limits: BreakerLimits) {
    this.#limits = limits
  }

  get open(): readonly OpenBreaker[] {
    return [...this.#open.values()]
  }

  /** The newest release that covers the kind: whoever was suspect by then was looked at. */
  releaseOf(kind: string): OrderOnRecord | undefined {
    const ofKind = this.#releases.get(kind)
    const ofAll = this.#releases.get(EVERY_KIND)
    return ofKind === undefined || (ofAll !== undefined && ofAll.at > ofKind.at) ? ofAll : ofKind
  }

  /** By kind, as they stand on record. */
  get releases(): ReadonlyMap<string, OrderOnRecord> {
    return this.#releases
  }

  isTooMuch(suspects: number, active: number): boolean {
    return isTooMuch(suspects, active, this.#limits)
  }

  trip(breaker: OpenBreaker): void {
    this.#open.set(breaker.kind, breaker)
  }

  /**
   * All that is on record by now: what is suspect by then may be reconciled; what comes later is weighed anew. The kinds whose
   * breaker was open and is closed by it.
   */
  released(releases: ReadonlyMap<string, OrderOnRecord>): readonly string[] {
    this.#releases = releases
    const closed = this.open.filter(
      ({ kind, openedAt }) => (this.releaseOf(kind)?.at ?? Number.NEGATIVE_INFINITY) >= openedAt,
    )
    for (const { kind } of closed) this.#open.delete(kind)
    return closed.map(({ kind }) => kind)
  }
}
