/** A body that is no command, as its schema has it. */
import type { z } from 'zod'
import { RequestRefused } from './error-responses.ts'

/** Throws RequestRefused `invalid_command` that names the path and what is expected there. */
export function bodyAs<T>(schema: z.ZodType<T>, body: unknown): T {
  return checked(schema, body, 'the body')
}

export function queryAs<T>(schema: z.ZodType<T>, query: unknown): T {
  return checked(schema, query, 'the query')
}

function checked<T>(schema: z.ZodType<T>, value: unknown, whole: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const stray = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = [...(issue?.path ?? []), ...(stray === undefined ? [] : [stray])].map(String).join('.')
  const expected = stray === undefined ? (issue?.message ?? 'not valid') : 'no such field'
  throw new RequestRefused('invalid_command', `${path === '' ? whole : path}: ${expected}`, { path, expected })
}
