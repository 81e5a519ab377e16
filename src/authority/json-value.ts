/**
 * The values that people and programs write into an event's content. They come back byte for byte, so what JSON would
 * change on the way (a bigint, NaN, a Date, a number that JavaScript rounds) is refused at the door and never stored.
 */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue }

export interface JsonFault {
  readonly code: 'invalid_command' | 'unsafe_number'
  readonly path: readonly (string | number)[]
  readonly expected: string
  readonly got: string
}

/** The first thing in a value that JSON would not carry unchanged; undefined when all of it survives. Never throws. */
export function jsonFault(
  value: unknown,
  depthMax: number,
  path: readonly (string | number)[] = [],
): JsonFault | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return numberFault(value, path)
    case 'object':
      break
    default:
      return { code: 'invalid_command', path, expected: 'a JSON value', got: typeof value }
  }
  if (value === null) return undefined
  if (path.length >= depthMax) {
    return { code: 'invalid_command', path, expected: `at most ${depthMax} levels, without a cycle`, got: 'more' }
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = jsonFault(value[i], depthMax, [...path, i])
      if (fault) return fault
    }
    return undefined
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    return {
      code: 'invalid_command',
      path,
      expected: 'a plain JSON object',
      got: Object.prototype.toString.call(value).slice(8, -1),
    }
  }
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue
    const fault = jsonFault(member, depthMax, [...path, name])
    if (fault) return fault
  }
  return undefined
}

function numberFault(value: number, path: readonly (string | number)[]): JsonFault | undefined {
  if (!Number.isFinite(value)) return { code: 'invalid_command', path, expected: 'a finite number', got: String(value) }
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return { code: 'unsafe_number', path, expected: 'an integer within ±(2^53 - 1), or a string', got: String(value) }
  }
  return undefined
}
