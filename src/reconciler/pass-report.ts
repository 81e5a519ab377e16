/** What one pass found and did, as a value. */
import type { DeadlineRule, ReasonCode } from '../authority/events.ts'

/** What became of one candidate. */
export type Finding =
  /** Ended, as failed or, by its witness, as completed. */
  | 'reconciled'
  /** Its next attempt is due. */
  | 'retried'
  /** Its cancel was forced. */
  | 'cancelled'
  /** Its witness saw it: a sign of life was recorded. */
  | 'alive'
  /** Not yet: nobody could be heard for a while, or its kind has a delay; or it lies beyond the limit. */
  | 'skipped'
  /** It moved on since it was judged; what happened wins. */
  | 'outdated'
  /** Its kind is only observed: this would have been reconciled. */
  | 'observed'
  | 'heldByBreaker'
  /** The log or the authority refused for now; the next pass tries again. */
  | 'refused'

export type FindingCounts = Readonly<Record<Finding, number>>

export interface PassReport extends FindingCounts {
  /** Epoch ms. */
  readonly at: number
  /** Nothing was changed; the counts tell what would have been. */
  readonly dryRun: boolean
  /** Why nobody was judged, where nobody was. */
  readonly abstained?: 'clock_behind' | 'clock_apart' | 'rows_behind' | 'orders_unread'
  /** Operations whose deadline has passed. The counts of what became of them add up to it. */
  readonly candidates: number
  readonly attentionRaised: number
  readonly attentionCleared: number
  readonly waitsExpired: number
  /** The candidates themselves, as many as a report takes. */
  readonly operations: readonly ReportedOperation[]
}

export interface ReportedOperation {
  readonly workspace: string
  readonly owner: string
  readonly id: string
  readonly kind: string
  readonly rule: DeadlineRule
  readonly finding: Finding
  readonly reasonCode?: ReasonCode
}

const REPORTED_MAX = 1_000

/** A report that is being written. */
export class PassNotes {
  readonly #counts: Record<Finding, number> = {
    reconciled: 0,
    retried: 0,
    cancelled: 0,
    alive: 0,
    skipped: 0,
    outdated: 0,
    observed: 0,
    heldByBreaker: 0,
    refused: 0,
  }
  readonly #operations: ReportedOperation[] = []
  attentionRaised = 0
  attentionCleared = 0
  waitsExpired = 0

  add(operation: ReportedOperation): void {
    this.#counts[operation.finding]++
    if (this.#operations.length < REPORTED_MAX) this.#operations.push(operation)
  }

  report(at: number, dryRun: boolean, abstained?: PassReport['abstained']): PassReport {
    const { attentionRaised, attentionCleared, waitsExpired } = this
    const candidates = Object.values(this.#counts).reduce((sum, count) => sum + count, 0)
    return {
      at,
      dryRun,
      ...(abstained === undefined ? {} : { abstained }),
      candidates,
      ...this.#counts,
      attentionRaised,
      attentionCleared,
      waitsExpired,
      operations: this.#operations,
    }
  }
}
