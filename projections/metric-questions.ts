/** What metrics ask of the read models: how many operations there are of each kind and status, how fresh, and what moved so far. */
import type { Freshness } from '../src/authority/freshness.ts'
import { COUNT_MAX, type Quantiles, TRANSITIONS, type Transition } from '../src/authority/monitoring.ts'
import type { PresentStatus } from '../src/authority/status.ts'
import { allOf } from './condition.ts'
import { facetsAsked } from './operation-facets.ts'
import { deadlineConditions, type Moment } from './operation-freshness.ts'
import { COUNTS, OPERATIONS } from './operation-index.ts'
import { quantilesOf } from './rate-questions.ts'
import { HOUR_MS, MINUTE_MS, RATES_TABLE } from './rates.ts'
import type { ReadSession } from './read-session.ts'

export interface OperationGauges {
  /** All workspaces together, the most frequent first, at most SERIES_MAX. */
  readonly operations: readonly { readonly kind: string; readonly status: PresentStatus; readonly count: number }[]
  /** As lists and facets judge it at the same moment; counting stops at a cap. */
  readonly freshness: Readonly<Record<Freshness, number>>
  /** Epoch ms of the earliest deadline that has passed, grace included; undefined where none has. */
  readonly oldestDeadlineAt: number | undefined
}

/** Kinds are named by callers: so many series of kind and status a scraper is given, and no more. */
const SERIES_MAX = 1_000

export function operationGaugesAsked(session: ReadSession, moment: Moment): OperationGauges {
  const operations = session.all<OperationGauges['operations'][number]>(
    `SELECT kind, status, sum(operations) AS count FROM ${session.table(COUNTS)}
     GROUP BY kind, status ORDER BY count DESC, kind, status LIMIT ?`,
    [SERIES_MAX],
  )
  const { freshness } = facetsAsked(session, moment)
  return {
    operations,
    // One number for each.
    freshness: Object.fromEntries(Object.entries(freshness).map(([name, { count }]) => [name, count])) as Record<
      Freshness,
      number
    >,
    oldestDeadlineAt: oldestDeadline(session, moment),
  }
}

/** Of the first COUNT_MAX by their deadlines: grace may put one behind another. */
function oldestDeadline(session: ReadSession, moment: Moment): number | undefined {
  const { isPast, dueAt } = deadlineConditions(session, moment)
  const { sql, parameters } = allOf([{ sql: 'o.is_active = 1', parameters: [] }, isPast('deadline_at')])
  const first = session.get<{ readonly at: number | null }>(
    `SELECT min(due) AS at FROM (
       SELECT ${dueAt} AS due FROM ${session.table(OPERATIONS)} o
       INDEXED BY ${session.index(OPERATIONS, 'standing')} WHERE ${sql} ORDER BY o.deadline_at LIMIT ?)`,
    [...parameters, COUNT_MAX],
  )
  return first?.at ?? undefined
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
