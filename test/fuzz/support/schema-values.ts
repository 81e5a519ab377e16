/** Values that a JSON schema of the API allows, now and then with one that it does not. */
import fc from 'fast-check'
import type { JsonSchema } from '../../../src/http/openapi.ts'
import { hostileValue, hostileWord } from './hostile-values.ts'

/** What the server knows, so that requests get behind the first check: ids, kinds, phases and the like. */
export const knownWord: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c', 'd', 'k', 'p', 'q', 'w', 'default')
/** Epochs, numbers, sequences of the first few operations. */
const knownNumber = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 12 }) },
  { weight: 1, arbitrary: fc.nat({ max: 10_000_000 }) },
)

const REFERENCE = '#/components/schemas/'

export function valuesOf(
  schema: JsonSchema,
  components: Readonly<Record<string, JsonSchema>>,
  isHostile: boolean,
): fc.Arbitrary<unknown> {
  const made = new Map<string, fc.Arbitrary<unknown>>()
  const words = isHostile
    ? fc.oneof({ weight: 3, arbitrary: knownWord }, { weight: 2, arbitrary: hostileWord })
    : knownWord
  return of(schema, 0)

  function of(one: JsonSchema, depth: number): fc.Arbitrary<unknown> {
    const fit = fitting(one, depth)
    return isHostile ? fc.oneof({ weight: 12, arbitrary: fit }, { weight: 1, arbitrary: hostileValue }) : fit
  }

  function fitting(one: JsonSchema, depth: number): fc.Arbitrary<unknown> {
    if (typeof one.$ref === 'string') return referred(one.$ref.slice(REFERENCE.length), depth)
    if ('const' in one) return fc.constant(one.const)
    if (Array.isArray(one.enum)) return fc.constantFrom(...one.enum)
    const choices = one.anyOf ?? one.oneOf
    if (Array.isArray(choices)) return fc.oneof(...choices.map((choice: JsonSchema) => fitting(choice, depth)))
    switch (one.type) {
      case 'object':
        return objectOf(one, depth)
      case 'array':
        return fc.array(of((one.items ?? {}) as JsonSchema, depth + 1), { maxLength: 3 })
      case 'string':
        return words
      case 'integer':
      case 'number':
        return knownNumber
      case 'boolean':
        return fc.boolean()
      case 'null':
        return fc.constant(null)
      default:
        return hostileValue
    }
  }

  function referred(name: string, depth: number): fc.Arbitrary<unknown> {
    const known = made.get(name)
    if (known !== undefined) return known
    const schemaOf = components[name]
    if (schemaOf === undefined || depth > 6) return fc.constant(null)
    const values = fitting(schemaOf, depth + 1)
    made.set(name, values)
    return values
  }

  function objectOf({ properties = {}, required = [], additionalProperties }: JsonSchema, depth: number) {
    const named = new Map(
      Object.entries(properties as Record<string, JsonSchema>).map(([name, one]) => [name, of(one, depth + 1)]),
    )
    const needed = required as readonly string[]
    const optional = [...named.keys()].filter((name) => !needed.includes(name))
    const members = fc
      .subarray(optional, { maxLength: Math.min(OPTIONAL_MEMBERS_MAX, optional.length) })
      .chain((more) => {
        const shape = [...needed, ...more].map((name) => [name, named.get(name) ?? hostileValue])
        return fc.record(Object.fromEntries(shape)) as fc.Arbitrary<Record<string, unknown>>
      })
    if (typeof additionalProperties !== 'object' || additionalProperties === null) return members
    const others = fc.dictionary(words, of(additionalProperties as JsonSchema, depth + 1), { maxKeys: 2 })
    return fc.tuple(members, others).map(([known, more]) => ({ ...more, ...known }))
  }
}

/** With more of them at once, something in nearly every value would contradict something else. */
const OPTIONAL_MEMBERS_MAX = 3
