/**
 * Time as a part that is handed in: the wall clock for what is stored, a monotonic one for what is measured, and timers.
 * Tests and simulations hand in one that they move by hand.
 */
export interface Clock {
  /** Epoch milliseconds; may step back. */
  now(): number
  /** Milliseconds that never step back; only differences mean something. */
  monotonicNow(): number
  /**
   * Calls once after so many milliseconds, at the earliest. Returns the way to stop it, which may be called twice. A process
   * that has nothing else to do does not wait for it, unless it is `awaited`.
   */
  after(ms: number, call: () => void, isAwaited?: 'awaited'): () => void
}

/** setTimeout fires at once for more than 2^31 - 1 ms; whoever waits longer is woken early and looks again. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** The machine's clock. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonicNow: () => performance.now(),
  after(ms, call, isAwaited) {
    const timer = setTimeout(call, Math.min(Math.max(0, ms), TIMER_MS_MAX))
    // In browsers a timer is a number, and nothing has to end.
    if (isAwaited === undefined && typeof timer === 'object') timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Ends after so many milliseconds, or with the signal's reason as soon as that aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return wakeUp(clock, ms, signal, undefined)
}

/** The same for a pause in which somebody waits for an answer: the process stays for it. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return wakeUp(clock, ms, undefined, 'awaited')
}

function wakeUp(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  isAwaited: 'awaited' | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const stop = clock.after(
      ms,
      () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      },
      isAwaited,
    )
    const abort = () => {
      stop()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}
