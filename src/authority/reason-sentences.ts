/** What an operator may read about an operation that ended. Raw exceptions stay in diagnostics. */
import type { ReasonCode } from './events.ts'
import type { Outcome } from './operation.ts'

export const REASON_SENTENCES: Readonly<Record<ReasonCode, string>> = {
  'run.stale_queued': 'No worker started this operation within the time its kind allows.',
  'run.stale_running': 'The worker of this operation gave no sign of life for longer than its kind allows.',
  'run.stale_retiring': 'This operation was asked to wind down and did not finish within the time its kind allows.',
  'run.stalled': 'The worker is alive, but made no progress for longer than its kind allows.',
  'run.deadline_exceeded': 'This operation ran for longer than its kind allows.',
  'run.cancel_ignored': 'A cancel was asked for, and the worker did not follow it in time.',
  'run.infrastructure_timeout_or_abandonment': 'The infrastructure under this operation timed out or abandoned it.',
  'run.queue_failure_bridge': 'The queue gave up on the job of this operation.',
  'run.never_enqueued': 'The queue knows of no job for this operation.',
  'run.adapter_out_of_sync': 'The queue and this registry disagreed about this operation.',
}

/** How it ended, in words of ours alone: nothing that people or programs wrote stands in them. */
export function outcomeSentence(outcome: Outcome): string {
  switch (outcome.status) {
    case 'completed':
      return 'It completed.'
    case 'failed':
      return outcome.reasonCode === undefined
        ? 'It failed: an error was reported, which stands among its diagnostics.'
        : `It failed. ${REASON_SENTENCES[outcome.reasonCode]}`
    case 'cancelled':
      return 'It was cancelled.'
    case 'aborted':
      return 'It was called off before a worker took it.'
    case 'retired':
      return 'It was wound down as asked.'
    case 'terminated':
      return 'It ended with its owner.'
    default:
      return outcome satisfies never
  }
}

/** The code under which an operation was judged; undefined where nobody had to judge it. */
export function reasonCodeOf(outcome: Outcome | undefined): ReasonCode | undefined {
  if (outcome?.status === 'failed' && outcome.reasonCode !== undefined) return outcome.reasonCode
  return outcome !== undefined && 'reconciliation' in outcome ? outcome.reconciliation?.reasonCode : undefined
}
