/** Refusals of what is no command, or does not fit: by path, by what is expected there, by what was met. */
import type { JsonFault, JsonValue } from './json-value.ts'
import type { Rejection } from './rejections.ts'

export function invalidCommand(
  path: readonly (string | number)[],
  expected: string,
  got: string | undefined,
): Rejection {
  const where = path.length === 0 ? 'the command' : path.join('.')
  const met = got === undefined ? '' : `, got ${got}`
  return {
    code: 'invalid_command',
    message: `${where}: ${expected}${met}`,
    facts: { path: path.join('.'), expected, ...(got === undefined ? {} : { got }) },
  }
}

/** For what JSON would not carry as it is. */
export function jsonFaultRejection({ code, path, expected, got }: JsonFault): Rejection {
  return { ...invalidCommand(path, `expected ${expected}`, got), code }
}

/** For a value that says no type that is known. */
export function unknownCommand(value: JsonValue): Rejection {
  return invalidCommand(['type'], 'expected one of the commands', told(value))
}

function told(input: JsonValue): string {
  if (input === null) return 'null'
  return typeof input === 'object' && 'type' in input
    ? `type ${JSON.stringify(input.type).slice(0, 80)}`
    : Array.isArray(input)
      ? 'array'
      : typeof input
}
