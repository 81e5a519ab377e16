/** Progress as a function reports it: as often as it likes. One report is on its way at a time; what comes meanwhile is one. */
import type { WarningLog } from '../runtime/warning-log.ts'
import type { Lease, ProgressReport } from './lease.ts'
import { OperationRejected } from './operation-errors.ts'

export class ProgressReporter {
  readonly #lease: Lease
  readonly #log: WarningLog
  #next: ProgressReport | undefined
  #sending: Promise<void> | undefined

  constructor(lease: Lease, log: WarningLog) {
    this.#lease = lease
    this.#log = log
  }

  /** Never throws: progress is told, not asked for. What is refused is logged. */
  report(report: ProgressReport): void {
    this.#next = { ...this.#next, ...report }
    this.#sending ??= this.#send()
  }

  /** Ends when the last report has its answer. */
  async flush(): Promise<void> {
    await this.#sending
  }

  async #send(): Promise<void> {
    for (let report = this.#take(); report !== undefined; report = this.#take()) {
      try {
        await this.#lease.progress(report)
      } catch (error) {
        const isRefused = error instanceof OperationRejected
        // Who lost the lease learns it from the signal; there is nobody left to report to.
        if (isRefused && this.#lease.signal.aborted) continue
        const code = isRefused ? error.code : undefined
        this.#log.warn({ operationId: this.#lease.id, code, error: String(error) }, 'a report of progress was refused')
      }
    }
    this.#sending = undefined
  }

  #take(): ProgressReport | undefined {
    const report = this.#next
    this.#next = undefined
    return report
  }
}
