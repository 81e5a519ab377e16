import { durationMs } from '../client/durations.ts'
import { OperationRejected } from '../client/operation-errors.ts'
import { UsageError } from './usage-error.ts'

/** Milliseconds of what was given as `90s` or `1h 30m`. Throws UsageError. */
export function timeOf(option: string, text: string): number {
  try {
    return durationMs(text, option)
  } catch (error) {
    if (error instanceof OperationRejected) throw new UsageError(error.message)
    throw error
  }
}
