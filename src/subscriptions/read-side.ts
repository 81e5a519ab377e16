/**
 * The read side as the main thread has it: questions, health, rebuilds, orders. Nothing here reads a file or folds an event;
 * that happens on threads, so that neither a rebuild nor a heavy question delays a command.
 *
 *     ask ------> thread `ask`    (one, kept)            nothing is started before it is needed
 *     health ---> thread `follow` (one, kept, restarted)
 *     rebuild --> thread `build`  (one for each, then gone)
 */
import type { Worker } from 'node:worker_threads'
import type { Order } from '../../projections/operator-orders.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { CheckReport } from './check.ts'
import type { LogLag } from './log-lag.ts'
import { parkedLines } from './parked-lines.ts'
import type { OrderAnswer } from './parked-orders.ts'
import type { ProjectionHealth, RebuildProgress } from './projection-health.ts'
import type { ModuleExport, ParametersOf, Question, QuestionFunction } from './question.ts'
import type { AskedQuestion, DeskAnswer } from './question-desk.ts'
import { ReadSideError } from './read-side-error.ts'
import type { ReadSideSettings } from './read-side-settings.ts'
import type { RebuildReport } from './rebuild.ts'
import { retryDelayMs } from './retry-delay.ts'
import { RowMoves } from './row-moves.ts'
import { ThreadCaller } from './thread-calls.ts'
import type { FollowerNews, LogPlace, ThreadData, ThreadRole } from './thread-data.ts'

export interface ReadSideParts {
  /** Of the file of the read models. */
  readonly path: string
  readonly projections: readonly ModuleExport[]
  readonly settings: ReadSideSettings
  /** Names this process among those that share the file. */
  readonly holder: string
  /** `watch` never follows and builds nothing by itself. */
  readonly mode: 'follow' | 'watch'
  readonly log: WarningLog & { readonly info?: WarningLog['warn'] }
  /** Starts the thread whose entry composes the rest. */
  readonly startThread: (data: ThreadData) => Worker
  /** The log for one more thread; `release` when that has ended. */
  readonly placeOfLog: () => { readonly place: LogPlace; release(): void }
}

export interface AskOptions {
  /** The rows are to show at least everything up to here: the position of a command's answer, to read one's own writes. */
  readonly atLeast?: bigint | undefined
  /** How long that is waited for. Default: `questionTimeoutMs` of the settings. */
  readonly timeoutMs?: number | undefined
  /** Tell how far the rows lie behind the log as well. */
  readonly withLag?: boolean | undefined
  /** Nobody waits for it: the process may end meanwhile. */
  readonly isBackground?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ReadAnswer<T> {
  readonly answer: T
  /** What it rests on: everything up to here, and nothing behind it. */
  readonly position: bigint
  readonly lag?: LogLag
}

export interface LongCallOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: RebuildProgress) => void) | undefined
}

const START_MS = 300
const ORDER_TIMEOUT_MS = 15_000
const RESTART_MS = 500
/** What stands in the log, or in a module, stays there: trying again by itself would change nothing. */
const REFUSALS_FOR_PEOPLE: ReadonlySet<string> = new Set([
  'poison_event',
  'unknown_event',
  'unwritable_rows',
  'projection_unusable',
])
const RESTART_MS_MAX = 30_000

interface Thread {
  readonly caller: ThreadCaller
  readonly release: () => void
}

export class ReadSide {
  readonly #parts: ReadSideParts
  readonly #moves = RowMoves.shared()
  readonly #kept = new Map<'follow' | 'ask', Thread>()
  readonly #building = new Set<Thread>()
  readonly #closed = new AbortController()
  readonly #timers = new Set<NodeJS.Timeout>()
  /** By projection: why a build that nobody ordered did not come to its end. */
  readonly #unbuilt = new Map<string, string>()
  #isBuildingUnbuilt = false
  #threads = 0
  #tries = 0
  #closing: Promise<void> | undefined

  constructor(parts: ReadSideParts) {
    this.#parts = parts
  }

  /** Begins to follow; asking anything does so as well. Twice is once. */
  start(): void {
    if (this.#parts.mode === 'follow') this.#thread('follow')
  }

  /** The same after a while, so that a program that soon ends pays for no thread that it has no use for. */
  startSoon(): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.start()
    }, START_MS).unref()
    this.#timers.add(timer)
  }

  /**
   * Throws ReadSideError `read_model_behind` (with the position that the rows have), `not_served` while nothing is built,
   * QuestionError for a question that makes no sense, and the signal's reason.
   */
  async ask<F extends QuestionFunction>(
    question: Question<F>,
    parameters: ParametersOf<F>,
    {
      atLeast,
      timeoutMs = this.#parts.settings.questionTimeoutMs,
      withLag = false,
      isBackground,
      signal,
    }: AskOptions = {},
  ): Promise<ReadAnswer<ReturnType<F>>> {
    this.#assertOpen()
    this.start()
    const { module, name, projection } = question
    const asked: AskedQuestion = { question: { module, name, projection }, parameters, atLeast, timeoutMs, withLag }
    const answer = await this.#thread('ask').caller.call<DeskAnswer>('ask', asked, { signal, isBackground })
    return answer as ReadAnswer<ReturnType<F>> // what the function of this name gives, cloned
  }

  /** Of each projection; one that can't be loaded is told as stopped, with the reason. */
  async health(signal?: AbortSignal): Promise<readonly ProjectionHealth[]> {
    this.#assertOpen()
    const all = await this.#thread('follow').caller.call<readonly ProjectionHealth[]>('health', undefined, { signal })
    return all.map((one) => {
      const message = one.status === 'stopped' ? this.#unbuilt.get(one.projection) : undefined
      return message === undefined ? one : { ...one, message }
    })
  }

  /**
   * Builds them anew, in one pass over the log, while the old rows serve on. Throws ReadSideError `rebuild_running`,
   * `poison_event`, `unknown_event`, `unknown_projection`; cancelled by its signal it leaves nothing behind.
   */
  async rebuild(projections: readonly string[], options: LongCallOptions = {}): Promise<RebuildReport> {
    const report = await this.#build<RebuildReport>('rebuild', projections, options)
    for (const name of report.projections) this.#unbuilt.delete(name)
    return report
  }

  /** Compares rows with what the log gives, for a number of streams drawn at random or in full. */
  check(projection: string, sample: number | undefined, options: LongCallOptions = {}): Promise<CheckReport> {
    return this.#build('check', { projection, sample }, options)
  }

  /** Throws ReadSideError `not_parked`, and `nobody_follows` where no process carries it out in time. */
  retryParked(projection: string, stream: string, signal?: AbortSignal): Promise<OrderAnswer> {
    return this.#order({ projection, stream, wanted: 'retry', reason: '' }, signal)
  }

  /** Leaves the event out for good at which the stream was parked, and goes on behind it. */
  discardParked(projection: string, stream: string, reason: string, signal?: AbortSignal): Promise<OrderAnswer> {
    return this.#order({ projection, stream, wanted: 'discard', reason }, signal)
  }

  /** Ends every thread; another process that shares the file follows at once. Twice is once. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #order(order: Order, signal?: AbortSignal): Promise<OrderAnswer> {
    this.#assertOpen()
    return this.#thread('follow').caller.call('order', { order, timeoutMs: ORDER_TIMEOUT_MS }, { signal })
  }

  async #build<T>(
    name: 'rebuild' | 'check',
    argument: unknown,
    { signal, onProgress }: LongCallOptions,
    isBackground = false,
  ): Promise<T> {
    this.#assertOpen()
    signal?.throwIfAborted()
    const thread = this.#begin('build')
    const stopping = AbortSignal.any([this.#closed.signal, ...(signal === undefined ? [] : [signal])])
    const calling = { signal: stopping, onProgress, awaitsEnd: true, isBackground }
    this.#building.add(thread)
    try {
      return await thread.caller.call<T>(name, argument, calling)
    } finally {
      this.#building.delete(thread)
      await this.#end(thread)
    }
  }

  #thread(role: 'follow' | 'ask'): Thread {
    const kept = this.#kept.get(role)
    if (kept !== undefined) return kept
    const thread = this.#begin(role)
    this.#kept.set(role, thread)
    thread.caller.onGone = ({ message }) => {
      this.#kept.delete(role)
      thread.release()
      if (this.#closing !== undefined) return
      this.#parts.log.warn({ role, message }, 'a thread of the read models ended')
      if (role === 'follow') this.#later(() => this.#thread('follow'))
    }
    if (role === 'follow') thread.caller.onNews = (news) => this.#hear(news as FollowerNews) // as the thread tells it
    return thread
  }

  #begin(role: ThreadRole): Thread {
    const { path, projections, settings, holder, mode, startThread, placeOfLog } = this.#parts
    const { place, release } = placeOfLog()
    const data: ThreadData = {
      role,
      path,
      log: place,
      projections,
      settings,
      holder: `${holder}-${this.#threads++}`,
      mode,
      moves: this.#moves,
    }
    return { caller: new ThreadCaller(startThread(data)), release }
  }

  #hear(news: FollowerNews): void {
    if (news.type === 'unbuilt') {
      this.#hearUnbuilt(news.projections)
      return
    }
    if (news.type === 'unusable') {
      for (const { name, message } of news.projections) {
        this.#parts.log.warn({ projection: name, message }, 'a projection can not be used; the others go on without it')
      }
      return
    }
    if (news.type === 'parked') {
      for (const { level, facts, message } of news.news.flatMap(parkedLines)) this.#parts.log[level]?.(facts, message)
      return
    }
    const { type: _type, ...counts } = news
    this.#parts.log.info?.(
      counts,
      'operations that ended long ago left the lists (marked) or the read models (deleted)',
    )
  }

  #hearUnbuilt(projections: readonly string[]): void {
    if (this.#isBuildingUnbuilt || this.#closing !== undefined) return
    this.#isBuildingUnbuilt = true
    this.#buildUnbuilt(projections).then(
      () => {
        this.#isBuildingUnbuilt = false
      },
      (error: unknown) => {
        this.#isBuildingUnbuilt = false
        if (this.#closing !== undefined) return
        const message = error instanceof Error ? error.message : String(error)
        for (const name of projections) this.#unbuilt.set(name, message)
        this.#parts.log.warn({ projections, message }, 'read models could not be built; it is tried again')
        this.#later(() => this.#hearUnbuilt(projections))
      },
    )
  }

  /** In one pass; one by one where something stands in the way of one of them for good, so that the others come. */
  async #buildUnbuilt(projections: readonly string[]): Promise<void> {
    try {
      await this.#build<RebuildReport>('rebuild', projections, {}, true)
      for (const name of projections) this.#unbuilt.delete(name)
      this.#tries = 0
    } catch (error) {
      const waitsForPeople = error instanceof ReadSideError && REFUSALS_FOR_PEOPLE.has(error.code)
      if (!waitsForPeople) throw error
      const [name, ...others] = projections
      if (name === undefined) return
      if (others.length > 0) {
        for (const one of projections) await this.#buildUnbuilt([one])
        return
      }
      this.#unbuilt.set(name, error.message)
      this.#parts.log.warn({ projection: name, message: error.message }, 'a read model could not be built')
    }
  }

  #later(call: () => void): void {
    const delayMs = retryDelayMs(this.#tries++, RESTART_MS, RESTART_MS_MAX, Math.random())
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (this.#closing === undefined) call()
    }, delayMs).unref()
    this.#timers.add(timer)
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    // Told before the others go: what was begun is taken back, and the next one may build at once.
    this.#closed.abort(closedError())
    await Promise.all([...this.#building].map((thread) => this.#end(thread)))
    await Promise.all([...this.#kept.values()].map((thread) => this.#end(thread)))
    this.#kept.clear()
  }

  async #end({ caller, release }: Thread): Promise<void> {
    await caller.end()
    release()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError()
  }
}

function closedError(): ReadSideError {
  return new ReadSideError('read_side_closed', 'The read side is closed.')
}
