/** What a caller says of an operation when it begins, and the command that this becomes. */
import type { CallOptions } from './command-sender.ts'
import { type Moment, momentMs } from './durations.ts'
import { invalidInput } from './operation-errors.ts'
import { type PolicyOptions, policyOf } from './policy-options.ts'

/** Where a call goes: the defaults of its Verdict where it does not say. */
export interface AddressOptions {
  readonly workspace?: string
  readonly owner?: string
}

export interface RegisterOptions<I = unknown> extends AddressOptions, Omit<CallOptions, 'actor'> {
  /** Minted when not given. */
  readonly id?: string
  /** At most one active operation of an owner per key: a second registration joins it. */
  readonly key?: string
  /** What people call it. */
  readonly name?: string
  readonly source?: string
  /** JSON: what the worker is to work on. */
  readonly input?: I
  readonly labels?: Readonly<Record<string, string>>
  /** 'none' asks to be judged by nobody. */
  readonly policy?: PolicyOptions | 'none'
  /** Not to be claimed before. */
  readonly notBefore?: Moment
  /** Refused when so many of the owner are active; replaces the owner's limit for this call. null is unlimited. */
  readonly maxConcurrent?: number | null
  /** The operation that this one tries again. */
  readonly retryOf?: { readonly id: string; readonly number: number }
  /** Results of phases that need not run again, by name. */
  readonly phaseResults?: Readonly<Record<string, unknown>>
}

/** Fields that this file does not know travel as they are, for the border to refuse by name. */
export function registrationOf(
  kind: string,
  options: RegisterOptions,
  claim?: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (typeof options !== 'object' || options === null) throw invalidInput('options', 'an object', options)
  const { workspace: _workspace, owner: _owner, policy, notBefore, ...rest } = options
  const fields = Object.fromEntries(Object.entries(rest).filter(([name]) => !isSenderOption(name)))
  return {
    ...fields,
    ...(notBefore === undefined ? {} : { notBeforeAt: momentMs(notBefore, 'notBefore') }),
    ...(policy === undefined ? {} : { policy: policyOf(policy) }),
    ...(claim === undefined ? {} : { claim }),
    type: 'RegisterOperation',
    kind,
  }
}

/** How its command is sent. */
export function callingOf(options: RegisterOptions): CallOptions {
  const said = SENDER_OPTIONS.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]] as const]))
  return Object.fromEntries(said)
}

const SENDER_OPTIONS = ['commandId', 'onBehalfOf', 'correlationId', 'causationId', 'traceparent'] as const

function isSenderOption(name: string): boolean {
  return SENDER_OPTIONS.some((one) => one === name)
}
