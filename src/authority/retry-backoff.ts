/** How long the next attempt waits: growing with each one, up to a bound, a part of it left to chance. */
import type { Policy } from './lifecycle-policy.ts'

/** Whole milliseconds. `attempt` is the one that was lost, from 1; `fraction`, from 0 to 1, is the caller's chance. */
export function backoffMs(
  { initialMs, factor, maxMs, jitter }: Policy['retry']['backoff'],
  attempt: number,
  fraction: number,
): number {
  const fullMs = Math.min(maxMs, initialMs * factor ** (attempt - 1))
  return Math.round(fullMs * (1 - jitter * fraction))
}
