/** How long to wait before a server that did not answer is asked again: at once, then 1, 2, 4 ... 30 s, each time up to half less. */
import type { Clock } from '../runtime/clock.ts'

const FIRST_MS = 1_000
const MAX_MS = 30_000

/** Before try number `tries`, counted from 1 for the first repetition; that one is for a connection that had grown old. */
export function backOffMs(tries: number, random: () => number): number {
  if (tries <= 1) return 0
  const whole = Math.min(MAX_MS, FIRST_MS * 2 ** (tries - 2))
  return whole / 2 + random() * (whole / 2)
}

/** The process stays for it, as for every answer that somebody waits for. Ends early, and quietly, when the signal aborts. */
export function rest(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      stop()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const stop = clock.after(ms, end, 'awaited')
    signal.addEventListener('abort', end, { once: true })
  })
}
