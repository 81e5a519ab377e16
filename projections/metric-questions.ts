/** What metrics ask of the read models: how many operations there are of each kind and status, how fresh, and what moved so far. */
import { type Quantiles, TRANSITIONS, type Transition } from '../src/authority/monitoring.ts'
import { facetsAsked } from './operation-facets.ts'
import type { Moment } from './operation-freshness.ts'
import { type OperationNumbers, operationsByKindAndStatus } from './operation-metrics.ts'
import { quantilesOf } from './rate-questions.ts'
import { HOUR_MS, MINUTE_MS, RATES_TABLE } from './rates.ts'
import type { ReadSession } from './read-session.ts'

/** How many there are, and how much they may still be trusted; as lists judge it at the same moment. */
export function operationGaugesAsked(
  session: ReadSession,
  moment: Moment,
): OperationNumbers & { readonly freshness: Readonly<Record<string, number>> } {
  const { freshness } = facetsAsked(session, moment)
  return {
    ...operationsByKindAndStatus(session, moment),
    freshness: Object.fromEntries(Object.entries(freshness).map(([name, { count }]) => [name, count])),
  }
}

/** By kind: what happened since the log began, as far as its rates are kept. */
export function transitionTotalsAsked(
  session: ReadSession,
): readonly { readonly kind: string; readonly counts: Readonly<Record<Transition, number>> }[] {
  const sums = TRANSITIONS.map((name) => `sum(${name}) AS ${name}`).join(', ')
  const rows = session.all<{ readonly kind: string } & Readonly<Record<Transition, number>>>(
    `SELECT kind, ${sums} FROM ${session.table(RATES_TABLE)} WHERE grain_ms = ? GROUP BY kind`,
    [HOUR_MS],
  )
  return rows.map(({ kind, ...counts }) => ({ kind, counts }))
}

/** By kind: quantiles in ms of how long attempts waited and ran, in spans from `fromAt` on (epoch ms). */
export function durationsAsked(
  session: ReadSession,
  { fromAt }: { readonly fromAt: number },
): readonly {
  readonly kind: string
  readonly queueWait: Quantiles | undefined
  readonly runTime: Quantiles | undefined
}[] {
  const rows = session.all<{ readonly kind: string; readonly queue_wait: string; readonly run_time: string }>(
    `SELECT kind, queue_wait, run_time FROM ${session.table(RATES_TABLE)} WHERE grain_ms = ? AND from_at >= ?`,
    [MINUTE_MS, fromAt],
  )
  return [...Map.groupBy(rows, ({ kind }) => kind)].map(([kind, spans]) => ({
    kind,
    queueWait: quantilesOf(spans.map(({ queue_wait }) => JSON.parse(queue_wait))),
    runTime: quantilesOf(spans.map(({ run_time }) => JSON.parse(run_time))),
  }))
}
