import { describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, type LifecycleEvent, type RecordedEvent } from '../../src/authority/events.ts'
import { ContradictoryHistory, fold } from '../../src/authority/evolve.ts'
import { lifeAfter } from '../../src/authority/operation-life.ts'
import { EMPTY_REGISTRY } from '../../src/authority/registry.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'
import { KIND_FACTS } from './support/accepted-commands.ts'

const error = { message: 'broken' }
const empty = specification()
const queued = empty.given({ type: 'RegisterOperation', id: 'a', kind: 'k', key: 'key' })
const running = queued.given({ type: 'ProvisioningSucceeded', id: 'a', claimant: { id: 'w' } })
const ended = running.given({ type: 'CancelOperation', id: 'a' })
const collected = ended.given({ type: 'CollectCompleted' })
const waiting = running.given({ type: 'BeginWaitAll', waitId: 'w', ids: ['a'], deadlineAt: 2_000_000 })
const a = { id: 'a', number: 1 }
const phase = { ...a, phase: 'read', attempt: 1 }
const registered = (id: string, more = {}): LifecycleEvent => ({
  type: 'OperationRegistered',
  facts: { id, kind: 'k', kindFacts: KIND_FACTS, policy: null, ...more },
  content: {},
})
const completed = (sequence: number, of = a): LifecycleEvent => ({
  type: 'OperationCompleted',
  facts: { ...of, sequence },
  content: { result: null },
})
const collecting = (fromSequence: number, throughSequence: number): LifecycleEvent => ({
  type: 'CompletedCollected',
  facts: { fromSequence, throughSequence },
  content: {},
})
const terminated = (...numbers: number[]): LifecycleEvent => ({
  type: 'OwnerTerminated',
  facts: { numbers, firstSequence: 1 },
  content: { reason: 'over' },
})
const began = (waitId: string, number: number): LifecycleEvent => ({
  type: 'WaitBegan',
  facts: { waitId, mode: 'all', numbers: [number], deadlineAt: 2_000_000 },
  content: {},
})
const opening: LifecycleEvent = {
  type: 'RegistryOpened',
  facts: { registryId: 'r', limits: DEFAULT_LIMITS },
  content: { digestKey: '0' },
}

const peered = specification({ kinds: { k: { expectsPeer: true } } }).given(
  { type: 'RegisterOperation', id: 'a', kind: 'k', claim: {} },
  { type: 'PeerReady', id: 'a', leaseEpoch: 2, peer: 1 },
)

// biome-ignore format: a table, one line a case
const CONTRADICTIONS: readonly (readonly [what: string, Specification, LifecycleEvent, why: string])[] = [
  ['before the registry is open', specification({ open: false }), registered('a'), 'the registry is not open'],
  ['a second opening', empty, opening, 'the registry is open already'],
  ['an id that lives', queued, registered('a'), 'the id a is taken'],
  ['an id of which a tombstone is left', collected, registered('a'), 'the id a is taken'],
  ['a key that is held', queued, registered('b', { key: 'key' }), 'the key key is held by an active operation'],
  ['an operation that is not there', empty, completed(1), 'there is no operation a #1'],
  ['an operation of another number', running, completed(1, { id: 'a', number: 7 }), 'there is no operation a #7'],
  ['a sign of nobody', empty, { type: 'SignsOfLifeRecorded', facts: { signs: [[7, 1]] }, content: {} }, 'there is no operation  #7'],
  ['a sign of what has ended', ended, { type: 'SignsOfLifeRecorded', facts: { signs: [[1, 1]] }, content: {} }, 'a is cancelled'],
  ['a step that the machine does not know', queued, completed(1), 'a is provisioning'],
  ['a second end', ended, completed(2), 'a is cancelled'],
  ['a sequence too high', running, completed(2), 'sequence 2 does not follow 0'],
  ['an attempt that is not this one', running, { type: 'PhaseStarted', facts: { ...phase, attempt: 2 }, content: {} }, 'a is in attempt 1, not 2'],
  ['the end of a phase that was not started', running, { type: 'PhaseFailed', facts: phase, content: { error } }, 'phase read was not started'],
  ['a rollback of what runs', running, { type: 'RegistrationRolledBack', facts: a, content: {} }, 'a is running'],
  ['a termination that leaves somebody out', running, terminated(), 'it names 0 of 1 active operations'],
  ['a termination of somebody else', running, terminated(7), 'there is no operation  #7'],
  ['a collection of nothing', empty, collecting(1, 1), 'nothing is retained'],
  ['a collection from further on', ended, collecting(2, 2), 'a with sequence 1 is retained'],
  ['a collection up to less', ended, collecting(0, 0), 'a with sequence 1 is retained'],
  ['a wait that is active', waiting, began('w', 1), 'the wait w is active already'],
  ['a wait for nobody', running, began('w', 7), 'no operation 7'],
  ['the end of no wait', running, { type: 'WaitExpired', facts: { waitId: 'w' }, content: {} }, 'the wait w is not active'],
  ['a contradiction of another life', collected, { type: 'ContradictionRecorded', facts: { id: 'a', number: 7, claimed: 'completed' }, content: {} }, 'there is no operation a #7'],
  ['a peer that nobody expects', running, { type: 'PeerBecameReady', facts: a, content: { peer: 1 } }, 'a is running'],
  ['a second peer', peered, { type: 'PeerBecameReady', facts: a, content: { peer: 1 } }, 'a is running'],
  ['a second wish for a cancel', running.given({ type: 'RequestCancel', id: 'a' }), { type: 'CancelRequested', facts: { ...a, deadlineAt: 1 }, content: {} }, 'a is running'],
  ['completion with a phase ahead', running.given({ type: 'PhaseStarted', facts: phase, content: {} }), completed(1), 'a is running'],
]

describe('a history that contradicts itself is no state', () => {
  test.each(CONTRADICTIONS)('A1: %s', (_what, before, event, why) => {
    expect(() => before.given(event)).toThrow(new ContradictoryHistory(before.state.revision + 1, event.type, why))
  })

  test('A1: a gap in the revisions', () => {
    const [first, ...later] = queued.history
    expect(() => fold(EMPTY_REGISTRY, later)).toThrow(
      'event 1 (OperationRegistered) contradicts the history before it: expected revision 0',
    )
    expect(() => fold(EMPTY_REGISTRY, [first, first] as RecordedEvent[])).toThrow('expected revision 1')
  })

  test('A17: a command that was accepted before', () => {
    const [first, second] = queued.history as [RecordedEvent, RecordedEvent]
    const again = { ...second, metadata: { ...second.metadata, commandId: 'opening' } }
    expect(() => fold(EMPTY_REGISTRY, [first, again])).toThrow('command opening was accepted before')
  })

  test('A1: lives of their own contradict themselves alike', () => {
    const life = (before: Specification) => before.state.operations.get('a')
    const recorded = (before: Specification, event: LifecycleEvent) =>
      ({ ...before.history.at(-1), revision: before.state.revision + 1, event }) as RecordedEvent
    const living = (before: Specification, event: LifecycleEvent) => () =>
      lifeAfter(life(before), recorded(before, event), 1)
    expect(living(queued, registered('a'))).toThrow(
      'event 2 (OperationRegistered) contradicts the history before it: operation #1 is born already',
    )
    expect(living(empty, completed(1))).toThrow(
      'event 1 (OperationCompleted) contradicts the history before it: there is no operation #1',
    )
    expect(living(running, { type: 'RegistrationRolledBack', facts: a, content: {} })).toThrow('a is running')
    expect(living(running, { type: 'SignsOfLifeRecorded', facts: { signs: [[7, 1]] }, content: {} })).toThrow(
      'it has no sign of #1',
    )
    for (const event of [opening, began('w', 1), collecting(1, 1)]) {
      expect(living(running, event)).toThrow("it is no part of an operation's life")
    }
    const others = [
      { type: 'RegistryLimitsChanged', facts: { limits: DEFAULT_LIMITS }, content: {} },
      { type: 'OwnerRetired', facts: {}, content: { reason: 'gone' } },
      { type: 'WaitExpired', facts: { waitId: 'w' }, content: {} },
      { type: 'WaitCancelled', facts: { waitId: 'w' }, content: {} },
    ] as const
    for (const event of others) expect(living(running, event)).toThrow("it is no part of an operation's life")
    expect(
      living(ended, { type: 'ContradictionRecorded', facts: { ...a, claimed: 'completed' }, content: {} })(),
    ).toMatchObject({
      contradictions: [{ claimed: 'completed', revision: 4 }],
    })
  })
})
