/**
 * An operation's story in sentences, one for each event of its life: attempts, phases, silences, what contradicted it. The words
 * are ours and names that were registered; what people and programs wrote stands apart, as diagnostics.
 */
import type { DeadlineRule, Evidence, LifecycleEvent, OperationError, RecordedEvent } from './events.ts'
import { outcomeSentence, REASON_SENTENCES } from './reason-sentences.ts'
import { spokenDuration } from './spoken-duration.ts'
import { outcomeOf } from './terminal-facts.ts'

export interface StoryStep {
  readonly revision: number
  /** Epoch ms. */
  readonly at: number
  readonly type: LifecycleEvent['type']
  readonly sentence: string
  /** Since the step before it, where there is one. */
  readonly afterMs?: number
  /** The attempt that it belongs to, as far as the entries tell. */
  readonly attempt?: number
  /** For how long nothing had been heard when that was judged. */
  readonly silenceMs?: number
  /** What was thrown or written, as it was said. */
  readonly diagnostics?: { readonly error?: OperationError; readonly message?: string }
}

/** Of events of one operation, oldest first. Pure. */
export function storyTold(entries: readonly RecordedEvent[]): readonly StoryStep[] {
  const steps: StoryStep[] = []
  let attempt: number | undefined
  for (const { revision, event, metadata } of entries) {
    if ('attempt' in event.facts) attempt = event.facts.attempt
    const before = steps.at(-1)
    const silenceMs = silenceOf(event)
    const diagnostics = diagnosticsOf(event)
    steps.push({
      revision,
      at: metadata.at,
      type: event.type,
      sentence: sentenceOf(event, silenceMs, metadata.at),
      ...(before === undefined ? {} : { afterMs: Math.max(0, metadata.at - before.at) }),
      ...(attempt === undefined ? {} : { attempt }),
      ...(silenceMs === undefined ? {} : { silenceMs }),
      ...(diagnostics === undefined ? {} : { diagnostics }),
    })
  }
  return steps
}

function sentenceOf(event: LifecycleEvent, silenceMs: number | undefined, at: number): string {
  const silence = silenceMs === undefined ? '' : ` Nothing had been heard for ${spokenDuration(silenceMs)}.`
  switch (event.type) {
    case 'OperationRegistered': {
      const { kind, retryOf } = event.facts
      const again = retryOf === undefined ? '' : ` It tries "${retryOf.id}" (#${retryOf.number}) again.`
      return `Registered, of kind "${kind}".${again}`
    }
    case 'RegistrationJoined':
      return 'It was asked for again under its key, and that joined it.'
    case 'RegistrationRolledBack':
      return 'Its registration was taken back.'
    case 'OperationStarted': {
      const { attempt, claimant } = event.facts
      return `Attempt ${attempt} began${claimant === undefined ? '' : `, claimed by "${claimant.id}"`}.`
    }
    case 'PeerBecameReady':
      return 'Its peer is ready.'
    case 'ProgressReported':
      return progressSentence(event.facts)
    case 'SignsOfLifeRecorded':
      return 'It was heard of.'
    case 'PhaseStarted':
      return `Phase "${event.facts.phase}" began.`
    case 'PhaseCompleted':
      return `Phase "${event.facts.phase}" was completed.`
    case 'PhaseFailed':
      return `Phase "${event.facts.phase}" failed.`
    case 'AttemptFailed':
      return `Attempt ${event.facts.attempt} failed; ${nextIn(event.facts.notBeforeAt - at)}`
    case 'AttemptLost': {
      const { attempt, reconciliation, notBeforeAt } = event.facts
      const why = reconciliation === undefined ? '' : ` ${REASON_SENTENCES[reconciliation.reasonCode]}${silence}`
      return `Attempt ${attempt} was lost; ${nextIn(notBeforeAt - at)}${why}`
    }
    case 'CancelRequested':
      return `A cancel was asked for; it is forced in ${spokenDuration(event.facts.deadlineAt - at)} unless it is followed.`
    case 'RetireRequested':
      return 'It was asked to wind down.'
    case 'AttentionRaised':
      return SILENCES[event.facts.rule]
    case 'AttentionCleared':
      return 'It was heard of again, and needs no attention.'
    case 'ContradictionRecorded':
      return `A late report claimed that it had ${event.facts.claimed}; that was refused and changed nothing.`
    case 'OperationCompleted':
    case 'OperationCancelled':
    case 'OperationFailed': {
      const judged = event.facts.reconciliation === undefined ? '' : ' The reconciler ended it.'
      return `${outcomeSentence(outcomeOf(event))}${judged}${silence}`
    }
    case 'OperationAborted':
    case 'OperationRetired':
      return outcomeSentence(outcomeOf(event))
    case 'OwnerTerminated':
      return outcomeSentence({ status: 'terminated', reason: '' })
    case 'RegistryOpened':
    case 'RegistryLimitsChanged':
    case 'OwnerRetired':
    case 'WaitBegan':
    case 'WaitExpired':
    case 'WaitCancelled':
    case 'CompletedCollected':
      return 'Something happened to its owner.'
    default:
      return event satisfies never
  }
}

function progressSentence({
  reports,
  processed,
  total,
}: Extract<LifecycleEvent, { type: 'ProgressReported' }>['facts']) {
  const times = reports === 1 ? '' : `, ${reports} reports in one`
  if (processed === undefined) return `Progress was reported${times}.`
  return `Progress was reported: ${processed}${total === undefined ? '' : ` of ${total}`}${times}.`
}

function nextIn(ms: number): string {
  return ms > 0 ? `the next one may begin in ${spokenDuration(ms)}.` : 'the next one may begin.'
}

const SILENCES: Readonly<Record<DeadlineRule, string>> = {
  queued: 'No worker took it in the time that its kind allows.',
  first_sign: 'It was claimed and not heard of since, for longer than its kind allows.',
  sign: 'It fell silent, for longer than its kind allows.',
  progress: 'It was alive and made no progress, for longer than its kind allows.',
  runtime: 'It ran for longer than its kind allows.',
  cancel: 'It did not follow the cancel in time.',
  retire: 'It did not wind down in the time that its kind allows.',
}

function silenceOf(event: LifecycleEvent): number | undefined {
  const evidence = 'reconciliation' in event.facts ? event.facts.reconciliation?.evidence : undefined
  return evidence === undefined ? undefined : silenceIn(evidence)
}

function silenceIn({ judgedAt, lastSignAt }: Evidence): number | undefined {
  return lastSignAt === undefined ? undefined : Math.max(0, judgedAt - lastSignAt)
}

function diagnosticsOf({ content }: LifecycleEvent): StoryStep['diagnostics'] {
  const error = 'error' in content ? content.error : undefined
  const message = 'message' in content ? content.message : 'reason' in content ? content.reason : undefined
  if (error === undefined && message === undefined) return undefined
  return { ...(error === undefined ? {} : { error }), ...(message === undefined ? {} : { message }) }
}
