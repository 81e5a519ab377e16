/** Into the queue, with the operation first: what is in a queue is known to Verdict. */
import type { Job, JobsOptions, Queue } from 'bullmq'
import { isTerminal } from '../authority/status.ts'
import { type JobFacts, jobFactsOf, queueJobOf, queueKeyOf } from './bullmq-job.ts'
import type { JobMeaning } from './bullmq-meaning.ts'
import { invalidInput, OperationRejected } from './operation-errors.ts'
import type { OperationHandle } from './operation-handle.ts'
import { LIVES_MAX, THERE_ALREADY } from './queue-claim.ts'
import { operationIdOf, type QueueJob, registrationCommandIdOf } from './queue-job.ts'
import { lastLifeOf } from './queue-lives.ts'
import { storyOf } from './queue-story.ts'
import type { BridgeParts } from './queue-verdict.ts'

export interface AddedJob<D = Job['data'], R = unknown> {
  readonly job: Job<D>
  readonly operation: OperationHandle<R>
  /** False where the operation was there before: then so was its job, unless nobody had managed to add it yet. */
  readonly isNew: boolean
}

interface Registered<R> {
  readonly operation: OperationHandle<R>
  readonly isNew: boolean
  /** When its job was, or is to be, added: what tells this job from others of its id. */
  readonly addedAt: number
}

export interface JobToAdd<D> extends JobFacts<D> {
  readonly kind: string
  /** As the caller gave them: the queue adds its defaults itself. */
  readonly options: JobsOptions
}

const ASK_MS_MAX = 2_000

export async function addJob<D, R>(
  parts: BridgeParts,
  meaning: JobMeaning<D>,
  queue: Queue,
  facts: JobToAdd<D>,
): Promise<AddedJob<D, R>> {
  const { name, data, opts, options } = facts
  const given = givenJobId(opts)
  const present: Job | undefined = given === undefined ? undefined : await queue.getJob(given)
  if (present !== undefined) return addedBefore<D, R>(parts, meaning, present)

  const { newId, clock } = parts
  const jobId = given ?? newId()
  const now = opts.timestamp ?? Math.floor(clock.now())
  const registered = await register<D, R>(parts, meaning, { queue: queueKeyOf(queue), jobId, addedAt: now }, facts)
  const { operation, isNew, addedAt } = registered
  try {
    const added = await queue.add(name, data, { ...options, jobId, timestamp: addedAt })
    const stored: Job | undefined = given === undefined ? added : await queue.getJob(given)
    const isAnother = added.id !== jobId || (stored !== undefined && stored.timestamp !== addedAt)
    if (!isAnother) return { job: added, operation, isNew }
    if (isNew) await takeBack(parts, operation)
    const other: Job | undefined = added.id === undefined ? stored : await queue.getJob(added.id)
    return await addedBefore<D, R>(parts, meaning, other ?? added)
  } catch (error) {
    if (isNew && (await isMissing(parts, queue, jobId))) await takeBack(parts, operation)
    throw error
  }
}

async function register<D, R>(
  { verdict }: BridgeParts,
  meaning: JobMeaning<D>,
  job: QueueJob,
  facts: JobToAdd<D>,
): Promise<Registered<R>> {
  const { kind, opts } = facts
  const address = meaning.addressOf(facts)
  let retryOf: { readonly id: string; readonly number: number } | undefined
  for (let life = 1; life <= LIVES_MAX; life++) {
    const id = operationIdOf(job, life)
    const options = { ...meaning.registration(facts, kind, Math.max(1, opts.attempts ?? 0)), ...address, id }
    const again = retryOf === undefined ? {} : { retryOf }
    const due = opts.delay ? { notBefore: job.addedAt + opts.delay } : {}
    try {
      const commandId = registrationCommandIdOf(job, life, 0)
      // Its result is what the worker of the job returns.
      const operation = (await verdict.register(kind, {
        ...options,
        ...again,
        ...due,
        commandId,
      })) as OperationHandle<R>
      return { operation, isNew: true, addedAt: job.addedAt }
    } catch (error) {
      if (!(error instanceof OperationRejected) || !THERE_ALREADY.has(error.code)) throw error
      const { number } = error.facts
      const hasEnded = error.current !== undefined && isTerminal(error.current.status)
      if (!hasEnded) {
        // An active one whose job is not there, or is being added by somebody else: this is the job that it waits for.
        const operation = verdict.operation<R>({ ...address, id })
        const { birth } = storyOf(await operation.history())
        return { operation, isNew: false, addedAt: birth?.addedAt ?? job.addedAt }
      }
      if (number !== undefined) retryOf = { id, number }
    }
  }
  throw invalidInput('jobId', `an id that was used less than ${LIVES_MAX} times`, job.jobId)
}

async function addedBefore<D, R>(parts: BridgeParts, meaning: JobMeaning<D>, job: Job): Promise<AddedJob<D, R>> {
  const address = meaning.addressOf(jobFactsOf<D>(job))
  const queueJob = queueJobOf(job)
  const { life = 1 } = (await lastLifeOf(parts, address, queueJob)) ?? {}
  const operation = parts.verdict.operation<R>({ ...address, id: operationIdOf(queueJob, life) })
  return { job, operation, isNew: false }
}

async function takeBack({ log }: BridgeParts, operation: OperationHandle<unknown>): Promise<void> {
  try {
    await operation.rollback()
  } catch (error) {
    const facts = { operationId: operation.id, error: String(error) }
    log.warn(facts, 'the registration of a job that was not added could not be taken back')
  }
}

/** Only a queue that answers can say so; else it will be asked later, as a witness. */
function isMissing({ clock }: BridgeParts, queue: Queue, jobId: string): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = clock.after(ASK_MS_MAX, () => resolve(false), 'awaited')
    queue
      .getJob(jobId)
      .then(
        (job) => resolve(job === undefined),
        () => resolve(false),
      )
      .finally(stop)
  })
}

/** BullMQ takes no integers and no colons for ids: it uses both itself. */
function givenJobId({ jobId }: JobsOptions): string | undefined {
  if (jobId === undefined) return undefined
  const isTaken = jobId === '' || jobId.includes(':') || `${Number.parseInt(jobId, 10)}` === jobId
  if (isTaken) throw invalidInput('jobId', 'an id that is no integer and has no colon, as BullMQ wants it', jobId)
  return jobId
}
