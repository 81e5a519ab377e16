/**
 * Answers questions on a thread of its own, over a connection that can't write: a heavy one delays other questions, and
 * nothing else. A question with a minimum position waits until the rows have reached it, or its time is over.
 */
import { isSqliteError } from '../../projections/read-database-file.ts'
import { type Answered, NoReadModels, NotServed, ReadModels, type ServingRows } from '../../projections/read-models.ts'
import type { ReadSession } from '../../projections/read-session.ts'
import { LogError, type LogReader } from '../event-store/event-store.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { type LogLag, LogLags } from './log-lag.ts'
import type { LoadExport, Question, QuestionFunction } from './question.ts'
import { inodeOf } from './read-file.ts'
import { ReadSideError } from './read-side-error.ts'
import type { RowMoves } from './row-moves.ts'
import { whyOfAnotherLog } from './start-check.ts'

export interface AskedQuestion {
  readonly question: Question
  readonly parameters: readonly unknown[]
  readonly atLeast: bigint | undefined
  readonly timeoutMs: number
  /** Whether how far the rows lie behind the log is to be read with it. */
  readonly withLag: boolean
}

export interface DeskAnswer {
  readonly answer: unknown
  readonly position: bigint
  readonly lag?: LogLag
}

/** With an answer lag is counted up to this. */
const LAG_EVENTS_MAX = 1_000
/** So long a question waits for what the log says of the rows. */
const LOOK_MS_MAX = 2_000

export interface QuestionDeskParts {
  readonly reader: LogReader
  readonly path: string
  readonly load: LoadExport
  /** Of the projection that this process knows by the name. */
  readonly versionOf: (projection: string) => Promise<number | undefined>
  /** Tells when this process moved rows; other processes' moves are noticed by looking again. */
  readonly moves: RowMoves
  readonly pollMs: number
  readonly clock: Clock
}

export class QuestionDesk {
  readonly #parts: QuestionDeskParts
  readonly #lags: LogLags
  readonly #functions = new Map<string, QuestionFunction>()
  /** By projection: the generation whose rows are known to be of this log. */
  readonly #checked = new Map<string, number>()
  /** By projection and generation: why its rows are none of this log, while that is looked at. */
  readonly #looks = new Map<string, Promise<string | undefined>>()
  #models: { readonly models: ReadModels; readonly inode: bigint | undefined } | undefined

  constructor(parts: QuestionDeskParts) {
    this.#parts = parts
    this.#lags = new LogLags(parts.reader)
  }

  /** Throws ReadSideError `read_model_behind` and `not_served`, and what the question throws. */
  async ask(asked: AskedQuestion, signal: AbortSignal): Promise<DeskAnswer> {
    try {
      return await this.#ask(asked, signal)
    } catch (error) {
      throw isSqliteError(error) ? await this.#toldOfOtherVersion(asked.question.projection, error) : error
    }
  }

  async #ask(asked: AskedQuestion, signal: AbortSignal): Promise<DeskAnswer> {
    const { moves, pollMs, clock } = this.#parts
    const { question, atLeast, timeoutMs } = asked
    const ask = await this.#functionOf(question)
    const deadline = clock.monotonicNow() + timeoutMs
    for (;;) {
      signal.throwIfAborted()
      const seen = moves.moves
      const given = (await this.#refusalOfAnotherLog(asked)) ?? this.#answer(asked, ask)
      if (given.type === 'answered') {
        const { answer, position } = given
        return asked.withLag ? { answer, position, lag: await this.#lagBehind(position) } : { answer, position }
      }
      const leftMs = deadline - clock.monotonicNow()
      if (leftMs <= 0) {
        if (given.position === undefined) throw given.error
        const message = `The rows of '${question.projection}' stand at position ${given.position}, and ${atLeast} was not reached within ${timeoutMs} ms.`
        throw new ReadSideError('read_model_behind', message, { position: given.position, atLeast })
      }
      await moves.untilMoved(question.projection, seen, Math.min(pollMs, leftMs))
    }
  }

  /** Rows that serve until those of a new version are built need not have what is asked of the new ones. */
  async #toldOfOtherVersion(projection: string, error: Error): Promise<Error> {
    const known = await this.#parts.versionOf(projection)
    const served = this.#opened().serving(projection)?.version
    if (known === undefined || served === undefined || known === served) return error
    const message =
      `The rows of '${projection}' are of version ${served}, and the question needs those of version ${known}, which are ` +
      `not built yet: ${error.message}.`
    return new ReadSideError('not_served', message, { cause: error })
  }

  #lagBehind(position: bigint): Promise<LogLag> {
    const { clock } = this.#parts
    return this.#lags.behind(position, { now: clock.now(), monotonicNow: clock.monotonicNow() }, LAG_EVENTS_MAX)
  }

  close(): void {
    this.#models?.models.close()
    this.#models = undefined
    this.#checked.clear()
    this.#looks.clear()
  }

  /**
   * Rows of a log that was replaced tell of what never was. Looked at once for each build of them: who follows stops at the same.
   */
  async #refusalOfAnotherLog({ question, atLeast }: AskedQuestion): Promise<NotYet | undefined> {
    const { projection } = question
    const serving = this.#serving(projection)
    if (serving === undefined || this.#checked.get(projection) === serving.generation) return undefined
    const why = await this.#looked(projection, serving)
    if (why === undefined) return undefined
    const refusal = new ReadSideError('not_served', why)
    if (atLeast === undefined) throw refusal
    return { type: 'not_yet', position: undefined, error: refusal }
  }

  /** Undefined as well where the log does not answer, or not soon: one that is away says nothing against the rows. */
  #looked(projection: string, { generation, checkpoint }: ServingRows): Promise<string | undefined> {
    const { reader, clock } = this.#parts
    const key = `${projection} ${generation}`
    const models = this.#models
    const look =
      this.#looks.get(key) ??
      whyOfAnotherLog(reader, { projection, checkpoint })
        .then((why) => {
          if (why === undefined && this.#models === models) this.#checked.set(projection, generation)
          return why
        })
        .catch((error: unknown) => {
          if (error instanceof LogError) return undefined
          throw error
        })
        .finally(() => this.#looks.delete(key))
    this.#looks.set(key, look)
    const ended = new AbortController()
    const late = sleep(clock, LOOK_MS_MAX, ended.signal).then(
      () => undefined,
      () => undefined,
    )
    return Promise.race([look, late]).finally(() => ended.abort())
  }

  /** Undefined as well for a file that can't be read: whoever asks is told. */
  #serving(projection: string): ServingRows | undefined {
    try {
      return this.#opened().serving(projection)
    } catch {
      return undefined
    }
  }

  #answer(
    { question, parameters, atLeast }: AskedQuestion,
    ask: QuestionFunction,
  ): ({ readonly type: 'answered' } & DeskAnswer) | NotYet {
    try {
      const opened = this.#opened()
      const { answer, checkpoint }: Answered<unknown> = opened.ask(question.projection, (session: ReadSession) =>
        atLeast !== undefined && session.checkpoint.position < atLeast
          ? NOT_YET
          : ask(session, ...(parameters as never[])),
      )
      const { position } = checkpoint
      if (answer === NOT_YET) return { type: 'not_yet', position }
      return { type: 'answered', answer, position }
    } catch (error) {
      const isUnserved = error instanceof NotServed || error instanceof NoReadModels
      const told = isUnserved ? new ReadSideError('not_served', error.message) : error
      // Whoever gives no position is told at once; whoever waits, waits through what passes: a file that is made anew.
      if (atLeast === undefined || !(isUnserved || isSqliteError(error))) throw told
      this.close()
      return { type: 'not_yet', position: undefined, error: told }
    }
  }

  /** The file that lies there now: it may have been deleted and made anew. */
  #opened(): ReadModels {
    const inode = inodeOf(this.#parts.path)
    if (this.#models !== undefined && this.#models.inode !== inode) this.close()
    this.#models ??= { models: new ReadModels(this.#parts.path), inode }
    return this.#models.models
  }

  async #functionOf(question: Question): Promise<QuestionFunction> {
    const key = `${question.module}\u0000${question.name}`
    const known = this.#functions.get(key)
    if (known !== undefined) return known
    const found = await this.#parts.load(question)
    if (typeof found !== 'function') {
      const message = `'${question.name}' of ${question.module} is no question: expected a function.`
      throw new ReadSideError('projection_unusable', message)
    }
    // What it takes and gives is between it and those who ask.
    this.#functions.set(key, found as QuestionFunction)
    return found as QuestionFunction
  }
}

interface NotYet {
  readonly type: 'not_yet'
  readonly position: bigint | undefined
  readonly error?: unknown
}

const NOT_YET = Symbol('the rows have not reached the position yet')
