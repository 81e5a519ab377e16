import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openVerdict } from '../../src/app.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { opened, refusalOf, STORES, thrownBy } from './support/opened-verdict.ts'

/** What a caller that TypeScript does not stop may hand in. */
type Loose = (verdict: Verdict) => Promise<unknown>
// Exactly what the types forbid, so they have to be told.
const wrong = (value: unknown) => value as never

const cycle: Record<string, unknown> = {}
cycle.itself = cycle

describe.each(STORES)('bad input, on %s', (store) => {
  test.each<readonly [string, Loose, string, string]>([
    ['an unknown field', (v) => v.register('k', wrong({ lables: {} })), 'invalid_command', 'lables'],
    ['a kind that is no text', (v) => v.register(wrong(7)), 'invalid_command', 'kind'],
    ['an empty kind', (v) => v.register(''), 'invalid_command', 'kind'],
    ['an unprintable id', (v) => v.register('k', { id: 'a\nb' }), 'invalid_command', 'id'],
    ['an id that is too long', (v) => v.register('k', { id: 'x'.repeat(129) }), 'invalid_command', 'id'],
    ['a key that is too long', (v) => v.register('k', { key: 'ü'.repeat(65) }), 'invalid_command', 'key'],
    [
      'a label that is no text',
      (v) => v.register('k', { labels: wrong({ team: 7 }) }),
      'invalid_command',
      'labels.team',
    ],
    [
      'a label value that is too long',
      (v) => v.register('k', { labels: { team: 'x'.repeat(257) } }),
      'invalid_command',
      'labels.team',
    ],
    ['an input that is a bigint', (v) => v.register('k', { input: 1n }), 'invalid_command', 'input'],
    ['an input with a cycle', (v) => v.register('k', { input: cycle }), 'invalid_command', ''],
    ['an input with a function', (v) => v.register('k', { input: { f: () => 1 } }), 'invalid_command', 'input.f'],
    ['an input with a Date', (v) => v.register('k', { input: { at: new Date(0) } }), 'invalid_command', 'input.at'],
    ['an unsafe number', (v) => v.register('k', { input: [2 ** 53] }), 'unsafe_number', 'input.0'],
    ['an input that is too large', (v) => v.register('k', { input: 'x'.repeat(70_000) }), 'content_too_large', ''],
    ['a negative limit', (v) => v.register('k', { maxConcurrent: -1 }), 'invalid_command', 'maxConcurrent'],
    [
      'a due time that is no time',
      (v) => v.register('k', { notBefore: new Date('never') }),
      'invalid_command',
      'notBefore',
    ],
    [
      'a duration that is none',
      (v) => v.register('k', { policy: { staleAfter: 'soon' } }),
      'invalid_command',
      'policy.staleAfter',
    ],
    [
      'a negative time-out',
      (v) => v.register('k', { policy: { maxRuntime: -1 } }),
      'invalid_command',
      'policy.maxRuntime',
    ],
    [
      'a rule that can not be switched off',
      (v) => v.register('k', { policy: { staleAfter: wrong(null) } }),
      'invalid_command',
      'policy.staleAfterMs',
    ],
    [
      'an unknown rule',
      (v) => v.register('k', { policy: wrong({ staleAfterMs: 1 }) }),
      'invalid_command',
      'policy.staleAfterMs',
    ],
    [
      'no attempt',
      (v) => v.register('k', { policy: { retry: { maxAttempts: 0 } } }),
      'invalid_command',
      'policy.retry.maxAttempts',
    ],
    [
      'an unknown retry field',
      (v) => v.register('k', { policy: { retry: wrong({ times: 3 }) } }),
      'invalid_command',
      'policy.retry.times',
    ],
    ['an owner that is no text', (v) => v.register('k', { owner: wrong(7) }), 'invalid_command', 'owner'],
    ['an empty workspace', (v) => v.register('k', { workspace: '' }), 'invalid_command', 'workspace'],
    [
      'a command id that is too long',
      (v) => v.register('k', { commandId: 'c'.repeat(129) }),
      'invalid_command',
      'commandId',
    ],
    ...(['actor', 'onBehalfOf', 'correlationId', 'causationId', 'traceparent'] as const).flatMap((field) =>
      [7n, cycle, Symbol('x'), '', 'a\nb', 'x'.repeat(257)].map(
        (value) =>
          [
            `as ${field} what can not be stored (${typeof value})`,
            (v: Verdict) => v.send({ type: 'RegisterOperation', kind: 'k' }, { [field]: wrong(value) }),
            'invalid_command',
            field,
          ] as const,
      ),
    ),
    ['a command that is none', (v) => v.send({ type: 'Explode' }), 'invalid_command', 'type'],
    ['a reason that is no text', (v) => v.operation('a').cancel({ reason: wrong(7) }), 'invalid_command', 'reason'],
    [
      'a deadline that is no time',
      (v) => v.operation('a').cancel({ deadline: wrong('soon') }),
      'invalid_command',
      'deadline',
    ],
    ['an id that is no text', (v) => v.operation(wrong(7)).cancel(), 'invalid_command', 'id'],
    ['a wait for no list', (v) => v.waitAll(wrong('a')), 'invalid_command', 'operations'],
    ['a wait with an option that is none', (v) => v.waitAll([], wrong({ timeout: 5 })), 'invalid_command', 'timeout'],
    ['a wait for what is no id', (v) => v.waitAll([wrong(7)]), 'invalid_command', 'ids.0'],
    [
      'a filter that is not known',
      (v) => v.operations.list(wrong({ state: 'running' })),
      'invalid_command',
      'filter.state',
    ],
    [
      'a limit that is no number',
      (v) => v.owner('default').open({ maxCompleted: wrong('many') }),
      'invalid_command',
      'limits.maxCompleted',
    ],
    ['a cursor below zero', (v) => v.owner('default').moveCursor('c', -1), 'invalid_command', 'sequence'],
  ])('%s is refused by name, and nothing is stored', async (_, call, code, path) => {
    const verdict = await opened(store)
    const refusal = await refusalOf(() => call(verdict))
    expect(refusal.code).toBe(code)
    if (path !== '') expect(refusal.facts.path).toMatch(new RegExp(`^${path.replaceAll('.', '\\.')}`))
    if (code !== 'content_too_large') expect(refusal.facts.expected).toEqual(expect.stringMatching(/./))
    expect(refusal.message.length).toBeGreaterThan(10)
    expect((await verdict.owner('default').overview()).revision).toBe(-1)
  })
})

test.each<readonly [string, Loose]>([
  ['start', (v) => v.start('k', wrong(null))],
  ['execute', (v) => v.execute('k', wrong(null), () => 1)],
  ['resume', (v) => v.resume('a', wrong(null), () => 1)],
  ['register', (v) => v.register('k', wrong(null))],
  ['claim', (v) => v.claim('a', wrong(null))],
  ['owner', async (v) => v.owner('o', wrong(null))],
  ['send', (v) => v.send({ type: 'CollectCompleted' }, wrong(null))],
  ['waitAll', (v) => v.waitAll([], wrong(null))],
  ['waitAny', (v) => v.waitAny([], wrong(null))],
  ['close', (v) => v.close(wrong(null))],
  ['list', (v) => v.operations.list(wrong(null))],
  ['outcome', (v) => v.operation('a').outcome(wrong(null))],
  ['result', (v) => v.operation('a').result(wrong(null))],
  ['cancel', (v) => v.operation('a').cancel(wrong(null))],
  ['forceCancel', (v) => v.operation('a').forceCancel(wrong(null))],
  ['fail', (v) => v.operation('a').fail('e', wrong(null))],
  ['rollback', (v) => v.operation('a').rollback(wrong(null))],
  ['raiseAttention', (v) => v.operation('a').raiseAttention('sign', wrong(null))],
  ['heartbeat', async (v) => (await v.start('k')).lease?.heartbeat(wrong(null))],
  ['retry', async (v) => (await v.start('k')).lease?.retry('e', wrong(null))],
  ['terminate', (v) => v.owner('o').terminate('gone', wrong(null))],
  ['collect', (v) => v.owner('o').collect(wrong(null))],
  ['completions', (v) => v.owner('o').completions(wrong(null)).next()],
  ['list of an owner', (v) => v.owner('o').list(wrong(null))],
])('%s with null for its options is refused with a sentence', async (_, call) => {
  const verdict = await opened()
  const refusal = await refusalOf(() => call(verdict))
  expect(refusal.code).toBe('invalid_command')
  expect(refusal.message).toMatch(/^(options|filter): expected an object, got null$/)
})

test('a policy that contradicts itself is refused with both numbers and the way out', async () => {
  const verdict = await opened()
  const refusal = await refusalOf(verdict.register('k', { policy: { staleAfter: '10s', heartbeatInterval: '9s' } }))
  expect(refusal).toMatchObject({
    code: 'policy_violation',
    facts: { numbers: { heartbeatIntervalMs: 9_000, staleAfterMs: 10_000 } },
  })
  expect(refusal.message).toContain('raise staleAfterMs')
})

describe('a refusal', () => {
  test('is thrown with its code, the facts, the truth of now and the command id', async () => {
    const verdict = await opened()
    const handle = await verdict.register('k', { id: 'a' })
    await handle.abort({ reason: 'not needed' })
    const refusal = await refusalOf(handle.fail('too late', { commandId: 'late' }))
    expect(refusal).toBeInstanceOf(Error)
    expect(refusal).toMatchObject({
      name: 'OperationRejected',
      code: 'already_terminal',
      commandId: 'late',
      retryable: false,
      current: { status: 'aborted', outcome: { status: 'aborted', reason: 'not needed' } },
      facts: { operationId: 'a', number: 1, currentStatus: 'aborted', command: 'FailOperation' },
    })
    expect(refusal.message).toBe('FailOperation refused: operation a is aborted')
  })

  test('that is idempotent resolves with changed: false and the current truth', async () => {
    const verdict = await opened()
    const handle = await verdict.register('k', { id: 'a' })
    expect(await handle.cancel({ reason: 'first' })).toMatchObject({ changed: true, status: 'cancelled' })
    expect(await handle.cancel({ reason: 'second' })).toEqual({
      changed: false,
      operationId: 'a',
      number: 1,
      status: 'cancelled',
      outcome: { status: 'cancelled', reason: 'first' },
      revision: 2,
      position: expect.any(BigInt),
    })
    expect(await handle.retire()).toMatchObject({ changed: false, status: 'cancelled' })
  })

  test('of what is not there names it', async () => {
    const verdict = await opened()
    expect(await refusalOf(verdict.operation('ghost').cancel())).toMatchObject({
      code: 'not_found',
      facts: { operationId: 'ghost' },
      current: undefined,
    })
    expect(await refusalOf(verdict.operation('ghost').outcome())).toMatchObject({ code: 'not_found' })
    expect(await verdict.operation('ghost').snapshot()).toBeUndefined()
    expect(await verdict.operation('ghost').history()).toEqual([])
  })

  test('for want of room tells the limit, and passes', async () => {
    const verdict = await opened()
    await verdict.owner('default').open({ maxConcurrent: 1 })
    const first = await verdict.register('k')
    expect(await refusalOf(verdict.start('k', {}, () => 1))).toMatchObject({
      code: 'max_concurrent_exceeded',
      facts: { limit: 1, active: 1 },
    })
    await first.abort()
    expect(await verdict.execute('k', {}, () => 1)).toBe(1)
  })

  test('the same command id with another body is refused, with the same body it is answered again', async () => {
    const verdict = await opened()
    const first = await verdict.register('k', { name: 'one', commandId: 'c' })
    expect((await verdict.register('k', { name: 'one', commandId: 'c' })).id).toBe(first.id)
    expect(await refusalOf(verdict.register('k', { name: 'two', commandId: 'c' }))).toMatchObject({
      code: 'command_id_reused',
    })
  })

  test('a rollback without the registration to undo is refused', async () => {
    const verdict = await opened()
    await verdict.register('k', { id: 'a' })
    expect(await thrownBy((async () => verdict.operation('a').rollback())())).toMatchObject({ code: 'invalid_command' })
  })
})

test("':memory:', as SQLite has it, is memory and no file of that name", async () => {
  const verdict = await openVerdict(':memory:')
  expect(await verdict.execute('k', {}, async () => 1)).toBe(1)
  await verdict.close()
  expect(existsSync(':memory:')).toBe(false)
})
