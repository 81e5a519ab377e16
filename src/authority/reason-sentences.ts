/** What an operator may read about a reconciled operation. Raw exceptions stay in diagnostics. */
import type { ReasonCode } from './events.ts'

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
