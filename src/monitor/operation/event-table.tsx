/** Every event of it, as the log has it: what it means, who caused it by which command, and its data as text. */
import { useSignal } from '@preact/signals'
import { useId } from 'preact/hooks'
import type { StoryStep } from '../../authority/story.ts'
import { Icon } from '../icons.tsx'
import { shortDuration, utcSecond } from '../times.ts'
import { JsonBlock } from './json-text.tsx'
import type { OperationStore } from './operation-store.ts'
import { Scroller } from './scroller.tsx'
import type { StoryEntry, ToldStory } from './told-operation.ts'

export function EventTable({ story, store }: { readonly story: ToldStory; readonly store: OperationStore }) {
  const { entries, steps, hasMore } = story
  const told = new Map(steps.map((step) => [step.revision, step]))
  return (
    <>
      <Scroller class="table-scroll" label="Events, a table that scrolls">
        <table class="table events">
          <thead>
            <tr>
              <th scope="col">Position</th>
              <th scope="col">Time (UTC)</th>
              <th scope="col">What happened</th>
              <th scope="col">By</th>
              <th scope="col">Command</th>
              <th scope="col">Data</th>
            </tr>
          </thead>
          {entries.map((entry) => (
            <EventRow key={entry.revision} entry={entry} step={told.get(entry.revision)} />
          ))}
        </table>
      </Scroller>
      <p class="muted">
        {entries.length === 1 ? '1 event' : `${entries.length.toLocaleString('en')} events`}, oldest first
        {hasMore ? '; there are more.' : '.'} Signs of life are left out: one event carries those of many operations.
      </p>
      {hasMore && (
        <button type="button" class="button" disabled={store.isReadingOn.value} onClick={() => void store.readOn()}>
          {store.isReadingOn.value ? 'Reading …' : 'Read on'}
        </button>
      )}
    </>
  )
}

function EventRow({ entry, step }: { readonly entry: StoryEntry; readonly step: StoryStep | undefined }) {
  const isOpen = useSignal(false)
  const data = useId()
  const { position, revision, type, facts, content, metadata } = entry
  const { at, actor, onBehalfOf, commandType, commandId, correlationId, causationId } = metadata as typeof metadata &
    Named
  return (
    <tbody data-event={type}>
      <tr>
        <td class="mono" title={`revision ${revision} of its owner`}>
          {position}
        </td>
        <td class="time">
          {utcSecond(at)}
          {step?.afterMs !== undefined && <span class="muted"> +{shortDuration(step.afterMs)}</span>}
        </td>
        <td class="event-what">
          <strong>{type}</strong>
          <span>{step?.sentence}</span>
          {step?.diagnostics?.message !== undefined && <bdi class="said">“{step.diagnostics.message}”</bdi>}
          {step?.diagnostics?.error !== undefined && <bdi class="said">“{step.diagnostics.error.message}”</bdi>}
        </td>
        <td>
          <bdi>{actor}</bdi>
          {onBehalfOf !== undefined && (
            <span class="muted">
              {' '}
              for <bdi>{onBehalfOf}</bdi>
            </span>
          )}
        </td>
        <td>
          {commandType}
          <span class="command-id mono muted" title={idsTold({ commandId, correlationId, causationId })}>
            <bdi>{commandId}</bdi>
          </span>
        </td>
        <td>
          <button
            type="button"
            class="button button-icon"
            aria-expanded={isOpen.value}
            aria-controls={data}
            aria-label={`Data of ${type} at ${position}`}
            onClick={() => {
              isOpen.value = !isOpen.value
            }}
          >
            <Icon name={isOpen.value ? 'up' : 'right'} />
          </button>
        </td>
      </tr>
      <tr id={data} hidden={!isOpen.value} class="event-data">
        {isOpen.value && (
          <td colSpan={6}>
            <JsonBlock text={JSON.stringify({ facts, content, metadata }, null, 2)} label={`Data of ${type}`} />
          </td>
        )}
      </tr>
    </tbody>
  )
}

interface Named {
  readonly onBehalfOf?: string
  readonly correlationId?: string
  readonly causationId?: string
}

function idsTold({ commandId, correlationId, causationId }: Named & { readonly commandId: string }): string {
  return [
    `command ${commandId}`,
    ...(correlationId === undefined ? [] : [`correlation ${correlationId}`]),
    ...(causationId === undefined ? [] : [`causation ${causationId}`]),
  ].join('\n')
}
