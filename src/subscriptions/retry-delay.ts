/** How long to wait before trying again: doubling up to a maximum, with jitter so that many do not come back at once. */
export function retryDelayMs(tries: number, firstMs: number, maxMs: number, random: number): number {
  const whole = Math.min(maxMs, firstMs * 2 ** Math.min(tries, DOUBLINGS_MAX))
  return whole / 2 + (whole / 2) * random
}

/** Beyond this a number of milliseconds means nothing any more. */
const DOUBLINGS_MAX = 32
