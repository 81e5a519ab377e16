/** How the whole installation stands. */
import { useEffect, useMemo } from 'preact/hooks'
import { CountsPanel } from './counts-panel.tsx'
import { DaysPanel } from './days-panel.tsx'
import { HealthPanel } from './health-panel.tsx'
import { KindCharts } from './kind-charts.tsx'
import './overview.css'
import { OverviewStore } from './overview-store.ts'
import { SPANS, spanNamed } from './rate-series.ts'
import { ReconcilerPanel } from './reconciler-panel.tsx'

export function OverviewPage({ query }: { readonly query: URLSearchParams }) {
  const span = spanNamed(query.get('span'))
  const store = useMemo(() => new OverviewStore(span), [span])
  useEffect(() => store.start(), [store])
  return (
    <section class="page overview">
      <div class="overview-head">
        <h1>Overview</h1>
        <nav class="spans" aria-label="Time">
          {SPANS.map(({ name, title }) => (
            <a
              key={name}
              class="button"
              href={`/overview?span=${name}`}
              aria-current={name === span.name ? 'true' : undefined}
            >
              {title}
            </a>
          ))}
        </nav>
      </div>
      <CountsPanel store={store} />
      <div class="panels">
        <HealthPanel store={store} />
        <ReconcilerPanel store={store} />
      </div>
      <KindCharts store={store} />
      <DaysPanel store={store} />
    </section>
  )
}
