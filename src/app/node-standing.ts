/** How a node stands, put together for health and metrics: its log, its read models, its reconciler. */
import type { durationsAsked, operationGaugesAsked, transitionTotalsAsked } from '../../projections/metric-questions.ts'
import type { CommandsStanding, HealthPort, ProjectionStanding, ReconcilerStanding } from '../http/health-routes.ts'
import type { MetricsPort } from '../http/metrics.ts'
import type { Clock } from '../runtime/clock.ts'
import type { ParametersOf, Question, QuestionFunction } from '../subscriptions/question.ts'
import type { EmbeddedNode } from './embedded-node.ts'
import { projectionModule } from './read-side-of-node.ts'

/** A probe is asked again soon: better no answer than a late one. */
const ANSWER_WITHIN_MS = 2_000
const HOUR_MS = 3_600_000

function questionOf<F extends QuestionFunction>(file: string, name: string, projection: string): Question<F> {
  return { module: projectionModule(file), name, projection }
}

const GAUGES = questionOf<typeof operationGaugesAsked>('metric-questions', 'operationGaugesAsked', 'operation-index')
const TOTALS = questionOf<typeof transitionTotalsAsked>('metric-questions', 'transitionTotalsAsked', 'rates')
const LAST_HOUR = questionOf<typeof durationsAsked>('metric-questions', 'durationsAsked', 'rates')

export class NodeStanding implements HealthPort, MetricsPort {
  readonly #node: EmbeddedNode
  readonly #reconciles: boolean
  readonly #clock: Clock

  constructor(node: EmbeddedNode, reconciles: boolean, clock: Clock) {
    this.#node = node
    this.#clock = clock
    this.#reconciles = reconciles
  }

  commands(): CommandsStanding {
    return this.#node.store.health()
  }

  async projections(): Promise<readonly ProjectionStanding[]> {
    const all = await this.#node.readSide.health(AbortSignal.timeout(ANSWER_WITHIN_MS))
    return all.map(({ projection, status, message, position, lag, parked }) => ({
      projection,
      status,
      isServed: position !== undefined,
      parked: parked.length,
      ...(message === undefined ? {} : { message }),
      ...(lag === undefined ? {} : { lagEvents: lag.events, lagMs: lag.ms }),
    }))
  }

  reconciler(): ReconcilerStanding {
    if (!this.#reconciles) return { status: 'off' }
    const { clock, breakers } = this.#node.reconciler.status
    if (clock.type !== 'agrees') return { status: 'abstaining', message: `the clock of this node is ${clock.type}` }
    if (breakers.length === 0) return { status: 'on' }
    const held = breakers.map(({ kind, suspects, active }) => `${suspects} of ${active} operations of "${kind}"`)
    return { status: 'held', message: `a breaker holds ${held.join(', ')}: release it, or look why they are silent` }
  }

  async operations() {
    const now = this.#clock.now()
    const { oldestDeadlineAt, ...gauges } = await this.#ask(GAUGES, [{ now, unheard: this.#node.reconciler.unheard }])
    return { ...gauges, oldestStaleMs: oldestDeadlineAt === undefined ? undefined : now - oldestDeadlineAt }
  }

  transitions() {
    return this.#ask(TOTALS, [])
  }

  durations() {
    return this.#ask(LAST_HOUR, [{ fromAt: this.#clock.now() - HOUR_MS }])
  }

  registries() {
    return this.#node.hot()
  }

  onAppend(listener: (ms: number) => void): void {
    this.#node.onAppend(listener)
  }

  onFlush(listener: (ms: number) => void): void {
    this.#node.onFlush(listener)
  }

  async #ask<F extends QuestionFunction>(question: Question<F>, parameters: ParametersOf<F>): Promise<ReturnType<F>> {
    const { answer } = await this.#node.readSide.ask(question, parameters, { timeoutMs: ANSWER_WITHIN_MS })
    return answer
  }
}
