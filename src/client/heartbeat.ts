/** Signs of life for a lease, on time, for as long as its function runs. */
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { Lease } from './lease.ts'
import { OperationRejected } from './operation-errors.ts'

/** A third of the interval is left for the way, and for a busy process. */
const SHARE = 2 / 3
/** Also where clocks disagree so much that every heartbeat seems late. */
const WAIT_MS_MIN = 25
const WAIT_MS_AFTER_REFUSAL_MAX = 1_000

/**
 * The first one at once: from then on silence is what is measured. Ends by itself when the lease is lost. Returns the way to
 * stop, which may be called twice.
 */
export function keepHeartbeats(lease: Lease, clock: Clock, log: WarningLog): () => void {
  let isStopped = false
  let isFailing = false
  let stopTimer = () => {}

  const beat = async () => {
    try {
      await lease.heartbeat()
      isFailing = false
    } catch (error) {
      const isLost = error instanceof OperationRejected && !error.retryable
      if (isLost) isStopped = true
      else if (!isFailing && !isStopped) {
        log.warn({ operationId: lease.id, error: String(error) }, 'a heartbeat was not heard, trying on')
        isFailing = true
      }
    }
    if (isStopped) return
    const remaining = Math.max(WAIT_MS_MIN, (lease.nextHeartbeatBefore - clock.now()) * SHARE)
    stopTimer = clock.after(isFailing ? Math.min(remaining, WAIT_MS_AFTER_REFUSAL_MAX) : remaining, () => void beat())
  }

  void beat()
  return () => {
    isStopped = true
    stopTimer()
  }
}
