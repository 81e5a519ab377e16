import { Verdict, type VerdictDefaults } from '../client/verdict.ts'
import type { EventReader } from '../event-store/event-store.ts'
import type { PassRequest } from '../reconciler/pass.ts'
import type { PassReport } from '../reconciler/pass-report.ts'
import type { Reconciler } from '../reconciler/reconciler.ts'
import type { ParametersOf, Question, QuestionFunction } from '../subscriptions/question.ts'
import type { AskOptions, ReadAnswer } from '../subscriptions/read-side.ts'
import type { EmbeddedNode } from './embedded-node.ts'

/** The API with the reconciler of its node. */
export class EmbeddedVerdict extends Verdict {
  readonly reconciler: Reconciler
  /** The log under it, to be read. */
  readonly log: EventReader
  readonly #reconcile: EmbeddedNode['reconcile']
  readonly #ask: EmbeddedNode['ask']

  constructor(
    {
      door,
      store,
      reconciler,
      reconcile,
      ask,
    }: Pick<EmbeddedNode, 'door' | 'store' | 'reconciler' | 'reconcile' | 'ask'>,
    defaults: VerdictDefaults = {},
  ) {
    super(door, defaults)
    this.reconciler = reconciler
    this.log = store
    this.#reconcile = reconcile
    this.#ask = ask
  }

  /**
   * One pass of the reconciler now, within a scope: operations whose deadline has passed end, or get their next attempt. Gives
   * back counts; a second pass finds nothing to do.
   */
  reconcile(request: PassRequest = {}): Promise<PassReport> {
    return this.#reconcile(request)
  }

  /**
   * Asks the rows of a projection: a function that its module exports, run where the rows lie, within one moment. Without a position
   * of its own the question sees what was answered here before. Throws ReadSideError, and what the function throws as a QuestionError.
   */
  ask<F extends QuestionFunction>(
    question: Question<F>,
    parameters: ParametersOf<F>,
    options?: AskOptions,
  ): Promise<ReadAnswer<ReturnType<F>>> {
    return this.#ask(question, parameters, options)
  }
}
