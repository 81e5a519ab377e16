/** What the log says of the operation of a job: which starts of the job it has seen, and whether a new one is part of it. */
import type { HistoryEntry } from '../authority/questions.ts'
import { type Birth, birthIn, type ClaimedStart, type JobStart, startIn } from './queue-job.ts'

export interface JobStory {
  /** Undefined for an operation that no bridge registered. */
  readonly birth: Birth | undefined
  /** The last start that claimed it, and in which attempt. */
  readonly claim: (ClaimedStart & { readonly attempt: number }) | undefined
  readonly attempt: number
}

export function storyOf(history: readonly HistoryEntry[]): JobStory {
  const [registration] = history
  let claim: JobStory['claim']
  let attempt = 1
  for (const { event } of history) {
    if (event.type === 'OperationStarted') {
      const start = startIn(event.facts.claimant?.id)
      claim = start === undefined ? undefined : { ...start, attempt }
    } else if (event.type === 'AttemptFailed' || event.type === 'AttemptLost') attempt = event.facts.attempt + 1
  }
  return {
    birth: registration === undefined ? undefined : birthIn(registration.metadata.commandId),
    claim,
    attempt,
  }
}

/**
 * Whether a start of a job is still about this operation, which has ended: then nothing must run, and the job is told. Else
 * the job has finished since, in the eyes of its queue, and somebody wants it to run again. The queue's counts tell: it counts
 * the end of every start, except where it gave up the worker or was asked to take the job back. Counts that were set back to
 * what they had been tell nothing; then nothing runs.
 */
export function isAboutEnded({ birth, claim, attempt }: JobStory, start: JobStart): boolean {
  if (birth === undefined) return true
  if (birth.addedAt !== start.addedAt) return false
  if (claim === undefined) return start.ended === birth.ended
  if (start.started <= claim.started) return false
  const endedSince = start.ended - claim.ended
  // Under a worker, which did not come to tell the queue; or while it waited for its next attempt.
  return endedSince === 0 || (endedSince === 1 && claim.attempt !== attempt)
}
