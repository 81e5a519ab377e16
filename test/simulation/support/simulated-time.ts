/**
 * Time that passes from one thing that happens to the next, and in no other way. What is due at one moment happens in the order
 * in which it was asked for, so that a seed tells the whole story.
 *
 *     after(ms, life, call) -> heap -> step: the next one is called, and all that it sets off runs before the one behind it
 */
import type { Clock } from '../../../src/runtime/clock.ts'

/** Of a process, or of what is on its way: what belongs to a life that is over never happens. */
export class Life {
  readonly name: string
  isOver = false
  /** Nothing of it happens before: a stopped process, a machine that sleeps. */
  pausedUntil = 0

  constructor(name: string) {
    this.name = name
  }
}

interface Due {
  at: number
  order: number
  readonly life: Life
  readonly call: () => void
  isCancelled: boolean
}

export class SimulatedTime {
  /** Things that happened. */
  steps = 0
  #now = 0
  #order = 0
  readonly #heap: Due[] = []

  /** Milliseconds since the beginning, as no clock in it shows them. */
  get now(): number {
    return this.#now
  }

  /** Returns the way to stop it. */
  after(ms: number, life: Life, call: () => void): () => void {
    const due: Due = { at: this.#now + Math.max(0, ms), order: this.#order++, life, call, isCancelled: false }
    this.#push(due)
    return () => {
      due.isCancelled = true
    }
  }

  /** Never resolves for a life that ends meanwhile. */
  passing(ms: number, life: Life): Promise<void> {
    return new Promise((resolve) => this.after(ms, life, resolve))
  }

  /** False when nothing will ever happen again. */
  async step(): Promise<boolean> {
    for (let due = this.#pop(); due !== undefined; due = this.#pop()) {
      if (due.isCancelled || due.life.isOver) continue
      if (due.life.pausedUntil > due.at) {
        due.at = due.life.pausedUntil
        due.order = this.#order++
        this.#push(due)
        continue
      }
      this.#now = due.at
      this.steps++
      due.call()
      await turnOfTheLoop()
      return true
    }
    return false
  }

  #push(due: Due): void {
    const heap = this.#heap
    let i = heap.push(due) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (isBefore(heap[parent] as Due, due)) break
      heap[i] = heap[parent] as Due
      i = parent
    }
    heap[i] = due
  }

  #pop(): Due | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child++
      if (isBefore(last, heap[child] as Due)) break
      heap[i] = heap[child] as Due
      i = child
    }
    heap[i] = last
    return first
  }
}

/** The clock of one process: it may be wrong, and may be set while it runs. */
export class SimulatedClock implements Clock {
  readonly #time: SimulatedTime
  readonly #life: Life
  /** How far it is from the truth, in ms. */
  offsetMs: number

  constructor(time: SimulatedTime, life: Life, offsetMs: number) {
    this.#time = time
    this.#life = life
    this.offsetMs = offsetMs
  }

  now(): number {
    return Math.floor(EPOCH + this.#time.now + this.offsetMs)
  }

  monotonicNow(): number {
    return this.#time.now
  }

  after(ms: number, call: () => void): () => void {
    return this.#time.after(ms, this.#life, call)
  }
}

const EPOCH = Date.UTC(2026, 0, 1)

function isBefore(one: Due, other: Due): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}

/** Lets everything run that waits for nothing but its turn. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
