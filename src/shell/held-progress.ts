/**
 * A worker may report progress for every row it writes. The first reports of an attempt are stored at once; after that one
 * event a second stands for all that came meanwhile, under the last report's command id.
 */
import type { CommandOf } from '../authority/commands.ts'
import type { Operation } from '../authority/operation.ts'
import type { Clock } from '../runtime/clock.ts'
import type { AddressedCommand } from './command-stamp.ts'
import type { OwnCommand } from './registry-writer.ts'
import type { Sender } from './ticket.ts'

type Report = CommandOf<'ReportProgress'>

export class HeldProgress {
  readonly #clock: Clock
  readonly #coalesceMs: number
  readonly #storedAtOnce: number
  readonly #write: (held: OwnCommand) => void
  readonly #held = new Map<string, OwnCommand & { readonly stopTimer: () => void }>()

  constructor(clock: Clock, coalesceMs: number, storedAtOnce: number, write: (held: OwnCommand) => void) {
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

  /** What must be written before something else is said of this operation; of all of them without an id. */
  take(id?: string): readonly OwnCommand[] {
    const ids = id === undefined ? [...this.#held.keys()] : [id]
    return ids.flatMap((one) => this.#remove(one) ?? [])
  }

  #release(id: string): void {
    const held = this.#remove(id)
    if (held !== undefined) this.#write(held)
  }

  #remove(id: string): OwnCommand | undefined {
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
