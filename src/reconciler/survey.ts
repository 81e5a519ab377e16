/**
 * The first half of a pass: everybody who is due, judged, their witnesses asked. Where somebody seems dead, those of its kind
 * that are late as well: they may be about to die of the same cause. Nothing is changed.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Candidate, Candidates, Scope } from './candidates.ts'
import { judgeCandidate, type Moment, type Testimony, type Verdict } from './judgement.ts'
import type { Modes } from './modes.ts'
import { ask, type Witness } from './witness.ts'

export interface SurveyParts {
  readonly candidates: Candidates
  readonly witnesses: Readonly<Record<string, Witness>>
  readonly modes: Modes
  readonly clock: Clock
  readonly witnessTimeoutMs: number
  /** From 0 to 1. */
  readonly fraction: () => number
  /** How far the clock was behind by which its deadline was set; 0 where no further than clocks may differ. */
  readonly latenessMs: (candidate: Candidate) => number
}

export interface Judged {
  readonly candidate: Candidate
  readonly verdict: Verdict
}

const WITNESSES_AT_ONCE = 32
/** So many kinds can be named in a question. */
const KINDS_MAX = 100

export async function survey(
  parts: SurveyParts,
  scope: Scope,
  moment: Omit<Moment, 'fraction' | 'latenessMs'>,
  signal: AbortSignal,
): Promise<readonly Judged[]> {
  const { candidates, modes } = parts
  const all: Judged[] = []
  const toAsk: Candidate[] = []
  for await (const candidate of candidates.due(moment.now, scope, signal)) {
    const verdict = judged(parts, candidate, mayAsk(parts, candidate) ? undefined : null, moment)
    if (verdict.type === 'ask') toAsk.push(candidate)
    else all.push({ candidate, verdict })
  }
  for (let i = 0; i < toAsk.length; i += WITNESSES_AT_ONCE) {
    signal.throwIfAborted()
    const some = toAsk.slice(i, i + WITNESSES_AT_ONCE)
    all.push(...(await Promise.all(some.map((one) => testified(parts, one, moment, signal)))))
  }
  const dead = new Set(all.filter(({ verdict }) => verdict.type === 'reconcile').map(({ candidate }) => candidate.kind))
  const inDoubt = [...dead].filter((kind) => modes.of(kind) === 'enforce')
  if (inDoubt.length === 0) return all
  const doubted = inDoubt.length > KINDS_MAX ? scope : { ...scope, kinds: inDoubt }
  for await (const candidate of candidates.late(moment.now, doubted, signal)) {
    all.push({ candidate, verdict: judged(parts, candidate, null, moment) })
  }
  return all
}

function judged(
  { fraction, latenessMs }: SurveyParts,
  candidate: Candidate,
  testimony: Testimony | null | undefined,
  moment: Omit<Moment, 'fraction' | 'latenessMs'>,
): Verdict {
  return judgeCandidate(candidate, testimony, { ...moment, fraction: fraction(), latenessMs: latenessMs(candidate) })
}

function mayAsk({ witnesses, modes }: SurveyParts, { kind }: Candidate): boolean {
  return Object.hasOwn(witnesses, kind) && modes.of(kind) !== 'off'
}

async function testified(
  parts: SurveyParts,
  candidate: Candidate,
  moment: Omit<Moment, 'fraction' | 'latenessMs'>,
  signal: AbortSignal,
): Promise<Judged> {
  const { witnesses, clock, witnessTimeoutMs: timeoutMs } = parts
  const testimony = await ask(witnesses[candidate.kind] as Witness, candidate, { clock, timeoutMs, signal })
  return { candidate, verdict: judged(parts, candidate, testimony, moment) }
}
