/** Who it is, where it stands, and what happens next by itself; it is told anew each second. */
import { StandingBadges, StatusBadge } from '../badges.tsx'
import { now } from '../clock.ts'
import { cliOf, curlOfOperation } from './command-texts.ts'
import { CopyButton } from './copy-button.tsx'
import { guidance } from './guidance.ts'
import { judgementNow, sentenceNow } from './judgement-now.ts'
import type { OperationPlace, ToldOperation, ToldOutlook, ToldStory } from './told-operation.ts'

interface Props {
  readonly place: OperationPlace
  readonly operation: ToldOperation | undefined
  readonly outlook: ToldOutlook | undefined
  readonly story: ToldStory | undefined
}

export function OperationHead({ place, operation, outlook, story }: Props) {
  const { workspace, owner, id } = place
  const name = operation?.name ?? nameIn(story) ?? id
  return (
    <header class="op-head">
      <p class="op-path muted">
        <a href={`/?${new URLSearchParams({ workspaces: workspace })}`}>
          <bdi>{workspace}</bdi>
        </a>{' '}
        /{' '}
        <a href={`/?${new URLSearchParams({ workspaces: workspace, owners: owner })}`}>
          <bdi>{owner}</bdi>
        </a>
      </p>
      <h1>
        <bdi>{name}</bdi>
      </h1>
      <p class="op-names">
        <code class="op-id">
          <bdi>{id}</bdi>
        </code>
        <Copies place={place} />
      </p>
      {operation === undefined ? (
        <LetGo outlook={outlook} story={story} />
      ) : (
        <Standing operation={operation} outlook={outlook} story={story} />
      )}
    </header>
  )
}

function Standing({ operation, outlook, story }: Omit<Props, 'operation' | 'place'> & { operation: ToldOperation }) {
  const time = now.value
  const judgement = judgementNow(operation, outlook, time)
  const sentence = sentenceNow(operation, judgement, time)
  return (
    <>
      <p class="op-standing">
        <StandingBadges status={operation.status} judgement={judgement} contradictions={operation.contradictions} />
        <span class="muted">
          of kind <bdi>{operation.kind}</bdi>
        </span>
      </p>
      <p class="op-sentence" data-part="sentence">
        {sentence}
      </p>
      {story?.standing === 'hidden' && <p class="muted">{story.explanation}</p>}
      <div class="op-now" data-part="guidance">
        <h2>What to do</h2>
        {guidance(operation, judgement, outlook).map((told) => (
          <p key={told}>{told}</p>
        ))}
      </div>
    </>
  )
}

/** One that only the log knows: how it ended, and that nobody holds it. */
function LetGo({ outlook, story }: Pick<Props, 'outlook' | 'story'>) {
  const last = story === undefined || story.hasMore ? undefined : story.steps.at(-1)
  return (
    <>
      {outlook !== undefined && (
        <p class="op-standing">
          <StatusBadge status={outlook.status} />
        </p>
      )}
      <p class="op-sentence" data-part="sentence">
        {last?.sentence} {story?.explanation ?? 'Its owner holds it no more; the log has it.'}
      </p>
    </>
  )
}

function Copies({ place }: { readonly place: OperationPlace }) {
  const { origin, href } = window.location
  return (
    <span class="copies">
      <CopyButton name="Copy link" icon="link" text={href} />
      <CopyButton name="Copy as curl" text={curlOfOperation(origin, place)} />
      <CopyButton name="Copy as CLI" text={cliOf(origin, 'get', place)} />
    </span>
  )
}

/** As it was registered, for one that nobody holds any more. */
function nameIn(story: ToldStory | undefined): string | undefined {
  const [born] = story?.entries ?? []
  const name = born?.type === 'OperationRegistered' ? (born.content.name ?? born.facts.kind) : undefined
  return typeof name === 'string' ? name : undefined
}
