/**
 * Who may have to be judged: what the reconciler asks the read model `liveness`, over a port. A row may lag behind the log;
 * whatever happened since wins when the command is decided.
 */

import type {
  LivenessQuestions,
  LivenessScope,
  OverdueWait,
  PageEnd,
  ThreatenedOperation,
} from '../../projections/liveness-questions.ts'
import type { DeadlineRule } from '../authority/events.ts'

/** An active operation with what its facts say of its earliest deadline. */
export type Candidate = ThreatenedOperation
/** Whom a question is about; what is not named is not restricted. */
export type Scope = LivenessScope

type QuestionName = keyof LivenessQuestions
type ParametersOf<N extends QuestionName> = Parameters<LivenessQuestions[N]> extends [unknown, ...infer P] ? P : never

export interface AskRowsOptions {
  /** The answer is to rest on everything up to here. */
  readonly atLeast: bigint
  readonly signal: AbortSignal
}

/** Asks a question of liveness-questions.ts by its name. Rejects when the rows are not there in time. */
export type AskRows = <N extends QuestionName>(
  name: N,
  parameters: ParametersOf<N>,
  options: AskRowsOptions,
) => Promise<{ readonly answer: ReturnType<LivenessQuestions[N]>; readonly position: bigint }>

/** Rows in one answer. */
export const PAGE = 1_000

export class Candidates {
  readonly #ask: AskRows
  /** What the answers of the pass at hand rest on at least. */
  #reached = 0n
  #position = 0n

  constructor(ask: AskRows) {
    this.#ask = ask
  }

  /** What the last answer rested on. */
  get position(): bigint {
    return this.#position
  }

  /**
   * Waits until the rows rest on all that is wanted, or, when that takes too long, at least on what is needed: else it
   * rejects. Gives the newest time that any event bears.
   */
  async reach(wanted: bigint, needed: bigint, signal: AbortSignal): Promise<number> {
    this.#reached = wanted
    try {
      return await this.#answer('newestTimeAsked', [], signal)
    } catch (error) {
      const position = positionOf(error)
      if (signal.aborted || position === undefined || position < needed) throw error
      this.#reached = needed
      return await this.#answer('newestTimeAsked', [], signal)
    }
  }

  /** Due by then, earliest deadline first. */
  due(until: number, scope: Scope, signal: AbortSignal): AsyncIterable<Candidate> {
    return pages((last) => {
      const after = last && { ...last, at: last.deadline.deadlineAt }
      return this.#answer('dueAsked', [until, scope, PAGE, after && endOf(after)], signal)
    }, signal)
  }

  /** Late and not due by then. */
  late(until: number, scope: Scope, signal: AbortSignal): AsyncIterable<Candidate> {
    return pages((last) => {
      const after = last && { ...last, at: last.deadline.lateAt ?? last.deadline.deadlineAt }
      return this.#answer('lateAsked', [until, scope, PAGE, after && endOf(after)], signal)
    }, signal)
  }

  /** Under attention, though no deadline has passed by then. */
  recovered(until: number, scope: Scope, signal: AbortSignal): AsyncIterable<Candidate> {
    return pages((last) => {
      return this.#answer(
        'recoveredAsked',
        [until, scope, PAGE, last && { stream: last.stream, number: last.number }],
        signal,
      )
    }, signal)
  }

  /** The first deadline behind this time, of operations and waits. */
  earliestDue(after: number, signal: AbortSignal): Promise<number | undefined> {
    return this.#answer('earliestDueAsked', [after], signal)
  }

  activeByKind(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    return this.#answer('activeByKindAsked', [], signal)
  }

  overdueWaits(until: number, scope: Scope, signal: AbortSignal): Promise<readonly OverdueWait[]> {
    return this.#answer('overdueWaitsAsked', [until, scope, PAGE], signal)
  }

  async #answer<N extends QuestionName>(
    name: N,
    parameters: ParametersOf<N>,
    signal: AbortSignal,
  ): Promise<ReturnType<LivenessQuestions[N]>> {
    const options = { atLeast: this.#reached, signal }
    const { answer, position } = await this.#ask(name, parameters, options)
    this.#position = position
    return answer
  }
}

/** Whether this attempt was brought to attention under this rule before. */
export function wasRaised({ attention }: Candidate, rule: DeadlineRule): boolean {
  return attention.some((one) => one.rule === rule)
}

/** What is found behind the last one that was found, until there is no more. */
async function* pages(
  page: (last: Candidate | undefined) => Promise<readonly Candidate[]>,
  signal: AbortSignal,
): AsyncGenerator<Candidate> {
  for (let last: Candidate | undefined; ; ) {
    signal.throwIfAborted()
    const found = await page(last)
    yield* found
    last = found.at(-1)
    if (found.length < PAGE) return
  }
}

function endOf({ at, stream, number }: PageEnd): PageEnd {
  return { at, stream, number }
}

/** An error that says how far the rows have come. */
function positionOf(error: unknown): bigint | undefined {
  const { position } = (typeof error === 'object' && error !== null ? error : {}) as { readonly position?: unknown }
  return typeof position === 'bigint' ? position : undefined
}
