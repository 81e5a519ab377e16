/** What the API throws. Each class carries what a program needs to decide; the message is a sentence for people. */
import type { Outcome } from '../authority/operation.ts'
import type { CompletionPage, EventsResync, WaitAnswer } from '../authority/questions.ts'
import type { Rejection, RejectionCode, RejectionFacts } from '../authority/rejections.ts'
import type { PresentStatus } from '../authority/status.ts'

/** How an operation stands, as the one who refused knew it. */
export interface CurrentTruth {
  readonly status: PresentStatus
  readonly outcome?: Outcome
}

/** Under which a server, or the way to it, refuses what no registry was asked. Newer servers may know more. */
export type ChannelCode =
  /** It could not be reached in time, and nothing was sent. */
  | 'server_unavailable'
  | 'unauthenticated'
  | 'forbidden'
  | 'rate_limited'
  | 'read_model_behind'
  | 'not_served'
  | 'reads_unavailable'
  | 'bad_filter'
  | 'bad_sort'
  | 'bad_page_token'

export type RefusalCode = RejectionCode | ChannelCode
export type Refusal = Pick<Rejection, 'message' | 'facts'> & { readonly code: RefusalCode }

/** A command or a question was refused; nothing was changed by it, except for `outcome_unknown`: then nobody knows yet. */
export class OperationRejected extends Error {
  override readonly name = 'OperationRejected'
  readonly code: RefusalCode
  readonly facts: RejectionFacts
  /** Undefined where the refusal is not about an operation that is there. */
  readonly current: CurrentTruth | undefined
  /** Sending it again may succeed; after `outcome_unknown` under the same command id only. */
  readonly retryable: boolean
  /** Under which it was sent; undefined for what never became a command. */
  readonly commandId: string | undefined

  constructor({ code, message, facts }: Refusal, commandId?: string) {
    super(message)
    this.code = code
    this.facts = facts
    this.commandId = commandId
    const { currentStatus, outcome, retryable } = facts
    this.current =
      currentStatus === undefined ? undefined : { status: currentStatus, ...(outcome === undefined ? {} : { outcome }) }
    this.retryable = typeof retryable === 'boolean' ? retryable : RETRYABLE.has(code)
  }
}

const RETRYABLE: ReadonlySet<RefusalCode> = new Set([
  'server_unavailable',
  'rate_limited',
  'read_model_behind',
  'not_served',
  'reads_unavailable',
  'overloaded',
  'contention',
  'outcome_unknown',
  'store_unavailable',
  'store_busy',
  'store_full',
  'store_read_only',
  'read_model_behind',
  'not_served',
])

/** Bad input that is noticed before there is a command; the same class and code as if the authority's border had met it. */
export function invalidInput(path: string, expected: string, got: unknown): OperationRejected {
  const told = toldOf(got)
  return new OperationRejected({
    code: 'invalid_command',
    message: `${path}: expected ${expected}, got ${told}`,
    facts: { path, expected, got: told },
  })
}

/** An object is not written out: it may be as deep as it likes, or know no text of itself. */
function toldOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null || value instanceof Date) return String(value)
  return Array.isArray(value) ? 'a list' : 'an object'
}

/** The operation ended, and not well: it failed, or its owner was terminated. */
export class OperationFailed extends Error {
  override readonly name = 'OperationFailed'
  readonly operationId: string
  readonly outcome: Extract<Outcome, { status: 'failed' | 'terminated' }>
  /** What the error or the reconciler called it; else the status. */
  readonly code: string

  constructor(operationId: string, outcome: Extract<Outcome, { status: 'failed' | 'terminated' }>) {
    const why = outcome.status === 'failed' ? outcome.error.message : outcome.reason
    super(`operation ${operationId} ${outcome.status}: ${why}`)
    this.operationId = operationId
    this.outcome = outcome
    this.code = outcome.status === 'failed' ? (outcome.error.code ?? outcome.reasonCode ?? 'failed') : outcome.status
  }
}

/** The operation ended because somebody wanted it to: cancelled, aborted before it started, or retired. */
export class OperationCancelled extends Error {
  override readonly name = 'OperationCancelled'
  readonly operationId: string
  readonly outcome: Extract<Outcome, { status: 'cancelled' | 'aborted' | 'retired' }>
  /** The status. */
  readonly code: string

  constructor(operationId: string, outcome: Extract<Outcome, { status: 'cancelled' | 'aborted' | 'retired' }>) {
    const why = outcome.reason === undefined ? '' : `: ${outcome.reason}`
    super(`operation ${operationId} ${outcome.status}${why}`)
    this.operationId = operationId
    this.outcome = outcome
    this.code = outcome.status
  }
}

/** `shutdown`: this process closes; the others are facts about the operation. */
export type AbortWhy = 'cancel_requested' | 'attempt_lost' | 'ended' | 'shutdown'

/** Why a worker's signal was aborted. Its name is what everything that takes an AbortSignal looks for. */
export class AttemptAborted extends Error {
  override readonly name = 'AbortError'
  readonly operationId: string
  readonly why: AbortWhy

  constructor(operationId: string, why: AbortWhy) {
    super(`${WHY[why]} (operation ${operationId})`)
    this.operationId = operationId
    this.why = why
  }
}

const WHY: Readonly<Record<AbortWhy, string>> = {
  cancel_requested: 'a cancel was requested',
  attempt_lost: 'the lease was lost: somebody else is, or will be, at work',
  ended: 'the operation has ended',
  shutdown: 'this process shuts down',
}

/** The wait's deadline passed first. What had ended by then is in `wait.members`. */
export class WaitExpired extends Error {
  override readonly name = 'WaitExpired'
  readonly wait: WaitAnswer

  constructor(wait: WaitAnswer) {
    super(`wait ${wait.waitId} expired with ${unfinished(wait)} of ${wait.members.length} operations unfinished`)
    this.wait = wait
  }
}

/** Somebody cancelled the wait. */
export class WaitCancelled extends Error {
  override readonly name = 'WaitCancelled'
  readonly wait: WaitAnswer

  constructor(wait: WaitAnswer) {
    super(`wait ${wait.waitId} was cancelled with ${unfinished(wait)} of ${wait.members.length} operations unfinished`)
    this.wait = wait
  }
}

function unfinished({ members }: WaitAnswer): number {
  return members.filter(({ outcome }) => outcome === undefined).length
}

export type FeedGap = Extract<CompletionPage, { type: 'gap' }>

/** Completions between two sequences were dropped by retention; read on with `after: error.gap.droppedThrough`. */
export class CompletionsDropped extends Error {
  override readonly name = 'CompletionsDropped'
  readonly gap: FeedGap

  constructor(gap: FeedGap) {
    super(
      `completions ${gap.requestedAfter + 1} to ${gap.droppedThrough} were dropped by retention; the newest is ${gap.watermark}`,
    )
    this.gap = gap
  }
}

/**
 * The log is not the one that was read before, or what was read is gone: look afresh at what you follow, then go on with
 * `after: error.resync.cursor`.
 */
export class EventsReplaced extends Error {
  override readonly name = 'EventsReplaced'
  readonly code = 'resync'
  readonly resync: EventsResync

  constructor(resync: EventsResync) {
    const why = resync.reason === 'log_replaced' ? 'the log was replaced' : 'the event is not in the log any more'
    super(`events can't be read on from where they were: ${why}`)
    this.resync = resync
  }
}
