/** By kind: what happened, step by step, and how long attempts waited and ran. */
import { useSignal } from '@preact/signals'
import { Chart, type ChartSeries } from '../chart.tsx'
import { shortDuration } from '../times.ts'
import type { OverviewStore, Rates } from './overview-store.ts'
import { PartView } from './part-view.tsx'
import { busiestKinds, countsAt, momentsOf, quantilesAt, type Span, sumOf, type WireRatePoint } from './rate-series.ts'

/** Charts of so many kinds at once; the others are asked for by name. */
const KINDS_SHOWN_MAX = 4
const MOMENT_NAMES = { start: 'started', completed: 'completed', failed: 'failed', reconciled: 'reconciled' } as const

export function KindCharts({ store }: { readonly store: OverviewStore }) {
  const { span } = store
  return (
    <PartView
      title={`What happened: ${span.title.toLowerCase()}, by kind and ${span.per}`}
      state={store.rates.state.value}
    >
      {(rates) => <Kinds rates={rates} span={span} />}
    </PartView>
  )
}

function Kinds({ rates: { points, at }, span }: { readonly rates: Rates; readonly span: Span }) {
  const chosen = useSignal('')
  const kinds = busiestKinds(points)
  if (kinds.length === 0) return <p class="muted">Nothing happened in this time.</p>
  const isThere = kinds.includes(chosen.value)
  const shown = isThere ? [chosen.value] : kinds.slice(0, KINDS_SHOWN_MAX)
  const moments = momentsOf(span, at)
  return (
    <>
      {kinds.length > 1 && (
        <label class="kind-choice">
          Kind{' '}
          <select
            class="field"
            value={isThere ? chosen.value : ''}
            onChange={({ currentTarget }) => {
              chosen.value = currentTarget.value
            }}
          >
            <option value="">
              {kinds.length > KINDS_SHOWN_MAX ? `the ${KINDS_SHOWN_MAX} busiest of ${kinds.length}` : 'all'}
            </option>
            {kinds.map((kind) => (
              <option key={kind} value={kind}>
                {kind}
              </option>
            ))}
          </select>
        </label>
      )}
      <div class="kinds">
        {shown.map((kind) => (
          <Kind
            key={kind}
            kind={kind}
            points={points.filter((point) => point.kind === kind)}
            moments={moments}
            span={span}
          />
        ))}
      </div>
    </>
  )
}

interface KindProps {
  readonly kind: string
  readonly points: readonly WireRatePoint[]
  readonly moments: readonly number[]
  readonly span: Span
}

function Kind({ kind, points, moments, span }: KindProps) {
  const transitions: readonly ChartSeries[] = [
    { name: MOMENT_NAMES.start, tone: 'active', values: countsAt(points, moments, ['started']) },
    { name: MOMENT_NAMES.completed, tone: 'good', values: countsAt(points, moments, ['completed']) },
    { name: MOMENT_NAMES.failed, tone: 'failure', values: countsAt(points, moments, ['failed']) },
    { name: MOMENT_NAMES.reconciled, tone: 'judged', values: countsAt(points, moments, ['reconciled']) },
  ]
  const durations: readonly ChartSeries[] = [
    { name: 'run time p50', tone: 'active', values: quantilesAt(points, moments, 'runTime', 'p50') },
    { name: 'run time p99', tone: 'judged', values: quantilesAt(points, moments, 'runTime', 'p99') },
    { name: 'queue wait p50', tone: 'warning', values: quantilesAt(points, moments, 'queueWait', 'p50') },
    { name: 'queue wait p99', tone: 'alarm', values: quantilesAt(points, moments, 'queueWait', 'p99') },
  ]
  return (
    <article class="kind" aria-label={kind}>
      <h3>{kind}</h3>
      <Chart
        title={`Transitions per ${span.per}`}
        summary={transitions.map(({ name, values }) => `${sumOf(values)} ${name}`).join(', ')}
        as="lines"
        moments={moments}
        series={transitions}
        toText={String}
      />
      <Chart
        title="Run time and queue wait"
        summary={durations.map(({ name, values }) => `${name} ${greatest(values)} at most`).join(', ')}
        as="lines"
        moments={moments}
        series={durations}
        toText={shortDuration}
      />
    </article>
  )
}

function greatest(values: readonly (number | null)[]): string {
  const most = Math.max(-1, ...values.map((value) => value ?? -1))
  return most < 0 ? 'unknown' : shortDuration(most)
}
