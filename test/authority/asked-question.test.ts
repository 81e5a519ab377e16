import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { askedQuestion, sequenceFault } from '../../src/authority/asked-question.ts'
import type { RejectionFacts } from '../../src/authority/rejections.ts'
import { answerUnchanged } from '../../src/authority/unchanged-answer.ts'

const schema = z.strictObject({
  count: z.int(),
  inner: z.strictObject({ left: z.string().optional(), right: z.string().optional() }).optional(),
})
const refusal = (input: unknown) => {
  const asked = askedQuestion(schema, input)
  return asked.type === 'refused' ? asked.rejection : asked
}

describe('a question', () => {
  test('comes through as it was asked', () => {
    const question = { count: 1, inner: { left: 'a' } }
    expect(askedQuestion(schema, question)).toStrictEqual({ type: 'asked', question })
  })

  test.each([
    ['a wrong value', { count: 'x' }, 'count', 'Invalid input: expected number, received string'],
    ['no question at all', 7, '', 'Invalid input: expected object, received number'],
    ['an unknown name', { count: 1, other: 1 }, 'other', 'expected one of count, inner'],
    ['an unknown name further in', { count: 1, inner: { up: 1 } }, 'inner.up', 'expected one of left, right'],
  ])('is refused by its place and what was expected there: %s', (_what, input, path, expected) => {
    expect(refusal(input)).toStrictEqual({
      code: 'invalid_command',
      message: `${path === '' ? 'the question' : path}: ${expected}`,
      facts: { path, expected },
    })
  })

  test('for a sequence needs an integer from 0', () => {
    expect([0, 1, 2 ** 53 - 1].map((one) => sequenceFault('after', one))).toEqual([undefined, undefined, undefined])
    for (const got of [-1, 1.5, Number.NaN, '1', undefined]) {
      expect(sequenceFault('after', got)).toStrictEqual({
        code: 'invalid_command',
        message: `after: expected an integer from 0, got ${got}`,
        facts: { path: 'after', expected: 'an integer from 0', got: String(got) },
      })
    }
  })
})

test('an idempotent refusal answers with what it knows, and nothing changed', () => {
  const place = { revision: 7, position: 9n }
  const refused = (facts: RejectionFacts) => answerUnchanged({ code: 'already_claimed', message: '', facts }, place)
  expect(refused({})).toStrictEqual({ ...place, changed: false })
  const outcome = { status: 'cancelled' } as const
  const known = { operationId: 'a', number: 1, outcome, leaseEpoch: 2, cancelRequested: false, nextHeartbeatBefore: 3 }
  expect(refused({ ...known, currentStatus: 'running', command: 'ProvisioningSucceeded' })).toStrictEqual({
    ...place,
    ...known,
    changed: false,
    status: 'running',
  })
})
