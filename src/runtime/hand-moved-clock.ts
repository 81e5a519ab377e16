/** A clock that stands still until somebody moves it: for tests and simulations, where nothing may depend on real time. */
import type { Clock } from './clock.ts'

interface Timer {
  readonly dueAt: number
  readonly order: number
  readonly call: () => void
}

export class HandMovedClock implements Clock {
  #now: number
  #monotonic = 0
  #order = 0
  readonly #timers = new Set<Timer>()

  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  monotonicNow(): number {
    return this.#monotonic
  }

  after(ms: number, call: () => void): () => void {
    const timer = { dueAt: this.#monotonic + Math.max(0, ms), order: this.#order++, call }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /**
   * Lets time pass: due timers are called in order, each at its own time, and what they start gets its turn. Where that takes
   * real time (files, threads), `settle` has to wait for its end: else time goes on while it is still under way.
   */
  async advance(ms: number, settle: () => Promise<void> = turnOfTheLoop): Promise<void> {
    const until = this.#monotonic + ms
    await settle()
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      // One that is overdue is called now.
      this.#move(Math.max(0, next.dueAt - this.#monotonic))
      this.#timers.delete(next)
      next.call()
      await settle()
    }
    this.#move(until - this.#monotonic)
    await settle()
  }

  /** The wall clock jumps, no time passes: what an administrator or a time server does. */
  step(ms: number): void {
    this.#now += ms
  }

  /** Time passes and nobody is there: no timer is called before the clock is moved again. A machine that sleeps, a paused process. */
  sleep(ms: number): void {
    this.#move(ms)
  }

  #next(until: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.dueAt > until) continue
      const isEarlier = next === undefined || timer.dueAt < next.dueAt
      if (isEarlier || (timer.dueAt === next?.dueAt && timer.order < next.order)) next = timer
    }
    return next
  }

  #move(ms: number): void {
    this.#monotonic += ms
    this.#now += ms
  }
}

/** Lets everything run that waits for nothing but its turn. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
