/** The server's judgement, told anew each second: the same rules over the same numbers, without asking again. */
import { type Judgement, judgeDeadline } from '../../authority/freshness.ts'
import { freshnessSentence } from '../../authority/freshness-sentence.ts'
import type { ToldOperation, ToldOutlook } from './told-operation.ts'

export function judgementNow(operation: ToldOperation, outlook: ToldOutlook | undefined, now: number): Judgement {
  const { judgement, outcome, status, attempt, number } = operation
  if (outcome !== undefined || outlook?.earliest === undefined) return judgement
  // Two answers a moment apart may tell of two standings: then the one that came with the operation counts.
  if (outlook.status !== status || outlook.attempt !== attempt || outlook.number !== number) return judgement
  const { earliest, graceMs, policy } = outlook
  const { lastSignAt } = judgement
  return {
    ...judgeDeadline(earliest, now, graceMs, policy?.reconcileDelayMs ?? 0),
    ...(lastSignAt === undefined ? {} : { lastSignAt }),
  }
}

/** Where it stands and what happens next by itself. */
export function sentenceNow(operation: ToldOperation, judgement: Judgement, now: number): string {
  // As of whole seconds, so that the words change no more often than a clock does.
  const second = Math.floor(now / 1_000) * 1_000
  const { sinceAt = 0 } = judgement
  // What began within this second began before it is told of.
  return freshnessSentence(judgement, sinceAt <= now ? Math.max(second, sinceAt) : second, operation.outcome)
}
