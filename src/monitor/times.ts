/** Times as people read them. Pure: "now" is given. */
import { spokenDuration } from '../authority/spoken-duration.ts'

const JUST_NOW_MS = 1_000

/** '4 min ago', 'in 2 h 5 min', 'just now'. */
export function relativeTime(at: number, now: number): string {
  const ms = now - at
  if (Math.abs(ms) < JUST_NOW_MS) return 'just now'
  return ms > 0 ? `${shortDuration(ms)} ago` : `in ${shortDuration(-ms)}`
}

/** '2026-11-21 13:05:09.120 UTC' */
export function absoluteTime(at: number): string {
  const [day = '', time = ''] = new Date(at).toISOString().split('T')
  return `${day} ${time.replace('Z', '')} UTC`
}

/** '2026-11-21 13:05:09', where a column says that it is UTC. */
export function utcSecond(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ')
}

/** Two units at most from a minute on, whole seconds below. */
export function shortDuration(ms: number): string {
  const whole = Math.max(0, ms)
  return spokenDuration(whole >= 1_000 ? Math.floor(whole / 1_000) * 1_000 : whole)
}

/** As the attribute `datetime` wants it. */
export function machineTime(at: number): string {
  return new Date(at).toISOString()
}
