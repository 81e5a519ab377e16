/** Durations as people write them: a number of milliseconds, or a text such as '90s', '2m', '1h 30m'. */
import { invalidInput } from './operation-errors.ts'

export type Duration = number | string

const MS_OF: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const EXPECTED = "milliseconds as a whole number from 0, or a text such as '90s', '2m', '1h 30m'"

/** Whole milliseconds. Throws OperationRejected (`invalid_command`) that names the path. */
export function durationMs(value: unknown, path: string): number {
  const ms = typeof value === 'string' ? parsed(value) : value
  if (typeof ms === 'number' && Number.isSafeInteger(ms) && ms >= 0) return ms
  throw invalidInput(path, EXPECTED, value)
}

function parsed(text: string): number | undefined {
  if (!/^\s*(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d)\s*)+$/.test(text)) return undefined
  let ms = 0
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)/g)) {
    ms += Number(amount) * (MS_OF[unit] ?? Number.NaN)
  }
  return Math.round(ms)
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
  for (const [unit, unitMs] of Object.entries(MS_OF).reverse()) {
    const amount = Math.floor(rest / unitMs)
    if (amount > 0) parts.push(`${amount}${unit}`)
    rest -= amount * unitMs
  }
  return parts.length === 0 ? '0ms' : parts.join(' ')
}
