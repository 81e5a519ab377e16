/** A policy in the words of the API: durations without a unit in the name, written as people write them. */
import { type Duration, durationMs } from './durations.ts'
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

/** The durations of a policy, under the names of the API. */
export const DURATION_NAMES: ReadonlySet<string> = new Set([
  'provisioningTimeout',
  'startGrace',
  'heartbeatInterval',
  'lateAfter',
  'staleAfter',
  'progressTimeout',
  'maxRuntime',
  'cancelGrace',
  'retireTimeout',
  'reconcileDelay',
])
const BACKOFF_DURATIONS = new Set(['initial', 'max'])
const QUEUE_DURATIONS = new Set(['retryAfter', 'safetyMargin', 'workerStopWait', 'jobTimeout'])

/** The policy field of a registration. Throws OperationRejected that names the path of what is wrong. */
export function policyOf(policy: PolicyOptions | 'none'): unknown {
  if (policy === 'none') return policy
  return fieldsOf(policy, 'policy', DURATION_NAMES, (name, value) => {
    if (name === 'retry') return retryOf(value)
    if (name === 'queue') {
      return value === null ? null : fieldsOf(value, 'policy.queue', QUEUE_DURATIONS, refuse('policy.queue'))
    }
    return refuse('policy')(name)
  })
}

function retryOf(retry: unknown): unknown {
  return fieldsOf(retry, 'policy.retry', new Set(), (name, value) => {
    if (name !== 'backoff') return value
    return fieldsOf(value, 'policy.retry.backoff', BACKOFF_DURATIONS, (_, other) => other)
  })
}

function refuse(path: string): (name: string) => never {
  return (name) => {
    throw invalidInput(`${path}.${name}`, 'no such field', name)
  }
}

/** Durations get their unit and their name; the others are the border's to judge. */
function fieldsOf(
  options: unknown,
  path: string,
  durations: ReadonlySet<string>,
  other: (name: string, value: unknown) => unknown,
): Readonly<Record<string, unknown>> {
  if (typeof options !== 'object' || options === null) throw invalidInput(path, 'an object', options)
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (!durations.has(name)) fields[name] = other(name, value)
    else fields[`${name}Ms`] = value === null ? null : durationMs(value, `${path}.${name}`)
  }
  return fields
}
