/** One operation in the hand: its truth to be asked for, and what everybody but its worker may want of it. */

import type { CommandAnswer } from '../authority/command-answer.ts'
import type { CommandOf, CommandType } from '../authority/commands.ts'
import type { DeadlineRule } from '../authority/events.ts'
import type { Outcome } from '../authority/operation.ts'
import type { HistoryEntry, OperationSnapshot } from '../authority/questions.ts'
import { answered, type CallOptions, type CommandSender } from './command-sender.ts'
import { type Moment, momentMs } from './durations.ts'
import { type ErrorInput, errorOf } from './error-input.ts'
import { given } from './given-options.ts'
import type { Lease } from './lease.ts'
import { invalidInput, OperationCancelled, OperationFailed } from './operation-errors.ts'

/** What the registration that made this handle was answered; empty for a handle that was made from an id. */
export interface Begun {
  readonly number?: number
  /** An active operation of the same key was found: this is that one, and nothing new runs. */
  readonly joined?: boolean
  readonly lease?: Lease
  readonly registrationCommandId?: string
}

export interface Interruptible {
  readonly signal?: AbortSignal
}

/** A worker's word must carry its lease epoch. */
export interface WorkerOptions extends CallOptions {
  readonly leaseEpoch?: number
}

export interface ReasonOptions extends WorkerOptions {
  readonly reason?: string
}

/** `R` is what the operation's function returns, as far as JSON keeps it. */
export class OperationHandle<R = unknown> {
  readonly id: string
  readonly workspace: string
  readonly owner: string
  readonly number: number | undefined
  readonly joined: boolean
  /** For whoever began it to work under, where no function does. */
  readonly lease: Lease | undefined
  readonly #sender: CommandSender
  readonly #registrationCommandId: string | undefined

  constructor(sender: CommandSender, id: string, begun: Begun = {}) {
    this.#sender = sender
    this.id = id
    this.workspace = sender.registry.workspace
    this.owner = sender.registry.owner
    this.number = begun.number
    this.joined = begun.joined ?? false
    this.lease = begun.lease
    this.#registrationCommandId = begun.registrationCommandId
  }

  /**
   * How it ended, as soon as it has; failure is data here. At once when it is known, also long after it was let go. Throws
   * the signal's reason, ChannelClosed when this process loses the way to the answer, OperationRejected (`not_found`).
   */
  async outcome(options: Interruptible = {}): Promise<Outcome> {
    const { signal } = given(options)
    return answered(await this.#sender.door.outcome(this.#sender.registry, this.id, signal)).outcome
  }

  /** What it returned. Throws OperationFailed or OperationCancelled for every other end, and as `outcome` does. */
  async result(options?: Interruptible): Promise<R> {
    const outcome = await this.outcome(options)
    switch (outcome.status) {
      case 'completed':
        // Stored as JSON by the one who knew the type.
        return outcome.result as R
      case 'failed':
      case 'terminated':
        throw new OperationFailed(this.id, outcome)
      case 'cancelled':
      case 'aborted':
      case 'retired':
        throw new OperationCancelled(this.id, outcome)
      default:
        return outcome satisfies never
    }
  }

  /** All that is known of it; undefined when it is not there, or no longer held. */
  snapshot(): Promise<OperationSnapshot | undefined> {
    return this.#sender.door.snapshot(this.#sender.registry, this.id)
  }

  /** Its story, event by event, oldest first. */
  history(): Promise<readonly HistoryEntry[]> {
    return this.#sender.door.history(this.#sender.registry, this.id)
  }

  /** Asks for a cancel: at once when nobody works on it; else its worker is told, and has until the deadline. */
  cancel(options: ReasonOptions & { readonly deadline?: Moment } = {}): Promise<CommandAnswer> {
    const { deadline, ...calling } = given(options)
    return this.#send('RequestCancel', calling, {
      ...(deadline === undefined ? {} : { deadlineAt: momentMs(deadline, 'deadline') }),
    })
  }

  /** Cancels it without asking its worker, who learns that it is over. */
  forceCancel(options?: ReasonOptions): Promise<CommandAnswer> {
    return this.#send('CancelOperation', options)
  }

  /** Asks it to wind down. */
  retire(options?: WorkerOptions): Promise<CommandAnswer> {
    return this.#send('RequestRetire', options)
  }

  markRetired(options?: ReasonOptions): Promise<CommandAnswer> {
    return this.#send('MarkRetired', options)
  }

  /** Takes it back before anybody works on it. */
  abort(options?: ReasonOptions): Promise<CommandAnswer> {
    return this.#send('AbortProvisioning', options)
  }

  complete(result?: unknown, options?: WorkerOptions): Promise<CommandAnswer> {
    return this.#send('CompleteOperation', options, { result })
  }

  /** With a lease epoch as its worker, without one as an operator. */
  fail(error: ErrorInput, options: WorkerOptions = {}): Promise<CommandAnswer> {
    const asOperator = given(options).leaseEpoch === undefined ? { asOperator: true } : {}
    return this.#send('FailOperation', options, { error: errorOf(error), ...asOperator })
  }

  /** It could not be made to start. */
  failProvisioning(error: ErrorInput, options?: WorkerOptions): Promise<CommandAnswer> {
    return this.#send('ProvisioningFailed', options, { error: errorOf(error) })
  }

  /** Undoes its registration, as long as nothing rests on it. */
  rollback(options: CallOptions & { readonly registrationCommandId?: string } = {}): Promise<CommandAnswer> {
    const { registrationCommandId = this.#registrationCommandId, ...rest } = given(options)
    if (registrationCommandId === undefined) {
      throw invalidInput('registrationCommandId', 'the command id of the registration to undo', undefined)
    }
    return this.#send('RollbackRegistration', rest, { registrationCommandId })
  }

  /** A verdict over one that did not speak for itself, with the evidence that was seen; refused when it moved on since. */
  reconcile(
    verdict: Pick<CommandOf<'ReconcileOperation'>, 'evidence' | 'reasonCode' | 'disposition'>,
    options?: CallOptions,
  ): Promise<CommandAnswer> {
    return this.#send('ReconcileOperation', options, { ...verdict })
  }

  raiseAttention(rule: DeadlineRule, options?: CallOptions): Promise<CommandAnswer> {
    return this.#send('RaiseAttention', options, { rule })
  }

  clearAttention(rule: DeadlineRule, options?: CallOptions): Promise<CommandAnswer> {
    return this.#send('ClearAttention', options, { rule })
  }

  /** Puts on record what a worker claimed too late. */
  recordContradiction(
    report: Pick<CommandOf<'RecordContradiction'>, 'claimed' | 'epoch' | 'result' | 'error'>,
    options?: CallOptions,
  ): Promise<CommandAnswer> {
    return this.#send('RecordContradiction', options, { ...report })
  }

  #send(
    type: CommandType,
    options: ReasonOptions = {},
    fields: Readonly<Record<string, unknown>> = {},
  ): Promise<CommandAnswer> {
    const { reason, leaseEpoch, ...calling } = given(options)
    return this.#sender.send({ ...fields, reason, leaseEpoch, type, id: this.id }, calling)
  }
}
