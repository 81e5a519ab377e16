/** A call that must not be lost: made again, later and later, for as long as its refusals say that it may succeed. */
import { type Clock, sleep } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { OperationRejected } from './operation-errors.ts'

const WAIT_MS_FIRST = 100
const WAIT_MS_MAX = 5_000

export interface RetryParts {
  readonly clock: Clock
  readonly log: WarningLog
  /** Aborted when there is nobody left to ask. */
  readonly closed: AbortSignal
}

/** The call's answer. Rejects with its last refusal when that is final, or when this process closes. */
export async function retriedCall<T>(
  { clock, log, closed }: RetryParts,
  what: Readonly<Record<string, unknown>>,
  call: () => Promise<T>,
): Promise<T> {
  for (let waitMs = WAIT_MS_FIRST; ; waitMs = Math.min(WAIT_MS_MAX, 2 * waitMs)) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof OperationRejected) || !error.retryable || closed.aborted) throw error
      if (waitMs === WAIT_MS_FIRST)
        log.warn({ ...what, code: error.code }, `refused for now, sent again: ${error.message}`)
      const pause = waitMs / 2 + Math.random() * (waitMs / 2)
      await sleep(clock, pause, closed).catch(() => {
        throw error
      })
    }
  }
}
