/** How the server stands: what it writes to, what lists are read from, who judges. */
import type { ComponentChildren } from 'preact'
import type { Tone } from '../badges.tsx'
import { Icon, type IconName } from '../icons.tsx'
import { ScrollRegion } from '../scroll-region.tsx'
import { shortDuration } from '../times.ts'
import type { OverviewStore, WireHealth, WireProjection } from './overview-store.ts'
import { PartView } from './part-view.tsx'

export function HealthPanel({ store }: { readonly store: OverviewStore }) {
  return (
    <PartView title="Health" state={store.health.state.value}>
      {(health) => <Checks {...health} />}
    </PartView>
  )
}

function Checks({ checks: { commands, reads, projections, reconciler } }: WireHealth) {
  return (
    <>
      <dl class="checks">
        <Check name="Log" tone={commands.status === 'ok' ? 'good' : 'failure'} word={commands.status}>
          {commands.message ?? (commands.status === 'ok' ? 'Commands are taken.' : 'Commands can not be taken.')}
        </Check>
        <Check name="Read models" tone={READS[reads.status] ?? 'failure'} word={reads.status}>
          {reads.message ??
            (reads.status === 'ok' ? 'Lists and charts are answered.' : 'They are being built, or nobody follows.')}
        </Check>
        <Check name="Reconciler" tone={RECONCILER[reconciler.status] ?? 'warning'} word={reconciler.status}>
          {reconciler.message ?? RECONCILER_WORDS[reconciler.status] ?? ''}
        </Check>
      </dl>
      {projections.all.length > 0 && (
        <ScrollRegion label="Read models">
          <table>
            <thead>
              <tr>
                <th scope="col">Read model</th>
                <th scope="col">State</th>
                <th scope="col">Behind</th>
                <th scope="col">Parked streams</th>
              </tr>
            </thead>
            <tbody>
              {projections.all.map((one) => (
                <Projection key={one.projection} {...one} />
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </>
  )
}

const READS: Readonly<Record<string, Tone>> = { ok: 'good', not_served: 'warning' }
const RECONCILER: Readonly<Record<string, Tone>> = { on: 'good', off: 'calm', held: 'alarm', abstaining: 'warning' }
const RECONCILER_WORDS: Readonly<Record<string, string>> = {
  on: 'Whoever falls silent is judged.',
  off: 'This node judges nobody; another one may.',
}

function Projection({ projection, status, message, lagEvents = 0, lagMs = 0, parked }: WireProjection) {
  return (
    <tr>
      <th scope="row">{projection}</th>
      <td title={message}>{status}</td>
      <td>{lagEvents === 0 ? '0' : `${lagEvents} (${shortDuration(lagMs)})`}</td>
      <td>{parked === 0 ? '0' : <span class="badge tone-alarm">{parked}</span>}</td>
    </tr>
  )
}

interface CheckProps {
  readonly name: string
  readonly tone: Tone
  readonly word: string
  readonly children: ComponentChildren
}

const ICONS: Readonly<Partial<Record<Tone, IconName>>> = { good: 'completed', calm: 'cancelled', failure: 'failed' }

function Check({ name, tone, word, children }: CheckProps) {
  return (
    <div class="check">
      <dt>{name}</dt>
      <dd>
        <span class={`badge badge-chip tone-${tone}`}>
          <Icon name={ICONS[tone] ?? 'likely_stale'} /> {word}
        </span>{' '}
        {children}
      </dd>
    </div>
  )
}
