/**
 * A policy as people write it: `staleAfter: '2m'` for `staleAfterMs: 120000`. What is no duration stays as it is, for the authority
 * to judge, and so do names that only it knows.
 */
import { z } from 'zod'
import { DURATION_FIELDS, policyOverrideSchema, policySchema } from '../authority/lifecycle-policy.ts'
import { DURATION_EXPECTED, durationIn, durationSchema } from './duration-wire.ts'

/** The durations of a policy, under the names of the API. */
export const DURATION_NAMES: readonly string[] = DURATION_FIELDS.map((name) => name.replace(/Ms$/, ''))
export const BACKOFF_DURATIONS: readonly string[] = ['initial', 'max']
export const QUEUE_DURATIONS: readonly string[] = ['retryAfter', 'safetyMargin', 'workerStopWait', 'jobTimeout']

export interface PolicyFault {
  readonly path: string
  readonly expected: string
  readonly got: unknown
}

/** The policy in the names that are stored, or the first thing in it that is no duration. */
export function spokenPolicy(policy: unknown): { readonly policy: unknown } | { readonly fault: PolicyFault } {
  const faults: PolicyFault[] = []
  const translated = inMs(policy, 'policy', DURATION_NAMES, faults, (name, value) => {
    if (name === 'queue') return inMs(value, 'policy.queue', QUEUE_DURATIONS, faults)
    if (name !== 'retry') return value
    return inMs(value, 'policy.retry', [], faults, (inner, backoff) =>
      inner === 'backoff' ? inMs(backoff, 'policy.retry.backoff', BACKOFF_DURATIONS, faults) : backoff,
    )
  })
  const [fault] = faults
  return fault === undefined ? { policy: translated } : { fault }
}

function inMs(
  given: unknown,
  path: string,
  durations: readonly string[],
  faults: PolicyFault[],
  other: (name: string, value: unknown) => unknown = (_, value) => value,
): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given
  const fields = Object.entries(given).map(([name, value]): [string, unknown] => {
    if (!durations.includes(name)) return [name, other(name, value)]
    const stored = `${name}Ms`
    if (Object.hasOwn(given, stored)) {
      faults.push({ path: `${path}.${name}`, expected: `no second word for ${stored}`, got: value })
    }
    if (value === null || value === undefined) return [stored, value]
    const ms = durationIn(value)
    if (ms === undefined) faults.push({ path: `${path}.${name}`, expected: DURATION_EXPECTED, got: value })
    return [stored, ms]
  })
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined))
}

/** As it is described; both ways to write a duration are in it. */
export const spokenPolicySchema = z.union([
  z.literal('none'),
  z.strictObject({
    ...policyOverrideSchema.shape,
    ...spoken(DURATION_NAMES),
    retry: z
      .strictObject({
        ...policySchema.shape.retry.partial().shape,
        backoff: withDurations(policySchema.shape.retry.shape.backoff, BACKOFF_DURATIONS).optional(),
      })
      .optional(),
    queue: withDurations(policySchema.shape.queue.unwrap(), QUEUE_DURATIONS).nullable().optional(),
  }),
])

function withDurations(schema: z.ZodObject, names: readonly string[]) {
  return z.strictObject({ ...schema.partial().shape, ...spoken(names) })
}

function spoken(names: readonly string[]): Readonly<Record<string, z.ZodType>> {
  return Object.fromEntries(names.map((name) => [name, durationSchema.nullable().optional()]))
}
