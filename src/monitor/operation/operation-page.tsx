/**
 * One operation: where it stands, how it came there, and what may be done. The page asks by its store, and shows; each part stands
 * for itself, so that one which can't be told takes no other with it.
 */
import { useEffect, useMemo } from 'preact/hooks'
import { ApiProblem } from '../api.ts'
import { FailedPage } from '../error-page.tsx'
import { useShortcuts } from '../keyboard.ts'
import { navigate } from '../route.ts'
import { Actions } from './actions.tsx'
import { Card, Told } from './card.tsx'
import { Contradictions } from './contradictions.tsx'
import { EventTable } from './event-table.tsx'
import { Evidence, verdictsOver } from './evidence.tsx'
import { Facts } from './facts.tsx'
import { MachineDrawing } from './machine-drawing.tsx'
import { OperationHead } from './operation-head.tsx'
import { OperationStore } from './operation-store.ts'
import { PolicyTable } from './policy-table.tsx'
import { Related } from './related.tsx'
import { Timeline } from './timeline.tsx'
import type { OperationPlace } from './told-operation.ts'
import { Waits } from './waits.tsx'
import './operation.css'

interface Props {
  readonly workspace: string
  readonly owner: string
  readonly id: string
  readonly query: URLSearchParams
}

export function OperationPage({ workspace, owner, id, query }: Props) {
  const asked = query.get('number')
  const store = useMemo(() => {
    const number = asked === null ? {} : { number: Number(asked) }
    return new OperationStore({ workspace, owner, id, ...number })
  }, [workspace, owner, id, asked])
  useEffect(() => () => store.close(), [store])
  useShortcuts(SHORTCUTS)
  const { value: operation, error } = store.operation.value
  const { value: outlook, error: unknown } = store.outlook.value
  const title = operation?.name ?? id
  useEffect(() => {
    document.title = `${title} – Verdict`
    return () => {
      document.title = 'Verdict'
    }
  }, [title])
  if (outlook === undefined && operation === undefined) {
    if (unknown instanceof ApiProblem) return <FailedPage error={unknown} onRetry={() => store.refresh()} />
    if (error !== undefined) return <FailedPage error={error} onRetry={() => store.refresh()} />
    if (!store.outlook.value.isAsked || !store.operation.value.isAsked) return <Asking place={store.place} />
  }
  return <Parts store={store} />
}

function Asking({ place: { id } }: { readonly place: OperationPlace }) {
  return (
    <article class="op">
      <header class="op-head">
        <h1>
          <bdi>{id}</bdi>
        </h1>
        <p class="muted">Asking the server …</p>
      </header>
    </article>
  )
}

function Parts({ store }: { readonly store: OperationStore }) {
  const { place } = store
  const { value: operation } = store.operation.value
  const { value: outlook } = store.outlook.value
  const { value: story } = store.story.value
  const retries = store.retries.value.value ?? []
  const verdicts = verdictsOver(operation, story)
  return (
    <article class="op">
      <OperationHead place={place} operation={operation} outlook={outlook} story={story} />
      <div class="op-columns">
        <div class="op-main">
          <Card title="Actions" name="actions">
            <Told part={store.outlook.value}>
              {(told) => (
                <Actions subject={{ place, outlook: told, operation, story }} onDone={() => store.refresh()} />
              )}
            </Told>
          </Card>
          {outlook !== undefined && outlook.contradictions.length > 0 && (
            <Card title="Contradictory reports" name="contradictions">
              <Contradictions outlook={outlook} story={story} />
            </Card>
          )}
          {verdicts.length > 0 && (
            <Card title="Evidence" name="evidence">
              <Evidence judged={verdicts} />
            </Card>
          )}
          <Card title="Timeline" name="timeline">
            <Told part={store.timeline.value}>{(timeline) => <Timeline timeline={timeline} />}</Told>
          </Card>
          <Card title="Way through the machine" name="machine">
            <Told part={store.machine.value}>
              {(machine) => <MachineDrawing machine={machine} steps={store.timeline.value.value?.steps ?? []} />}
            </Told>
          </Card>
          <Card title="Events" name="events">
            <Told part={store.story.value}>{(told) => <EventTable story={told} store={store} />}</Told>
          </Card>
        </div>
        <div class="op-side">
          {operation !== undefined && (
            <Card title="Facts" name="facts">
              <Facts operation={operation} />
            </Card>
          )}
          {retries.length > 0 && (
            <Card title="Retried as" name="retries">
              <Related retries={retries} />
            </Card>
          )}
          <Card title="Waits" name="waits">
            <Told part={store.outlook.value}>{(told) => <Waits place={place} outlook={told} />}</Told>
          </Card>
          <Card title="Policy in force" name="policy">
            <Told part={store.outlook.value}>{(told) => <PolicyTable outlook={told} />}</Told>
          </Card>
        </div>
      </div>
    </article>
  )
}

const SHORTCUTS = [
  { key: 'Escape', does: 'Back', run: () => (window.history.length > 1 ? window.history.back() : navigate('/')) },
  { key: 'a', does: 'To the actions', run: () => goTo('actions') },
  { key: 'e', does: 'To the events', run: () => goTo('events') },
] as const

/** The first thing there that takes the keyboard. */
function goTo(card: string): void {
  const place = document.querySelector(`[data-card="${card}"]`)
  place?.scrollIntoView({ block: 'start' })
  place?.querySelector<HTMLElement>('button:enabled, [tabindex="0"], a')?.focus()
}
