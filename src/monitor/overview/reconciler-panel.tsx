/** How far the reconciler goes with each kind, and what its breakers hold; operators change both, with a reason. */
import { useSignal } from '@preact/signals'
import type { WireReconciler } from '../../wire/reconciler-wire.ts'
import { Icon } from '../icons.tsx'
import { ScrollRegion } from '../scroll-region.tsx'
import { may } from '../session.ts'
import { Ago } from '../time-text.tsx'
import { type Order, OrderDialog } from './order-dialog.tsx'
import type { Mode, OverviewStore } from './overview-store.ts'
import { PartView } from './part-view.tsx'

const EVERY_KIND = '*'
const MODES: readonly { readonly mode: Mode; readonly meaning: string }[] = [
  {
    mode: 'enforce',
    meaning: 'Whoever is silent for longer than its policy allows is ended, or gets its next attempt.',
  },
  { mode: 'observe', meaning: 'Nobody is ended; what would be is counted, and shown as likely stale.' },
  { mode: 'off', meaning: 'Nobody is judged. Who is gone stays as it is, for as long as this lasts.' },
]

export function ReconcilerPanel({ store }: { readonly store: OverviewStore }) {
  const order = useSignal<Order | undefined>(undefined)
  const kinds = Object.keys(store.facets.state.value.answer?.kinds ?? {})
  const give = (one: Order) => {
    order.value = one
  }
  return (
    <>
      <PartView title="Reconciler" state={store.reconciler.state.value}>
        {(standing) => (
          <>
            <Breakers store={store} standing={standing} onOrder={give} />
            <Modes store={store} standing={standing} kinds={kinds} onOrder={give} />
            {!may('operate') && (
              <p class="muted">Changing any of it takes the role operator, or admin, in every workspace.</p>
            )}
          </>
        )}
      </PartView>
      {order.value && (
        <OrderDialog
          order={order.value}
          onClose={() => {
            order.value = undefined
          }}
        />
      )}
    </>
  )
}

interface Props {
  readonly store: OverviewStore
  readonly standing: WireReconciler
  readonly onOrder: (order: Order) => void
}

function Breakers({ store, standing: { breakers }, onOrder }: Props) {
  if (breakers.length === 0) return <p class="muted">No breaker is open.</p>
  return (
    <ul class="breakers">
      {breakers.map(({ kind, suspects, active, openedAt }) => (
        <li key={kind} class="breaker tone-alarm">
          <span>
            <Icon name="likely_stale" /> <b>{kind}</b>: {suspects} of {active} seemed dead at once <Ago at={openedAt} />
            . None of them is ended before somebody has looked.
          </span>
          {may('operate') && (
            <button
              type="button"
              class="button button-danger"
              onClick={() =>
                onOrder({
                  title: `Release the breaker of ${kind}`,
                  meaning: `What seems dead by now (${suspects} of ${active} when it opened) may be ended. Whoever falls silent later is weighed anew.`,
                  confirm: 'Release',
                  isDangerous: true,
                  give: (reason) => store.release(kind, reason),
                  done: `The breaker of ${kind} is released.`,
                })
              }
            >
              Release
            </button>
          )}
        </li>
      ))}
    </ul>
  )
}

function Modes({ store, standing, kinds, onOrder }: Props & { readonly kinds: readonly string[] }) {
  const known = new Map(standing.modes.map((one) => [one.kind, one]))
  const others = [...new Set([...kinds, ...known.keys()])].filter((kind) => kind !== EVERY_KIND).sort()
  return (
    <ScrollRegion label="Modes">
      <table class="modes">
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col">Mode</th>
            <th scope="col">Said by</th>
          </tr>
        </thead>
        <tbody>
          {[EVERY_KIND, ...others].map((kind) => {
            const { mode = known.get(EVERY_KIND)?.mode ?? 'enforce', order } = known.get(kind) ?? {}
            return (
              <tr key={kind}>
                <th scope="row">{kind === EVERY_KIND ? 'every other kind' : kind}</th>
                <td>
                  <ModeSwitch store={store} kind={kind} mode={mode} onOrder={onOrder} />
                </td>
                <td>
                  {order === undefined ? (
                    <span class="muted">{known.has(kind) ? 'configuration' : 'default'}</span>
                  ) : (
                    <span title={order.reason}>
                      {order.actor}, <Ago at={order.at} />: {order.reason}
                    </span>
                  )}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </ScrollRegion>
  )
}

interface SwitchProps extends Pick<Props, 'store' | 'onOrder'> {
  readonly kind: string
  readonly mode: string
}

function ModeSwitch({ store, kind, mode: current, onOrder }: SwitchProps) {
  const named = kind === EVERY_KIND ? 'every kind' : kind
  if (!may('operate')) return <>{current}</>
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would want a legend that is seen
    <span class="mode-switch" role="group" aria-label={`Mode of ${named}`}>
      {MODES.map(({ mode, meaning }) => (
        <button
          key={mode}
          type="button"
          class="button"
          aria-pressed={mode === current}
          onClick={() =>
            mode !== current &&
            onOrder({
              title: `Mode of ${named}: ${mode}`,
              meaning:
                kind === EVERY_KIND
                  ? `${meaning} It counts for every kind, whatever was said of one of them before.`
                  : meaning,
              confirm: `Set to ${mode}`,
              isDangerous: false,
              give: (reason) => store.setMode(kind, mode, reason),
              done: `The mode of ${named} is ${mode}.`,
            })
          }
        >
          {mode}
        </button>
      ))}
    </span>
  )
}
