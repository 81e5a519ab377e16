/** How many the reconciler had to speak for, day by day. */
import { Chart } from '../chart.tsx'
import type { OverviewStore } from './overview-store.ts'
import { PartView } from './part-view.tsx'
import { countsAt, DAYS, momentsOf, sumOf } from './rate-series.ts'

export function DaysPanel({ store }: { readonly store: OverviewStore }) {
  return (
    <PartView title="Reconciled per day" state={store.days.state.value}>
      {({ points, at }) => {
        const moments = momentsOf(DAYS, at)
        const values = countsAt(points, moments, ['reconciled'])
        const sum = sumOf(values)
        if (sum === 0) return <p class="muted">None in 30 days: everybody spoke for themselves.</p>
        return (
          <Chart
            title="Last 30 days, all kinds (UTC)"
            summary={`${sum} in all, ${values.at(-1) ?? 0} today`}
            as="bars"
            moments={moments}
            series={[{ name: 'reconciled', tone: 'judged', values }]}
            toText={String}
          />
        )
      }}
    </PartView>
  )
}
