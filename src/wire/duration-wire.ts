/** Durations as people write them: a number of milliseconds, or a text such as '90s', '2m', '1h 30m'. The same wherever one is read. */
import { z } from 'zod'

export type Duration = number | string

/** The greater unit last. */
export const MS_OF_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
export const DURATION_EXPECTED = "milliseconds as a whole number from 0, or a text such as '90s', '2m', '1h 30m'"

export const durationSchema = z
  .union([z.int().min(0), z.string()])
  .meta({ id: 'Duration', description: "Milliseconds, or a text such as '90s', '2m', '1h 30m'." })

/** Whole milliseconds; undefined for what is no duration. */
export function durationIn(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? parsed(value) : value
  return typeof ms === 'number' && Number.isSafeInteger(ms) && ms >= 0 ? ms : undefined
}

function parsed(text: string): number | undefined {
  if (!/^\s*(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d)\s*)+$/.test(text)) return undefined
  let ms = 0
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)/g)) {
    ms += Number(amount) * (MS_OF_UNIT[unit] ?? Number.NaN)
  }
  return Math.round(ms)
}
