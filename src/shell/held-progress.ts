/**
 * A worker may report progress for every row it writes. The first reports of an attempt are stored at once; after that one
 * event a second stands for all that came meanwhile, under the last report's command id.
 */
import type { CommandOf } from '../authority/commands.ts'
import type { Operation } from '../authority/operation.ts'
import type { Clock } from '../runtime/clock.ts'
import type { AddressedCommand } from './command-stamp.ts'
import type { Sender } from './ticket.ts'

type Report = CommandOf<'ReportProgress'>

/** What stands for all reports that were held. */
export interface HeldReport {
  readonly addressed: AddressedCommand
  readonly sender: Sender
}

export class HeldProgress {
  readonly #clock: Clock
  readonly #coalesceMs: number
  readonly #storedAtOnce: number
  readonly #write: (held: HeldReport) => void
  readonly #held = new Map<string, HeldReport & { readonly stopTimer: () => void }>()
  #isStopped = false

  constructor(clock: Clock, coalesceMs: number, storedAtOnce: number, write: (held: HeldReport) => void) {
    this.#clock = clock
    this.#coalesceMs = coalesceMs
    this.#storedAtOnce = storedAtOnce
    this.#write = write
  }

  get size(): number {
    return this.#held.size
  }

  /** Whether the next report of this operation may wait for others. */
  mayHold({ progress }: Operation): boolean {
    return this.#coalesceMs > 0 && progress.inAttempt >= this.#storedAtOnce
  }

  hold(id: string, report: Report, addressed: AddressedCommand, sender: Sender): void {
    const before = this.#held.get(id)
    const earlier = before?.addressed.command as Report | undefined // only reports are held
    const isSameLease = earlier === undefined || earlier.leaseEpoch === report.leaseEpoch
    if (before !== undefined && !isSameLease) this.#release(id)
    const merged: Report = isSameLease ? { ...earlier, ...given(report) } : report
    const reports = isSameLease ? (before?.addressed.reports ?? 0) + 1 : 1
    const stopTimer =
      isSameLease && before !== undefined
        ? before.stopTimer
        : this.#clock.after(this.#coalesceMs, () => this.#release(id))
    this.#held.set(id, { addressed: { ...addressed, command: merged, reports }, sender, stopTimer })
  }

  /** It could not be written: it is held again, and goes with what was reported since. */
  putBack({ addressed, sender }: HeldReport): void {
    const report = addressed.command as Report // only reports are held
    const newer = this.#held.get(report.id)
    if (this.#isStopped) return
    if (newer === undefined) {
      const stopTimer = this.#clock.after(this.#coalesceMs, () => this.#release(report.id))
      this.#held.set(report.id, { addressed, sender, stopTimer })
      return
    }
    const newest = newer.addressed.command as Report
    if (newest.leaseEpoch !== report.leaseEpoch) return
    const reports = (addressed.reports ?? 1) + (newer.addressed.reports ?? 1)
    const command: Report = { ...report, ...given(newest) }
    this.#held.set(report.id, { ...newer, addressed: { ...newer.addressed, command, reports } })
  }

  stop(): void {
    this.#isStopped = true
    for (const { stopTimer } of this.#held.values()) stopTimer()
    this.#held.clear()
  }

  /** What must be written before something else is said of this operation; of all of them without an id. */
  take(id?: string): readonly HeldReport[] {
    const ids = id === undefined ? [...this.#held.keys()] : [id]
    return ids.flatMap((one) => this.#remove(one) ?? [])
  }

  #release(id: string): void {
    const held = this.#remove(id)
    if (held !== undefined) this.#write(held)
  }

  #remove(id: string): HeldReport | undefined {
    const held = this.#held.get(id)
    held?.stopTimer()
    this.#held.delete(id)
    return held
  }
}

function given(report: Report): Report {
  // Removing absent fields leaves a report.
  return Object.fromEntries(Object.entries(report).filter(([, value]) => value !== undefined)) as Report
}
