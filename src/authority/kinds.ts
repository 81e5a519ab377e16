/**
 * What a configuration may say of a kind of operations, and what becomes of it for one operation. Configuration ends here:
 * the resolved facts and numbers travel in the command and are stored with the operation.
 */
import { z } from 'zod'
import type { KindFacts } from './events.ts'
import {
  boundViolations,
  crossedBounds,
  DEFAULT_POLICY,
  DURATION_FIELDS,
  type DurationName,
  type NodeTimings,
  type Policy,
  type PolicyBounds,
  type PolicyOverride,
  type PolicyViolation,
  policyOverrideSchema,
  policyViolations,
  resolvePolicy,
} from './lifecycle-policy.ts'

const boundSchema = z.strictObject({ minMs: z.int().min(0).optional(), maxMs: z.int().min(0).optional() })
const boundsSchema = z.strictObject(
  Object.fromEntries(DURATION_FIELDS.map((name) => [name, boundSchema.optional()])) as Record<
    DurationName,
    z.ZodOptional<typeof boundSchema>
  >,
)

export const kindDefinitionSchema = z.strictObject({
  /** What is not said is as for unknown kinds. */
  policy: policyOverrideSchema.optional(),
  /** How far one operation may move a number of its kind. */
  bounds: boundsSchema.optional(),
  /** Declared phases in order; without it, phases take the order in which they are first started. */
  phases: z.array(z.string().min(1)).optional(),
  expectsPeer: z.boolean().optional(),
  feed: z.enum(['emit', 'suppress']).optional(),
  wakeOwner: z.boolean().optional(),
  retention: z.enum(['retain', 'discard']).optional(),
})
/** What a kind says beside its numbers. */
export const KIND_FACT_NAMES = ['phases', 'expectsPeer', 'feed', 'wakeOwner', 'retention'] as const
export type KindDefinition = Readonly<z.infer<typeof kindDefinitionSchema>>
export type KindDefinitions = Readonly<Record<string, KindDefinition>>

export interface ResolvedKind {
  readonly kindFacts: KindFacts
  readonly policy: Policy | null
  /** Empty when the operation may live under this policy. */
  readonly violations: readonly PolicyViolation[]
}

export function resolveKind(
  kinds: KindDefinitions,
  kind: string,
  asked: PolicyOverride | 'none' | undefined,
  timings?: NodeTimings,
): ResolvedKind {
  const definition = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  const kindFacts = definition === undefined ? UNKNOWN_KIND : factsOf(definition)
  if (asked === 'none') return { kindFacts, policy: null, violations: [] }
  const base = definition?.policy === undefined ? DEFAULT_POLICY : resolvePolicy(DEFAULT_POLICY, definition.policy)
  if (asked === undefined) return { kindFacts, policy: base, violations: [] }
  const policy = resolvePolicy(base, asked)
  // Only what the operation moved, a number that follows another included: what its kind says itself is the kind's business.
  const bounds = boundsWhere(
    definition?.bounds ?? {},
    (name) => asked[name] !== undefined || policy[name] !== base[name],
  )
  return {
    kindFacts,
    policy,
    violations: [...policyViolations(kind, policy, timings), ...boundViolations(kind, policy, bounds)],
  }
}

/** What contradicts itself in a configuration of kinds, every kind and every rule; to be asked before anything starts. */
export function kindViolations(kinds: KindDefinitions, timings?: NodeTimings): readonly PolicyViolation[] {
  return Object.entries(kinds).flatMap(([kind, { policy: given, bounds = {} }]) => {
    const policy = resolvePolicy(DEFAULT_POLICY, given)
    // A number that the kind does not say itself may lie outside: it only bounds what operations ask for.
    const ownBounds = boundsWhere(bounds, (name) => given?.[name] !== undefined)
    return [
      ...policyViolations(kind, policy, timings),
      ...crossedBounds(kind, bounds),
      ...boundViolations(kind, policy, ownBounds),
    ]
  })
}

function boundsWhere(bounds: PolicyBounds, counts: (name: DurationName) => boolean): PolicyBounds {
  return Object.fromEntries(DURATION_FIELDS.filter(counts).map((name) => [name, bounds[name] ?? {}]))
}

const UNKNOWN_KIND: KindFacts = factsOf({})

function factsOf(definition: KindDefinition): KindFacts {
  const { expectsPeer = false, feed = 'emit', wakeOwner = false, retention = 'retain', phases = null } = definition
  return { expectsPeer, feed, wakeOwner, retention, phases }
}
