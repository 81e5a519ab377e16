/** Late reports that claim another end than the one on record. */
import { absoluteTime } from '../times.ts'
import { JsonText } from './json-text.tsx'
import type { StoryEntry, ToldOutlook, ToldStory } from './told-operation.ts'

interface Props {
  readonly outlook: ToldOutlook
  readonly story: ToldStory | undefined
}

export function Contradictions({ outlook: { contradictions, status }, story }: Props) {
  return (
    <ul class="contradictions">
      {contradictions.map(({ claimed, leaseEpoch, revision }) => (
        <li key={revision}>
          A report {leaseEpoch === undefined ? 'without a lease' : `under lease ${leaseEpoch}`} claimed that it{' '}
          <strong>{claimed}</strong>. It was refused, because the operation {refusedBecause(status)}; nothing was
          changed by it.
          <Report entry={story?.entries.find((entry) => entry.revision === revision)} />
        </li>
      ))}
    </ul>
  )
}

function Report({ entry }: { readonly entry: StoryEntry | undefined }) {
  if (entry === undefined) return null
  const { content, metadata } = entry
  const said = content.result ?? content.error
  return (
    <div class="muted">
      {absoluteTime(metadata.at)}, by <bdi>{metadata.actor}</bdi>.{' '}
      {said !== undefined && <JsonText value={said} label="What it said" />}
    </div>
  )
}

function refusedBecause(status: string): string {
  return ['provisioning', 'running', 'retiring'].includes(status)
    ? 'had gone on to another attempt'
    : `was ${status} already or its lease was lost`
}
