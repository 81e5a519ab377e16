/**
 * What a configuration may say of a kind of operations, and what becomes of it for one operation. Configuration ends here:
 * the resolved facts and numbers travel in the command and are stored with the operation.
 */
import { z } from 'zod'
import type { KindFacts } from './events.ts'
import {
  boundViolations,
  DEFAULT_POLICY,
  type Policy,
  type PolicyBounds,
  type PolicyOverride,
  type PolicyViolation,
  policyOverrideSchema,
  policyViolations,
  resolvePolicy,
} from './lifecycle-policy.ts'

const boundSchema = z.strictObject({ minMs: z.int().min(0).optional(), maxMs: z.int().min(0).optional() })

export const kindDefinitionSchema = z.strictObject({
  /** What is not said is as for unknown kinds. */
  policy: policyOverrideSchema.optional(),
  /** How far one operation may move a number of its kind. */
  bounds: z.record(z.string(), boundSchema).optional(),
  /** Declared phases in order; without it, phases take the order in which they are first started. */
  phases: z.array(z.string().min(1)).optional(),
  expectsPeer: z.boolean().optional(),
  feed: z.enum(['emit', 'suppress']).optional(),
  wakeOwner: z.boolean().optional(),
  retention: z.enum(['retain', 'discard']).optional(),
})
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
): ResolvedKind {
  const definition = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  const kindFacts = definition === undefined ? UNKNOWN_KIND : factsOf(definition)
  if (asked === 'none') return { kindFacts, policy: null, violations: [] }
  const base = definition?.policy === undefined ? DEFAULT_POLICY : resolvePolicy(DEFAULT_POLICY, definition.policy)
  if (asked === undefined) return { kindFacts, policy: base, violations: [] }
  const policy = resolvePolicy(base, asked)
  // Only what the operation moved itself: the kind's own numbers are the kind's business.
  const moved = Object.entries(definition?.bounds ?? {}).filter(([name]) => Object.hasOwn(asked, name))
  const bounds: PolicyBounds = Object.fromEntries(moved)
  return {
    kindFacts,
    policy,
    violations: [...policyViolations(kind, policy), ...boundViolations(kind, policy, bounds)],
  }
}

/** What contradicts itself in a configuration of kinds; to be asked before anything starts. */
export function kindViolations(kinds: KindDefinitions): readonly PolicyViolation[] {
  return Object.entries(kinds).flatMap(([kind, { policy }]) =>
    policyViolations(kind, resolvePolicy(DEFAULT_POLICY, policy)),
  )
}

const UNKNOWN_KIND: KindFacts = factsOf({})

function factsOf(definition: KindDefinition): KindFacts {
  const { expectsPeer = false, feed = 'emit', wakeOwner = false, retention = 'retain', phases = null } = definition
  return { expectsPeer, feed, wakeOwner, retention, phases }
}
