/**
 * The judgement as a sentence for people: what is missing, since when, and what will come of it. It tells of times and rules
 * only; what people and programs wrote never stands in it.
 */
import type { DeadlineRule } from './events.ts'
import type { Judgement } from './freshness.ts'
import type { Outcome } from './operation.ts'
import { outcomeSentence, REASON_SENTENCES, reasonCodeOf } from './reason-sentences.ts'
import { spokenDuration } from './spoken-duration.ts'

/** `outcome` is that of the operation, where it has ended. */
export function freshnessSentence(judgement: Judgement, now: number, outcome?: Outcome): string {
  const { freshness, rule, sinceAt, reconcileAt } = judgement
  if (freshness === 'terminal') return outcome === undefined ? 'It has ended.' : outcomeSentence(outcome)
  if (freshness === 'reconciled') {
    const reasonCode = reasonCodeOf(outcome)
    const why = reasonCode === undefined ? '' : ` ${REASON_SENTENCES[reasonCode]}`
    return `It did not speak for itself, and was ended.${why}`
  }
  if (freshness === 'no_policy') return 'It has no policy: nobody judges its silence.'
  if (rule === undefined || sinceAt === undefined || reconcileAt === undefined) return 'Nothing threatens it.'
  const what = WHAT[rule](spokenDuration(Math.abs(now - sinceAt)), now >= sinceAt)
  if (rule === 'cancel')
    return `${what}${now >= reconcileAt ? ' It is forced now.' : ` It is forced in ${spokenDuration(reconcileAt - now)}.`}`
  const after = `this kind is reconciled after ${spokenDuration(reconcileAt - sinceAt)}`
  const when =
    now >= reconcileAt ? `due for ${spokenDuration(now - reconcileAt)}` : `in ${spokenDuration(reconcileAt - now)}`
  return `${what}; ${after}, ${when}.`
}

const WHAT: Readonly<Record<DeadlineRule, (since: string, isPast: boolean) => string>> = {
  queued: (since, isPast) => (isPast ? `No worker for ${since}` : `Not to be started before another ${since}`),
  first_sign: (since) => `Claimed ${since} ago and not heard of since`,
  sign: (since) => `No heartbeat for ${since}`,
  progress: (since) => `Alive, but no progress for ${since}`,
  runtime: (since) => `Running for ${since}`,
  cancel: () => 'A cancel was asked for.',
  retire: (since) => `Asked to wind down ${since} ago`,
}
