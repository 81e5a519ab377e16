import { describe, expect, test } from 'vitest'
import { answerFromEvents, answerFromState, nextHeartbeatBefore } from '../../src/authority/command-answer.ts'
import type { Command } from '../../src/authority/commands.ts'
import type { Operation } from '../../src/authority/operation.ts'
import type { Specification } from '../../src/authority/specification.ts'
import { ACCEPTED, ERROR, RECONCILIATION, STALLED } from './support/accepted-commands.ts'

const PLACE = { revision: 9, position: 7n }

/** What the sender is told beside the place: what nobody can know of it has no field. */
// biome-ignore format: a table, one line a case
const ANSWERS: Record<keyof typeof ACCEPTED, object> = {
  'a start': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_010, leaseEpoch: 2 },
  'a start by somebody': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_010, leaseEpoch: 2 },
  'a start at its very time': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_010, leaseEpoch: 2 },
  'a start that failed': { changed: true, operationId: 'a', number: 1, status: 'failed', cancelRequested: false, outcome: { status: 'failed', error: ERROR }, sequence: 1 },
  'an abort': { changed: true, operationId: 'a', number: 1, status: 'aborted', cancelRequested: false, outcome: { status: 'aborted' }, sequence: 1 },
  'an abort with a reason': { changed: true, operationId: 'a', number: 1, status: 'aborted', cancelRequested: false, outcome: { status: 'aborted', reason: 'r' }, sequence: 1 },
  'a peer': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_010, leaseEpoch: 2 },
  'progress without a word': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_020, leaseEpoch: 2 },
  'progress': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_020, leaseEpoch: 2 },
  'a heartbeat': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_020, leaseEpoch: 2 },
  'the start of a phase': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_020, leaseEpoch: 2 },
  'a phase that nobody declared': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_020, leaseEpoch: 2 },
  'the end of a phase': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_030, leaseEpoch: 2 },
  'the end of a phase with a result': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_030, leaseEpoch: 2 },
  'a phase that failed': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_030, leaseEpoch: 2 },
  'a failed phase, begun again': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_030, leaseEpoch: 2 },
  'a failed phase that nobody declared, begun again': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_020, leaseEpoch: 2 },
  'completion': { changed: true, operationId: 'a', number: 1, status: 'completed', cancelRequested: false, outcome: { status: 'completed', result: null }, leaseEpoch: 2, sequence: 1 },
  'completion with a result': { changed: true, operationId: 'a', number: 1, status: 'completed', cancelRequested: false, outcome: { status: 'completed', result: [1] }, leaseEpoch: 2, sequence: 1 },
  'failure': { changed: true, operationId: 'a', number: 1, status: 'failed', cancelRequested: false, outcome: { status: 'failed', error: ERROR }, leaseEpoch: 2, sequence: 1 },
  'an attempt that failed': { changed: true, operationId: 'a', number: 1, status: 'provisioning', cancelRequested: false, leaseEpoch: 2 },
  'the wish for a cancel of what waits': { changed: true, operationId: 'a', number: 1, status: 'cancelled', cancelRequested: false, outcome: { status: 'cancelled', reason: 'r' }, sequence: 1 },
  'the wish for a cancel, with the grace of its policy': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: true, nextHeartbeatBefore: 61_010 },
  'the wish for a cancel by a time': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: true, nextHeartbeatBefore: 61_010 },
  'a cancel': { changed: true, operationId: 'a', number: 1, status: 'cancelled', cancelRequested: false, outcome: { status: 'cancelled' }, sequence: 1 },
  'a cancel with a reason': { changed: true, operationId: 'a', number: 1, status: 'cancelled', cancelRequested: false, outcome: { status: 'cancelled', reason: 'r' }, sequence: 1 },
  'the wish to retire': { changed: true, operationId: 'a', number: 1, status: 'retiring', cancelRequested: false, nextHeartbeatBefore: 61_010 },
  'a retirement': { changed: true, operationId: 'a', number: 1, status: 'retired', cancelRequested: false, outcome: { status: 'retired', reason: 'r' }, leaseEpoch: 2, sequence: 1 },
  'attention': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_010 },
  'attention under a second rule': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_010 },
  'the end of attention': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_010 },
  'a contradiction': { changed: true, operationId: 'a', number: 1, status: 'failed', cancelRequested: false },
  'a contradiction with a result, under the last epoch that was': { changed: true, operationId: 'a', number: 1, status: 'failed', cancelRequested: false },
  'a contradiction with an error': { changed: true, operationId: 'a', number: 1, status: 'completed', cancelRequested: false },
  'a contradiction of which a tombstone is left': { changed: true, operationId: 'a', number: 1, status: 'failed' },
  'a second contradiction of which a tombstone is left': { changed: true, operationId: 'a', number: 1, status: 'failed' },
  'another attempt of what was busy': { changed: true, operationId: 'a', number: 1, status: 'provisioning', cancelRequested: false, leaseEpoch: 2 },
  'another attempt of what was to retire': { changed: true, operationId: 'a', number: 1, status: 'provisioning', cancelRequested: false },
  'the start of another attempt': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_030, leaseEpoch: 8 },
  'the end of what was busy': { changed: true, operationId: 'a', number: 1, status: 'failed', cancelRequested: false, outcome: { status: 'failed', error: ERROR }, leaseEpoch: 2, sequence: 1 },
  'the end of what is not due': { changed: true, operationId: 'a', number: 1, status: 'cancelled', cancelRequested: false, outcome: { status: 'cancelled' }, sequence: 1 },
  'the end of what is not kept': { changed: true, operationId: 'a', number: 1, status: 'completed', outcome: { status: 'completed', result: null }, leaseEpoch: 2, sequence: 1 },
  'a sign by a witness': { changed: true },
  'a sign that is heard late': { changed: true },
  'the same key again': { changed: false, joined: true, operationId: 'a', number: 1, status: 'provisioning', cancelRequested: false },
  'a collection': { changed: true, collected: { fromSequence: 1, throughSequence: 1 } },
  'a rollback': { changed: true, operationId: 'a', number: 1 },
  'a verdict of failure': { changed: true, operationId: 'a', number: 1, status: 'failed', cancelRequested: false, outcome: { status: 'failed', error: STALLED, reasonCode: 'run.stalled', reconciliation: RECONCILIATION }, sequence: 1 },
  'a verdict of failure with an error': { changed: true, operationId: 'a', number: 1, status: 'failed', cancelRequested: false, outcome: { status: 'failed', error: ERROR, reasonCode: 'run.stalled', reconciliation: RECONCILIATION }, sequence: 1 },
  'a verdict to retry': { changed: true, operationId: 'a', number: 1, status: 'provisioning', cancelRequested: false },
  'a verdict to retry with an error': { changed: true, operationId: 'a', number: 1, status: 'provisioning', cancelRequested: false },
  'a verdict of cancel, by the reason that was given': { changed: true, operationId: 'a', number: 1, status: 'cancelled', cancelRequested: true, outcome: { status: 'cancelled', reason: 'too slow', reconciliation: RECONCILIATION }, sequence: 1 },
  'a verdict of cancel with a reason of its own': { changed: true, operationId: 'a', number: 1, status: 'cancelled', cancelRequested: true, outcome: { status: 'cancelled', reason: 'over', reconciliation: RECONCILIATION }, sequence: 1 },
  'a verdict of cancel where nobody gave a reason': { changed: true, operationId: 'a', number: 1, status: 'cancelled', cancelRequested: true, outcome: { status: 'cancelled', reconciliation: RECONCILIATION }, sequence: 1 },
  'a verdict of completion': { changed: true, operationId: 'a', number: 1, status: 'completed', cancelRequested: false, outcome: { status: 'completed', result: null, reconciliation: RECONCILIATION }, sequence: 1 },
  'a verdict of completion with a result': { changed: true, operationId: 'a', number: 1, status: 'completed', cancelRequested: false, outcome: { status: 'completed', result: [1], reconciliation: RECONCILIATION }, sequence: 1 },
  'the opening of a registry': { changed: true },
  'limits for a registry that is not open': { changed: true },
  'limits': { changed: true },
  'the retirement of an owner': { changed: true, terminated: 1 },
  'the end of an owner': { changed: true, terminated: 1 },
  'a wait for all': { changed: true, wait: { waitId: 'w', mode: 'all', members: [{ id: 'a', number: 1 }], deadlineAt: 3_601_020 } },
  'a wait of a run for any, until a time': { changed: true, wait: { waitId: 'w', mode: 'any', runId: 'r', members: [{ id: 'a', number: 1 }], deadlineAt: 4_000 } },
  'the cancel of a wait': { changed: true },
  'a registration': { changed: true, operationId: 'a', number: 1, status: 'provisioning', cancelRequested: false },
  'a registration with all that it may say': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_000, leaseEpoch: 2 },
  'a registration with a claim of nobody in particular': { changed: true, operationId: 'a', number: 1, status: 'running', cancelRequested: false, nextHeartbeatBefore: 61_000, leaseEpoch: 2 },
}

/** The events of a command on what it met. */
function eventsOf([before, command]: readonly [Specification, Command]) {
  const { next } = before.when(command)
  return { next, events: next.history.slice(before.history.length) }
}

describe('an accepted command is answered with what it did and how things stand', () => {
  test.each(Object.entries(ACCEPTED))('A17: %s', (what, accepted) => {
    const { next, events } = eventsOf(accepted)
    expect(answerFromEvents(accepted[1], events, next.state, PLACE)).toStrictEqual({
      ...PLACE,
      ...ANSWERS[what as keyof typeof ACCEPTED],
    })
  })

  const [before, registering] = ACCEPTED['a registration with a claim of nobody in particular']
  const { next: born, events } = eventsOf([before, registering])
  const again = ({ state }: Specification) => answerFromEvents(registering, events, state, PLACE)
  const first = { ...PLACE, changed: true, operationId: 'a', number: 1, leaseEpoch: 2 }

  test('A17: and again later as things stand then', () => {
    const ended = born.given({ type: 'CancelOperation', id: 'a' })
    expect(again(ended)).toStrictEqual({ ...first, status: 'cancelled', cancelRequested: false })
    const buried = ended.given({ type: 'CollectCompleted' })
    expect(again(buried)).toStrictEqual({ ...first, status: 'cancelled' })
  })

  test('A17: but never with another life of the id', () => {
    const other = before.given({ type: 'RegisterOperation', id: 'x', kind: 'k' }, registering)
    expect(again(other)).toStrictEqual(first)
    expect(again(before)).toStrictEqual(first)
  })

  test('A9, A17: with its wait, whether it goes on or is over', () => {
    const [waited, beginning] = ACCEPTED['a wait for all']
    const waiting = eventsOf([waited, beginning])
    const told = ({ state }: Specification) => answerFromEvents(beginning, waiting.events, state, PLACE)
    const over = waiting.next.given({ type: 'CancelWait', waitId: 'w' })
    expect(told(over).wait).toMatchObject({ waitId: 'w', ending: 'cancelled' })
    expect(told(waited)).toStrictEqual({ ...PLACE, changed: true })
  })
})

describe('where nothing had to be stored', () => {
  const operationIn = ({ state }: Specification) => state.operations.get('a') as Operation
  const answered = (at: Specification) => answerFromState(operationIn(at), at.state, PLACE)
  const known = { ...PLACE, changed: false, operationId: 'a', number: 1 }

  test('A17: the answer tells how the operation stands', () => {
    const [running] = ACCEPTED['a heartbeat']
    expect(answered(running)).toStrictEqual({
      ...known,
      status: 'running',
      cancelRequested: false,
      nextHeartbeatBefore: 61_010,
      leaseEpoch: 2,
    })
    expect(answered(eventsOf(ACCEPTED.completion).next)).toStrictEqual({
      ...known,
      status: 'completed',
      cancelRequested: false,
      outcome: { status: 'completed', result: null },
      sequence: 1,
    })
    const [queued] = ACCEPTED['a start']
    expect(answered(queued)).toStrictEqual({ ...known, status: 'provisioning', cancelRequested: false })
    expect(answerFromState(undefined, queued.state, PLACE)).toStrictEqual({ ...PLACE, changed: false })
  })

  test('A17: a heartbeat is expected after the interval of its policy, and of unknown kinds without one', () => {
    const operation = operationIn(ACCEPTED['a heartbeat'][0])
    const policy = operation.policy && { ...operation.policy, heartbeatIntervalMs: 5 }
    expect(nextHeartbeatBefore({ ...operation, policy }, 100)).toBe(105)
    expect(nextHeartbeatBefore({ ...operation, policy: null }, 100)).toBe(60_100)
  })
})
