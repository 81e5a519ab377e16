/**
 * What a rebuild leaves to commands where log and rows lie on one disk: a commit of the log waits for whatever is being flushed
 * there. So while others write to the log, rows are flushed little by little; what can't be (an index is one commit, however large)
 * is followed by a rest, so that few commands meet it.
 *
 *     commit -> the log has grown? -- no --> on, as fast as it goes
 *                     '-- yes --> enough of it? checkpoint -- quick --> on
 *                                                     '-- slow --> rest until that is made up for, the log is quiet, or it would outgrow the rows
 */
import type { ReadDatabase } from '../../projections/read-database.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { type Clock, sleep } from '../runtime/clock.ts'

export interface SharedDiskParts {
  readonly database: Pick<ReadDatabase, 'checkpointWhenDue'>
  readonly reader: Pick<EventReader, 'end'>
  readonly clock: Clock
  /** Of the time: in flushes that are felt. */
  readonly shareMax: number
  /** Where the log ends now. */
  readonly end: bigint
  /** What is written to the file: again, while others do. */
  readonly persistently: (write: () => void) => Promise<void>
  /** Called several times a second in a rest: it may be long. */
  readonly renew: () => void
  readonly signal: AbortSignal
}

/** Flushed at a time: less takes as long as one of the log's own, however slow the disk is. */
const PAGES_FLUSHED = 256
/** A flush that is over before is not told from one of the log's own. */
const FELT_MS = 5
const REST_MS_MAX = 10_000
/** A log to which nothing came for so long is quiet. */
const QUIET_MS = 250
/** Of what was built: once the log has grown by so much since the beginning, there is no rest any more. */
const GROWTH_SHARE_MAX = 0.5

export class SharedDisk {
  readonly #parts: SharedDiskParts
  #end: bigint
  #owedMs = 0
  readonly #begunAt: number

  constructor(parts: SharedDiskParts) {
    this.#parts = parts
    this.#end = parts.end
    this.#begunAt = parts.clock.monotonicNow()
  }

  /** After each commit. */
  async flush(): Promise<void> {
    const { database, clock, shareMax, persistently } = this.#parts
    const pagesDue = (await this.#hasGrown()) ? PAGES_FLUSHED : undefined
    let isFlushed = false
    const startedAt = clock.monotonicNow()
    await persistently(() => {
      isFlushed = database.checkpointWhenDue(pagesDue)
    })
    const flushMs = clock.monotonicNow() - startedAt
    const isFelt = isFlushed && pagesDue !== undefined && flushMs >= FELT_MS
    if (isFelt) this.#owedMs += flushMs / shareMax - flushMs
  }

  /**
   * Where there is something to make up for, and time: `built` events were brought into the rows since the beginning. Throws the
   * signal's reason, and what renewing throws.
   */
  async rest(built: number): Promise<void> {
    const { clock, signal, persistently, renew } = this.#parts
    let leftMs = Math.min(this.#owedMs, REST_MS_MAX, this.#roomMs(built))
    this.#owedMs = 0
    for (; leftMs > 0; leftMs -= QUIET_MS) {
      await sleep(clock, Math.min(leftMs, QUIET_MS), signal)
      await persistently(renew)
      if (!(await this.#hasGrown())) break
    }
  }

  /** How long the log takes, at its pace since the beginning, to grow by its share of what was built. */
  #roomMs(built: number): number {
    const grown = Number(this.#end - this.#parts.end)
    if (grown === 0) return Number.POSITIVE_INFINITY
    const elapsedMs = this.#parts.clock.monotonicNow() - this.#begunAt
    return ((built * GROWTH_SHARE_MAX - grown) * elapsedMs) / grown
  }

  async #hasGrown(): Promise<boolean> {
    const end = await this.#parts.reader.end()
    const hasGrown = end !== this.#end
    this.#end = end
    return hasGrown
  }
}
