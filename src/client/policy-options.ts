/** A policy in the words of the API: durations without a unit in the name, written as people write them. */
import { DURATION_NAMES, QUEUE_DURATIONS, spokenPolicy } from '../wire/policy-wire.ts'
import type { Duration } from './durations.ts'
import { invalidInput } from './operation-errors.ts'

/** Any part of an operation's policy; the rest is its kind's. null switches a rule off. */
export interface PolicyOptions {
  /** From registration, or the end of the last attempt, to the claim. */
  readonly provisioningTimeout?: Duration | null
  /** From the claim to the first sign of life. */
  readonly startGrace?: Duration
  readonly heartbeatInterval?: Duration
  /** Silence after which it is shown as late. */
  readonly lateAfter?: Duration
  /** Silence after which it is given up. */
  readonly staleAfter?: Duration
  /** Alive, but without progress. */
  readonly progressTimeout?: Duration | null
  readonly maxRuntime?: Duration | null
  /** How long a worker may take to follow a cancel. */
  readonly cancelGrace?: Duration
  readonly retireTimeout?: Duration | null
  readonly reconcileDelay?: Duration
  readonly retry?: {
    /** Attempts in all, the first one included. */
    readonly maxAttempts?: number
    readonly backoff?: {
      readonly initial: Duration
      readonly factor: number
      readonly max: Duration
      /** 0 to 1: how far a delay may be moved at random. */
      readonly jitter: number
    }
    readonly owner?: 'verdict' | 'queue'
  }
  readonly queue?: {
    readonly retryAfter: Duration
    readonly safetyMargin: Duration
    readonly workerStopWait: Duration
    readonly jobTimeout?: Duration
  } | null
}

/** The policy field of a registration. Throws OperationRejected that names the path of what is wrong. */
export function policyOf(policy: PolicyOptions | 'none'): unknown {
  if (policy === 'none') return policy
  const { retry, queue } = named(policy, 'policy', [...DURATION_NAMES, 'retry', 'queue'])
  // What else a retry or its backoff may have is the border's to judge.
  if (retry !== undefined) {
    const { backoff } = objectAt(retry, 'policy.retry')
    if (backoff !== undefined) objectAt(backoff, 'policy.retry.backoff')
  }
  if (queue !== undefined && queue !== null) named(queue, 'policy.queue', QUEUE_DURATIONS)
  const spoken = spokenPolicy(policy)
  if ('fault' in spoken) throw invalidInput(spoken.fault.path, spoken.fault.expected, spoken.fault.got)
  return spoken.policy
}

function named(given: unknown, path: string, names: readonly string[]): Readonly<Record<string, unknown>> {
  const fields = objectAt(given, path)
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && !names.includes(name)) throw invalidInput(`${path}.${name}`, 'no such field', name)
  }
  return fields
}

function objectAt(given: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof given !== 'object' || given === null) throw invalidInput(path, 'an object', given)
  return given as Readonly<Record<string, unknown>>
}
