/** Kinds of operations in the words of the API: durations as people write them, as in the policy of one operation. */
import { KIND_FACT_NAMES, type KindDefinition } from '../authority/kinds.ts'
import type { PolicyBounds } from '../authority/lifecycle-policy.ts'
import { DURATION_NAMES } from '../wire/policy-wire.ts'
import { type Duration, durationMs } from './durations.ts'
import { invalidInput } from './operation-errors.ts'
import { type PolicyOptions, policyOf } from './policy-options.ts'

type DurationOption = keyof { [K in keyof PolicyOptions as Duration extends PolicyOptions[K] ? K : never]: true }

export interface KindOptions extends Omit<KindDefinition, 'policy' | 'bounds'> {
  /** What is not said is as for unknown kinds. */
  readonly policy?: PolicyOptions
  /** How far one operation may move a duration of its kind; one that is not named is free. */
  readonly bounds?: Readonly<Partial<Record<DurationOption, BoundOptions>>>
}

export interface BoundOptions {
  readonly min?: Duration
  readonly max?: Duration
}

/** Throws OperationRejected that names the path of what is wrong. */
export function kindOf(options: KindOptions): KindDefinition {
  if (typeof options !== 'object' || options === null) throw invalidInput('definition', 'an object', options)
  const stray = Object.keys(options).find((name) => !KIND_OPTIONS.includes(name))
  if (stray !== undefined) throw invalidInput(stray, `one of ${KIND_OPTIONS.join(', ')}`, stray)
  const { policy, bounds, ...facts } = options
  return {
    ...facts,
    // The schema of the authority judges what it becomes.
    ...(policy === undefined ? {} : { policy: policyOf(policy) as NonNullable<KindDefinition['policy']> }),
    ...(bounds === undefined ? {} : { bounds: boundsOf(bounds) }),
  }
}

const KIND_OPTIONS: readonly string[] = ['policy', 'bounds', ...KIND_FACT_NAMES]
const BOUND_OPTIONS: readonly string[] = ['min', 'max']

function boundsOf(bounds: NonNullable<KindOptions['bounds']>): PolicyBounds {
  if (typeof bounds !== 'object' || bounds === null) throw invalidInput('bounds', 'an object', bounds)
  return Object.fromEntries(
    Object.entries(bounds).map(([name, bound]) => {
      if (!DURATION_NAMES.includes(name))
        throw invalidInput(`bounds.${name}`, `one of ${DURATION_NAMES.join(', ')}`, name)
      return [`${name}Ms`, boundOf(bound, `bounds.${name}`)]
    }),
  )
}

function boundOf(bound: unknown, path: string): { readonly minMs?: number; readonly maxMs?: number } {
  if (typeof bound !== 'object' || bound === null) throw invalidInput(path, 'an object with min, max or both', bound)
  const ms: Record<string, number> = {}
  for (const [name, value] of Object.entries(bound)) {
    if (!BOUND_OPTIONS.includes(name)) throw invalidInput(`${path}.${name}`, 'min or max', name)
    if (value !== undefined) ms[`${name}Ms`] = durationMs(value, `${path}.${name}`)
  }
  return ms
}
