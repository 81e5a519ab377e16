/** What verdicts over it rested on: the one that ended it, and those that ended an attempt. */
import type { Reconciliation } from '../../authority/events.ts'
import { evidenceWords } from './evidence-words.ts'
import type { ToldOperation, ToldStory } from './told-operation.ts'

interface Judged {
  readonly key: string
  readonly what: string
  readonly actor?: string
  readonly reconciliation: Reconciliation
}

export function Evidence({ judged }: { readonly judged: readonly Judged[] }) {
  return (
    <>
      {judged.map(({ key, what, actor, reconciliation }) => (
        <section key={key} class="evidence">
          <h3>
            {what}
            {actor !== undefined && (
              <span class="muted">
                {' '}
                by <bdi>{actor}</bdi>
              </span>
            )}
          </h3>
          <dl class="facts">
            {evidenceWords(reconciliation).map(([name, told]) => (
              <div key={name} class="fact">
                <dt>{name}</dt>
                <dd>{told}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </>
  )
}

/** Empty where it always spoke for itself. */
export function verdictsOver(operation: ToldOperation | undefined, story: ToldStory | undefined): readonly Judged[] {
  const found: Judged[] = []
  for (const { type, revision, facts, metadata } of story?.entries ?? []) {
    if (facts.reconciliation === undefined) continue
    const what = type === 'AttemptLost' ? `Attempt ${facts.attempt} was declared lost` : 'It was ended'
    // As the authority's events have it.
    found.push({
      key: String(revision),
      what,
      actor: metadata.actor,
      reconciliation: facts.reconciliation as Reconciliation,
    })
  }
  const { outcome } = operation ?? {}
  const last = outcome !== undefined && 'reconciliation' in outcome ? outcome.reconciliation : undefined
  const isTold = found.some(({ what }) => what === 'It was ended')
  return last === undefined || isTold ? found : [...found, { key: 'end', what: 'It was ended', reconciliation: last }]
}
