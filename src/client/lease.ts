/**
 * The right to work on one attempt of an operation, held by one worker. Everything said under it carries its epoch, so a
 * worker that was given up can't speak for the operation any longer: it is refused, and what it claimed is put on record.
 *
 *     claim -> heartbeat, progress, phases ... -> complete | fail | cancelled | retry | markRetired
 *                         '-> signal aborts: cancel requested, attempt lost, ended, shutdown
 */

import type { CommandAnswer } from '../authority/command-answer.ts'
import type { Claimant } from '../authority/events.ts'
import type { OperationSnapshot } from '../authority/questions.ts'
import { isTerminal } from '../authority/status.ts'
import type { CallOptions, CommandSender } from './command-sender.ts'
import type { LeaseCause } from './door.ts'
import { type Moment, momentMs } from './durations.ts'
import { type ErrorInput, errorOf } from './error-input.ts'
import { given } from './given-options.ts'
import { type AbortWhy, AttemptAborted, OperationRejected } from './operation-errors.ts'

export interface ProgressReport {
  /** The last line, so to say. */
  readonly message?: string
  /** 0 to 100. */
  readonly percent?: number
  readonly processed?: number
  readonly total?: number
}

/** What is known of a lease when it begins. */
export interface LeaseFacts {
  readonly id: string
  readonly number: number
  readonly leaseEpoch: number
  readonly nextHeartbeatBefore: number
  readonly cancelRequested: boolean
  /** The operation as it stood at the claim, where there was a reason to look. */
  readonly operation?: OperationSnapshot
}

export interface ClaimOptions extends CallOptions {
  /** Claiming again with the same id gives the same lease; every other claimant is refused. */
  readonly claimant?: Claimant
}

export class Lease implements Disposable {
  readonly id: string
  readonly number: number
  readonly leaseEpoch: number
  readonly attempt: number
  /** As it was stored; undefined where none was given. */
  readonly input: unknown
  readonly #sender: CommandSender
  readonly #abort = new AbortController()
  readonly #stopListening: () => void
  readonly #kept = new Map<string, unknown>()
  #nextHeartbeatBefore: number
  /** A last word is on its way: that the operation ended is its own doing then. */
  #lastWords = 0

  constructor(sender: CommandSender, facts: LeaseFacts) {
    const { id, number, leaseEpoch, operation } = facts
    this.#sender = sender
    this.id = id
    this.number = number
    this.leaseEpoch = leaseEpoch
    this.attempt = operation?.attempt ?? 1
    this.input = operation?.input
    this.#nextHeartbeatBefore = facts.nextHeartbeatBefore
    for (const { name, status, result } of operation?.phases ?? []) {
      if (status === 'completed') this.#kept.set(name, result)
    }
    if (facts.cancelRequested) this.abort('cancel_requested')
    this.#stopListening = sender.door.onLease(sender.registry, { id, leaseEpoch }, (cause) => this.#told(cause))
  }

  /** Aborted when a cancel is requested, the lease is lost, the operation is ended by others; its reason is an AttemptAborted. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Why the signal was aborted; undefined while it is not. */
  get abortedFor(): AbortWhy | undefined {
    const reason: unknown = this.#abort.signal.reason
    return reason instanceof AttemptAborted ? reason.why : undefined
  }

  /** Epoch ms by which the next sign of life is expected. */
  get nextHeartbeatBefore(): number {
    return this.#nextHeartbeatBefore
  }

  /** Results of phases that were completed before this attempt, or in it, by name. */
  get completedPhases(): ReadonlyMap<string, unknown> {
    return this.#kept
  }

  heartbeat(options?: CallOptions): Promise<CommandAnswer> {
    return this.#send({ type: 'RecordHeartbeat' }, options)
  }

  progress(report: ProgressReport, options?: CallOptions): Promise<CommandAnswer> {
    return this.#send({ ...report, type: 'ReportProgress' }, options)
  }

  startPhase(phase: string, options?: CallOptions): Promise<CommandAnswer> {
    return this.#send({ type: 'StartPhase', phase }, options)
  }

  async completePhase(phase: string, result?: unknown, options?: CallOptions): Promise<CommandAnswer> {
    const answer = await this.#send({ type: 'CompletePhase', phase, result }, options)
    this.#kept.set(phase, result)
    return answer
  }

  failPhase(phase: string, error: ErrorInput, options?: CallOptions): Promise<CommandAnswer> {
    return this.#send({ type: 'FailPhase', phase, error: errorOf(error) }, options)
  }

  /** What others need to reach the worker; for kinds that expect it. */
  peerReady(peer: unknown, options?: CallOptions): Promise<CommandAnswer> {
    return this.#send({ type: 'PeerReady', peer }, options)
  }

  complete(result?: unknown, options?: CallOptions): Promise<CommandAnswer> {
    return this.#lastWord({ type: 'CompleteOperation', result }, options)
  }

  fail(error: ErrorInput, options?: CallOptions): Promise<CommandAnswer> {
    return this.#lastWord({ type: 'FailOperation', error: errorOf(error) }, options)
  }

  /** The worker followed a cancel. */
  cancelled(reason?: string, options?: CallOptions): Promise<CommandAnswer> {
    return this.#lastWord({ type: 'CancelOperation', reason }, options)
  }

  /** This attempt failed, another one may begin then; refused when the policy allows no more or a cancel was requested. */
  retry(error: ErrorInput, options: CallOptions & { readonly notBefore: Moment }): Promise<CommandAnswer> {
    const { notBefore, ...calling } = given(options)
    const notBeforeAt = momentMs(notBefore, 'notBefore')
    return this.#lastWord({ type: 'RetryAttempt', error: errorOf(error), notBeforeAt }, calling)
  }

  /** The operation wound down. */
  markRetired(reason?: string, options?: CallOptions): Promise<CommandAnswer> {
    return this.#lastWord({ type: 'MarkRetired', reason }, options)
  }

  /** Why a cancel was requested, as far as it was said and is known here. */
  async cancelReason(): Promise<string | undefined> {
    const { door, registry } = this.#sender
    try {
      return (await door.snapshot(registry, this.id))?.cancel?.reason
    } catch {
      // A cancel without its reason is a cancel all the same.
      return undefined
    }
  }

  newCommandId(): string {
    return this.#sender.newCommandId()
  }

  /** Aborts the signal; the first reason counts. Nothing is sent. */
  abort(why: AbortWhy): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(new AttemptAborted(this.id, why))
  }

  /** Stops listening for the lease's fate. The operation stays as it is. */
  [Symbol.dispose](): void {
    this.#stopListening()
  }

  async #send(command: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<CommandAnswer> {
    const { id, leaseEpoch } = this
    try {
      const answer = await this.#sender.send({ ...command, id, leaseEpoch }, options)
      this.#hear(answer)
      return answer
    } catch (error) {
      if (error instanceof OperationRejected) this.#hearRefusal(error)
      throw error
    }
  }

  /** After it nothing more is said. */
  async #lastWord(command: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<CommandAnswer> {
    this.#lastWords++
    try {
      const answer = await this.#send(command, options)
      this[Symbol.dispose]()
      return answer
    } finally {
      this.#lastWords--
    }
  }

  #hear({ cancelRequested, nextHeartbeatBefore, status }: CommandAnswer): void {
    if (nextHeartbeatBefore !== undefined) this.#nextHeartbeatBefore = nextHeartbeatBefore
    if (cancelRequested === true) this.#told('cancel_requested')
    if (status !== undefined && isTerminal(status)) this.#told('ended')
  }

  #hearRefusal({ code }: OperationRejected): void {
    if (code === 'already_terminal' || code === 'owner_retired') this.abort('ended')
    else if (code === 'stale_lease' || code === 'not_found') this.abort('attempt_lost')
  }

  #told(cause: LeaseCause): void {
    if (this.#lastWords === 0 || cause === 'cancel_requested') this.abort(cause)
  }
}
