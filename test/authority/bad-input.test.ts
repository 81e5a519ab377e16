import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CONTENT_BYTES_HARD_MAX, DEFAULT_BOUNDS, isPrintable, utf8Length } from '../../src/authority/bounds.ts'
import { COMMAND_SCHEMAS, type CommandType, parseCommand } from '../../src/authority/commands.ts'

const error = { message: 'broken' }
const evidence = { rule: 'sign', attempt: 1, lastRevision: 0, judgedAt: 1, graceMs: 0 }

/** One well-formed command of each type, with every field that content may stand in. */
const WELL_FORMED: Readonly<Record<CommandType, Readonly<Record<string, unknown>>>> = {
  RegisterOperation: {
    id: 'a',
    kind: 'k',
    name: 'n',
    source: 's',
    input: { rows: [1, 2.5, -3e-7, null, true, 'x'] },
    labels: { team: 'billing' },
    key: 'key',
    notBeforeAt: 1,
    retryOf: { id: 'b', number: 3 },
    phaseResults: { read: 1 },
    maxConcurrent: null,
    claim: { claimant: { id: 'w', host: 'h', pid: 1, version: '1' } },
    policy: { staleAfterMs: 60_000, retry: { maxAttempts: 3 } },
  },
  ProvisioningSucceeded: { id: 'a', claimant: { id: 'w' } },
  ProvisioningFailed: { id: 'a', error },
  AbortProvisioning: { id: 'a', reason: 'r' },
  PeerReady: { id: 'a', leaseEpoch: 2, peer: { url: 'x' } },
  ReportProgress: { id: 'a', leaseEpoch: 2, message: 'm', percent: 50, processed: 1, total: 2 },
  RecordHeartbeat: { id: 'a', leaseEpoch: 2 },
  RecordSigns: { signs: [[1, 2]] },
  StartPhase: { id: 'a', phase: 'p' },
  CompletePhase: { id: 'a', phase: 'p', result: 1 },
  FailPhase: { id: 'a', phase: 'p', error },
  CompleteOperation: { id: 'a', leaseEpoch: 2, result: { url: 'x' } },
  FailOperation: { id: 'a', error: { message: 'm', code: 'c', details: { a: [] } }, asOperator: true },
  RetryAttempt: { id: 'a', error, notBeforeAt: 5 },
  RequestCancel: { id: 'a', reason: 'r', deadlineAt: 5 },
  CancelOperation: { id: 'a', reason: 'r' },
  RequestRetire: { id: 'a' },
  MarkRetired: { id: 'a', reason: 'r' },
  ReconcileOperation: { id: 'a', evidence, reasonCode: 'run.stale_running', disposition: { type: 'fail' } },
  RaiseAttention: { id: 'a', rule: 'sign' },
  ClearAttention: { id: 'a', rule: 'sign' },
  RecordContradiction: { id: 'a', epoch: 1, claimed: 'completed', result: 1, error },
  RollbackRegistration: { id: 'a', registrationCommandId: 'c' },
  OpenRegistry: { limits: { maxConcurrent: 4 } },
  ChangeLimits: { limits: { maxCompleted: 1 } },
  BeginWaitAll: { waitId: 'w', runId: 'r', ids: ['a'], deadlineAt: 5 },
  BeginWaitAny: { waitId: 'w', ids: [] },
  CancelWait: { waitId: 'w' },
  ExpireWait: { waitId: 'w' },
  TerminateOwner: { reason: 'r' },
  RetireOwner: { reason: 'r' },
  CollectCompleted: {},
}
const TYPES = Object.keys(COMMAND_SCHEMAS) as CommandType[]

const parse = (input: unknown) => parseCommand(input, DEFAULT_BOUNDS)
const commandOf = (type: CommandType) => ({ type, ...WELL_FORMED[type] })

function refusalOf(input: unknown): { code: string; path: unknown; message: string } {
  const parsed = parse(input)
  if (!('rejection' in parsed)) throw new Error(`was accepted: ${JSON.stringify(parsed.command)}`)
  const { code, facts, message } = parsed.rejection
  return { code, path: facts.path, message }
}

describe('a well-formed command', () => {
  test.each(TYPES)('%s comes through as it was sent', (type) => {
    const parsed = parse(commandOf(type))
    expect(parsed).toEqual({ command: commandOf(type), text: JSON.stringify(commandOf(type)) })
  })

  test('keeps user values in the order sent, and puts its own fields in the order of the schema', () => {
    const parsed = parse({ result: { b: 1, a: 2 }, leaseEpoch: 2, id: 'a', type: 'CompleteOperation' })
    expect(parsed).toMatchObject({
      text: '{"type":"CompleteOperation","id":"a","leaseEpoch":2,"result":{"b":1,"a":2}}',
    })
  })
})

describe('a malformed command is refused by name, path and expectation', () => {
  test.each(TYPES)('%s with a field that nobody knows', (type) => {
    const { code, message } = refusalOf({ ...commandOf(type), extra: 1 })
    expect(code).toBe('invalid_command')
    expect(message).toContain('extra')
  })

  const required = TYPES.flatMap((type) =>
    Object.entries(COMMAND_SCHEMAS[type].shape)
      .filter(([name, schema]) => name !== 'type' && !schema.safeParse(undefined).success)
      .map(([name]) => [type, name] as const),
  )
  test.each(required)('%s without %s', (type, name) => {
    const { [name]: _left, ...rest } = commandOf(type) as Record<string, unknown>
    const { code, path } = refusalOf(rest)
    expect([code, path]).toEqual(['invalid_command', name])
  })

  const fields = TYPES.flatMap((type) => Object.keys(WELL_FORMED[type]).map((name) => [type, name] as const))
  test.each(fields)('%s whose %s is a function', (type, name) => {
    const { code, path } = refusalOf({ ...commandOf(type), [name]: () => 1 })
    expect([code, path]).toEqual(['invalid_command', name])
  })

  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  const deep = Array.from({ length: 80 }).reduce<unknown>((inner) => [inner], 1)
  const values: readonly (readonly [string, unknown, string])[] = [
    ['a bigint', 1n, 'invalid_command'],
    ['a symbol', Symbol('s'), 'invalid_command'],
    ['NaN', Number.NaN, 'invalid_command'],
    ['infinity', Number.POSITIVE_INFINITY, 'invalid_command'],
    ['an integer that JavaScript rounds', 2 ** 53, 'unsafe_number'],
    ['a negative integer that JavaScript rounds', -(2 ** 60), 'unsafe_number'],
    ['a Date', new Date(0), 'invalid_command'],
    ['a Map', new Map(), 'invalid_command'],
    ['an instance of a class', new (class Thing {})(), 'invalid_command'],
    ['a cycle', cyclic, 'invalid_command'],
    ['eighty levels', deep, 'invalid_command'],
    ['a hole in a list', [1, undefined, 3], 'invalid_command'],
  ]
  test.each(values)('content that is %s', (_name, value, code) => {
    expect(refusalOf({ type: 'CompleteOperation', id: 'a', result: { at: [value] } }).code).toBe(code)
    expect(refusalOf({ type: 'PeerReady', id: 'a', peer: value }).code).toBe(code)
  })

  const names: readonly (readonly [string, string])[] = [
    ['empty', ''],
    ['129 bytes', 'x'.repeat(129)],
    ['129 bytes of wide characters', 'ä'.repeat(65)],
    ['with a line feed', 'a\nb'],
    ['with a NUL', 'a\0b'],
    ['with a lone surrogate', 'a\ud800b'],
    ['with a line separator', 'a\u2028b'],
  ]
  test.each(names)('a name that is %s', (_name, value) => {
    expect(refusalOf({ type: 'RequestCancel', id: value })).toMatchObject({ code: 'invalid_command', path: 'id' })
    expect(refusalOf({ type: 'RegisterOperation', kind: value })).toMatchObject({ path: 'kind' })
    expect(refusalOf({ type: 'RegisterOperation', kind: 'k', key: value })).toMatchObject({ path: 'key' })
    expect(refusalOf({ type: 'StartPhase', id: 'a', phase: value })).toMatchObject({ path: 'phase' })
    expect(refusalOf({ type: 'BeginWaitAll', ids: ['a', value] })).toMatchObject({ path: 'ids.1' })
    expect(refusalOf({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: value } })).toMatchObject({
      path: 'claimant.id',
    })
  })

  test('a name of exactly 128 bytes passes', () => {
    expect(parse({ type: 'RequestCancel', id: 'ä'.repeat(64) })).toHaveProperty('command')
  })

  const numbers: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ['a percentage above 100', { type: 'ReportProgress', id: 'a', percent: 100.1 }, 'percent'],
    ['a percentage below 0', { type: 'ReportProgress', id: 'a', percent: -1 }, 'percent'],
    ['a percentage that is no number', { type: 'ReportProgress', id: 'a', percent: Number.NaN }, 'percent'],
    ['a negative count', { type: 'ReportProgress', id: 'a', processed: -1 }, 'processed'],
    [
      'a negative time-out',
      { type: 'RegisterOperation', kind: 'k', policy: { staleAfterMs: -1 } },
      'policy.staleAfterMs',
    ],
    ['a fraction of an epoch', { type: 'RecordHeartbeat', id: 'a', leaseEpoch: 1.5 }, 'leaseEpoch'],
    ['a time before the epoch', { type: 'RetryAttempt', id: 'a', error, notBeforeAt: -1 }, 'notBeforeAt'],
    ['a limit below 0', { type: 'ChangeLimits', limits: { maxConcurrent: -1 } }, 'limits.maxConcurrent'],
    [
      'no attempt at all',
      { type: 'RegisterOperation', kind: 'k', policy: { retry: { maxAttempts: 0 } } },
      'policy.retry.maxAttempts',
    ],
  ]
  test.each(numbers)('%s', (_name, command, path) => {
    expect(refusalOf(command)).toMatchObject({ code: 'invalid_command', path })
  })

  test('content of more than 64 KiB, and what exactly fits passes', () => {
    const command = (length: number) => ({ type: 'CompleteOperation', id: 'a', result: 'x'.repeat(length) })
    const room = DEFAULT_BOUNDS.contentBytesMax - Buffer.byteLength('{"result":""}')
    expect(parse(command(room))).toHaveProperty('command')
    expect(refusalOf(command(room + 1)).code).toBe('content_too_large')
    expect(refusalOf(command(CONTENT_BYTES_HARD_MAX)).code).toBe('content_too_large')
  })

  test('labels that are too many, too long or nameless', () => {
    const labelled = (labels: Record<string, string>) => refusalOf({ type: 'RegisterOperation', kind: 'k', labels })
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`l${i}`, 'v']))
    expect(labelled(many)).toMatchObject({ code: 'invalid_command', path: 'labels' })
    expect(labelled({ ['x'.repeat(65)]: 'v' })).toMatchObject({ code: 'invalid_command' })
    expect(labelled({ x: 'v'.repeat(257) })).toMatchObject({ code: 'invalid_command', path: 'labels.x' })
    expect(labelled({ '': 'v' })).toMatchObject({ code: 'invalid_command' })
  })

  test('a wait for more than ten thousand', () => {
    const ids = Array.from({ length: 10_001 }, (_, i) => `o${i}`)
    expect(refusalOf({ type: 'BeginWaitAny', ids })).toMatchObject({ code: 'invalid_command', path: 'ids' })
  })

  test.each([
    [null],
    [1],
    ['RegisterOperation'],
    [[]],
    [{}],
    [{ type: 1 }],
    [{ type: 'toString' }],
    [{ type: 'Register' }],
  ])('%j, which is no command', (input) => {
    expect(refusalOf(input)).toMatchObject({ code: 'invalid_command', path: 'type' })
  })
})

test('nothing at all is no command', () => {
  expect(refusalOf(undefined)).toMatchObject({ code: 'invalid_command', path: '' })
})

describe('whatever is sent', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withTypedArray: true,
    withUnicodeString: true,
  })

  test('is accepted or refused by name, and never thrown', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), fc.dictionary(fc.string(), anything), anything, (type, more, content) => {
        const fields = Object.keys(WELL_FORMED[type])
        const field = fields[Math.abs(JSON.stringify(fields).length) % Math.max(1, fields.length)]
        const sent = { ...commandOf(type), ...more, ...(field === undefined ? {} : { [field]: content }) }
        const parsed = parse(sent)
        if ('rejection' in parsed) {
          expect(['invalid_command', 'unsafe_number', 'content_too_large']).toContain(parsed.rejection.code)
          expect(parsed.rejection.message).not.toBe('')
        } else expect(JSON.parse(JSON.stringify(parsed.command))).toEqual(JSON.parse(JSON.stringify(sent)))
      }),
      { numRuns: 3_000 },
    )
  })

  test('is measured in bytes as it is stored', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(utf8Length(text)).toBe(Buffer.byteLength(text))
      }),
      { numRuns: 2_000 },
    )
    expect(utf8Length('\ud800')).toBe(Buffer.byteLength('\ud800'))
    expect(isPrintable('Grüße, 日本 👋')).toBe(true)
  })

  test('a getter or a proxy that throws is refused like anything else', () => {
    const trap = {
      type: 'CompleteOperation',
      id: 'a',
      get result(): never {
        throw new Error('trap')
      },
    }
    expect(refusalOf(trap).code).toBe('invalid_command')
    const proxy = new Proxy(
      { type: 'CompleteOperation' },
      {
        ownKeys: () => {
          throw new Error('trap')
        },
      },
    )
    expect(refusalOf(proxy).code).toBe('invalid_command')
  })
})
