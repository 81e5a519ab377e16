/** What metrics ask of the read models: how many operations there are of each kind and status, how fresh, and what moved so far. */
import { type Quantiles, TRANSITIONS, type Transition } from '../src/authority/monitoring.ts'
import { countRowsOf } from './operation-counts.ts'
import { facetsAsked } from './operation-facets.ts'
import { OPERATIONS } from './operation-index.ts'
import type { Moment } from './operation-questions.ts'
import { quantilesOf } from './rate-questions.ts'
import { HOUR_MS, MINUTE_MS, RATES_TABLE } from './rates.ts'
import type { ReadSession } from './read-session.ts'

export interface OperationGauges {
  readonly operations: readonly { readonly kind: string; readonly status: string; readonly count: number }[]
  /** By the one function that judges; counting stops at a cap. */
  readonly freshness: Readonly<Record<string, number>>
  /** Epoch ms of the earliest deadline that has passed; undefined where none has. */
  readonly oldestDeadlineAt: number | undefined
}

export function operationGaugesAsked(session: ReadSession, moment: Moment): OperationGauges {
  const counted = new Map<string, { readonly kind: string; readonly status: string; count: number }>()
  for (const { kind, status, operations } of countRowsOf(session, {})) {
    const place = JSON.stringify([kind, status])
    const known = counted.get(place)
    if (known === undefined) counted.set(place, { kind, status, count: operations })
    else known.count += operations
  }
  const { freshness } = facetsAsked(session, moment)
  const overdue = session.get<{ readonly at: number | null }>(
    `SELECT min(deadline_at) AS at FROM ${session.table(OPERATIONS)} WHERE deadline_at <= ?`,
    [moment.now - moment.graceMs],
  )
  return {
    operations: [...counted.values()],
    freshness: Object.fromEntries(Object.entries(freshness).map(([name, { count }]) => [name, count])),
    oldestDeadlineAt: overdue?.at ?? undefined,
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
