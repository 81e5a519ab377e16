/** What charts ask of the rates: a series for a span of time, in steps. */
import {
  type Quantiles,
  RATE_STEPS_MAX,
  RATE_STEPS_MS,
  type RatePoint,
  type RatesQuestion,
  TRANSITIONS,
  type Transition,
} from '../src/authority/monitoring.ts'
import { type DurationHistogram, mergedHistograms, quantileOf } from './duration-histogram.ts'
import { QuestionError } from './question-error.ts'
import { HOUR_MS, MINUTE_MS, NO_TRANSITIONS, RATES_TABLE } from './rates.ts'
import type { ReadSession } from './read-session.ts'

const KINDS_MAX = 50

/** Points with something in them, by kind and time; a step in which nothing happened has none. Throws QuestionError. */
export function ratesAsked(session: ReadSession, question: RatesQuestion): readonly RatePoint[] {
  const { workspaces, kinds, fromAt, untilAt, step } = question
  check(question)
  const stepMs = RATE_STEPS_MS[step]
  const grainMs = stepMs >= HOUR_MS ? HOUR_MS : MINUTE_MS
  const ofKinds = kinds === undefined ? '' : `AND kind IN (${kinds.map(() => '?').join(', ')})`
  const table = session.table(RATES_TABLE)
  const among = workspaces === undefined ? everyWorkspace(table) : workspaces.map(() => '?').join(', ')
  const rows = session.all<StoredRate>(
    `SELECT * FROM ${table}
     WHERE workspace IN (${among}) AND grain_ms = ? AND from_at >= ? AND from_at < ? ${ofKinds}
     ORDER BY kind, from_at`,
    [...(workspaces ?? []), grainMs, Math.floor(fromAt / stepMs) * stepMs, untilAt, ...(kinds ?? [])],
  )
  const spans = Map.groupBy(rows, ({ kind, from_at }) => `${Math.floor(from_at / stepMs) * stepMs} ${kind}`)
  return [...spans.values()].map((span) => pointOf(span, stepMs))
}

/** From one to the next along the index: there are many rows for each. */
function everyWorkspace(table: string): string {
  return `WITH RECURSIVE known(name) AS (
      SELECT min(workspace) FROM ${table}
      UNION ALL
      SELECT (SELECT min(workspace) FROM ${table} WHERE workspace > known.name) FROM known WHERE known.name IS NOT NULL)
    SELECT name FROM known WHERE name IS NOT NULL`
}

function check({ kinds, fromAt, untilAt, step }: RatesQuestion): void {
  if (!(fromAt < untilAt)) {
    throw new QuestionError('range_upside_down', `the span from ${fromAt} to ${untilAt} has no length`)
  }
  const steps = (untilAt - fromAt) / RATE_STEPS_MS[step]
  if (steps > RATE_STEPS_MAX) {
    throw new QuestionError(
      'too_many_points',
      `${Math.ceil(steps)} steps of a ${step} are asked for, ${RATE_STEPS_MAX} are answered: take a longer step or a shorter span`,
    )
  }
  if (kinds !== undefined && (kinds.length === 0 || kinds.length > KINDS_MAX)) {
    throw new QuestionError('kinds_out_of_bounds', `1 to ${KINDS_MAX} kinds may be named, got ${kinds.length}`)
  }
}

type StoredRate = Readonly<Record<Transition, number>> & {
  readonly kind: string
  readonly from_at: number
  readonly queue_wait: string
  readonly run_time: string
}

function pointOf(span: readonly StoredRate[], stepMs: number): RatePoint {
  const [first] = span as readonly [StoredRate, ...StoredRate[]] // a group has at least one row
  const counts: Record<Transition, number> = { ...NO_TRANSITIONS }
  for (const row of span) for (const name of TRANSITIONS) counts[name] += row[name]
  return {
    kind: first.kind,
    fromAt: Math.floor(first.from_at / stepMs) * stepMs,
    counts,
    queueWait: quantilesOf(span.map(({ queue_wait }) => JSON.parse(queue_wait))),
    runTime: quantilesOf(span.map(({ run_time }) => JSON.parse(run_time))),
  }
}

export function quantilesOf(histograms: readonly DurationHistogram[]): Quantiles | undefined {
  const all = mergedHistograms(histograms)
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => quantileOf(all, share))
  return p50 === undefined || p90 === undefined || p99 === undefined ? undefined : { p50, p90, p99 }
}
