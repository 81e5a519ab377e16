/**
 * Failures that no worker of the bridge could tell: jobs that stalled too often, jobs whose worker or whose report was lost.
 * Hears the queue's events, and looks through its failed jobs at the start and now and then, so that what happened while
 * nobody listened is found as well. Any number of listeners may run: what one has said the others need not say again.
 *
 *     failed  -> the operation fails as the queue's failure, unless it has ended
 *     stalled -> its attempt is lost; the queue hands the job out again
 */
import { type Job, type Queue, QueueEvents } from 'bullmq'
import type { RegistryAddress } from '../authority/questions.ts'
import { failureOf, queueJobOf } from './bullmq-job.ts'
import { OperationRejected } from './operation-errors.ts'
import { startIn } from './queue-job.ts'
import { lastLifeOf } from './queue-lives.ts'
import { type BridgeParts, queueFailure, speakForQueue, workerGone } from './queue-verdict.ts'

export interface ListenerParts extends BridgeParts {
  readonly addressOf: (job: Job) => RegistryAddress
}

/** Events are heard from so long before the start: the scan looks at what is older. */
const OVERLAP_MS = 60_000
const PAGE_JOBS = 100
/** Failed jobs looked at in one scan, newest first. */
const SCANNED_JOBS_MAX = 10_000

export interface ScanCounts {
  readonly scanned: number
  /** Operations that were told the failure of their job. */
  readonly bridged: number
}

export class BullmqListener implements AsyncDisposable {
  /** Settles when the first scan is done; what failed before is known then. */
  readonly ready: Promise<ScanCounts>
  readonly #queue: Queue
  readonly #parts: ListenerParts
  readonly #events: QueueEvents
  readonly #scanEveryMs: number
  #stopTimer = () => {}
  /** One thing after the other, in the order heard. */
  #last: Promise<unknown> = Promise.resolve()
  #scannedUpTo = 0
  #isClosed = false

  constructor(queue: Queue, parts: ListenerParts, scanEveryMs: number) {
    this.#queue = queue
    this.#parts = parts
    this.#scanEveryMs = scanEveryMs
    const { connection, prefix } = queue.opts
    const lastEventId = `${Math.max(0, Math.floor(parts.clock.now()) - OVERLAP_MS)}-0`
    this.#events = new QueueEvents(queue.name, { connection, lastEventId, ...(prefix === undefined ? {} : { prefix }) })
    this.#events.on('error', (error) => this.#warn({}, error, 'the events of a queue are out of reach, trying on'))
    this.#events.on('failed', ({ jobId }) => void this.#next({ jobId }, () => this.#failed(jobId)))
    this.#events.on('stalled', ({ jobId }) => void this.#next({ jobId }, () => this.#stalled(jobId)))
    this.ready = this.scan()
    this.ready.then(
      () => this.#scanLater(),
      () => this.#scanLater(),
    )
  }

  /** Looks through the failed jobs: all of them the first time, then those since the last time. */
  scan(): Promise<ScanCounts> {
    return this.#next({}, () => this.#scan())
  }

  /** What is under way is finished. Twice is once. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopTimer()
    await this.#events.close()
    await this.#last
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #next<T>(facts: Readonly<Record<string, unknown>>, step: () => Promise<T>): Promise<T> {
    const done = this.#last.then(step)
    this.#last = done.catch((error: unknown) => this.#warn(facts, error, 'what a queue said could not be bridged'))
    return done
  }

  #scanLater(): void {
    if (this.#isClosed) return
    this.#stopTimer = this.#parts.clock.after(this.#scanEveryMs, () => {
      const again = () => this.#scanLater()
      this.scan().then(again, again)
    })
  }

  async #scan(): Promise<ScanCounts> {
    const from = this.#scannedUpTo
    const begunAt = this.#parts.clock.now()
    let scanned = 0
    let bridged = 0
    for (let start = 0; start < SCANNED_JOBS_MAX && !this.#isClosed; start += PAGE_JOBS) {
      const jobs = await this.#queue.getFailed(start, start + PAGE_JOBS - 1)
      const since = jobs.filter(({ finishedOn }) => (finishedOn ?? from) >= from)
      for (const { id } of since) {
        scanned++
        if (id !== undefined && (await this.#failed(id))) bridged++
      }
      if (since.length < PAGE_JOBS) break
    }
    this.#scannedUpTo = begunAt - OVERLAP_MS
    return { scanned, bridged }
  }

  /** Whether there was something to say. */
  async #failed(jobId: string): Promise<boolean> {
    const ref = await this.#operationOf(jobId)
    if (ref === undefined) return false
    const said = await speakForQueue(this.#parts, ref, async () => {
      const failure = await failureOf(await this.#queue.getJob(jobId))
      return failure === undefined ? undefined : queueFailure(failure)
    })
    return said !== undefined
  }

  async #stalled(jobId: string): Promise<void> {
    const ref = await this.#operationOf(jobId)
    if (ref === undefined) return
    try {
      await speakForQueue(this.#parts, ref, async ({ lease, cancel }) => {
        const holder = lease?.open === true ? startIn(lease.claimant?.id) : undefined
        if (holder === undefined) return undefined
        const job = await this.#queue.getJob(jobId)
        const failure = await failureOf(job)
        if (failure !== undefined) return queueFailure(failure)
        // Given up is the start that holds the operation, if it is the last one and the job waits again.
        const isGone = job?.timestamp === holder.addedAt && job.attemptsStarted === holder.started
        if (job === undefined || !isGone || !WAITS.has(await job.getState())) return undefined
        const gone = workerGone(Math.floor(this.#parts.clock.now()))
        return cancel === undefined ? gone : { ...gone, disposition: { type: 'cancel' } }
      })
    } catch (error) {
      // No attempt is left: whoever is handed the job says so.
      if (!(error instanceof OperationRejected) || error.code !== 'retry_not_allowed') throw error
    }
  }

  async #operationOf(jobId: string) {
    const job: Job | undefined = await this.#queue.getJob(jobId)
    if (job === undefined) return undefined
    const address = this.#parts.addressOf(job)
    const last = await lastLifeOf(this.#parts, address, queueJobOf(job))
    return last === undefined ? undefined : { ...address, id: last.operation.id }
  }

  #warn(facts: Readonly<Record<string, unknown>>, error: unknown, message: string): void {
    if (!this.#isClosed) this.#parts.log.warn({ queue: this.#queue.name, ...facts, error: String(error) }, message)
  }
}

const WAITS: ReadonlySet<string> = new Set(['waiting', 'prioritized', 'delayed'])
