import type { Job, JobProgress } from 'bullmq'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { Attempt } from './operation-runner.ts'

/** What a job's function is given: the attempt of its operation. What it works on is the job's data. */
export type JobAttempt = Omit<Attempt<unknown>, 'input'>

/** Progress is shown by BullMQ's own tools, too: the newest report, one on its way at a time. */
export class MirroredProgress {
  readonly #job: Job
  readonly #log: WarningLog
  #next: JobProgress | undefined
  #sending: Promise<void> | undefined

  constructor(job: Job, log: WarningLog) {
    this.#job = job
    this.#log = log
  }

  /** The attempt as the job's function is given it. */
  of({ input: _input, ...attempt }: Attempt<unknown>): JobAttempt {
    const progress: JobAttempt['progress'] = (report) => {
      attempt.progress(report)
      this.#next = { ...report }
      this.#sending ??= this.#send()
    }
    return { ...attempt, progress }
  }

  async flush(): Promise<void> {
    await this.#sending
  }

  async #send(): Promise<void> {
    for (let report = this.#next; report !== undefined; report = this.#next) {
      this.#next = undefined
      try {
        await this.#job.updateProgress(report)
      } catch (error) {
        this.#log.warn(
          { jobId: this.#job.id, error: String(error) },
          'the progress of a job was not taken by its queue',
        )
      }
    }
    this.#sending = undefined
  }
}
