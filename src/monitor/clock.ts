/**
 * The time, by the server's clock, once a second while the page is looked at. A machine in front of the screen may be minutes off;
 * ages are told by the clock that the stamps were made with.
 */
import { signal } from '@preact/signals'

/** Below this the difference is the way of the answer and the second that HTTP rounds to. */
const SKEW_MIN_MS = 2_000
const TICK_MS = 1_000

let skewMs = 0

/** Epoch ms. Reading it in a component shows the component again each second. */
export const now = signal(serverNow())

export function serverNow(): number {
  return Date.now() + skewMs
}

/** The header `Date` of an answer that has just come. */
export function tellServerTime(date: string | null): void {
  const at = Date.parse(date ?? '')
  if (Number.isNaN(at)) return
  const measuredMs = at - Date.now()
  skewMs = Math.abs(measuredMs) < SKEW_MIN_MS ? 0 : measuredMs
}

setInterval(() => {
  if (!document.hidden) now.value = serverNow()
}, TICK_MS)
document.addEventListener('visibilitychange', () => {
  now.value = serverNow()
})
