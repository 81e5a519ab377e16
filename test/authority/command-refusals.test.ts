import { describe, expect, test } from 'vitest'
import { DEFAULT_BOUNDS, utf8Length } from '../../src/authority/bounds.ts'
import { claimantOf, parseCommand } from '../../src/authority/commands.ts'

const text = (length: number) => 'x'.repeat(length)
const many = (length: number) => Array.from({ length }, (_, i) => `v${i}`)
const record = (length: number) => Object.fromEntries(many(length).map((name) => [name, 'v']))
const NAME = '1 to 128 bytes of printable text'
const LABEL = 'a printable name of 1 to 64 bytes and a value of at most 256'
const register = (more: object) => ({ type: 'RegisterOperation', kind: 'k', ...more })
const evidence = { rule: 'sign', attempt: 1, lastRevision: 0, judgedAt: 1, graceMs: 0 }
const verdict = { type: 'ReconcileOperation', id: 'a', evidence, reasonCode: 'run.stalled' }

/** Where, what was expected there, and what was met. */
// biome-ignore format: a table, one line a case
const REFUSED: readonly (readonly [what: string, input: unknown, path: string, expected: string, got?: string])[] = [
  ['nothing', null, 'type', 'expected one of the commands', 'null'],
  ['a number', 7, 'type', 'expected one of the commands', 'number'],
  ['a list', [1], 'type', 'expected one of the commands', 'array'],
  ['an object without a type', { id: 'a' }, 'type', 'expected one of the commands', 'object'],
  ['a type that is no text', { type: 7 }, 'type', 'expected one of the commands', 'type 7'],
  ['an unknown type, however long', { type: text(200) }, 'type', 'expected one of the commands', `type "${text(79)}`],
  ['a value that JSON has not', { type: 'PeerReady', id: 'a', peer: [1n] }, 'peer.0', 'expected a JSON value', 'bigint'],
  ['no value at all', undefined, '', 'expected a JSON value', 'undefined'],
  ['a missing field', { type: 'PeerReady', id: 'a' }, 'peer', 'expected a JSON value'],
  ['an unknown field', { type: 'RequestRetire', id: 'a', other: 1 }, 'other', 'no such field'],
  ['an unknown field further in', register({ claim: { other: 1 } }), 'claim.other', 'no such field'],
  ['a policy that is none of the two', register({ policy: { retry: { other: 1 } } }), 'policy.retry.other', 'no such field'],
  ['a policy that is a word', register({ policy: 'other' }), 'policy', 'Invalid input: expected "none"'],
  ['an empty id', { type: 'RequestRetire', id: '' }, 'id', NAME, '""'],
  ['an id that cannot be printed', { type: 'RequestRetire', id: 'a\n' }, 'id', NAME, '"a\\n"'],
  ['an id that is too long', { type: 'RequestRetire', id: text(129) }, 'id', NAME, '129 bytes'],
  ['an id of 128 bytes that cannot be printed', { type: 'RequestRetire', id: `${text(127)}\n` }, 'id', NAME, JSON.stringify(`${text(127)}\n`)],
  ['a wait id', { type: 'CancelWait', waitId: '' }, 'waitId', NAME, '""'],
  ['a run id', { type: 'BeginWaitAll', ids: [], runId: '' }, 'runId', NAME, '""'],
  ['a phase', { type: 'StartPhase', id: 'a', phase: '' }, 'phase', NAME, '""'],
  ['one of many ids', { type: 'BeginWaitAny', ids: ['a', ''] }, 'ids.1', NAME, '""'],
  ['a claimant', { type: 'ProvisioningSucceeded', id: 'a', claimant: { id: '' } }, 'claimant.id', NAME, '""'],
  ['the host of a claimant', { type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w', host: '' } }, 'claimant.host', NAME, '""'],
  ['the version of a claimant', register({ claim: { claimant: { id: 'w', version: '' } } }), 'claimant.version', NAME, '""'],
  ['a kind', { type: 'RegisterOperation', kind: '' }, 'kind', NAME, '""'],
  ['a key', register({ key: '' }), 'key', NAME, '""'],
  ['what is tried again', register({ retryOf: { id: '', number: 1 } }), 'retryOf.id', NAME, '""'],
  ['a phase that was carried over', register({ phaseResults: { '': 1 } }), 'phaseResults', NAME, '""'],
  ['the command that registered', { type: 'RollbackRegistration', id: 'a', registrationCommandId: '' }, 'registrationCommandId', NAME, '""'],
  ['labels that are too many', register({ labels: record(17) }), 'labels', 'at most 16 labels', '17'],
  ['a label without a name', register({ labels: { '': 'v' } }), 'labels.', LABEL, '0 and 1 bytes'],
  ['a label whose name is too long', register({ labels: { [text(65)]: 'v' } }), `labels.${text(65)}`, LABEL, '65 and 1 bytes'],
  ['a label whose name cannot be printed', register({ labels: { 'a\n': 'v' } }), 'labels.a\n', LABEL, '2 and 1 bytes'],
  ['a label that is too long', register({ labels: { x: text(257) } }), 'labels.x', LABEL, '1 and 257 bytes'],
  ['too many phases', register({ phaseResults: record(65) }), 'phaseResults', 'at most 64 phases', '65'],
  ['too many to wait for all', { type: 'BeginWaitAll', ids: many(10_001) }, 'ids', 'at most 10000 operations', '10001'],
  ['too many to wait for any', { type: 'BeginWaitAny', ids: many(10_001) }, 'ids', 'at most 10000 operations', '10001'],
  ['a verdict of no kind', { ...verdict, disposition: { type: 'other' } }, 'disposition.type', "Invalid discriminator value. Expected 'fail' | 'retry' | 'cancel' | 'complete'"],
]

describe('what is no command, or does not fit, is refused by place, expectation and what was met', () => {
  test.each(REFUSED)('%s', (_what, input, path, expected, got) => {
    const message = `${path === '' ? 'the command' : path}: ${expected}${got === undefined ? '' : `, got ${got}`}`
    expect(parseCommand(input, DEFAULT_BOUNDS)).toStrictEqual({
      rejection: {
        code: 'invalid_command',
        message,
        facts: { path, expected, ...(got === undefined ? {} : { got }) },
      },
    })
  })

  test('content that does not fit is refused with its bytes', () => {
    const bounds = { ...DEFAULT_BOUNDS, contentBytesMax: 100 }
    const command = (result: string) => ({ type: 'CompleteOperation', id: 'a', result })
    expect(parseCommand(command(text(87)), bounds)).toHaveProperty('command')
    expect(parseCommand(command(text(88)), bounds)).toStrictEqual({
      rejection: {
        code: 'content_too_large',
        message: 'the content of CompleteOperation takes 101 bytes, at most 100 are stored in one event',
        facts: { command: 'CompleteOperation', bytes: 101, limit: 100 },
      },
    })
    // What is no content is not counted.
    expect(parseCommand({ type: 'BeginWaitAll', ids: many(100) }, bounds)).toHaveProperty('command')
  })

  test('and what fits exactly passes', () => {
    const passing = [
      { type: 'RequestRetire', id: text(128) },
      register({ labels: { ...record(15), [text(64)]: text(256) } }),
      register({ phaseResults: record(64) }),
      { type: 'BeginWaitAll', ids: many(10_000) },
    ]
    for (const command of passing) expect(parseCommand(command, DEFAULT_BOUNDS)).toHaveProperty('command')
  })
})

describe('a command that holds a secret', () => {
  test('B10: loses it where others read, and nothing else; without one it is the same', () => {
    const parsed = (input: object) => {
      const { command } = parseCommand(input, DEFAULT_BOUNDS) as { command: object }
      return command
    }
    const error = { message: 'token=abc', code: 'E' }
    const clean = { message: 'token=[redacted]', code: 'E' }
    const fail = { ...verdict, disposition: { type: 'fail', error } }
    expect(parsed(fail)).toStrictEqual({ ...fail, disposition: { type: 'fail', error: clean } })
    const failed = { type: 'FailOperation', id: 'a', error }
    expect(parsed(failed)).toStrictEqual({ ...failed, error: clean })
    for (const plain of [
      { ...verdict, disposition: { type: 'retry', notBeforeAt: 1 } },
      { ...verdict, disposition: { type: 'cancel', reason: 'r' } },
      { type: 'CancelOperation', id: 'a' },
      { type: 'ReportProgress', id: 'a', percent: 1 },
      { type: 'RecordContradiction', id: 'a', claimed: 'failed' },
    ])
      expect(parsed(plain)).toStrictEqual(plain)
  })
})

test('only a claim and a registration name a claimant', () => {
  const claimant = { id: 'w' }
  expect(claimantOf({ type: 'ProvisioningSucceeded', id: 'a', claimant })).toBe(claimant)
  expect(claimantOf({ type: 'RegisterOperation', kind: 'k', claim: { claimant } })).toBe(claimant)
  expect(claimantOf({ type: 'RegisterOperation', kind: 'k' })).toBeUndefined()
  expect(claimantOf({ type: 'RequestRetire', id: 'a' })).toBeUndefined()
})

test('a text is measured in the bytes of UTF-8, at each border of it', () => {
  const units = [0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff].map((unit) => String.fromCharCode(unit))
  const pairs = [
    '\ud800\udc00',
    '\udbff\udfff',
    '\ud800',
    '\udc00',
    '\udfff',
    '\ud800x',
    '\ud800\ue000',
    '\ud800\ud800\udc00',
    '\udc00\udc00',
    'é\udc00',
    '\udbff\udc00x',
  ]
  for (const one of [...units, ...pairs]) expect([one, utf8Length(one)]).toEqual([one, Buffer.byteLength(one)])
  expect(DEFAULT_BOUNDS).toEqual({
    nameBytesMax: 128,
    contentBytesMax: 65_536,
    labelsMax: 16,
    labelNameBytesMax: 64,
    labelValueBytesMax: 256,
    phasesMax: 64,
    waitMembersMax: 10_000,
    commandsQueuedMax: 4_096,
    appendBytesMax: 524_288,
    terminationBytesMax: 983_040,
    jsonDepthMax: 64,
    jsonValuesMax: 1_000_000,
  })
})
