import { describe, expect, test } from 'vitest'
import { SpecificationFailed, specification } from '../../src/authority/specification.ts'

const registered = specification().given({ type: 'RegisterOperation', id: 'a', kind: 'export' })
const cancelled = registered.when({ type: 'CancelOperation', id: 'a', reason: 'enough' })
const event = {
  type: 'OperationCancelled',
  facts: { id: 'a', number: 1, sequence: 1 },
  content: { reason: 'enough' },
} as const

describe('a specification that holds says nothing', () => {
  test('about events, effects and the next command', () => {
    cancelled
      .thenEvents(event)
      .thenEffects(
        {
          type: 'NotifyWatchers',
          id: 'a',
          number: 1,
          sequence: 1,
          revision: 2,
          outcome: { status: 'cancelled', reason: 'enough' },
        },
        { type: 'WakeFeed', watermark: 1, wakeOwner: false },
      )
      .when({ type: 'CancelOperation', id: 'a' })
      .thenRejects('already_terminal', {
        operationId: 'a',
        number: 1,
        currentStatus: 'cancelled',
        command: 'CancelOperation',
        outcome: { status: 'cancelled', reason: 'enough' },
        terminalRevision: 2,
      })
  })

  test('about a command that comes again', () => {
    registered
      .when({ type: 'CancelOperation', id: 'a' }, { commandId: 'once' })
      .when({ type: 'CancelOperation', id: 'a' }, { commandId: 'once' })
      .thenRemembered(2)
      .when({ type: 'AbortProvisioning', id: 'a' })
      .thenRejectsIdempotently('already_terminal')
      .when({ type: 'TerminateOwner', reason: 'nobody' })
      .thenUnchanged()
  })

  test('about events that are given as they were stored', () => {
    specification()
      .given(
        { type: 'RegisterOperation', id: 'a', kind: 'export' },
        { type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1 }, content: {} },
      )
      .when({ type: 'ProvisioningFailed', id: 'a', error: { message: 'no' } })
      .thenRejects('illegal_transition')
  })

  test('about time that passes, forwards and backwards', () => {
    expect(specification({ at: 5_000 }).after(1_000).after(-2_000).at).toBe(4_000)
  })

  test('about a registry that its first command opens', () => {
    expect(specification({ open: false }).state.revision).toBe(-1)
    const opened = specification({ open: false, limits: { maxConcurrent: 1 } }).given({
      type: 'RegisterOperation',
      id: 'a',
      kind: 'export',
    })
    expect(opened.history.map(({ event: { type }, metadata: { commandId } }) => [type, commandId])).toEqual([
      ['RegistryOpened', 'command-1'],
      ['OperationRegistered', 'command-1'],
    ])
    opened.when({ type: 'RegisterOperation', id: 'b', kind: 'export' }).thenRejects('max_concurrent_exceeded')
  })

  test('about kinds that are configured', () => {
    specification({
      kinds: { export: { policy: { staleAfterMs: 60_000 }, bounds: { staleAfterMs: { maxMs: 60_000 } } } },
    })
      .when({ type: 'RegisterOperation', kind: 'export', policy: { staleAfterMs: 120_000 } })
      .thenRejects('policy_violation')
  })

  test('and keeps the past for another story', () => {
    registered.when({ type: 'AbortProvisioning', id: 'a' }).thenEvents({
      type: 'OperationAborted',
      facts: { id: 'a', number: 1, sequence: 1 },
      content: {},
    })
    cancelled.thenEvents(event)
  })
})

describe('what a specification stands in for a node with', () => {
  test('stamps ids, time, actor and claimant as nodes do', () => {
    const told = specification({ at: 5 })
      .given({ type: 'RegisterOperation', kind: 'export', key: 'k' })
      .when({ type: 'ProvisioningSucceeded', id: 'command-1' }, { actor: 'alice' })
      .next.given({ type: 'RetireRequested', facts: { id: 'command-1', number: 1 }, content: {} })
    expect(told.state.registryId).toBe('registry')
    expect(told.state.digestKey).toBe('0'.repeat(64))
    expect(told.history.map(({ metadata }) => metadata)).toEqual([
      {
        commandId: 'opening',
        commandType: 'OpenRegistry',
        commandDigest: expect.stringContaining('OpenRegistry'),
        index: 0,
        count: 1,
        at: 5,
        actor: 'specification',
        ruleset: 1,
      },
      {
        commandId: 'command-1',
        commandType: 'RegisterOperation',
        commandDigest: expect.stringContaining('"key": "k"'),
        index: 0,
        count: 1,
        at: 5,
        actor: 'specification',
        ruleset: 1,
      },
      {
        commandId: 'command-2',
        commandType: 'ProvisioningSucceeded',
        commandDigest: expect.stringContaining('command-1'),
        index: 0,
        count: 1,
        at: 5,
        actor: 'alice',
        ruleset: 1,
      },
      {
        commandId: 'command-3',
        commandType: 'Given',
        commandDigest: '',
        index: 0,
        count: 1,
        at: 5,
        actor: 'specification',
        ruleset: 1,
      },
    ])
    expect(told.state.operations.get('command-1')?.lease?.claimant).toEqual({ id: 'command-2' })
  })

  test('knows a command by what it says, in whatever order', () => {
    const sent = registered.when({ type: 'CancelOperation', id: 'a', reason: 'r' }, { commandId: 'once' }).next
    sent.when({ reason: 'r', id: 'a', type: 'CancelOperation' }, { commandId: 'once' }).thenRemembered(2)
    sent.when({ type: 'CancelOperation', id: 'a' }, { commandId: 'once' }).thenRejects('command_id_reused')
  })

  test('lets a report stand for several, and a policy be refused by all that is wrong with it', () => {
    const running = registered.given({ type: 'ProvisioningSucceeded', id: 'a' })
    running.when({ type: 'ReportProgress', id: 'a', leaseEpoch: 2 }, { reports: 3 }).thenEvents({
      type: 'ProgressReported',
      facts: { id: 'a', number: 1, reports: 3 },
      content: {},
    })
    registered
      .when({
        type: 'RegisterOperation',
        kind: 'export',
        policy: { lateAfterMs: 9, staleAfterMs: 8, heartbeatIntervalMs: 1 },
      })
      .thenRejects('policy_violation', {
        command: 'RegisterOperation',
        kind: 'export',
        rule: 'lateAfterMs <= staleAfterMs',
        numbers: { lateAfterMs: 9, staleAfterMs: 8 },
      })
  })
})

describe('a specification that does not hold throws', () => {
  test.each([
    ['another event', () => cancelled.thenEvents({ ...event, facts: { ...event.facts, sequence: 2 } })],
    ['a missing field', () => cancelled.thenEvents({ ...event, content: {} })],
    ['one event more', () => cancelled.thenEvents(event, event)],
    ['no event', () => cancelled.thenEvents()],
    ['a refusal instead of events', () => cancelled.thenRejects('already_terminal')],
    ['effects in another order', () => cancelled.thenEffects(...cancelled.effects.toReversed())],
    ['nothing to change instead of events', () => cancelled.thenUnchanged()],
    ['remembered instead of decided', () => cancelled.thenRemembered(2)],
    ['another code', () => cancelled.when({ type: 'CancelOperation', id: 'a' }).thenRejects('not_found')],
    ['other facts', () => cancelled.when({ type: 'CancelOperation', id: 'a' }).thenRejects('already_terminal', {})],
    [
      'idempotent where it is not',
      () => cancelled.when({ type: 'CancelOperation', id: 'a' }).thenRejectsIdempotently('already_terminal'),
    ],
    [
      'not idempotent where it is',
      () => cancelled.when({ type: 'AbortProvisioning', id: 'a' }).thenRejects('already_terminal'),
    ],
    ['a past that is refused', () => registered.given({ type: 'MarkRetired', id: 'a' })],
    ['a command that is malformed', () => registered.given({ type: 'MarkRetired', id: '' })],
  ])('%s', (_what, check) => {
    expect(check).toThrow(SpecificationFailed)
  })

  const failure = (check: () => unknown): SpecificationFailed => {
    try {
      check()
    } catch (thrown) {
      if (thrown instanceof SpecificationFailed) return thrown
    }
    throw new Error('it holds')
  }

  test('and says what was looked at, with both values for runners that show them', () => {
    const told = (check: () => unknown) => {
      const { name, message, expected, actual } = failure(check)
      return [name, message.split('\n')[0], expected, actual]
    }
    const again = cancelled.when({ type: 'CancelOperation', id: 'a' })
    const accepted = { type: 'accepted', events: [event] }
    expect([
      told(() => cancelled.thenUnchanged()),
      told(() => cancelled.thenRemembered(2)),
      told(() => cancelled.thenEffects()),
      told(() => cancelled.thenRejects('not_found')),
      told(() => again.thenRejects('not_found')),
      told(() => again.thenRejectsIdempotently('already_terminal', {})),
      told(() => registered.given({ type: 'MarkRetired', id: 'b' })),
    ]).toEqual([
      ['SpecificationFailed', 'decision of CancelOperation: not as specified', 'unchanged', accepted],
      ['SpecificationFailed', 'decision of CancelOperation: not as specified', { revision: 2 }, accepted],
      ['SpecificationFailed', 'effects of CancelOperation: not as specified', [], cancelled.effects],
      [
        'SpecificationFailed',
        'decision of CancelOperation: not as specified',
        { type: 'rejected', code: 'not_found' },
        accepted,
      ],
      [
        'SpecificationFailed',
        'rejection of CancelOperation: not as specified',
        { code: 'not_found' },
        { code: 'already_terminal' },
      ],
      [
        'SpecificationFailed',
        'rejection of CancelOperation: not as specified',
        { code: 'already_terminal', idempotent: true, facts: {} },
        { code: 'already_terminal', facts: expect.objectContaining({ operationId: 'a' }) },
      ],
      [
        'SpecificationFailed',
        'given MarkRetired, which is refused',
        'accepted',
        expect.objectContaining({ code: 'not_found' }),
      ],
    ])
  })

  test.each([
    ['[1, 2, 3]', [1, 2, 3], [1, 3], ['  [', '    1,', '-   2,', '    3', '  ]']],
    ['a beginning', [1, 2], [0, 1, 2], ['  [', '+   0,', '    1,', '    2', '  ]']],
    ['an end', ['a', 'b'], ['a', 'b', 'c'], ['  [', '    "a",', '-   "b"', '+   "b",', '+   "c"', '  ]']],
    ['everything', [1], 'x', ['- [', '-   1', '- ]', '+ "x"']],
    ['nothing at all', undefined, 'x', ['- undefined', '+ "x"']],
    [
      'in the middle',
      [1, 2, 9, 3, 4],
      [1, 7, 2, 3, 4],
      ['  [', '    1,', '+   7,', '    2,', '-   9,', '    3,', '    4', '  ]'],
    ],
    ['in another order', { b: 1, a: 2 }, { a: 2, b: 3 }, ['  {', '    "a": 2,', '-   "b": 1', '+   "b": 3', '  }']],
  ])('and shows what differs and what is alike: %s', (_what, expected, actual, lines) => {
    expect(new SpecificationFailed('it', expected, actual).message).toBe(
      ['it', '', '- expected', '+ actual', '', ...lines].join('\n'),
    )
  })

  test('and shows the difference, line by line', () => {
    const check = () => cancelled.thenEvents({ ...event, facts: { ...event.facts, sequence: 7 } })
    expect(check).toThrow(
      [
        'decision of CancelOperation: not as specified',
        '',
        '- expected',
        '+ actual',
        '',
        '  {',
        '    "events": [',
        '      {',
        '        "content": {',
        '          "reason": "enough"',
        '        },',
        '        "facts": {',
        '          "id": "a",',
        '          "number": 1,',
        '-         "sequence": 7',
        '+         "sequence": 1',
        '        },',
        '        "type": "OperationCancelled"',
        '      }',
        '    ],',
        '    "type": "accepted"',
        '  }',
      ].join('\n'),
    )
  })
})
