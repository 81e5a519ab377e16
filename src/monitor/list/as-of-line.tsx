/** What rows and counts rest on: one position of the log, and how far it lies behind its end. */
import type { Facets } from '../../authority/monitoring.ts'
import { shortDuration } from '../times.ts'
import { countText } from './facet-groups.tsx'
import type { AsOf } from './list-store.ts'

export function AsOfLine({ asOf, facets }: { readonly asOf: AsOf; readonly facets: Facets | undefined }) {
  return (
    <p class="as-of muted">
      {facets && <strong>{totalText(facets)}</strong>}
      <span title="Rows and counts show everything up to this position of the log, and nothing behind it">
        as of position {asOf.position}
      </span>
      <span>{lagText(asOf)}</span>
    </p>
  )
}

function totalText({ statuses }: Facets): string {
  const counts = Object.values(statuses)
  const count = counts.reduce((sum, one) => sum + one.count, 0)
  const isExact = counts.every((one) => one.isExact)
  return `${countText({ count, isExact })} ${count === 1 && isExact ? 'operation' : 'operations'}`
}

function lagText({ lag }: AsOf): string {
  if (lag === undefined) return ''
  if (lag.events === 0) return 'up to date with the log'
  const events = `${lag.events.toLocaleString('en')}${lag.isMore ? '+' : ''} ${lag.events === 1 ? 'event' : 'events'}`
  return `${events} behind the log (${shortDuration(lag.ms)})`
}
