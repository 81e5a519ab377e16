/** An operation as people and programs are shown it (features.md, row A21): the record with what follows from it at a time. */

import type { Claimant, OperationError, ReasonCode } from './events.ts'
import { type Judgement, judge, type ProblemClass, problemClassOf } from './freshness.ts'
import { freshnessSentence } from './freshness-sentence.ts'
import type { JsonValue } from './json-value.ts'
import type { CancelRequest, Operation, Outcome, Phase } from './operation.ts'
import { REASON_SENTENCES, reasonCodeOf } from './reason-sentences.ts'
import { type PresentStatus, type ResultClass, resultClassOf } from './status.ts'

export interface ProgressView {
  readonly count: number
  readonly message?: string
  /** 0-100, only while it runs and only from a processed and a total that can be trusted. */
  readonly percent?: number
  readonly processed?: number
  readonly total?: number
}

export interface OperationView {
  readonly id: string
  readonly number: number
  readonly kind: string
  /** What people call it; the kind where it has no name. */
  readonly name: string
  readonly source?: string
  readonly status: PresentStatus
  readonly resultClass: ResultClass
  readonly outcome?: Outcome
  readonly sequence?: number
  readonly peer?: JsonValue
  readonly progress: ProgressView
  readonly attempt: number
  readonly lease?: { readonly epoch: number; readonly claimant?: Claimant; readonly open: boolean }
  readonly phases: readonly Phase[]
  readonly phasesCompleted: number
  /** How many there are to complete, where its kind declares them; what was started so far is no measure. */
  readonly phasesTotal?: number
  readonly registeredAt: number
  readonly startedAt?: number
  readonly completedAt?: number
  /** From registration to the end, or to now. */
  readonly elapsedMs: number
  readonly notBeforeAt?: number
  readonly cancel?: CancelRequest
  readonly labels: Readonly<Record<string, string>>
  readonly key?: string
  readonly retryOf?: { readonly id: string; readonly number: number }
  readonly input?: JsonValue
  readonly judgement: Judgement
  /** Where it stands, as a sentence for people. Nothing that people or programs wrote stands in it. */
  readonly explanation: string
  /** Why it was ended by others, for operators: a stable code and its sentence. */
  readonly reason?: { readonly code: ReasonCode; readonly sentence: string }
  readonly problemClass: ProblemClass
  readonly contradictions: number
  readonly diagnostics?: Diagnostics
}

/** What was thrown, as its workers said it, secrets left out: for those who look into it, never for a first page. */
export interface Diagnostics {
  /** Of its end. */
  readonly error?: OperationError
  /** Of the attempt before. */
  readonly lastError?: OperationError
}

/** Pure: the same operation at the same time, with the same grace, looks the same everywhere. */
export function viewOf(operation: Operation, now: number, graceMs: number): OperationView {
  const { id, number, kind, kindFacts, source, status, outcome, sequence, peer, attempt, lease, phases } = operation
  const { registeredAt, startedAt, completedAt, notBeforeAt, cancel, key, retryOf, input, lastError } = operation
  const judgement = judge(operation, now, graceMs)
  const reasonCode = reasonCodeOf(outcome)
  const error = outcome?.status === 'failed' ? outcome.error : undefined
  const diagnostics = {
    ...(error === undefined ? {} : { error }),
    ...(lastError === undefined ? {} : { lastError }),
  }
  return {
    id,
    number,
    kind,
    name: operation.name ?? kind,
    status,
    resultClass: resultClassOf(status),
    progress: progressView(operation),
    attempt,
    phases,
    phasesCompleted: phases.filter((phase) => phase.status === 'completed').length,
    registeredAt,
    elapsedMs: Math.max(0, (completedAt ?? now) - registeredAt),
    labels: operation.labels ?? {},
    judgement,
    explanation: freshnessSentence(judgement, now, outcome),
    problemClass: problemClassOf(operation, judgement),
    contradictions: operation.contradictions.length,
    ...(source === undefined ? {} : { source }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(peer === undefined ? {} : { peer }),
    ...(lease === undefined ? {} : { lease }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(completedAt === undefined ? {} : { completedAt }),
    ...(notBeforeAt === undefined ? {} : { notBeforeAt }),
    ...(cancel === undefined ? {} : { cancel }),
    ...(key === undefined ? {} : { key }),
    ...(retryOf === undefined ? {} : { retryOf }),
    ...(kindFacts.phases === null ? {} : { phasesTotal: kindFacts.phases.length }),
    ...(input === undefined ? {} : { input }),
    ...(reasonCode === undefined ? {} : { reason: { code: reasonCode, sentence: REASON_SENTENCES[reasonCode] } }),
    ...(error === undefined && lastError === undefined ? {} : { diagnostics }),
  }
}

function progressView({ progress, status }: Operation): ProgressView {
  const { count, message, processed, total } = progress
  const isTrustworthy =
    status === 'running' && processed !== undefined && total !== undefined && total > 0 && processed <= total
  return {
    count,
    ...(message === undefined ? {} : { message }),
    ...(isTrustworthy ? { percent: (100 * processed) / total } : {}),
    ...(processed === undefined ? {} : { processed }),
    ...(total === undefined ? {} : { total }),
  }
}
