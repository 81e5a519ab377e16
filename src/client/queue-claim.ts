/**
 * From a job that a queue handed out to the lease of its operation. The queue says who works, Verdict says whether there is
 * anything to work on:
 *
 *     waits                    -> claimed
 *     is not there             -> registered, then claimed
 *     held by a start that the queue gave up -> that attempt is lost, the next one claimed
 *     held by a later start    -> `outdated`: this worker was given up itself
 *     has ended, before this start           -> `over`, with the truth
 *     has ended, and the job ran again since -> the next life: a new operation that names the old one
 */

import type { Claimant } from '../authority/events.ts'
import type { Outcome } from '../authority/operation.ts'
import type { OperationSnapshot, RegistryAddress } from '../authority/questions.ts'
import type { Lease } from './lease.ts'
import { OperationRejected } from './operation-errors.ts'
import { claimantIdOf, type JobStart, operationIdOf, registrationCommandIdOf, startIn } from './queue-job.ts'
import { isAboutEnded, storyOf } from './queue-story.ts'
import {
  type BridgeParts,
  type OperationRef,
  type QueueVerdict,
  queueFailure,
  speakForQueue,
  workerGone,
} from './queue-verdict.ts'
import type { RegisterOptions } from './registration.ts'
import { retriedCall } from './retried-call.ts'

/** What an operation is registered with, the queue's own share excepted. No key: a job has an operation of its own. */
export type JobRegistration = Omit<RegisterOptions, 'id' | 'key' | 'commandId' | 'retryOf' | 'workspace' | 'owner'>

export type JobClaim =
  | { readonly type: 'claimed'; readonly lease: Lease }
  | { readonly type: 'over'; readonly id: string; readonly outcome: Outcome | undefined }
  | { readonly type: 'outdated'; readonly id: string }
  /** Epoch ms before which it is not to be had, as far as is known. */
  | { readonly type: 'not_yet'; readonly id: string; readonly at: number; readonly why: string }

/** How often one job may be run again after it had finished. */
export const LIVES_MAX = 100
/** Steps of one claim: each settles something, and others may be at it, too. */
const STEPS_MAX = LIVES_MAX + 16
const BUSY_MS = 5_000

/** Throws OperationRejected for what can't be claimed and never will. */
export async function claimJob(
  parts: BridgeParts,
  address: RegistryAddress,
  start: JobStart,
  registration: (attempts: number) => JobRegistration,
  worker: Omit<Claimant, 'id'> = {},
): Promise<JobClaim> {
  const claimant = { id: claimantIdOf(start), ...worker }
  let life = 1
  let before: { readonly id: string; readonly number: number } | undefined
  let refusal: unknown
  for (let step = 0; step < STEPS_MAX && life <= LIVES_MAX; step++) {
    const ref = { ...address, id: operationIdOf(start, life) }
    const commandId = parts.newId()
    try {
      const lease = await retriedCall(parts, { operationId: ref.id }, () =>
        parts.verdict.claim(ref, { claimant, commandId }),
      )
      return { type: 'claimed', lease }
    } catch (error) {
      if (!(error instanceof OperationRejected)) throw error
      refusal = error
      const { code, facts, current } = error
      if (code === 'not_found') {
        const full = await register(parts, ref, start, life, before, registration)
        if (full !== undefined) return full
      } else if (code === 'not_due') {
        return { type: 'not_yet', id: ref.id, at: Number(facts.notBeforeAt), why: code }
      } else if (code === 'already_claimed') {
        const held = await takeOver(parts, ref, start)
        if (held !== undefined) return held
      } else if (code === 'already_terminal') {
        const story = storyOf(await parts.verdict.operation(ref).history())
        if (isAboutEnded(story, start)) return { type: 'over', id: ref.id, outcome: current?.outcome }
        before = facts.number === undefined ? undefined : { id: ref.id, number: facts.number }
        life++
      } else if (code === 'shutting_down') {
        return { type: 'not_yet', id: ref.id, at: parts.clock.now() + BUSY_MS, why: code }
      } else throw error
    }
  }
  throw refusal
}

/** Somebody else's registration of it is as good. */
async function register(
  parts: BridgeParts,
  ref: OperationRef,
  start: JobStart,
  life: number,
  retryOf: RegisterOptions['retryOf'],
  registration: (attempts: number) => JobRegistration,
): Promise<JobClaim | undefined> {
  const options = {
    ...registration(Math.max(1, start.attempts - start.ended)),
    ...ref,
    ...(retryOf === undefined ? {} : { retryOf }),
    commandId: registrationCommandIdOf(start, life, start.ended),
  }
  try {
    await retriedCall(parts, { operationId: ref.id }, () => parts.verdict.register(start.kind, options))
    return undefined
  } catch (error) {
    if (!(error instanceof OperationRejected)) throw error
    if (THERE_ALREADY.has(error.code)) return undefined
    if (error.code !== 'max_concurrent_exceeded') throw error
    return { type: 'not_yet', id: ref.id, at: parts.clock.now() + BUSY_MS, why: error.code }
  }
}

export const THERE_ALREADY: ReadonlySet<string> = new Set(['already_registered', 'command_id_reused'])

/** Undefined when the way is free, or when it is to be looked at again. */
async function takeOver(parts: BridgeParts, ref: OperationRef, start: JobStart): Promise<JobClaim | undefined> {
  let held: JobClaim | undefined
  let isRunAgain = false
  const judge = ({ lease, cancel }: OperationSnapshot): QueueVerdict | undefined => {
    held = undefined
    if (lease?.open !== true) return undefined
    const holder = startIn(lease.claimant?.id)
    if (holder === undefined) {
      // A worker that the queue knows nothing of: it is not the queue's to say that it is gone.
      held = { type: 'not_yet', id: ref.id, at: parts.clock.now() + BUSY_MS, why: 'already_claimed' }
      return undefined
    }
    if (holder.addedAt === start.addedAt && holder.started >= start.started) {
      held = { type: 'outdated', id: ref.id }
      return undefined
    }
    isRunAgain = holder.addedAt !== start.addedAt || holder.ended !== start.ended
    const gone = workerGone(parts.clock.now())
    return cancel === undefined ? gone : { ...gone, disposition: { type: 'cancel' } }
  }
  try {
    await speakForQueue(parts, ref, judge)
  } catch (error) {
    if (!(error instanceof OperationRejected) || error.code !== 'retry_not_allowed') throw error
    await speakForQueue(parts, ref, (operation) =>
      judge(operation) === undefined ? undefined : queueFailure(NO_ATTEMPT_LEFT),
    )
  }
  if (held !== undefined || isRunAgain) return held
  const outcome = (await parts.verdict.operation(ref).snapshot())?.outcome
  return outcome === undefined ? undefined : { type: 'over', id: ref.id, outcome }
}

const NO_ATTEMPT_LEFT = {
  message: 'its worker was gone, and its policy allows no further attempt',
  code: 'attempts_exhausted',
}
