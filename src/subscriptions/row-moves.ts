/**
 * What the threads of one process tell each other about the rows: that they have moved, and that somebody waits for them to.
 *
 *     follow --moved--> ask        ask --wanted--> follow, which then rests no longer
 */

/** Stored nowhere: two Int32 that are counted up. */
const MOVED = 0
const WANTED = 1

export class RowMoves {
  readonly #counts: Int32Array<SharedArrayBuffer>
  #wantedSeen: number

  constructor(shared: SharedArrayBuffer) {
    this.#counts = new Int32Array(shared)
    this.#wantedSeen = Atomics.load(this.#counts, WANTED)
  }

  static shared(): SharedArrayBuffer {
    return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
  }

  moved(): void {
    this.#count(MOVED)
  }

  /** To be read before the rows are looked at: a move between the two makes `untilMoved` end at once. */
  get moves(): number {
    return Atomics.load(this.#counts, MOVED)
  }

  /** Whoever follows hears that rows are waited for. Ends when they have moved since, or after so long: other processes move rows unheard. */
  async untilMoved(since: number, timeoutMs: number): Promise<void> {
    this.#count(WANTED)
    await this.#changed(MOVED, since, timeoutMs)
  }

  /** A rest of so long, which ends as soon as rows are waited for, or were since the last one, and when the signal aborts. */
  async restUnlessWanted(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const leave = () => Atomics.notify(this.#counts, WANTED)
    signal.addEventListener('abort', leave, { once: true })
    await this.#changed(WANTED, this.#wantedSeen, ms)
    signal.removeEventListener('abort', leave)
    this.#wantedSeen = Atomics.load(this.#counts, WANTED)
  }

  #count(which: number): void {
    Atomics.add(this.#counts, which, 1)
    Atomics.notify(this.#counts, which)
  }

  async #changed(which: number, since: number, timeoutMs: number): Promise<void> {
    const changed = Atomics.waitAsync(this.#counts, which, since, timeoutMs)
    if (changed.async) await changed.value
  }
}
