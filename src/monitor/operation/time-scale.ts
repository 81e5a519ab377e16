/** Times on a line: shares of its length, and round times to read it by. Pure. */
const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
  900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000,
] as const
const DAY_MS = 86_400_000
const MARKS_MAX = 6

export interface TimeScale {
  readonly fromAt: number
  readonly untilAt: number
  /** From 0 to 100. */
  readonly share: (at: number) => number
  readonly marks: readonly { readonly at: number; readonly label: string }[]
}

export function timeScale(fromAt: number, untilAt: number): TimeScale {
  const end = Math.max(untilAt, fromAt + 1)
  const share = (at: number) => (100 * (Math.min(end, Math.max(fromAt, at)) - fromAt)) / (end - fromAt)
  const step = stepOf(end - fromAt)
  const marks: { readonly at: number; readonly label: string }[] = []
  for (let at = Math.ceil(fromAt / step) * step; at <= end; at += step) marks.push({ at, label: labelOf(at, step) })
  return { fromAt, untilAt: end, share, marks }
}

function stepOf(ms: number): number {
  const fine = STEPS_MS.find((step) => ms / step <= MARKS_MAX)
  if (fine !== undefined) return fine
  let days = 1
  while (ms / (days * DAY_MS) > MARKS_MAX) days *= 2
  return days * DAY_MS
}

/** As fine as the step: '13:05', '13:05:10', '13:05:10.200', '11-21'. UTC. */
function labelOf(at: number, step: number): string {
  const text = new Date(at).toISOString()
  if (step >= DAY_MS) return text.slice(5, 10)
  if (step >= 60_000) return text.slice(11, 16)
  return step >= 1_000 ? text.slice(11, 19) : text.slice(11, 23)
}
