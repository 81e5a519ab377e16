/**
 * The values that people and programs write into an event's content. They come back as they were given, so what JSON would
 * change on the way (a bigint, NaN, a Date, a number that JavaScript rounds) is refused at the door and never stored.
 */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue }

export interface JsonFault {
  readonly code: 'invalid_command' | 'unsafe_number' | 'content_too_large'
  readonly path: readonly (string | number)[]
  readonly expected: string
  readonly got: string
}

export interface JsonBounds {
  /** Nesting, the outermost value included. */
  readonly depthMax: number
  /** Values in all: objects, arrays and what is in them. A value that stands in two places counts twice. */
  readonly valuesMax: number
}

/**
 * A copy that nobody else holds, of a value that JSON carries unchanged; or the first thing in it that JSON would not carry.
 * Members that are undefined are left out and -0 is 0, as JSON has it. Each property is read once. Never throws.
 */
export function copyJson(
  value: unknown,
  bounds: JsonBounds,
): { readonly value: JsonValue } | { readonly fault: JsonFault } {
  try {
    return { value: copyOf(value, { bounds, path: [], values: 0 }) }
  } catch (thrown) {
    if (thrown instanceof Fault) return { fault: thrown.fault }
    // A getter or a proxy of the caller: nothing else in here runs foreign code.
    return {
      fault: { code: 'invalid_command', path: [], expected: 'a plain JSON value', got: 'one that throws when read' },
    }
  }
}

/** Ends the walk from any depth; never leaves this file. */
class Fault {
  readonly fault: JsonFault

  constructor(fault: JsonFault) {
    this.fault = fault
  }
}

interface Walk {
  readonly bounds: JsonBounds
  readonly path: (string | number)[]
  values: number
}

function copyOf(value: unknown, walk: Walk): JsonValue {
  walk.values++
  if (walk.values > walk.bounds.valuesMax) throw tooMany(walk)
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return copyOfNumber(value, walk)
    case 'object':
      return value === null ? null : copyOfObject(value, walk)
    default:
      throw refused(walk, 'a JSON value', typeof value)
  }
}

function copyOfNumber(value: number, walk: Walk): number {
  if (!Number.isFinite(value)) throw refused(walk, 'a finite number', String(value))
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw refused(walk, 'an integer within ±(2^53 - 1), or a string', String(value), 'unsafe_number')
  }
  return Object.is(value, -0) ? 0 : value
}

function copyOfObject(value: object, walk: Walk): JsonValue {
  const { path, bounds } = walk
  if (path.length >= bounds.depthMax) throw refused(walk, `at most ${bounds.depthMax} levels, without a cycle`, 'more')
  if (Array.isArray(value)) {
    if (value.length > bounds.valuesMax) throw tooMany(walk)
    const copy: JsonValue[] = []
    for (let i = 0; i < value.length; i++) copy.push(copyOfMember(value[i], i, walk))
    return copy
  }
  if (!isPlain(value)) throw refused(walk, 'a plain JSON object', Object.prototype.toString.call(value).slice(8, -1))
  const [symbol] = Object.getOwnPropertySymbols(value)
  if (symbol !== undefined) throw refused(walk, 'names that are text', String(symbol))
  const copy: Record<string, JsonValue> = {}
  for (const name of Object.keys(value)) {
    // Half of the world's JavaScript would change a prototype with it instead of a member.
    if (name === '__proto__') throw refused(walk, 'no member __proto__', 'one')
    const member = (value as Record<string, unknown>)[name]
    if (member !== undefined) copy[name] = copyOfMember(member, name, walk)
  }
  return copy
}

function copyOfMember(member: unknown, place: string | number, walk: Walk): JsonValue {
  walk.path.push(place)
  const copy = copyOf(member, walk)
  walk.path.pop()
  return copy
}

/** Made by a literal, JSON.parse or Object.create(null), of this realm or another. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function tooMany(walk: Walk): Fault {
  return refused(walk, `at most ${walk.bounds.valuesMax} values`, 'more', 'content_too_large')
}

function refused(walk: Walk, expected: string, got: string, code: JsonFault['code'] = 'invalid_command'): Fault {
  return new Fault({ code, path: [...walk.path], expected, got })
}
