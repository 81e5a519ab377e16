/** What a verdict rested on, in words. Pure. */
import type { DeadlineRule, Evidence, Reconciliation } from '../../authority/events.ts'
import { REASON_SENTENCES } from '../../authority/reason-sentences.ts'
import { spokenDuration } from '../../authority/spoken-duration.ts'
import { absoluteTime } from '../times.ts'

export const RULE_WORDS: Readonly<Record<DeadlineRule | 'witness', string>> = {
  queued: 'time in the queue',
  first_sign: 'time from the claim to the first sign of life',
  sign: 'time since the last sign of life',
  progress: 'time without progress',
  runtime: 'time it may run',
  cancel: 'time to follow a cancel',
  retire: 'time to wind down',
  witness: 'word of a witness',
}

const WITNESS_WORDS: Readonly<Record<string, string>> = {
  waiting: 'saw it waiting',
  active: 'saw it at work',
  completed: 'saw it complete',
  failed: 'saw it fail',
  absent: 'knew of no such job',
  unknown: 'could not say',
}

/** Name and words of each thing that was seen. */
export function evidenceWords({
  reasonCode,
  evidence,
}: Reconciliation): readonly (readonly [name: string, told: string])[] {
  const { rule, attempt, lastRevision, lastSignAt, deadlineAt, judgedAt, graceMs, witness } = evidence
  return [
    ['Reason', `${REASON_SENTENCES[reasonCode] ?? ''} (${reasonCode})`],
    ['Judged by', `${RULE_WORDS[rule] ?? rule}, attempt ${attempt}`],
    ['Judged at', absoluteTime(judgedAt)],
    ['Last sign of life', lastSignAt === undefined ? 'none in this attempt' : silence(evidence)],
    ...(deadlineAt === undefined ? [] : [['Deadline', deadlineWords(deadlineAt, judgedAt)] as const]),
    [
      'Grace',
      graceMs === 0
        ? 'none: the server could hear all the time'
        : `${spokenDuration(graceMs)}, for time in which nobody could be heard`,
    ],
    ['Witness', witness === undefined ? 'none was asked' : `the queue ${WITNESS_WORDS[witness] ?? witness}`],
    ['Last event seen', `revision ${lastRevision}`],
  ]
}

function silence({ lastSignAt = 0, judgedAt }: Evidence): string {
  return `${absoluteTime(lastSignAt)}, ${spokenDuration(judgedAt - lastSignAt)} before it was judged`
}

function deadlineWords(deadlineAt: number, judgedAt: number): string {
  return `${absoluteTime(deadlineAt)}, passed for ${spokenDuration(judgedAt - deadlineAt)} when it was judged`
}
