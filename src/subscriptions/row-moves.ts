/**
 * What the threads of one process tell each other about the rows: that they have moved, and that somebody waits for them to.
 *
 *     follow --moved--> ask        ask --wanted, and whose--> follow, which then rests no longer
 */

/** Stored nowhere: two Int32 that are counted up, and one with a bit for each projection whose rows are waited for. */
const MOVED = 0
const WANTED = 1
const WHOSE = 2

export class RowMoves {
  readonly #counts: Int32Array<SharedArrayBuffer>
  #wantedSeen: number

  constructor(shared: SharedArrayBuffer) {
    this.#counts = new Int32Array(shared)
    this.#wantedSeen = Atomics.load(this.#counts, WANTED)
  }

  static shared(): SharedArrayBuffer {
    return new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)
  }

  moved(): void {
    this.#count(MOVED)
  }

  /** To be read before the rows are looked at: a move between the two makes `untilMoved` end at once. */
  get moves(): number {
    return Atomics.load(this.#counts, MOVED)
  }

  /**
   * Whoever follows hears that rows of this projection are waited for. Ends when any have moved since, or after so long: other
   * processes move rows unheard.
   */
  async untilMoved(projection: string, since: number, timeoutMs: number): Promise<void> {
    Atomics.or(this.#counts, WHOSE, bitOf(projection))
    this.#count(WANTED)
    await this.#changed(MOVED, since, timeoutMs)
  }

  /** Whose rows were waited for since this was last asked. One whose bit another has is now and then told without need. */
  wanted(): (projection: string) => boolean {
    const whose = Atomics.exchange(this.#counts, WHOSE, 0)
    return (projection) => (whose & bitOf(projection)) !== 0
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

function bitOf(projection: string): number {
  let sum = 0
  for (let i = 0; i < projection.length; i++) sum = (sum * 33 + projection.charCodeAt(i)) >>> 0
  return 1 << (sum % 32)
}
