import { describe, expect, test } from 'vitest'
import { utf8Length } from '../../src/authority/bounds.ts'
import type { Command } from '../../src/authority/commands.ts'
import { decide } from '../../src/authority/decide.ts'
import type { Evidence, LifecycleEvent } from '../../src/authority/events.ts'
import { ContradictoryHistory } from '../../src/authority/evolve.ts'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { viewOf } from '../../src/authority/operation-view.ts'
import { EMPTY_REGISTRY, type EndedWait, winnerOf } from '../../src/authority/registry.ts'
import { plainOf } from '../../src/authority/registry-snapshot.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'
import { TimelineFold } from '../../src/authority/timeline.ts'
import { utcText } from '../../src/authority/utc-text.ts'

const KINDS: KindDefinitions = {
  waking: { wakeOwner: true },
  untimed: { policy: { provisioningTimeoutMs: null, retry: { maxAttempts: 9 } } },
}
const error = { message: 'broken' }
const empty = specification({ kinds: KINDS, at: 1_000 })
const queued = empty.given({ type: 'RegisterOperation', id: 'a', kind: 'k' })
const running = queued.given({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w' } })
/** As a node that resolved nothing would put it. */
const bare = (before: Specification, command: Command, resolved = {}) =>
  decide(before.state, { command, commandId: 'c', digest: '', at: before.at, resolved })
const operationIn = ({ state }: Specification) => state.operations.get('a')

describe('what a node must have resolved', () => {
  const unopened = specification({ open: false })
  const kindFacts = { expectsPeer: false, feed: 'emit', wakeOwner: false, retention: 'retain', phases: null } as const

  test.each<[string, () => unknown, string]>([
    [
      'an id',
      () => bare(empty, { type: 'RegisterOperation', kind: 'k' }, { kindFacts }),
      'RegisterOperation c came without a resolved id or kind: the node stamps both',
    ],
    [
      'a kind',
      () => bare(empty, { type: 'RegisterOperation', id: 'a', kind: 'k' }),
      'RegisterOperation c came without a resolved id or kind: the node stamps both',
    ],
    [
      'a wait id',
      () => bare(empty, { type: 'BeginWaitAll', ids: [], deadlineAt: 1 }),
      'BeginWaitAll c came without a resolved wait id or deadline: the node stamps both',
    ],
    [
      'a deadline',
      () => bare(empty, { type: 'BeginWaitAny', ids: [], waitId: 'w' }),
      'BeginWaitAny c came without a resolved wait id or deadline: the node stamps both',
    ],
    [
      'what opens a registry',
      () => bare(unopened, { type: 'OpenRegistry' }),
      'a command that opens a registry came without what opens it: the node mints it',
    ],
  ])('is missed by name: %s', (_what, decided, message) => {
    expect(decided).toThrow(new Error(message))
  })

  test('A5: has the limits of a registry that the command itself opens', () => {
    const full = specification({ open: false, limits: { maxConcurrent: 0 } })
    full.when({ type: 'RegisterOperation', id: 'a', kind: 'k' }).thenRejects('max_concurrent_exceeded')
    const command = { type: 'RegisterOperation', id: 'a', kind: 'k' } as const
    expect(() => bare(unopened, command, { kindFacts })).toThrow('came without what opens it')
    expect(
      bare({ ...empty, state: EMPTY_REGISTRY, at: 1 } as Specification, { type: 'CancelOperation', id: 'a' }),
    ).toMatchObject({
      rejection: { code: 'not_found' },
    })
  })

  test('A3: names nobody where nobody claims, and knows nobody again', () => {
    const anonymous = bare(queued, { type: 'ProvisioningSucceeded', id: 'a' })
    const started: LifecycleEvent = { type: 'OperationStarted', facts: { id: 'a', number: 1, attempt: 1 }, content: {} }
    expect(anonymous).toStrictEqual({ type: 'accepted', events: [started] })
    const claimed = queued.given(started)
    expect(operationIn(claimed)?.lease).toStrictEqual({ epoch: 2, open: true })
    expect(bare(claimed, { type: 'ProvisioningSucceeded', id: 'a' })).toMatchObject({
      rejection: { code: 'already_claimed', idempotent: true },
    })
    const both = bare(empty, { type: 'RegisterOperation', id: 'a', kind: 'k', claim: {} }, { kindFacts })
    expect(both).toMatchObject({ events: [{}, { facts: { number: 1 } }] })
    expect(both).not.toHaveProperty('events.1.facts.claimant')
  })
})

describe('somebody must look', () => {
  test('A1: no longer where a deadline is gone, and never where none was', () => {
    const untimed = empty.when({
      type: 'RegisterOperation',
      id: 'a',
      kind: 'untimed',
      claim: { claimant: { id: 'w' } },
    })
    expect(untimed.effects.map(({ type }) => type)).toEqual(['ScheduleDeadline'])
    const retried = untimed.next.when({ type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error, notBeforeAt: 0 })
    expect(retried.effects).toStrictEqual([{ type: 'ScheduleDeadline', number: 1, id: 'a' }])
    const unjudged = empty.when({ type: 'RegisterOperation', id: 'a', kind: 'k', policy: 'none' })
    expect(unjudged.effects).toEqual([])
    expect(unjudged.next.when({ type: 'ProvisioningSucceeded', id: 'a' }).effects).toEqual([])
  })
})

describe('a claim', () => {
  test('A3: begins its attempt without the signs of a witness', () => {
    const signed = queued.given({ type: 'RecordSigns', signs: [[1, 1_005]] })
    expect(operationIn(signed)?.lastSignAt).toBe(1_005)
    expect(operationIn(signed.given({ type: 'ProvisioningSucceeded', id: 'a' }))).not.toHaveProperty('lastSignAt')
  })

  test('A3: of what has ended leaves no word of an error that nobody told', () => {
    const lost: LifecycleEvent = {
      type: 'AttemptLost',
      facts: { id: 'a', number: 1, attempt: 1, notBeforeAt: 0 },
      content: {},
    }
    expect(operationIn(running.given(lost))).not.toHaveProperty('lastError')
  })
})

describe('a verdict', () => {
  const evidence: Evidence = { rule: 'sign', attempt: 1, lastRevision: 99, judgedAt: 0, graceMs: 0 }
  const verdict = (
    more: Partial<Evidence>,
    disposition: Extract<Command, { type: 'ReconcileOperation' }>['disposition'],
  ) =>
    ({
      type: 'ReconcileOperation',
      id: 'a',
      reasonCode: 'run.stalled',
      evidence: { ...evidence, ...more },
      disposition,
    }) as const

  test('B1: under a rule that does not apply is outdated', () => {
    running
      .after(1e9)
      .when(verdict({ rule: 'retire' }, { type: 'fail' }))
      .thenRejects('evidence_outdated')
  })

  test('B14: of time completes nothing, whatever a witness said beside it', () => {
    const late = running.after(1e9)
    late
      .when(verdict({ rule: 'first_sign', witness: 'completed' }, { type: 'complete' }))
      .thenRejects('disposition_not_allowed')
  })
})

describe('signs of life', () => {
  const signs = (before: Specification, heardAt: number) => before.when({ type: 'RecordSigns', signs: [[1, heardAt]] })

  test('B2: are stored when they are newer than what is known, claim, last attempt and registration included', () => {
    signs(queued, 999).thenUnchanged()
    signs(queued, 1_001).thenEvents({ type: 'SignsOfLifeRecorded', facts: { signs: [[1, 1_001]] }, content: {} })
    const claimed = queued.after(10).given({ type: 'ProvisioningSucceeded', id: 'a' })
    signs(claimed, 1_009).thenUnchanged()
    expect(signs(claimed, 1_011).decision.type).toBe('accepted')
    const again = empty
      .given({ type: 'RegisterOperation', id: 'a', kind: 'untimed', claim: { claimant: { id: 'w' } } })
      .after(10)
      .given({ type: 'RetryAttempt', id: 'a', leaseEpoch: 2, error, notBeforeAt: 0 })
    signs(again, 1_009).thenUnchanged()
    expect(signs(again, 1_011).decision.type).toBe('accepted')
    const heard = claimed.given({ type: 'RecordSigns', signs: [[1, 1_050]] })
    signs(heard, 1_050).thenUnchanged()
    signs(heard, 1_049).thenUnchanged()
    expect(signs(heard, 1_051).decision.type).toBe('accepted')
  })
})

describe('the end of an owner', () => {
  test('A16: wakes it where one of its kinds does', () => {
    const both = empty.given(
      { type: 'RegisterOperation', id: 'a', kind: 'waking' },
      { type: 'RegisterOperation', id: 'b', kind: 'k' },
    )
    const ended = both.when({ type: 'TerminateOwner', reason: 'over' })
    expect(ended.effects.at(-1)).toEqual({ type: 'WakeFeed', watermark: 2, wakeOwner: true })
  })

  test('A11: leaves the waits of a retired owner to be cancelled, and what is satisfied to be read', () => {
    const retired = queued.given({ type: 'CancelOperation', id: 'a' }, { type: 'RetireOwner', reason: 'gone' })
    retired.when({ type: 'CancelWait', waitId: 'w' }).thenRejects('wait_not_active')
    retired.when({ type: 'BeginWaitAny', waitId: 'w', ids: ['a'] }).thenUnchanged()
    retired.when({ type: 'ExpireWait', waitId: 'w' }).thenRejects('owner_retired')
  })
})

describe('a command id', () => {
  const sent = empty.when({ type: 'RegisterOperation', id: 'a', kind: 'k' }, { commandId: 'once' }).next
  const messageOf = (before: Specification, command: Command) => {
    const { decision } = before.when(command, { commandId: 'once' })
    return decision.type === 'rejected' ? [decision.rejection.message, decision.rejection.facts] : decision.type
  }

  test('A17: that names another command, or came to nothing, is refused in a sentence', () => {
    expect(messageOf(sent, { type: 'CancelOperation', id: 'a' })).toEqual([
      'command id once was used for another command before',
      { commandId: 'once', command: 'CancelOperation' },
    ])
    const undone = sent.given({ type: 'RollbackRegistration', id: 'a', registrationCommandId: 'once' })
    expect(messageOf(undone, { type: 'RegisterOperation', id: 'a', kind: 'k' })).toEqual([
      'the registration by command once was rolled back',
      { commandId: 'once', command: 'RegisterOperation' },
    ])
  })
})

test('results of phases that nobody declared are carried over in the order given', () => {
  const carried = empty.given({ type: 'RegisterOperation', id: 'a', kind: 'k', phaseResults: { two: 2, one: 1 } })
  expect(operationIn(carried)?.phases).toStrictEqual([
    { name: 'two', status: 'completed', result: 2 },
    { name: 'one', status: 'completed', result: 1 },
  ])
  expect(operationIn(carried)).not.toHaveProperty('phaseResults')
})

test('A20: a snapshot has operations by number, and members of a wait too, however many', () => {
  const ids = Array.from({ length: 40 }, (_, i) => `op-${(i * 7) % 40}`)
  const many = ids.reduce((before, id) => before.given({ type: 'RegisterOperation', id, kind: 'k' }), empty)
  const waiting = ids
    .slice(0, 39)
    .toReversed()
    .reduce<Specification>(
      (before, id) => before.given({ type: 'CancelOperation', id }),
      many.given({ type: 'BeginWaitAll', waitId: 'w', ids }),
    )
  const { operations, waits } = plainOf(waiting.state)
  expect(operations.map(({ id }) => id)).toEqual(ids)
  expect(waits[0]?.reached.map(([number]) => number)).toEqual(Array.from({ length: 39 }, (_, i) => i + 1))
})

test('A21: completed phases are counted, and no others', () => {
  const phased = specification({ kinds: { k: { phases: ['read', 'write', 'send'] } } }).given({
    type: 'RegisterOperation',
    id: 'a',
    kind: 'k',
    phaseResults: { read: 1 },
  })
  const operation = operationIn(phased)
  expect(operation && viewOf(operation, 0, 0)).toMatchObject({ phasesCompleted: 1, phasesTotal: 3 })
})

test('A9: a wait for any knows who ended first, whoever else is named behind him; one for nobody is over at once', () => {
  const two = queued.given({ type: 'RegisterOperation', id: 'b', kind: 'k' })
  const waiting = two.given(
    { type: 'BeginWaitAny', waitId: 'w', ids: ['a', 'b'] },
    { type: 'CancelOperation', id: 'a' },
  )
  expect(waiting.state.endedWaits.get('w')).toMatchObject({ ending: 'satisfied' })
  expect(winnerOf(waiting.state.endedWaits.get('w') as EndedWait)).toBe(1)
  two.when({ type: 'BeginWaitAny', waitId: 'w', ids: [] }).thenUnchanged()
})

test('A9: a wait is cancelled though one of its members was collected meanwhile', () => {
  const two = queued.given({ type: 'RegisterOperation', id: 'b', kind: 'k' })
  const waiting = two.given(
    { type: 'BeginWaitAll', waitId: 'w', ids: ['a', 'b'] },
    { type: 'CancelOperation', id: 'a' },
    { type: 'CollectCompleted' },
  )
  const cancelled = waiting.when({ type: 'CancelWait', waitId: 'w' })
  cancelled.thenEffects({ type: 'EndWait', waitId: 'w', ending: 'cancelled' })
  expect(cancelled.next.state.operations.get('b')?.waits).toEqual([])
})

test('time in the queue is no silence', () => {
  const fold = new TimelineFold(1)
  for (const recorded of queued.history.slice(1)) fold.take(recorded)
  expect(fold.told(1e12)?.silences).toEqual([])
})

test('the last day of four hundred years is written as Date writes it', () => {
  const at = Date.UTC(2000, 1, 29)
  expect(utcText(at)).toBe(new Date(at).toISOString())
})

test('a history that contradicts itself says so by name', () => {
  const thrown = new ContradictoryHistory(3, 'WaitBegan', 'no')
  expect([thrown.name, thrown.revision]).toEqual(['ContradictoryHistory', 3])
})

test('a surrogate that has no other half counts as what replaces it', () => {
  for (const one of ['\u0800\udc00', '\ud7ff\udfff', '\ud800é', '\ud800\u0800']) {
    expect([one, utf8Length(one)]).toEqual([one, Buffer.byteLength(one)])
  }
})
