/** Durations as people say them: '4 min 10 s', '2 h', '3 d 4 h'. Two units at most, the smaller one cut off. */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

export function spokenDuration(ms: number): string {
  const whole = Math.max(0, Math.floor(ms))
  const largest = UNITS.findIndex(([, unitMs]) => whole >= unitMs)
  const first = UNITS[largest]
  if (first === undefined) return `${whole} ms`
  const second = UNITS[largest + 1]
  const rest = second === undefined ? 0 : Math.floor((whole % first[1]) / second[1])
  const told = `${Math.floor(whole / first[1])} ${first[0]}`
  return second === undefined || rest === 0 ? told : `${told} ${rest} ${second[0]}`
}
