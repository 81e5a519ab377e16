/** The first half of a pass: everybody who is late or due, judged, their witnesses asked. Nothing is changed. */
import type { Clock } from '../runtime/clock.ts'
import type { Candidate, Candidates, Scope } from './candidates.ts'
import { judgeCandidate, type Moment, type Verdict } from './judgement.ts'
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
}

export interface Judged {
  readonly candidate: Candidate
  readonly verdict: Verdict
}

const PAGE = 1_000
const WITNESSES_AT_ONCE = 32

export async function survey(
  parts: SurveyParts,
  scope: Scope,
  moment: Omit<Moment, 'fraction'>,
  signal: AbortSignal,
): Promise<readonly Judged[]> {
  const { candidates, witnesses, modes, fraction } = parts
  const judged: Judged[] = []
  const toAsk: Candidate[] = []
  let after: Candidate | undefined
  for (;;) {
    signal.throwIfAborted()
    const page = await candidates.suspects(moment.now, scope, PAGE, after)
    for (const candidate of page) {
      const mayAsk = Object.hasOwn(witnesses, candidate.kind) && modes.of(candidate.kind) !== 'off'
      const verdict = judgeCandidate(candidate, mayAsk ? undefined : null, { ...moment, fraction: fraction() })
      if (verdict.type === 'ask') toAsk.push(candidate)
      else judged.push({ candidate, verdict })
    }
    after = page.at(-1)
    if (page.length < PAGE) break
  }
  for (let i = 0; i < toAsk.length; i += WITNESSES_AT_ONCE) {
    signal.throwIfAborted()
    judged.push(
      ...(await Promise.all(toAsk.slice(i, i + WITNESSES_AT_ONCE).map((one) => testified(parts, one, moment, signal)))),
    )
  }
  return judged
}

async function testified(
  { witnesses, clock, witnessTimeoutMs: timeoutMs, fraction }: SurveyParts,
  candidate: Candidate,
  moment: Omit<Moment, 'fraction'>,
  signal: AbortSignal,
): Promise<Judged> {
  const testimony = await ask(witnesses[candidate.kind] as Witness, candidate, { clock, timeoutMs, signal })
  return { candidate, verdict: judgeCandidate(candidate, testimony, { ...moment, fraction: fraction() }) }
}
