/**
 * BullMQ jobs as operations. Who adds a job through the bridge has its operation registered before the job is there; who
 * processes it through the bridge has the operation's lease, and the operation's end is stored before the job's. The queue
 * decides when and how often a job is tried, Verdict what became of it.
 *
 *     add -> registered -> in the queue -> processor: claimed -> completed -> job completed
 *                                                '-> next attempt | failed | cancelled -> job failed
 *     listen:  failed and stalled jobs that no processor told          witness: what the queue knows of an operation
 */
import type { Job, JobsOptions, Processor, Queue, Worker } from 'bullmq'
import type { WitnessQuestion, WitnessReport } from '../authority/witness.ts'
import { SYSTEM_CLOCK } from '../runtime/clock.ts'
import { CONSOLE_LOG } from '../runtime/warning-log.ts'
import { type AddedJob, addJob } from './bullmq-add.ts'
import { type BullmqSettings, bullmqViolations } from './bullmq-guard.ts'
import { jobFactsOf } from './bullmq-job.ts'
import { BullmqListener } from './bullmq-listener.ts'
import { type BullmqBridgeOptions, JobMeaning } from './bullmq-meaning.ts'
import { processJob } from './bullmq-process.ts'
import type { JobAttempt } from './bullmq-progress.ts'
import { witnessed } from './bullmq-witness.ts'
import { type Duration, durationMs } from './durations.ts'
import { OperationRejected } from './operation-errors.ts'
import type { BridgeParts } from './queue-verdict.ts'
import type { Verdict } from './verdict.ts'

export interface ListenOptions {
  /** How often failed jobs are looked through, beside what events tell; default 1 min. */
  readonly scanEvery?: Duration
}

const SCAN_EVERY_MS = 60_000

export function bullmqBridge<D = Job['data']>(verdict: Verdict, options: BullmqBridgeOptions<D> = {}): BullmqBridge<D> {
  return new BullmqBridge(verdict, options)
}

export class BullmqBridge<D = Job['data']> implements AsyncDisposable {
  readonly #meaning: JobMeaning<D>
  readonly #parts: BridgeParts
  readonly #closed = new AbortController()
  readonly #listeners = new Set<BullmqListener>()

  constructor(verdict: Verdict, options: BullmqBridgeOptions<D>) {
    const { clock = SYSTEM_CLOCK, log = CONSOLE_LOG } = options
    this.#meaning = new JobMeaning(verdict, options)
    const newId = () => crypto.randomUUID()
    this.#parts = { verdict, clock, log, newId, closed: this.#closed.signal }
  }

  /**
   * Registers the operation, then adds its job. The job's id is the operation's; of a job id of one's own an operation id is
   * made. Where the job can't be added the registration is taken back; where nobody knows, it stays, and the queue will be
   * asked. A job that the queue has already is not added again: its operation is the answer. Throws OperationRejected, what
   * BullMQ throws.
   */
  async add<R = unknown>(queue: Queue, name: string, data: D, options: JobsOptions = {}): Promise<AddedJob<D, R>> {
    const opts: JobsOptions = { ...queue.opts.defaultJobOptions, ...options }
    const facts = { queueName: queue.name, name, data, opts }
    const kind = this.#meaning.kindOf(facts)
    this.guard(kind, { job: opts })
    return addJob<D, R>(this.#parts, this.#meaning, queue, { ...facts, kind, options })
  }

  /**
   * The function of a BullMQ worker: `new Worker(name, bridge.processor(async (job, { signal, progress }) => ...), ...)`. Its
   * result is the operation's before it is the job's. What it throws is the queue's to try again. A job whose operation is
   * over is not run: it completes with the operation's result, or fails for good.
   */
  processor<J extends D = D, R = unknown>(
    run: (job: Job<J, R>, attempt: JobAttempt) => R | Promise<R>,
  ): Processor<J, R> {
    // Three parameters: BullMQ gives its signal to functions that take it.
    return async (job, token, stopped) => processJob(this.#parts, this.#meaning, { job, token, stopped, run })
  }

  /** Bridges failures of the queue's jobs that no processor could tell, until it is closed. */
  listen(queue: Queue, { scanEvery = SCAN_EVERY_MS }: ListenOptions = {}): BullmqListener {
    const parts = { ...this.#parts, addressOf: (job: Job) => this.#meaning.addressOf(jobFactsOf<D>(job)) }
    const listener = new BullmqListener(queue, parts, Math.max(1, durationMs(scanEvery, 'scanEvery')))
    this.#listeners.add(listener)
    return listener
  }

  /** What the queue knows of the job of an operation. The function never throws. */
  witness(queue: Queue): (question: WitnessQuestion) => Promise<WitnessReport> {
    return (question) =>
      witnessed(queue, question, (error) => {
        const facts = { queue: queue.name, operationId: question.id, error: String(error) }
        this.#parts.log.warn(facts, 'a queue could not be asked for a job')
      })
  }

  /**
   * Refuses settings of BullMQ that contradict the policy of a kind, as this bridge knows it: OperationRejected
   * (`policy_violation`) with kind, rule, numbers and the way out. `add` asks for each job; ask for workers when they start.
   */
  guard(
    kind: string,
    { worker, job }: { readonly worker?: Worker | BullmqSettings['worker']; readonly job?: JobsOptions },
  ): void {
    const { spareAttempts } = this.#meaning
    const settings = worker !== undefined && 'opts' in worker ? worker.opts : worker
    const [violation] = bullmqViolations(kind, this.#meaning.policyOf(kind), spareAttempts, {
      ...(settings === undefined ? {} : { worker: settings }),
      ...(job === undefined ? {} : { job }),
    })
    if (violation === undefined) return
    const { message, rule, numbers } = violation
    throw new OperationRejected({ code: 'policy_violation', message, facts: { kind, rule, numbers } })
  }

  /** Stops listening and sending again; workers are BullMQ's to close, before this. Twice is once. */
  async close(): Promise<void> {
    this.#closed.abort()
    await Promise.all([...this.#listeners].map((listener) => listener.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
