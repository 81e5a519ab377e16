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
