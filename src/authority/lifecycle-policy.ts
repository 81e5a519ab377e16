/**
 * How long the phases of a life may take, per kind of operation (lifecycle.md, section 9). The resolved numbers are stored
 * with the operation and judge it for life: a change of configuration never re-judges what is already under way.
 */
import { z } from 'zod'

const ms = z.int().min(0)
const positiveMs = z.int().min(1)

/** Stored names: the resolved numbers of one operation. null switches a rule off. */
export const policySchema = z.strictObject({
  provisioningTimeoutMs: positiveMs.nullable(),
  /** From the claim to the first sign of life. */
  startGraceMs: positiveMs,
  heartbeatIntervalMs: positiveMs,
  lateAfterMs: positiveMs,
  /** Silence since the last sign of life. */
  staleAfterMs: positiveMs,
  /** Alive, but without progress. */
  progressTimeoutMs: positiveMs.nullable(),
  maxRuntimeMs: positiveMs.nullable(),
  cancelGraceMs: ms,
  retireTimeoutMs: positiveMs.nullable(),
  reconcileDelayMs: ms,
  retry: z.strictObject({
    /** Attempts in all, the first one included. */
    maxAttempts: z.int().min(1),
    backoff: z.strictObject({ initialMs: ms, factor: z.number().min(1), maxMs: ms, jitter: z.number().min(0).max(1) }),
    owner: z.enum(['verdict', 'queue']),
  }),
  /** What the queue underneath does by itself; null where there is none. */
  queue: z
    .strictObject({
      retryAfterMs: positiveMs,
      safetyMarginMs: ms,
      workerStopWaitMs: ms,
      /** The time-out that the queue itself sets on a job, where it has one. */
      jobTimeoutMs: positiveMs.optional(),
    })
    .nullable(),
})
export type Policy = Readonly<z.infer<typeof policySchema>>

/** What a caller or a configuration may say of a policy: any part of it. */
export const policyOverrideSchema = z.strictObject({
  ...policySchema.partial().shape,
  retry: policySchema.shape.retry.partial().optional(),
})
export type PolicyOverride = Readonly<z.infer<typeof policyOverrideSchema>>

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** For a kind that nobody has configured: patient, but never silent for ever. */
export const DEFAULT_POLICY: Policy = {
  provisioningTimeoutMs: 24 * HOUR,
  startGraceMs: 24 * HOUR,
  heartbeatIntervalMs: MINUTE,
  lateAfterMs: 2.5 * MINUTE,
  staleAfterMs: 5 * MINUTE,
  progressTimeoutMs: null,
  maxRuntimeMs: null,
  cancelGraceMs: 30_000,
  retireTimeoutMs: null,
  reconcileDelayMs: 0,
  retry: { maxAttempts: 1, backoff: { initialMs: 1_000, factor: 2, maxMs: 5 * MINUTE, jitter: 0.2 }, owner: 'verdict' },
  queue: null,
}

/** Slack between two heartbeats and the stale threshold, so that one lost heartbeat never makes an operation stale. */
export const HEARTBEAT_MARGIN_MS = 1_000

/** Within what an operation may move the numbers of its kind. A number that is not named here is free. */
export type PolicyBounds = Readonly<Partial<Record<DurationName, { readonly minMs?: number; readonly maxMs?: number }>>>

export type DurationName = {
  [K in keyof Policy]: Policy[K] extends number | null ? K : never
}[keyof Policy]

/** Every duration of a policy, by its stored name. */
export const DURATION_FIELDS = [
  'provisioningTimeoutMs',
  'startGraceMs',
  'heartbeatIntervalMs',
  'lateAfterMs',
  'staleAfterMs',
  'progressTimeoutMs',
  'maxRuntimeMs',
  'cancelGraceMs',
  'retireTimeoutMs',
  'reconcileDelayMs',
] as const satisfies readonly DurationName[]

export interface PolicyViolation {
  readonly kind: string
  readonly rule: string
  /** The two numbers that contradict each other, by name. */
  readonly numbers: Readonly<Record<string, number>>
  /** One sentence: what contradicts what, and the way out. */
  readonly message: string
}

/**
 * The kind's policy with an operation's own wishes on top. Where staleAfter is given without its companions they follow
 * it (lateAfter half of it, heartbeatInterval a third at most), as does startGrace where nothing else sets it.
 */
export function resolvePolicy(base: Policy, override: PolicyOverride | undefined): Policy {
  if (override === undefined) return base
  const { retry, ...given } = override
  const staleAfterMs = given.staleAfterMs ?? base.staleAfterMs
  const follows = given.staleAfterMs === undefined ? {} : companionsOf(base, staleAfterMs)
  const numbers = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const merged: Policy = { ...base, ...follows, ...numbers }
  return retry === undefined ? merged : { ...merged, retry: { ...base.retry, ...retry } }
}

function companionsOf(base: Policy, staleAfterMs: number): Partial<Policy> {
  return {
    lateAfterMs: Math.max(1, Math.floor(staleAfterMs / 2)),
    startGraceMs: staleAfterMs,
    heartbeatIntervalMs: Math.max(1, Math.min(base.heartbeatIntervalMs, Math.floor(staleAfterMs / 3))),
  }
}

/** What a node does with signs and reports before it writes them. */
export interface NodeTimings {
  /** A report of progress is written at latest so long after it was heard. */
  readonly progressCoalesceMs: number
}

/**
 * Every contradiction inside a policy, and between it and the node's own numbers where they are given; each names the kind,
 * both numbers, the rule and the way out.
 */
export function policyViolations(
  kind: string,
  policy: Policy,
  { progressCoalesceMs }: NodeTimings = { progressCoalesceMs: 0 },
): readonly PolicyViolation[] {
  const violations: PolicyViolation[] = []
  const hold = (holds: boolean, rule: string, numbers: Record<string, number>, wayOut: string) => {
    if (holds) return
    const told = Object.entries(numbers)
      .map(([name, value]) => `${name} = ${value}`)
      .join(', ')
    violations.push({
      kind,
      rule,
      numbers,
      message: `policy of kind "${kind}": ${rule} does not hold (${told}): ${wayOut}`,
    })
  }
  const { heartbeatIntervalMs, staleAfterMs, lateAfterMs, progressTimeoutMs, maxRuntimeMs, retry, queue } = policy
  const margin = Math.min(HEARTBEAT_MARGIN_MS, Math.floor(staleAfterMs / 10))
  hold(
    2 * heartbeatIntervalMs + margin < staleAfterMs,
    `2 x heartbeatIntervalMs + ${margin} < staleAfterMs`,
    { heartbeatIntervalMs, staleAfterMs },
    'raise staleAfterMs, or send heartbeats more often',
  )
  hold(
    lateAfterMs <= staleAfterMs,
    'lateAfterMs <= staleAfterMs',
    { lateAfterMs, staleAfterMs },
    'lower lateAfterMs: an operation is late before it is stale',
  )
  if (progressTimeoutMs !== null) {
    hold(
      progressCoalesceMs < progressTimeoutMs,
      'progressCoalesceMs < progressTimeoutMs',
      { progressCoalesceMs, progressTimeoutMs },
      'raise progressTimeoutMs, or lower the setting progressCoalesceMs: progress that is written so late would pass for none',
    )
  }
  const { initialMs, maxMs } = retry.backoff
  hold(
    initialMs <= maxMs,
    'retry.backoff.initialMs <= retry.backoff.maxMs',
    { initialMs, maxMs },
    'lower initialMs: the first delay is the shortest',
  )
  if (queue !== null) {
    const { retryAfterMs, safetyMarginMs, workerStopWaitMs, jobTimeoutMs = null } = queue
    const longest = { maxRuntimeMs, jobTimeoutMs }
    for (const [name, value] of Object.entries(longest)) {
      if (value === null) continue
      hold(
        value < retryAfterMs - safetyMarginMs,
        `${name} < queue.retryAfterMs - queue.safetyMarginMs`,
        { [name]: value, retryAfterMs, safetyMarginMs },
        `raise retryAfterMs or lower ${name}, or the queue hands out the job again while it still runs`,
      )
      hold(
        workerStopWaitMs > value,
        `queue.workerStopWaitMs > ${name}`,
        { workerStopWaitMs, [name]: value },
        'raise workerStopWaitMs, or a stopping worker is killed in the middle of its longest job',
      )
    }
  }
  return violations
}

/** Bounds that nothing fits between. */
export function crossedBounds(kind: string, bounds: PolicyBounds): readonly PolicyViolation[] {
  return DURATION_FIELDS.flatMap((name) => {
    const { minMs = 0, maxMs = Number.MAX_SAFE_INTEGER } = bounds[name] ?? {}
    if (minMs <= maxMs) return []
    const rule = `the least ${name} <= the largest`
    const message = `bounds of kind "${kind}": ${rule} does not hold (min = ${minMs}, max = ${maxMs}): lower the one, or raise the other`
    return [{ kind, rule, numbers: { minMs, maxMs }, message }]
  })
}

/** The numbers of an operation that leave the bounds of its kind. */
export function boundViolations(kind: string, policy: Policy, bounds: PolicyBounds): readonly PolicyViolation[] {
  const violations: PolicyViolation[] = []
  for (const name of DURATION_FIELDS) {
    const bound = bounds[name]
    if (bound === undefined) continue
    const value = policy[name]
    const minMs = bound.minMs ?? 0
    const maxMs = bound.maxMs ?? Number.MAX_SAFE_INTEGER
    const asked = value ?? Number.MAX_SAFE_INTEGER
    if (asked >= minMs && asked <= maxMs) continue
    const rule = `${minMs} <= ${name} <= ${maxMs}`
    violations.push({
      kind,
      rule,
      numbers: { [name]: asked, minMs, maxMs },
      message: `policy of kind "${kind}": ${name} = ${value ?? 'off'} leaves the bounds ${minMs}..${maxMs} of its kind: ask for less, or widen them`,
    })
  }
  return violations
}
