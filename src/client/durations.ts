/** Durations and moments of the API, in whole milliseconds. */
import { DURATION_EXPECTED, type Duration, durationIn, MS_OF_UNIT } from '../wire/duration-wire.ts'
import { invalidInput } from './operation-errors.ts'

export type { Duration }

/** Whole milliseconds. Throws OperationRejected (`invalid_command`) that names the path. */
export function durationMs(value: unknown, path: string): number {
  const ms = durationIn(value)
  if (ms !== undefined) return ms
  throw invalidInput(path, DURATION_EXPECTED, value)
}

/** A moment: a Date, or epoch milliseconds. */
export type Moment = Date | number

/** Epoch milliseconds. Throws OperationRejected (`invalid_command`) that names the path. */
export function momentMs(value: unknown, path: string): number {
  const ms = value instanceof Date ? value.getTime() : value
  if (typeof ms === 'number' && Number.isSafeInteger(ms) && ms >= 0) return ms
  throw invalidInput(path, 'a valid Date, or epoch milliseconds', value)
}

/** The same as text that `durationMs` reads back: '90s' is '1m 30s'. */
export function writtenDuration(ms: number): string {
  const parts: string[] = []
  let rest = ms
  for (const [unit, unitMs] of Object.entries(MS_OF_UNIT).reverse()) {
    const amount = Math.floor(rest / unitMs)
    if (amount > 0) parts.push(`${amount}${unit}`)
    rest -= amount * unitMs
  }
  return parts.length === 0 ? '0ms' : parts.join(' ')
}
