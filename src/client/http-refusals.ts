/** Refusals as a client of a server sees them. */
import type { Refusal } from './operation-errors.ts'

/**
 * It says nothing about the command, and passes by itself: asked again, under the same id, it is answered. A refusal that rests
 * on the truth (a limit, a lease, a status) is not among them, whether or not it may be another one later.
 */
const PASSING: ReadonlySet<string> = new Set([
  'overloaded',
  'contention',
  'outcome_unknown',
  'store_unavailable',
  'store_busy',
  'store_full',
  'store_read_only',
  'shutting_down',
  'rate_limited',
  'too_many_streams',
  'too_many_outcomes',
  'request_timeout',
  'not_served',
  'reads_unavailable',
])

export function isPassing({ code }: Pick<Refusal, 'code'>): boolean {
  return PASSING.has(code)
}

export interface Unanswered {
  readonly commandId?: string
  /** Then nobody knows what became of it, and only the same command id asks again without harm. */
  readonly mayHaveArrived: boolean
}

export function serverUnavailable(address: string, why: string, { commandId, mayHaveArrived }: Unanswered): Refusal {
  const facts = { server: address, retryable: true, ...(commandId === undefined ? {} : { commandId }) }
  return mayHaveArrived
    ? { code: 'outcome_unknown', message: `${address}: ${why}; the command may have arrived`, facts }
    : { code: 'server_unavailable', message: `${address}: ${why}; nothing was sent`, facts }
}
