/**
 * The reconciler of one node: wakes at the earliest deadline that it knows of, looks whether it could be heard, and does one pass.
 * Nothing that it knows is a source of truth: two of them over one log are harmless, one that dies leaves nothing behind.
 *
 *     start -> (rows caught up, clocks agree?) -> pass -> sleep until the next deadline, or one sweep -> pass ... -> stop
 */

import type { UnheardTime } from '../authority/grace.ts'
import type { Clock } from '../runtime/clock.ts'
import { Periodic } from '../runtime/periodic.ts'
import type { OrderedBy, OrderOnRecord, ReconcilerOrder, RecordedOrders } from '../shell/reconciler-orders.ts'
import type { AliveMarkStore } from './alive-mark.ts'
import { Arrivals } from './arrivals.ts'
import { type BreakerLimits, Breakers, type OpenBreaker } from './breaker.ts'
import { type AskRows, type Candidate, Candidates } from './candidates.ts'
import { type ClockStanding, clockStanding, type LogTimes } from './clock-standing.ts'
import { Hearing } from './hearing.ts'
import { type Mode, type ModeInForce, Modes } from './modes.ts'
import { type PassOutcome, type PassRequest, runPass, type SendCommand } from './pass.ts'
import { PassNotes, type PassReport, type ReportedOperation } from './pass-report.ts'
import type { Witness } from './witness.ts'

export interface ReconcilerSettings {
  /** Between two passes at least. */
  readonly intervalMinMs: number
  /** Between two passes at most: what nobody told of is found after so long. */
  readonly sweepMs: number
  readonly breaker: BreakerLimits
  readonly clockSkewMaxMs: number
  readonly aliveMarkMs: number
  readonly witnessTimeoutMs: number
}

export interface ReconcilerLog {
  info(facts: Readonly<Record<string, unknown>>, message: string): void
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
}

export interface ReconcilerParts {
  /** Asks the read model `liveness`. */
  readonly ask: AskRows
  /** How far rows have come that are served or being made; undefined where there are none. */
  readonly rowsMade: (signal: AbortSignal) => Promise<bigint | undefined>
  /** Of the last thing that this node knows to be in the log, all that it held at the start included: judged is by rows that show it. */
  readonly knownPosition: () => Promise<bigint>
  /** When an event of another node came that had just been written. */
  readonly liveTime: () => LogTimes['live']
  readonly send: SendCommand
  readonly clock: Clock
  /** From 0 to 1. */
  readonly fraction: () => number
  readonly settings: ReconcilerSettings
  readonly mark: AliveMarkStore
  /** Whether the log takes what is heard. */
  readonly isReachable: () => boolean
  readonly witnesses: Readonly<Record<string, Witness>>
  /** As configured; what is on record counts more. */
  readonly modes: Readonly<Record<string, Mode>>
  readonly orders: Orders
  readonly log: ReconcilerLog
}

/** What operators said, on record in the log. */
export interface Orders {
  read(): Promise<RecordedOrders>
  record(order: ReconcilerOrder, by: OrderedBy): Promise<RecordedOrders>
  onOthers(listener: () => void): () => void
}

export interface ReconcilerStatus {
  /** The last pass of the loop or on demand. */
  readonly lastPass?: Omit<PassReport, 'operations'>
  /** The last pass of the loop that was broken off. */
  readonly lastFailure?: { readonly at: number; readonly message: string }
  readonly clock: ClockStanding
  readonly breakers: readonly OpenBreaker[]
  /** What the breakers held back in the last pass over everything, as much as a report takes. */
  readonly held: readonly ReportedOperation[]
  /** By kind; `*` is every kind of which no newer word was said. */
  readonly modes: Readonly<Record<string, ModeInForce>>
  readonly releases: Readonly<Record<string, OrderOnRecord>>
  /** Stretches of time in which nobody could be heard, oldest first. */
  readonly unheard: readonly UnheardTime[]
}

/** Who only opens a log to say something and go is not kept by read models that begin to follow. */
const FIRST_PASS_MS = 1_000

export class Reconciler {
  readonly #parts: ReconcilerParts
  readonly #candidates: Candidates
  readonly #arrivals: Arrivals
  readonly #breakers: Breakers
  readonly #modes: Modes
  readonly #hearing: Hearing
  readonly #loop: Periodic
  readonly #unwatch: () => void
  #isBehind = false
  #clock: ClockStanding = { type: 'agrees' }
  #position = 0n
  #lastPass: PassReport | undefined
  #lastFailure: { readonly at: number; readonly message: string } | undefined
  #held: readonly ReportedOperation[] = []

  constructor(parts: ReconcilerParts) {
    this.#parts = parts
    const { clock, settings, mark, isReachable, log, ask, modes, orders } = parts
    this.#candidates = new Candidates(ask)
    this.#arrivals = new Arrivals(clock, settings.clockSkewMaxMs / 2)
    this.#breakers = new Breakers(settings.breaker)
    this.#modes = new Modes(modes)
    this.#hearing = new Hearing({
      clock,
      mark,
      intervalMs: settings.aliveMarkMs,
      isReachable,
      onMarkFailed: (error) => log.warn({ error: String(error) }, 'the mark of being alive could not be written'),
    })
    this.#loop = new Periodic({
      clock,
      pass: (signal) => this.#sweep(signal),
      intervalMinMs: settings.intervalMinMs,
      intervalMaxMs: settings.sweepMs,
      onError: (error) => {
        this.#lastFailure = { at: clock.now(), message: String(error) }
        log.warn({ error: String(error) }, 'a pass of the reconciler was broken off')
      },
    })
    this.#unwatch = orders.onOthers(() => this.#loop.wakeWithin(0))
  }

  /** The first pass comes soon. Twice is once; after `stop` it does nothing. */
  start(): void {
    this.#hearing.start()
    this.#loop.start(FIRST_PASS_MS)
  }

  /** A deadline that somebody came to know of: it is met on time, and not when the next sweep finds it. */
  expect(dueAt: number): void {
    this.#loop.wakeWithin(dueAt - this.#parts.clock.now())
  }

  /** Breaks off the pass that is under way. Twice is once, and before `start` as well. */
  async stop(): Promise<void> {
    this.#unwatch()
    await this.#loop.stop()
    await this.#hearing.stop()
  }

  /** One pass now, within a scope; also before `start`. Rejects when the signal aborts, or after `stop`. */
  reconcile(request: PassRequest = {}, signal?: AbortSignal): Promise<PassReport> {
    return this.#loop.alone(async (stopping) => {
      const either = signal === undefined ? stopping : AbortSignal.any([stopping, signal])
      for (let before: bigint | undefined; ; ) {
        const { report } = await this.#pass(request, either)
        if (report.abstained !== 'rows_behind') return report
        // Of a long log that was never read the first rows take their time; as long as they come, they are waited for.
        const rows = await this.#parts.rowsMade(either).catch(() => undefined)
        if (rows === undefined || rows === before) return report
        before = rows
      }
    })
  }

  /** How far it goes with a kind, as far as this node knows. */
  modeOf(kind: string): Mode {
    return this.#modes.of(kind)
  }

  /**
   * How far to go with a kind from now on: on record in the log, so every node that runs goes by it from its next pass on, and
   * every one that starts. Throws NotRecorded, and RangeError for what is no order.
   */
  async changeMode(kind: string, mode: Mode, by: OrderedBy): Promise<void> {
    this.#heed(await this.#parts.orders.record({ type: 'mode', kind, mode }, by))
    this.#loop.wakeWithin(0)
  }

  /**
   * Lets the breaker of a kind go, on record as well: what is suspect by now may be reconciled by any node. False when it was
   * not open on this one. Throws NotRecorded, and RangeError for what is no order.
   */
  async release(kind: string, by: OrderedBy): Promise<boolean> {
    const closed = this.#heed(await this.#parts.orders.record({ type: 'release', kind }, by))
    this.#loop.wakeWithin(0)
    return closed.includes(kind)
  }

  /** Goes by what operators said by now, on whatever node. Throws LogError and CodecError. */
  async readOrders(): Promise<void> {
    this.#heed(await this.#parts.orders.read())
  }

  /** Stretches of time in which nobody could be heard, up to now. */
  get unheard(): readonly UnheardTime[] {
    this.#hearing.look()
    return this.#hearing.unheard
  }

  get status(): ReconcilerStatus {
    const status = {
      clock: this.#clock,
      breakers: this.#breakers.open,
      held: this.#held.filter(({ kind }) => this.#breakers.open.some((breaker) => breaker.kind === kind)),
      modes: this.#modes.all,
      releases: Object.fromEntries(this.#breakers.releases),
      unheard: this.unheard,
      ...(this.#lastFailure === undefined ? {} : { lastFailure: this.#lastFailure }),
    }
    if (this.#lastPass === undefined) return status
    const { operations: _operations, ...lastPass } = this.#lastPass
    return { ...status, lastPass }
  }

  /** A pass of the loop; in how many ms the next is needed. */
  async #sweep(signal: AbortSignal): Promise<number> {
    const { report, nextAt } = await this.#pass({}, signal)
    if (report.abstained !== undefined) return this.#parts.settings.sweepMs
    const due = await this.#candidates.earliestDue(report.at, signal)
    return Math.min(nextAt, due ?? Number.POSITIVE_INFINITY) - this.#parts.clock.now()
  }

  async #pass(request: PassRequest, signal: AbortSignal): Promise<PassOutcome> {
    const { clock, settings, liveTime } = this.#parts
    signal.throwIfAborted()
    const abstain = (why: NonNullable<PassReport['abstained']>): PassOutcome => {
      const report = new PassNotes().report(clock.now(), request.dryRun === true, why)
      this.#lastPass = report
      return { report, nextAt: Number.POSITIVE_INFINITY, position: this.#position }
    }
    if (!(await this.#isTold(signal))) return abstain('orders_unread')
    const newestAt = await this.#reached(signal)
    if (newestAt === undefined) return abstain('rows_behind')
    const times = { newestAt, live: liveTime() }
    // Both at one moment: what was not heard, and what time it is.
    const { unheard } = this
    const now = clock.now()
    const standing = clockStanding(times, now, unheard, settings.clockSkewMaxMs)
    if (standing.type !== this.#clock.type && standing.type !== 'agrees') {
      this.#parts.log.warn({ ...standing }, "this node's clock is not that of the log: nobody is judged")
    }
    this.#clock = standing
    if (standing.type !== 'agrees') return abstain(standing.type === 'behind' ? 'clock_behind' : 'clock_apart')
    const parts = {
      ...this.#parts,
      candidates: this.#candidates,
      witnessTimeoutMs: settings.witnessTimeoutMs,
      modes: this.#modes,
      breakers: this.#breakers,
      onBreakerOpen: (breaker: OpenBreaker) => this.#breakerOpened(breaker),
      latenessMs: (candidate: Candidate) => {
        // Rows that came since the pass began are those of now.
        this.#arrivals.note(this.#candidates.position)
        const latenessMs = this.#arrivals.latenessMs(candidate)
        return latenessMs > settings.clockSkewMaxMs ? latenessMs : 0
      },
    }
    const moment = { now, unheard: request.withoutGrace === true ? [] : unheard }
    const outcome = await runPass(parts, request, moment, signal)
    if (outcome.position > this.#position) this.#position = outcome.position
    this.#lastPass = outcome.report
    if (isOfAll(request)) this.#held = outcome.report.operations.filter(({ finding }) => finding === 'heldByBreaker')
    this.#tell(outcome.report)
    return outcome
  }

  /** It knows what operators said by now: who was told to leave a kind alone must not be too late to hear it. */
  async #isTold(signal: AbortSignal): Promise<boolean> {
    try {
      await this.readOrders()
      return true
    } catch (error) {
      signal.throwIfAborted()
      this.#parts.log.warn({ error: String(error) }, 'orders to the reconciler could not be read: nobody is judged')
      return false
    }
  }

  /** The kinds whose breaker that closes. */
  #heed({ modes, releases }: RecordedOrders): readonly string[] {
    const { log } = this.#parts
    for (const kind of this.#modes.recorded(modes)) {
      log.info({ kind, mode: this.#modes.of(kind) }, 'the reconciler was told how far to go')
    }
    const closed = this.#breakers.released(releases)
    for (const kind of closed) {
      const { actor, reason } = releases.get(kind) ?? {}
      log.warn({ kind, actor, reason, code: 'reconciler_breaker_released' }, 'the breaker of a kind was released')
    }
    return closed
  }

  /** The newest time in the log, once the rows rest on all that this node knows of it; undefined where they do not. */
  async #reached(signal: AbortSignal): Promise<number | undefined> {
    const { knownPosition, log } = this.#parts
    try {
      const known = await knownPosition()
      const newestAt = await this.#candidates.reach(
        known > this.#position ? known : this.#position,
        this.#position,
        signal,
      )
      this.#isBehind = false
      this.#arrivals.note(this.#candidates.position)
      return newestAt
    } catch (error) {
      signal.throwIfAborted()
      if (!this.#isBehind) {
        log.warn({ error: String(error) }, 'the rows of the reconciler are behind the log: nobody is judged')
      }
      this.#isBehind = true
      return undefined
    }
  }

  #tell({ operations: _operations, ...counts }: PassReport): void {
    const { dryRun, reconciled, retried, cancelled, refused } = counts
    if (!dryRun && reconciled + retried + cancelled + refused > 0) {
      this.#parts.log.info(counts, 'operations that did not speak for themselves were reconciled')
    }
  }

  #breakerOpened({ kind, suspects, active }: OpenBreaker): void {
    this.#parts.log.warn(
      { code: 'reconciler_breaker_open', kind, suspects, active },
      `${suspects} of ${active} operations of "${kind}" seem dead at once: none of them is reconciled until it is released`,
    )
  }
}

function isOfAll({ kinds, owners, workspaces }: PassRequest): boolean {
  return kinds === undefined && owners === undefined && workspaces === undefined
}
