/** Questions as they come from outside: checked once, closed, and refused by path and expectation. */
import { z } from 'zod'
import type { Rejection } from './rejections.ts'

export type AskedQuestion<Q> =
  | { readonly type: 'asked'; readonly question: Q }
  | { readonly type: 'refused'; readonly rejection: Rejection }

/** The question as the schema has it, or why it is none. Never throws. */
export function askedQuestion<Q>(schema: z.ZodType<Q>, input: unknown): AskedQuestion<Q> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return { type: 'asked', question: parsed.data }
  const [issue] = parsed.error.issues
  if (issue?.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys
    return refused([...issue.path, key], `expected one of ${namesAt(schema, issue.path).join(', ')}`)
  }
  return refused(issue?.path ?? [], issue?.message ?? 'not valid')
}

/** What is wrong with a sequence of the completion feed. */
export function sequenceFault(path: string, sequence: unknown): Rejection | undefined {
  if (Number.isSafeInteger(sequence) && (sequence as number) >= 0) return undefined
  const [expected, got] = ['an integer from 0', String(sequence)]
  const message = `${path}: expected ${expected}, got ${got}`
  return { code: 'invalid_command', message, facts: { path, expected, got } }
}

function refused(path: readonly PropertyKey[], expected: string): AskedQuestion<never> {
  const place = path.map(String).join('.')
  return {
    type: 'refused',
    rejection: {
      code: 'invalid_command',
      message: `${place === '' ? 'the question' : place}: ${expected}`,
      facts: { path: place, expected },
    },
  }
}

/** What is known at a place of the schema. */
function namesAt(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  if (schema instanceof z.ZodOptional) return namesAt(schema.unwrap(), path)
  if (!(schema instanceof z.ZodObject)) return []
  const [name, ...deeper] = path
  return name === undefined ? Object.keys(schema.shape) : namesAt(schema.shape[String(name)], deeper)
}
