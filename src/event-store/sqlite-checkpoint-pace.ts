/**
 * When the write-ahead log is copied into the file. Whoever is under way waits for a copy, which takes some milliseconds for each
 * MiB and two flushes however little it copies: so there are many small ones, and fewer and larger ones where they take a larger
 * part of the time than they may.
 *
 *     written   |----- bytes enough, and rested -----> due
 *               |----- bytes at their most ----------> due, rested or not
 *               '----- nothing for a while ----------> what is left is due
 */

/** Measured: a copy of 0.5 MiB takes 1.2 ms, one of 4 MiB 8 ms; with less than this they take more of the time in all. */
const BYTES_MIN = 512 * 1024
/** The write-ahead log stays small, however slow the disk is. */
const BYTES_MAX = 4 * 1024 * 1024
/** After a copy commits have so many times as long to themselves. */
const REST_TIMES = 9
/** What is left is copied when nothing was written for so long. */
const QUIET_MS = 250

/** Times are milliseconds of one monotonic clock. */
export class CheckpointPace {
  #bytes = 0
  #wroteAt = 0
  #restedAt = 0

  wrote(bytes: number, now: number): void {
    this.#bytes += bytes
    this.#wroteAt = now
  }

  /** Asked between two commits. */
  isDue(now: number): boolean {
    return this.#bytes >= BYTES_MAX || (this.#bytes >= BYTES_MIN && now >= this.#restedAt)
  }

  /** Asked while nothing is written. */
  isRemainderDue(now: number): boolean {
    return this.#bytes > 0 && now - this.#wroteAt >= QUIET_MS
  }

  /** Whether it went through or not: one that fails is tried again after as much, not at once. */
  made(beganAt: number, now: number): void {
    this.#bytes = 0
    this.#restedAt = now + (now - beganAt) * REST_TIMES
  }
}
