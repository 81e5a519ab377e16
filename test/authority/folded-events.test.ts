import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { DEFAULT_POLICY } from '../../src/authority/lifecycle-policy.ts'
import type { Operation, Tombstone } from '../../src/authority/operation.ts'
import type { Specification } from '../../src/authority/specification.ts'
import { ACCEPTED, ERROR, KIND_FACTS, RECONCILIATION, STALLED, WORKER } from './support/accepted-commands.ts'

const CLOSED = { epoch: 2, open: false, claimant: WORKER }
const WAKE = { type: 'WakeFeed', watermark: 1, wakeOwner: false }
const told = (revision: number, outcome: object) => ({
  type: 'NotifyWatchers',
  number: 1,
  id: 'a',
  sequence: 1,
  revision,
  outcome,
})
const abort = (cause: string) => ({ type: 'AbortAttempt', number: 1, id: 'a', leaseEpoch: 2, cause })
const due = (rule: string, at: number) => ({ type: 'ScheduleDeadline', number: 1, id: 'a', rule, at })

/** What each event changes in its operation, and nothing else; and what the shell is asked to do, in this order. */
// biome-ignore format: a table, one line a case
const FOLDED: Record<keyof typeof ACCEPTED, readonly [changes: object, effects: readonly object[]]> = {
  'a start': [{ status: 'running', lastRevision: 2, lease: { epoch: 2, open: true, claimant: { id: 'command-2' } }, startedAt: 1_010, claimedAt: 1_010 }, [due('first_sign', 86_401_010)]],
  'a start by somebody': [{ status: 'running', lastRevision: 2, lease: { epoch: 2, open: true, claimant: WORKER }, startedAt: 1_010, claimedAt: 1_010 }, [due('first_sign', 86_401_010)]],
  'a start at its very time': [{ notBeforeAt: 'gone', status: 'running', lastRevision: 2, lease: { epoch: 2, open: true, claimant: { id: 'command-2' } }, startedAt: 1_010, claimedAt: 1_010 }, [due('first_sign', 86_401_010)]],
  'a start that failed': [{ status: 'failed', lastRevision: 2, outcome: { status: 'failed', error: ERROR }, sequence: 1, terminalRevision: 2, completedAt: 1_010 }, [told(2, { status: 'failed', error: ERROR }), WAKE]],
  'an abort': [{ status: 'aborted', lastRevision: 2, outcome: { status: 'aborted' }, sequence: 1, terminalRevision: 2, completedAt: 1_010 }, [told(2, { status: 'aborted' }), WAKE]],
  'an abort with a reason': [{ status: 'aborted', lastRevision: 2, outcome: { status: 'aborted', reason: 'r' }, sequence: 1, terminalRevision: 2, completedAt: 1_010 }, [told(2, { status: 'aborted', reason: 'r' }), WAKE]],
  'a peer': [{ lastRevision: 3, peer: { url: 'u' } }, [{ type: 'ExposePeer', number: 1, id: 'a', peer: { url: 'u' } }]],
  'progress without a word': [{ progress: { count: 1, inAttempt: 1, lastAt: 1_020 }, lastRevision: 3, lastSignAt: 1_020 }, [due('sign', 376_020)]],
  'progress': [{ progress: { count: 1, inAttempt: 1, lastAt: 1_020, message: 'm', percent: 5, processed: 1, total: 20 }, lastRevision: 3, lastSignAt: 1_020 }, [due('sign', 376_020)]],
  'a heartbeat': [{ lastSignAt: 1_020 }, [due('sign', 376_020)]],
  'the start of a phase': [{ phases: [{ name: 'read', status: 'started', attempt: 1, startedAt: 1_020 }, { name: 'write', status: 'pending' }], lastRevision: 3, lastSignAt: 1_020 }, [due('sign', 376_020)]],
  'a phase that nobody declared': [{ phases: [{ name: 'own', status: 'started', attempt: 1, startedAt: 1_020 }], lastRevision: 3, lastSignAt: 1_020 }, [due('sign', 376_020)]],
  'the end of a phase': [{ phases: [{ name: 'read', status: 'completed', attempt: 1, startedAt: 1_020, endedAt: 1_030, result: null }, { name: 'write', status: 'pending' }], lastRevision: 4, lastSignAt: 1_030 }, [due('sign', 376_030)]],
  'the end of a phase with a result': [{ phases: [{ name: 'read', status: 'completed', attempt: 1, startedAt: 1_020, endedAt: 1_030, result: { rows: 3 } }, { name: 'write', status: 'pending' }], lastRevision: 4, lastSignAt: 1_030 }, [due('sign', 376_030)]],
  'a phase that failed': [{ phases: [{ name: 'read', status: 'failed', attempt: 1, startedAt: 1_020, endedAt: 1_030, error: ERROR }, { name: 'write', status: 'pending' }], lastRevision: 4, lastSignAt: 1_030 }, [due('sign', 376_030)]],
  'a failed phase, begun again': [{ phases: [{ name: 'read', status: 'started', attempt: 1, startedAt: 1_030 }, { name: 'write', status: 'pending' }], lastRevision: 5 }, []],
  'a failed phase that nobody declared, begun again': [{ phases: [{ name: 'own', status: 'started', attempt: 1, startedAt: 1_020 }], lastRevision: 5 }, []],
  'completion': [{ status: 'completed', lastRevision: 3, lease: CLOSED, outcome: { status: 'completed', result: null }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [told(3, { status: 'completed', result: null }), WAKE]],
  'completion with a result': [{ status: 'completed', lastRevision: 3, lease: CLOSED, outcome: { status: 'completed', result: [1] }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [told(3, { status: 'completed', result: [1] }), WAKE]],
  'failure': [{ status: 'failed', lastRevision: 3, lease: CLOSED, outcome: { status: 'failed', error: ERROR }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [abort('ended'), told(3, { status: 'failed', error: ERROR }), WAKE]],
  'an attempt that failed': [{ status: 'provisioning', attempt: 2, lastRevision: 3, lease: 'gone', claimedAt: 'gone', notBeforeAt: 9_000, attemptEndedAt: 1_020, lastError: ERROR }, [due('queued', 86_409_000)]],
  'the wish for a cancel of what waits': [{ status: 'cancelled', lastRevision: 2, outcome: { status: 'cancelled', reason: 'r' }, sequence: 1, terminalRevision: 2, completedAt: 1_010 }, [told(2, { status: 'cancelled', reason: 'r' }), WAKE]],
  'the wish for a cancel, with the grace of its policy': [{ lastRevision: 3, cancel: { requestedAt: 1_020, deadlineAt: 31_020 } }, [due('cancel', 31_020), abort('cancel_requested')]],
  'the wish for a cancel by a time': [{ lastRevision: 3, cancel: { requestedAt: 1_020, deadlineAt: 4_000, reason: 'r' } }, [due('cancel', 4_000), abort('cancel_requested')]],
  'a cancel': [{ status: 'cancelled', lastRevision: 3, lease: CLOSED, outcome: { status: 'cancelled' }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [abort('ended'), told(3, { status: 'cancelled' }), WAKE]],
  'a cancel with a reason': [{ status: 'cancelled', lastRevision: 3, lease: CLOSED, outcome: { status: 'cancelled', reason: 'r' }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [abort('ended'), told(3, { status: 'cancelled', reason: 'r' }), WAKE]],
  'the wish to retire': [{ status: 'retiring', lastRevision: 3, retireRequestedAt: 1_020 }, []],
  'a retirement': [{ status: 'retired', lastRevision: 3, lease: CLOSED, outcome: { status: 'retired', reason: 'r' }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [abort('ended'), told(3, { status: 'retired', reason: 'r' }), WAKE]],
  'attention': [{ attention: [{ rule: 'sign', raised: true }] }, []],
  'attention under a second rule': [{ attention: [{ rule: 'sign', raised: true }, { rule: 'runtime', raised: true }] }, []],
  'the end of attention': [{ attention: [{ rule: 'runtime', raised: true }, { rule: 'sign', raised: false }] }, []],
  'a contradiction': [{ contradictions: [{ claimed: 'completed', revision: 4 }], lastRevision: 4 }, []],
  'a contradiction with a result, under the last epoch that was': [{ contradictions: [{ claimed: 'completed', revision: 4, leaseEpoch: 3 }], lastRevision: 4 }, []],
  'a contradiction with an error': [{ contradictions: [{ claimed: 'failed', revision: 4, leaseEpoch: 2 }], lastRevision: 4 }, []],
  'a contradiction of which a tombstone is left': [{ contradicted: [2] }, []],
  'a second contradiction of which a tombstone is left': [{ contradicted: [2, null] }, []],
  'another attempt of what was busy': [{ status: 'provisioning', attempt: 2, progress: { count: 1, inAttempt: 0, message: 'm' }, phases: [{ name: 'one', status: 'completed', result: 1 }, { name: 'two', status: 'interrupted', attempt: 1, startedAt: 1_010 }, { name: 'three', status: 'pending' }], attention: [], lastRevision: 7, lease: 'gone', claimedAt: 'gone', peer: 'gone', lastSignAt: 'gone', notBeforeAt: 9_000, attemptEndedAt: 1_020, lastError: ERROR }, [due('queued', 86_409_000)]],
  'another attempt of what was to retire': [{ status: 'provisioning', attempt: 2, progress: { count: 1, inAttempt: 0, message: 'm' }, phases: [{ name: 'one', status: 'completed', result: 1 }, { name: 'two', status: 'interrupted', attempt: 1, startedAt: 1_010 }, { name: 'three', status: 'pending' }], attention: [], lastRevision: 8, lease: 'gone', claimedAt: 'gone', peer: 'gone', lastSignAt: 'gone', retireRequestedAt: 'gone', notBeforeAt: 9_000, attemptEndedAt: 1_020, lastError: STALLED }, [due('queued', 86_409_000), abort('attempt_lost')]],
  'the start of another attempt': [{ status: 'running', lastRevision: 8, notBeforeAt: 'gone', lease: { epoch: 8, open: true, claimant: WORKER }, claimedAt: 1_030 }, [due('first_sign', 86_401_030)]],
  'the end of what was busy': [{ status: 'failed', phases: [{ name: 'one', status: 'completed', result: 1 }, { name: 'two', status: 'closed', attempt: 1, startedAt: 1_010 }, { name: 'three', status: 'closed' }], lastRevision: 7, lease: CLOSED, outcome: { status: 'failed', error: ERROR }, sequence: 1, terminalRevision: 7, completedAt: 1_020 }, [abort('ended'), told(7, { status: 'failed', error: ERROR }), WAKE]],
  'the end of what is not due': [{ notBeforeAt: 'gone', status: 'cancelled', lastRevision: 2, outcome: { status: 'cancelled' }, sequence: 1, terminalRevision: 2, completedAt: 1_010 }, [told(2, { status: 'cancelled' }), WAKE]],
  'the end of what is not kept': [{ record: 'gone', id: 'a', number: 1, status: 'completed', terminalRevision: 3, leaseEpoch: 2, claimed: true, contradicted: [] }, [told(3, { status: 'completed', result: null }), { type: 'EvictRecord', number: 1, id: 'a' }]],
  'a sign by a witness': [{ lastSignAt: 1_005 }, [due('queued', 86_401_005)]],
  'a sign that is heard late': [{ lastSignAt: 1_015 }, [due('sign', 376_015)]],
  'the same key again': [{ joined: true, lastRevision: 2 }, []],
  'a collection': [{ record: 'gone', id: 'a', number: 1, status: 'failed', terminalRevision: 3, leaseEpoch: 2, claimed: true, contradicted: [] }, [{ type: 'EvictRecord', number: 1, id: 'a' }]],
  'a rollback': [{ record: 'gone' }, [{ type: 'CloseWatchers', number: 1, id: 'a', reason: 'rolled_back' }]],
  'a verdict of failure': [{ status: 'failed', lastRevision: 3, lease: CLOSED, outcome: { status: 'failed', error: STALLED, reasonCode: 'run.stalled', reconciliation: RECONCILIATION }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [abort('ended'), told(3, { status: 'failed', error: STALLED, reasonCode: 'run.stalled', reconciliation: RECONCILIATION }), WAKE]],
  'a verdict of failure with an error': [{ status: 'failed', lastRevision: 3, lease: CLOSED, outcome: { status: 'failed', error: ERROR, reasonCode: 'run.stalled', reconciliation: RECONCILIATION }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [abort('ended'), told(3, { status: 'failed', error: ERROR, reasonCode: 'run.stalled', reconciliation: RECONCILIATION }), WAKE]],
  'a verdict to retry': [{ status: 'provisioning', attempt: 2, lastRevision: 3, lease: 'gone', claimedAt: 'gone', notBeforeAt: 9_000, attemptEndedAt: 1_020, lastError: STALLED }, [due('queued', 86_409_000), abort('attempt_lost')]],
  'a verdict to retry with an error': [{ status: 'provisioning', attempt: 2, lastRevision: 3, lease: 'gone', claimedAt: 'gone', notBeforeAt: 9_000, attemptEndedAt: 1_020, lastError: ERROR }, [due('queued', 86_409_000), abort('attempt_lost')]],
  'a verdict of cancel, by the reason that was given': [{ status: 'cancelled', lastRevision: 4, lease: CLOSED, outcome: { status: 'cancelled', reason: 'too slow', reconciliation: RECONCILIATION }, sequence: 1, terminalRevision: 4, completedAt: 1_030 }, [abort('ended'), told(4, { status: 'cancelled', reason: 'too slow', reconciliation: RECONCILIATION }), WAKE]],
  'a verdict of cancel with a reason of its own': [{ status: 'cancelled', lastRevision: 4, lease: CLOSED, outcome: { status: 'cancelled', reason: 'over', reconciliation: RECONCILIATION }, sequence: 1, terminalRevision: 4, completedAt: 1_030 }, [abort('ended'), told(4, { status: 'cancelled', reason: 'over', reconciliation: RECONCILIATION }), WAKE]],
  'a verdict of cancel where nobody gave a reason': [{ status: 'cancelled', lastRevision: 4, lease: CLOSED, outcome: { status: 'cancelled', reconciliation: RECONCILIATION }, sequence: 1, terminalRevision: 4, completedAt: 1_020 }, [abort('ended'), told(4, { status: 'cancelled', reconciliation: RECONCILIATION }), WAKE]],
  'a verdict of completion': [{ status: 'completed', lastRevision: 3, lease: CLOSED, outcome: { status: 'completed', result: null, reconciliation: RECONCILIATION }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [told(3, { status: 'completed', result: null, reconciliation: RECONCILIATION }), WAKE]],
  'a verdict of completion with a result': [{ status: 'completed', lastRevision: 3, lease: CLOSED, outcome: { status: 'completed', result: [1], reconciliation: RECONCILIATION }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [told(3, { status: 'completed', result: [1], reconciliation: RECONCILIATION }), WAKE]],
  'the opening of a registry': [{}, []],
  'limits for a registry that is not open': [{}, []],
  'limits': [{}, []],
  'the retirement of an owner': [{ status: 'terminated', lastRevision: 3, lease: CLOSED, outcome: { status: 'terminated', reason: 'gone' }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [abort('ended'), told(3, { status: 'terminated', reason: 'gone' }), WAKE]],
  'the end of an owner': [{ status: 'terminated', lastRevision: 3, lease: CLOSED, outcome: { status: 'terminated', reason: 'over' }, sequence: 1, terminalRevision: 3, completedAt: 1_020 }, [abort('ended'), told(3, { status: 'terminated', reason: 'over' }), WAKE]],
  'a wait for all': [{ waitedFor: true, waits: ['w'] }, [{ type: 'ScheduleDeadline', waitId: 'w', at: 3_601_020 }]],
  'a wait of a run for any, until a time': [{ waitedFor: true, waits: ['w'] }, [{ type: 'ScheduleDeadline', waitId: 'w', at: 4_000 }]],
  'the cancel of a wait': [{ waits: [] }, [{ type: 'EndWait', waitId: 'w', ending: 'cancelled' }]],
  'a registration': [{ id: 'a', kind: 'k', kindFacts: KIND_FACTS, policy: DEFAULT_POLICY, number: 1, status: 'provisioning', registrationCommandId: 'command-1', joined: false, waitedFor: false, waits: [], attempt: 1, registeredAt: 1_000, progress: { count: 0, inAttempt: 0 }, phases: [], attention: [], contradictions: [], lastRevision: 1 }, [due('queued', 86_401_000)]],
  'a registration with all that it may say': [{ id: 'a', kind: 'phased', kindFacts: { ...KIND_FACTS, phases: ['read', 'write'] }, policy: DEFAULT_POLICY, key: 'key', retryOf: { id: 'z', number: 9 }, name: 'n', source: 's', input: { i: 1 }, labels: { l: 'v' }, number: 1, status: 'running', registrationCommandId: 'command-1', joined: false, waitedFor: false, waits: [], attempt: 1, registeredAt: 1_000, progress: { count: 0, inAttempt: 0 }, phases: [{ name: 'read', status: 'completed', result: { rows: 3 } }, { name: 'write', status: 'pending' }], attention: [], contradictions: [], lastRevision: 2, lease: { epoch: 2, open: true, claimant: WORKER }, startedAt: 1_000, claimedAt: 1_000 }, [due('queued', 86_401_000), due('first_sign', 86_401_000)]],
  'a registration with a claim of nobody in particular': [{ id: 'a', kind: 'k', kindFacts: KIND_FACTS, policy: DEFAULT_POLICY, number: 1, status: 'running', registrationCommandId: 'command-1', joined: false, waitedFor: false, waits: [], attempt: 1, registeredAt: 1_000, progress: { count: 0, inAttempt: 0 }, phases: [], attention: [], contradictions: [], lastRevision: 2, lease: { epoch: 2, open: true, claimant: { id: 'command-1' } }, startedAt: 1_000, claimedAt: 1_000 }, [due('queued', 86_401_000), due('first_sign', 86_401_000)]],
}

describe('an event changes what it tells, and asks for what follows', () => {
  test.each(Object.entries(ACCEPTED))('A1: %s', (what, [before, command]) => {
    const { next, effects } = before.when(command)
    const [changes, asked] = FOLDED[what as keyof typeof ACCEPTED]
    expect(changesOf(recordIn(before), recordIn(next))).toStrictEqual(changes)
    expect(effects).toStrictEqual(asked)
  })
})

type Kept = Operation | Tombstone | Record<string, never>

function recordIn({ state }: Specification): Kept {
  return state.operations.get('a') ?? state.tombstones.get('a') ?? {}
}

/** Field by field; where the record itself is gone, what is left of it. */
function changesOf(was: Kept, is: Kept): object {
  if ('registeredAt' in was && !('registeredAt' in is)) return { record: 'gone', ...is }
  const before = new Map(Object.entries(was))
  const after = new Map(Object.entries(is))
  const names = [...new Set([...before.keys(), ...after.keys()])]
  const isSame = (name: string) =>
    before.has(name) === after.has(name) && isDeepStrictEqual(before.get(name), after.get(name))
  return Object.fromEntries(
    names.filter((name) => !isSame(name)).map((name) => [name, after.has(name) ? after.get(name) : 'gone']),
  )
}
