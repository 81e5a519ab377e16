/** How many are where, each number a way to the list of just those. */
import type { Count, ListedOperation } from '../../authority/monitoring.ts'
import { FRESHNESS_LOOKS, STATUS_LOOKS, type Tone } from '../badges.tsx'
import { now } from '../clock.ts'
import { Icon, type IconName } from '../icons.tsx'
import { operationHref } from '../route.ts'
import { shortDuration } from '../times.ts'
import type { OverviewStore } from './overview-store.ts'
import { PartView } from './part-view.tsx'

const STATUSES = ['running', 'provisioning', 'retiring', 'completed', 'failed', 'cancelled'] as const
const FRESHNESSES = ['likely_stale', 'late', 'reconciled'] as const

export function CountsPanel({ store }: { readonly store: OverviewStore }) {
  return (
    <PartView title="Operations" state={store.facets.state.value}>
      {({ statuses, freshness, lag }) => (
        <>
          <ul class="tiles">
            {STATUSES.map((status) => (
              <Tile
                key={status}
                href={`/?statuses=${status}`}
                count={statuses[status]}
                word={STATUS_LOOKS[status].word}
                icon={STATUS_LOOKS[status].icon}
                tone={STATUS_LOOKS[status].tone}
              />
            ))}
            {FRESHNESSES.map((one) => (
              <Tile
                key={one}
                href={`/?freshness=${one}`}
                count={freshness[one]}
                word={FRESHNESS_LOOKS[one].word}
                icon={FRESHNESS_LOOKS[one].icon}
                tone={FRESHNESS_LOOKS[one].tone}
              />
            ))}
          </ul>
          <Stalest operation={store.stalest.state.value.answer?.operations[0]} />
          {lag !== undefined && lag.events > 0 && (
            <p class="muted">
              {lag.events} events behind the log, for {shortDuration(lag.ms)}.
            </p>
          )}
        </>
      )}
    </PartView>
  )
}

interface TileProps {
  readonly href: string
  readonly count: Count | undefined
  readonly word: string
  readonly icon: IconName
  readonly tone: Tone
}

function Tile({ href, count = { count: 0, isExact: true }, word, icon, tone }: TileProps) {
  return (
    <li>
      <a class={`tile tone-${count.count === 0 ? 'calm' : tone}`} href={href}>
        <b>
          {count.count.toLocaleString('en')}
          {count.isExact ? '' : '+'}
        </b>
        <span class="tile-word">
          <Icon name={icon} /> {word}
        </span>
      </a>
    </li>
  )
}

function Stalest({ operation }: { readonly operation: ListedOperation | undefined }) {
  if (operation === undefined) return <p class="muted">Nobody is overdue.</p>
  const { judgement, name, id, kind } = operation
  const overdue = judgement.deadlineAt === undefined ? '' : `, for ${shortDuration(now.value - judgement.deadlineAt)}`
  return (
    <p>
      Longest overdue{overdue}: <a href={operationHref(operation)}>{name ?? id}</a> <span class="muted">({kind})</span>
    </p>
  )
}
