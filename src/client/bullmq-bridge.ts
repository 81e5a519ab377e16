/**
 * BullMQ jobs as operations. Who adds a job through the bridge has its operation registered before the job is there; who
 * processes it through the bridge has the operation's lease, and the operation's end is stored before the job's. The queue
 * decides when and how often a job is tried, Verdict what became of it.
 *
 *     add -> registered -> in the queue -> processor: claimed -> completed -> job completed
 *                                                '-> next attempt | failed | cancelled -> job failed
 *     listen:  failed and stalled jobs that no processor told          witness: what the queue knows of an operation
 */
import {
  DelayedError,
  type Job,
  type JobProgress,
  type JobsOptions,
  type Processor,
  type Queue,
  UnrecoverableError,
  type Worker,
} from 'bullmq'
import type { Claimant } from '../authority/events.ts'
import { DEFAULT_POLICY, type PolicyOverride, resolvePolicy } from '../authority/lifecycle-policy.ts'
import type { Outcome } from '../authority/operation.ts'
import { isTerminal } from '../authority/status.ts'
import type { WitnessQuestion, WitnessReport } from '../authority/witness.ts'
import { type Clock, SYSTEM_CLOCK } from '../runtime/clock.ts'
import { type BullmqSettings, bullmqViolations } from './bullmq-guard.ts'
import { afterThrow, isUnrecoverable, type JobFacts, jobStartOf, queueJobOf, queueKeyOf } from './bullmq-job.ts'
import { BullmqListener } from './bullmq-listener.ts'
import { witnessed } from './bullmq-witness.ts'
import { type ClientLog, CONSOLE_LOG } from './client-log.ts'
import type { RegistryAddress } from './door.ts'
import { type Duration, durationMs } from './durations.ts'
import { invalidInput, OperationRejected } from './operation-errors.ts'
import type { OperationHandle } from './operation-handle.ts'
import type { Attempt } from './operation-runner.ts'
import { type PolicyOptions, policyOf } from './policy-options.ts'
import { claimJob, type JobRegistration, LIVES_MAX, THERE_ALREADY } from './queue-claim.ts'
import { operationIdOf, type QueueJob, registrationCommandIdOf } from './queue-job.ts'
import { lastLifeOf } from './queue-lives.ts'
import { runJob } from './queue-run.ts'
import type { BridgeParts } from './queue-verdict.ts'
import type { Verdict } from './verdict.ts'

/** The queue owns retries, so its jobs say how often there may be one. */
export type JobPolicy = Omit<PolicyOptions, 'retry'>
export type JobDescription = Omit<JobRegistration, 'policy'>

export interface BullmqBridgeOptions<D = Job['data']> {
  /** Default: that of the Verdict. */
  readonly workspace?: string
  /** Whose operation a job is. The same for a job whenever it is asked. Default: 'default'. */
  readonly owner?: string | ((job: JobFacts<D>) => string)
  /** Default: the name of the job. */
  readonly kind?: (job: JobFacts<D>) => string
  /** What the operation is to show: name, labels, input and so on. */
  readonly describe?: (job: JobFacts<D>) => JobDescription
  /** Policies by kind, for kinds that want other numbers than the authority's own. */
  readonly policies?: Readonly<Record<string, JobPolicy>>
  /**
   * Starts of a job beyond its attempts: BullMQ counts none when a job stalls or is put back by its own function. At least
   * `maxStalledCount` of the workers. Default: 1, as theirs is.
   */
  readonly spareAttempts?: number
  /** Where this process runs, told with every claim. */
  readonly worker?: Omit<Claimant, 'id'>
  readonly log?: ClientLog
  readonly clock?: Clock
}

export interface AddedJob<D = Job['data'], R = unknown> {
  readonly job: Job<D>
  readonly operation: OperationHandle<R>
  /** False where the queue has the job already, under its id or by its own deduplication: then nothing was added. */
  readonly isNew: boolean
}

export type JobAttempt = Omit<Attempt<unknown>, 'input'>

export interface ListenOptions {
  /** How often failed jobs are looked through, beside what events tell; default 1 min. */
  readonly scanEvery?: Duration
}

const SCAN_EVERY_MS = 60_000

export function bullmqBridge<D = Job['data']>(verdict: Verdict, options: BullmqBridgeOptions<D> = {}): BullmqBridge<D> {
  return new BullmqBridge(verdict, options)
}

export class BullmqBridge<D = Job['data']> implements AsyncDisposable {
  readonly #options: BullmqBridgeOptions<D>
  readonly #parts: BridgeParts
  readonly #closed = new AbortController()
  readonly #listeners = new Set<BullmqListener>()

  constructor(verdict: Verdict, options: BullmqBridgeOptions<D>) {
    const { clock = SYSTEM_CLOCK, log = CONSOLE_LOG } = options
    this.#options = options
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
    const kind = this.#kindOf(facts)
    this.guard(kind, { job: opts })
    const given = givenJobId(opts)
    const present: Job | undefined = given === undefined ? undefined : await queue.getJob(given)
    if (present !== undefined) return this.#addedBefore(present)

    const { newId, clock } = this.#parts
    const addedAt = opts.timestamp ?? Math.floor(clock.now())
    const job: QueueJob = { queue: queueKeyOf(queue), jobId: given ?? newId(), addedAt }
    const registered = await this.#register<R>(job, facts, kind)
    const { operation } = registered
    try {
      const added = await queue.add(name, data, { ...options, jobId: job.jobId, timestamp: addedAt })
      const stored: Job | undefined = given === undefined ? added : await queue.getJob(given)
      const isAnother = added.id !== job.jobId || (stored !== undefined && stored.timestamp !== addedAt)
      if (!isAnother) return { job: added, operation, isNew: true }
      const other: Job | undefined = added.id === undefined ? stored : await queue.getJob(added.id)
      if (registered.isNew) await this.#takeBack(operation)
      return await this.#addedBefore(other ?? added)
    } catch (error) {
      if (registered.isNew && (await this.#isMissing(queue, job.jobId))) await this.#takeBack(operation)
      throw error
    }
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
    return async (job, token, stopped) => this.#process(job, token, stopped, run)
  }

  /** Bridges failures of the queue's jobs that no processor could tell, until it is closed. */
  listen(queue: Queue, { scanEvery = SCAN_EVERY_MS }: ListenOptions = {}): BullmqListener {
    const parts = { ...this.#parts, addressOf: (job: Job) => this.#addressOf(factsOf<D>(job)) }
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
    const { spareAttempts = SPARE_ATTEMPTS } = this.#options
    const settings = worker !== undefined && 'opts' in worker ? worker.opts : worker
    const [violation] = bullmqViolations(kind, this.#resolvedPolicy(kind), spareAttempts, {
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

  async #process<J extends D, R>(
    job: Job<J, R>,
    token: string | undefined,
    stopped: AbortSignal | undefined,
    run: (job: Job<J, R>, attempt: JobAttempt) => R | Promise<R>,
  ): Promise<R> {
    const { clock } = this.#parts
    const facts = factsOf<D>(job)
    const address = this.#addressOf(facts)
    const start = jobStartOf(job, this.#kindOf(facts))
    const register = (attempts: number) => this.#registration(facts, start.kind, attempts)
    const claim = await this.#claim(() => claimJob(this.#parts, address, start, register, this.#options.worker))
    switch (claim.type) {
      case 'claimed':
        break
      case 'over':
        return ended<R>(claim.id, claim.outcome)
      case 'outdated':
        throw new Error(`job ${start.jobId} was handed to another worker since: this one is not to run it`)
      case 'not_yet':
        await job.moveToDelayed(Math.max(claim.at, clock.now() + PUT_BACK_MS_MIN), token)
        throw new DelayedError(`operation ${claim.id} is not to be had yet: ${claim.why}`)
      default:
        return claim satisfies never
    }
    const { lease } = claim
    const stop = () => lease.abort('shutdown')
    stopped?.addEventListener('abort', stop, { once: true })
    if (stopped?.aborted) stop()
    const progress = new MirroredProgress(job, this.#parts.log)
    const end = await runJob(this.#parts, address, lease, {
      run: async (attempt) => {
        try {
          return await run(job, progress.of(attempt))
        } finally {
          await progress.flush()
        }
      },
      afterThrow: (thrown) => afterThrow(job, thrown, clock.now()),
    }).finally(() => stopped?.removeEventListener('abort', stop))
    switch (end.type) {
      case 'completed':
        // What the function returned, or what another attempt of it did.
        return end.result as R
      case 'thrown':
        throw end.thrown
      case 'lost':
        throw new Error(`operation ${lease.id}: another worker has this job now`)
      case 'over': {
        const { thrown } = end
        const isFinal = isUnrecoverable(thrown) || job.attemptsMade + 1 >= (job.opts.attempts ?? 0)
        if (end.outcome?.status === 'failed' && isFinal && thrown instanceof Error) throw thrown
        return ended<R>(lease.id, end.outcome)
      }
      default:
        return end satisfies never
    }
  }

  /** What can't be claimed now and never will must not be tried again by the queue. */
  async #claim<T>(claim: () => Promise<T>): Promise<T> {
    try {
      return await claim()
    } catch (error) {
      if (!(error instanceof OperationRejected) || error.retryable) throw error
      throw new UnrecoverableError(`${error.code}: ${error.message}`)
    }
  }

  async #register<R>(
    job: QueueJob,
    facts: JobFacts<D>,
    kind: string,
  ): Promise<{ readonly operation: OperationHandle<R>; readonly isNew: boolean }> {
    const { verdict } = this.#parts
    const address = this.#addressOf(facts)
    let retryOf: { readonly id: string; readonly number: number } | undefined
    for (let life = 1; life <= LIVES_MAX; life++) {
      const id = operationIdOf(job, life)
      const options = { ...this.#registration(facts, kind, Math.max(1, facts.opts.attempts ?? 0)), ...address, id }
      const again = retryOf === undefined ? {} : { retryOf }
      const due = facts.opts.delay ? { notBefore: job.addedAt + facts.opts.delay } : {}
      try {
        const commandId = registrationCommandIdOf(job, life, 0)
        // Its result is what the worker of the job returns.
        const operation = (await verdict.register(kind, {
          ...options,
          ...again,
          ...due,
          commandId,
        })) as OperationHandle<R>
        return { operation, isNew: !operation.joined }
      } catch (error) {
        if (!(error instanceof OperationRejected) || !THERE_ALREADY.has(error.code)) throw error
        const { number } = error.facts
        const hasEnded = error.current !== undefined && isTerminal(error.current.status)
        // An active one without its job: this is the job that it waits for.
        if (!hasEnded) return { operation: verdict.operation<R>({ ...address, id }), isNew: false }
        if (number !== undefined) retryOf = { id, number }
      }
    }
    throw invalidInput('jobId', `an id that was used less than ${LIVES_MAX} times`, job.jobId)
  }

  async #addedBefore<R>(job: Job): Promise<AddedJob<D, R>> {
    const address = this.#addressOf(factsOf<D>(job))
    const queueJob = queueJobOf(job)
    const { life = 1 } = (await lastLifeOf(this.#parts, address, queueJob)) ?? {}
    const operation = this.#parts.verdict.operation<R>({ ...address, id: operationIdOf(queueJob, life) })
    return { job, operation, isNew: false }
  }

  async #takeBack(operation: OperationHandle<unknown>): Promise<void> {
    try {
      await operation.rollback()
    } catch (error) {
      const facts = { operationId: operation.id, error: String(error) }
      this.#parts.log.warn(facts, 'the registration of a job that was not added could not be taken back')
    }
  }

  /** Only a queue that answers can say so; else it will be asked later, as a witness. */
  #isMissing(queue: Queue, jobId: string): Promise<boolean> {
    return new Promise((resolve) => {
      const stop = this.#parts.clock.after(ASK_MS_MAX, () => resolve(false), 'awaited')
      queue
        .getJob(jobId)
        .then(
          (job) => resolve(job === undefined),
          () => resolve(false),
        )
        .finally(stop)
    })
  }

  #addressOf(facts: JobFacts<D>): RegistryAddress {
    const { workspace, owner } = this.#options
    const named = typeof owner === 'function' ? owner(facts) : owner
    // Every handle knows the defaults of its Verdict.
    const { workspace: anyWorkspace, owner: anyOwner } = this.#parts.verdict.operation('')
    return { workspace: workspace ?? anyWorkspace, owner: named ?? anyOwner }
  }

  #kindOf(facts: JobFacts<D>): string {
    return this.#options.kind?.(facts) ?? facts.name
  }

  #registration(facts: JobFacts<D>, kind: string, attempts: number): JobRegistration {
    const { describe, spareAttempts = SPARE_ATTEMPTS } = this.#options
    return {
      source: `bullmq:${facts.queueName}`,
      ...describe?.(facts),
      policy: { ...this.#policyOf(kind), retry: { maxAttempts: attempts + spareAttempts, owner: 'queue' } },
    }
  }

  #policyOf(kind: string): JobPolicy {
    const { policies = {} } = this.#options
    return (Object.hasOwn(policies, kind) ? policies[kind] : undefined) ?? {}
  }

  #resolvedPolicy(kind: string) {
    // Durations were checked and named as the authority names them; the rest is for its border to judge.
    return resolvePolicy(DEFAULT_POLICY, policyOf(this.#policyOf(kind)) as PolicyOverride)
  }
}

const SPARE_ATTEMPTS = 1
const PUT_BACK_MS_MIN = 10
const ASK_MS_MAX = 2_000

function factsOf<D>({ queueName, name, data, opts }: Job<D>): JobFacts<D> {
  return { queueName, name, data, opts }
}

/** BullMQ takes no integers and no colons for ids: it uses both itself. */
function givenJobId({ jobId }: JobsOptions): string | undefined {
  if (jobId === undefined) return undefined
  const isTaken = jobId === '' || jobId.includes(':') || `${Number.parseInt(jobId, 10)}` === jobId
  if (isTaken) throw invalidInput('jobId', 'an id that is no integer and has no colon, as BullMQ wants it', jobId)
  return jobId
}

/** The job of an operation that is over: it completes with it, or fails for good. */
function ended<R>(id: string, outcome: Outcome | undefined): R {
  // Stored as JSON by the one who knew the type.
  if (outcome?.status === 'completed') return outcome.result as R
  throw new UnrecoverableError(`operation ${id} is over: ${outcome === undefined ? 'it has ended' : told(outcome)}`)
}

function told(outcome: Exclude<Outcome, { status: 'completed' }>): string {
  const why = outcome.status === 'failed' ? outcome.error.message : outcome.reason
  return why === undefined ? outcome.status : `${outcome.status}, ${why}`
}

/** Progress is shown by BullMQ's own tools, too: the newest report, one on its way at a time. */
class MirroredProgress {
  readonly #job: Job
  readonly #log: ClientLog
  #next: JobProgress | undefined
  #sending: Promise<void> | undefined

  constructor(job: Job, log: ClientLog) {
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
