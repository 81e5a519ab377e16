import { describe, expect, test } from 'vitest'
import type { Command, CommandOf } from '../../src/authority/commands.ts'
import { decide } from '../../src/authority/decide.ts'
import type { Limits } from '../../src/authority/events.ts'
import { effectsOf, evolve, fold } from '../../src/authority/evolve.ts'
import type { KindDefinitions } from '../../src/authority/kinds.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../src/authority/registry.ts'
import { plainOf, registryOf } from '../../src/authority/registry-snapshot.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'

const error = { message: 'broken' }
const kinds: KindDefinitions = {
  k: {},
  peered: { expectsPeer: true },
  silent: { feed: 'suppress' },
  discarded: { retention: 'discard' },
  waking: { wakeOwner: true },
}

const opened = (limits: Partial<Limits> = {}) => specification({ kinds, limits })
const register = (id: string, more: Partial<CommandOf<'RegisterOperation'>> = {}): Command => ({
  type: 'RegisterOperation',
  id,
  kind: 'k',
  ...more,
})
const claim = (id: string): Command => ({ type: 'ProvisioningSucceeded', id })
const epochOf = ({ state }: Specification, id: string) => state.operations.get(id)?.lease?.epoch
const complete = (before: Specification, id: string) =>
  before.given({ type: 'CompleteOperation', id, leaseEpoch: epochOf(before, id), result: id })
const effectTypes = (effects: readonly { readonly type: string }[]) => effects.map(({ type }) => type)

/** The six ways to end, each from where it may begin. */
const ENDINGS: Readonly<Record<string, (before: Specification) => Specification>> = {
  completed: (before) => complete(before.given(claim('a')), 'a'),
  failed: (before) => before.given({ type: 'ProvisioningFailed', id: 'a', error }),
  aborted: (before) => before.given({ type: 'AbortProvisioning', id: 'a' }),
  cancelled: (before) => before.given({ type: 'CancelOperation', id: 'a' }),
  retired: (before) => {
    const claimed = before.given(claim('a'), { type: 'RequestRetire', id: 'a' })
    return claimed.given({ type: 'MarkRetired', id: 'a', leaseEpoch: epochOf(claimed, 'a') })
  },
  terminated: (before) => before.given({ type: 'TerminateOwner', reason: 'over' }),
}

function deepFrozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFrozen(member)
  }
  return value
}

describe('deciding', () => {
  const before = opened().given(register('a', { claim: {} }), register('b'), {
    type: 'BeginWaitAll',
    waitId: 'w',
    ids: ['a'],
  })
  const stamped = {
    command: { type: 'CompleteOperation', id: 'a', leaseEpoch: epochOf(before, 'a'), result: { deep: [1] } },
    commandId: 'c',
    digest: 'd',
    at: before.at,
    resolved: {},
  } as const

  test('A1: gives the same for the same, and changes neither state nor command', () => {
    const plain = JSON.stringify(plainOf(before.state))
    const frozen = deepFrozen(stamped)
    expect(decide(deepFrozen(before.state), frozen)).toEqual(decide(before.state, frozen))
    expect(JSON.stringify(plainOf(before.state))).toBe(plain)
  })

  test('A1: effects follow from the event and the state before it, in their order', () => {
    const specified = before.when(stamped.command)
    const recorded = specified.next.history.at(-1)
    if (recorded === undefined) throw new Error('something was recorded')
    expect(effectsOf(before.state, recorded)).toEqual(specified.effects)
    expect(effectTypes(specified.effects)).toEqual(['NotifyWatchers', 'SatisfyWait', 'WakeFeed'])
    expect(plainOf(evolve(before.state, recorded))).toEqual(plainOf(specified.next.state))
  })

  test('A1: the fold of all events is the state, and a snapshot of it decides and folds on alike', () => {
    const after = complete(before, 'a')
    expect(plainOf(fold(EMPTY_REGISTRY, after.history))).toEqual(plainOf(after.state))
    expect(plainOf(registryOf(plainOf(before.state)))).toEqual(plainOf(before.state))
    expect(plainOf(fold(registryOf(plainOf(before.state)), after.history.slice(before.history.length)))).toEqual(
      plainOf(after.state),
    )
  })

  const refused: readonly Command[] = [
    register('a'),
    claim('nobody'),
    { type: 'CompleteOperation', id: 'a', leaseEpoch: 99 },
    { type: 'CompleteOperation', id: 'b' },
    { type: 'PeerReady', id: 'a', leaseEpoch: epochOf(before, 'a'), peer: 1 },
    { type: 'BeginWaitAll', waitId: 'w', ids: ['b'] },
    { type: 'CancelWait', waitId: 'other' },
    { type: 'OpenRegistry', limits: { maxConcurrent: 1 } },
    { type: 'RollbackRegistration', id: 'b', registrationCommandId: 'other' },
  ]
  test.each(refused)('A2: a refused $type leaves the state as it was, to the object', (command) => {
    const plain = JSON.stringify(plainOf(before.state))
    const specified = before.when(command)
    expect(specified.decision.type).toBe('rejected')
    expect([specified.effects, specified.next.history]).toEqual([[], before.history])
    expect(JSON.stringify(plainOf(specified.next.state))).toBe(plain)
  })
})

describe('admission', () => {
  const three = opened({ maxConcurrent: 3 }).given(
    register('a'),
    register('b', { claim: {} }),
    register('c', { claim: {} }),
    {
      type: 'RequestRetire',
      id: 'c',
    },
  )

  test('A5: provisioning, running and retiring count', () => {
    three.when(register('d')).thenRejects('max_concurrent_exceeded', {
      operationId: 'd',
      limit: 3,
      active: 3,
      command: 'RegisterOperation',
    })
  })

  test('A5: a limit given at registration replaces the registry’s for that call, never the ceiling', () => {
    expect(three.when(register('d', { maxConcurrent: 4 })).decision.type).toBe('accepted')
    expect(three.when(register('d', { maxConcurrent: null })).decision.type).toBe('accepted')
    three.when(register('d', { maxConcurrent: 2 })).thenRejects('max_concurrent_exceeded')
    opened({ activeCeiling: 1 })
      .given(register('a'))
      .when(register('b', { maxConcurrent: null }))
      .thenRejects('max_concurrent_exceeded', { operationId: 'b', limit: 1, active: 1, command: 'RegisterOperation' })
  })

  test('A5: zero refuses everything, null nothing', () => {
    opened({ maxConcurrent: 0 }).when(register('a')).thenRejects('max_concurrent_exceeded')
    const many = Array.from({ length: 500 }, (_, i) => register(`o${i}`))
    expect(opened({ maxConcurrent: null }).given(...many).state.activeCount).toBe(500)
  })

  test.each(Object.keys(ENDINGS))('A5: %s frees exactly one slot', (ending) => {
    const full = opened({ maxConcurrent: 1 }).given(register('a'))
    full.when(register('b')).thenRejects('max_concurrent_exceeded')
    const ended = (ENDINGS[ending] as (before: Specification) => Specification)(full)
    expect(ended.state.operations.get('a')?.status).toBe(ending)
    ended.given(register('b')).when(register('c')).thenRejects('max_concurrent_exceeded')
  })
})

describe('an operation', () => {
  test.each(Object.keys(ENDINGS))('A4: that is %s stays so, whatever comes', (ending) => {
    const ended = (ENDINGS[ending] as (before: Specification) => Specification)(opened().given(register('a')))
    const truth = ended.state.operations.get('a')
    const commands: readonly Command[] = [
      claim('a'),
      { type: 'CancelOperation', id: 'a' },
      { type: 'FailOperation', id: 'a', error, asOperator: true },
      { type: 'RequestCancel', id: 'a' },
      { type: 'MarkRetired', id: 'a', leaseEpoch: truth?.lease?.epoch },
      { type: 'CompleteOperation', id: 'a', leaseEpoch: truth?.lease?.epoch },
      { type: 'AbortProvisioning', id: 'a' },
      { type: 'TerminateOwner', reason: 'again' },
      { type: 'RecordContradiction', id: 'a', epoch: 7, claimed: ending === 'completed' ? 'failed' : 'completed' },
    ]
    for (const command of commands) {
      const now = ended.when(command).next.state.operations.get('a')
      expect([now?.status, now?.outcome, now?.sequence]).toEqual([truth?.status, truth?.outcome, truth?.sequence])
    }
    const facts = ended.history.filter(({ event }) => 'sequence' in event.facts || event.type === 'OwnerTerminated')
    expect(facts).toHaveLength(1)
  })

  test('A6: keeps count, last message, percent, processed and total of its progress', () => {
    const running = opened().given(register('a', { claim: {} }))
    const leaseEpoch = epochOf(running, 'a')
    const reported = running
      .after(10)
      .given(
        { type: 'ReportProgress', id: 'a', leaseEpoch, message: 'one', percent: 10, processed: 1, total: 10 },
        { type: 'ReportProgress', id: 'a', leaseEpoch, processed: 2 },
        { type: 'ReportProgress', id: 'a', leaseEpoch, message: 'three' },
      )
    expect(reported.state.operations.get('a')?.progress).toEqual({
      count: 3,
      inAttempt: 3,
      message: 'three',
      percent: 10,
      processed: 2,
      total: 10,
      lastAt: reported.at,
    })
  })

  test('A7: has its peer once, only when its kind expects one, and anew in each attempt', () => {
    const before = opened().given(register('a', { kind: 'peered', claim: {}, policy: { retry: { maxAttempts: 2 } } }))
    const leaseEpoch = epochOf(before, 'a')
    expect(before.state.operations.get('a')).not.toHaveProperty('peer')
    const ready = before.when({ type: 'PeerReady', id: 'a', leaseEpoch, peer: { url: 'x' } })
    ready.thenEffects({ type: 'ExposePeer', id: 'a', number: 1, peer: { url: 'x' } })
    expect(ready.next.state.operations.get('a')?.peer).toEqual({ url: 'x' })
    ready.next.when({ type: 'PeerReady', id: 'a', leaseEpoch, peer: 2 }).thenRejects('already_peer_ready')
    complete(ready.next, 'a')
      .when({ type: 'PeerReady', id: 'a', leaseEpoch, peer: 2 })
      .thenRejects('already_peer_ready')
    const again = ready.next.given({ type: 'RetryAttempt', id: 'a', leaseEpoch, error, notBeforeAt: 0 })
    expect(again.state.operations.get('a')).not.toHaveProperty('peer')
    opened()
      .given(register('b', { claim: {} }))
      .when({ type: 'PeerReady', id: 'b', leaseEpoch: 2, peer: 1 })
      .thenRejects('peer_not_expected')
  })

  test('A22: has times in their order though the wall clock steps back, and its events keep the times as stamped', () => {
    const back = opened().given(register('a')).after(-500).given(claim('a')).after(-500)
    const ended = complete(back, 'a')
    const { registeredAt, startedAt, completedAt } = ended.state.operations.get('a') ?? {}
    expect([startedAt, completedAt]).toEqual([registeredAt, registeredAt])
    const stamps = ended.history.slice(1).map(({ metadata }) => metadata.at - (registeredAt ?? 0))
    expect(stamps).toEqual([0, -500, -1_000])
  })

  test('A23: is told from an earlier life of its id by number and epoch, also when the tombstone is forgotten', () => {
    const limits = { maxCompleted: 1, tombstones: 1 }
    const first = complete(opened(limits).given(register('a', { claim: {} })), 'a')
    const epoch = first.state.operations.get('a')?.lease?.epoch
    const buried = complete(first.given(register('b', { claim: {} })), 'b')
    buried.when(register('a')).thenRejects('already_registered')
    const forgotten = complete(buried.given(register('c', { claim: {} })), 'c')
    const second = forgotten.given(register('a', { claim: {} }))
    const life = second.state.operations.get('a')
    expect(life?.number).toBeGreaterThan(first.state.operations.get('a')?.number ?? 0)
    expect(life?.lease?.epoch).toBeGreaterThan(epoch ?? 0)
    second.when({ type: 'CompleteOperation', id: 'a', leaseEpoch: epoch }).thenRejects('stale_lease')
  })

  test('A25: begins with labels, key, policy, input and a claim in one command', () => {
    const policy = { cancelGraceMs: 5 }
    const specified = opened().when(
      register('a', {
        labels: { team: 'x' },
        key: 'k1',
        policy,
        input: { rows: 3 },
        name: 'N',
        source: 'S',
        claim: { claimant: { id: 'w' } },
      }),
    )
    const events = specified.decision.type === 'accepted' ? specified.decision.events : []
    expect(events.map(({ type }) => type)).toEqual(['OperationRegistered', 'OperationStarted'])
    expect(specified.next.state.operations.get('a')).toMatchObject({
      labels: { team: 'x' },
      key: 'k1',
      policy: { cancelGraceMs: 5 },
      input: { rows: 3 },
      name: 'N',
      source: 'S',
      status: 'running',
      lease: { epoch: 2, claimant: { id: 'w' }, open: true },
    })
  })
})

describe('the end of an owner', () => {
  test.each([10_000, 100_000])(
    'A10: is one event for %i live operations, within one append',
    { timeout: 60_000 },
    (live) => {
      let state: RegistryState = opened({ maxCompleted: 10, tombstones: 100 }).state
      const { kindFacts, policy } = registeredFacts()
      const metadata = {
        commandType: 'RegisterOperation',
        commandDigest: '',
        index: 0,
        count: 1,
        at: 1,
        actor: 'a',
        ruleset: 1,
      }
      const registrations = Array.from({ length: live }, (_, i) => ({
        revision: 1 + i,
        event: {
          type: 'OperationRegistered',
          facts: { id: `o${i}`, kind: 'k', kindFacts, policy },
          content: {},
        } as const,
        metadata: { ...metadata, commandId: `c${i}` },
      }))
      state = fold(state, registrations)
      expect(state.activeCount).toBe(live)
      const decision = decide(state, {
        command: { type: 'TerminateOwner', reason: 'the tenant left' },
        commandId: 'end',
        digest: '',
        at: 2,
        resolved: {},
      })
      if (decision.type !== 'accepted') throw new Error(decision.type)
      const [event, ...others] = decision.events
      expect([event?.type, others]).toEqual(['OwnerTerminated', []])
      expect(JSON.stringify(event).length).toBeLessThan(960 * 1024)
      const recorded = {
        revision: live + 1,
        event: event as NonNullable<typeof event>,
        metadata: { ...metadata, commandId: 'end' },
      }
      const effects = effectTypes(effectsOf(state, recorded))
      expect(effects.slice(0, live).every((type) => type === 'NotifyWatchers')).toBe(true)
      expect(effects.slice(live)).toEqual(['WakeFeed', ...Array(live - 10).fill('EvictRecord')])
      const after = evolve(state, recorded)
      expect([after.activeCount, after.sequence, after.retained.size, after.tombstones.size]).toEqual([
        0,
        live,
        10,
        100,
      ])
    },
  )

  test('A10: tells everybody the caller’s reason, in order, and leaves what has ended as it was', () => {
    const before = complete(
      opened().given(register('a', { claim: {} }), register('b', { claim: {} }), register('c')),
      'a',
    ).given({
      type: 'BeginWaitAny',
      waitId: 'w',
      ids: ['c', 'b'],
    })
    const specified = before.when({ type: 'TerminateOwner', reason: 'over' })
    const outcome = { status: 'terminated', reason: 'over' } as const
    const revision = before.state.revision + 1
    specified.thenEffects(
      { type: 'AbortAttempt', number: 3, id: 'b', leaseEpoch: 4, cause: 'ended' },
      { type: 'NotifyWatchers', number: 3, id: 'b', sequence: 2, revision, outcome },
      { type: 'NotifyWatchers', number: 5, id: 'c', sequence: 3, revision, outcome },
      { type: 'SatisfyWait', waitId: 'w' },
      { type: 'WakeFeed', watermark: 3, wakeOwner: false },
    )
    expect(specified.next.state.operations.get('a')?.outcome).toEqual({ status: 'completed', result: 'a' })
    specified.next.when({ type: 'TerminateOwner', reason: 'again' }).thenUnchanged()
  })

  test('A11: once retired it refuses every mutation but terminate, collect and the cancel of a wait', () => {
    const retired = complete(opened().given(register('a', { claim: {} })), 'a').given({
      type: 'RetireOwner',
      reason: 'gone',
    })
    const mutations: readonly Command[] = [
      register('b'),
      claim('a'),
      { type: 'ChangeLimits', limits: {} },
      { type: 'RecordSigns', signs: [[1, 1]] },
    ]
    for (const command of mutations) retired.when(command).thenRejects('owner_retired')
    retired.when({ type: 'RetireOwner', reason: 'again' }).thenUnchanged()
    retired.when({ type: 'TerminateOwner', reason: 'again' }).thenUnchanged()
    expect(retired.when({ type: 'BeginWaitAll', ids: ['a'] }).decision).toMatchObject({
      type: 'unchanged',
      wait: { ending: 'satisfied' },
    })
    retired.when({ type: 'BeginWaitAll', ids: ['nobody'] }).thenRejects('owner_retired')
    expect(retired.when({ type: 'CollectCompleted' }).decision.type).toBe('accepted')
  })
})

function registeredFacts() {
  const event = opened().given(register('a')).history.at(-1)?.event
  if (event?.type !== 'OperationRegistered') throw new Error('a registration registers')
  return event.facts
}

describe('what is kept', () => {
  const ended = (ids: readonly string[], limits: Partial<Limits>) =>
    ids.reduce((before, id) => complete(before.given(register(id, { claim: {} })), id), opened(limits))

  test('A12: the oldest completion goes first, after its watchers were told, and one is always kept', () => {
    const before = ended(['a', 'b'], { maxCompleted: 2 }).given(register('c', { claim: {} }))
    const specified = before.when({ type: 'CompleteOperation', id: 'c', leaseEpoch: epochOf(before, 'c') })
    expect(effectTypes(specified.effects)).toEqual(['NotifyWatchers', 'WakeFeed', 'EvictRecord'])
    expect(specified.effects.at(-1)).toMatchObject({ id: 'a' })
    expect([...specified.next.state.retained]).toEqual(['b', 'c'])
    expect([...ended(['a', 'b', 'c'], { maxCompleted: 0 }).state.retained]).toEqual(['c'])
  })

  test('A13: collecting takes all that is retained, once, in completion order', () => {
    const before = ended(['a', 'b', 'c'], { maxCompleted: 2 })
    const specified = before.when({ type: 'CollectCompleted' })
    specified.thenEvents({ type: 'CompletedCollected', facts: { fromSequence: 2, throughSequence: 3 }, content: {} })
    expect(specified.effects.map((effect) => ('id' in effect ? effect.id : ''))).toEqual(['b', 'c'])
    specified.next.when({ type: 'CollectCompleted' }).thenUnchanged()
  })

  test('A15: feed rows have a bound of their own, which collecting never touches', () => {
    const { state } = ended(['a', 'b', 'c'], { feedRetention: 2 }).given({ type: 'CollectCompleted' })
    expect([[...state.feed].map(({ sequence }) => sequence), state.feedDroppedThrough, state.sequence]).toEqual([
      [2, 3],
      1,
      3,
    ])
  })

  test('A16: kinds rule feed, wake and retention', () => {
    const end = (kind: string) => {
      const before = opened().given(register('a', { kind, claim: {} }))
      const specified = before.when({ type: 'CompleteOperation', id: 'a', leaseEpoch: epochOf(before, 'a') })
      const { feed, retained, tombstones, sequence } = specified.next.state
      return {
        effects: effectTypes(specified.effects),
        feed: feed.size,
        retained: retained.size,
        tombstones: tombstones.size,
        sequence,
      }
    }
    expect(end('silent')).toEqual({ effects: ['NotifyWatchers'], feed: 0, retained: 1, tombstones: 0, sequence: 1 })
    expect(end('discarded')).toEqual({
      effects: ['NotifyWatchers', 'WakeFeed', 'EvictRecord'],
      feed: 1,
      retained: 0,
      tombstones: 1,
      sequence: 1,
    })
    const waking = opened()
      .given(register('a', { kind: 'waking' }))
      .when({ type: 'CancelOperation', id: 'a' })
    expect(waking.effects.at(-1)).toEqual({ type: 'WakeFeed', watermark: 1, wakeOwner: true })
  })

  const relied: readonly (readonly [string, Specification, string])[] = [
    ['another command registered it', opened().given(register('a')), 'other'],
    ['it was claimed', opened().given(register('a'), claim('a')), 'command-1'],
    [
      'another registration joined it',
      opened().given(register('a', { key: 'x' }), register('b', { key: 'x' })),
      'command-1',
    ],
    [
      'a wait relies on it',
      opened().given(register('a'), { type: 'BeginWaitAll', waitId: 'w', ids: ['a'] }),
      'command-1',
    ],
  ]
  test.each(relied)('A14: a registration is not rolled back when %s', (why, before, registrationCommandId) => {
    const { decision } = before.when({ type: 'RollbackRegistration', id: 'a', registrationCommandId })
    expect(decision).toMatchObject({ rejection: { code: 'rollback_refused', facts: { why } } })
  })

  test('A14: one that nobody relies on leaves nothing: slot, key and id are free', () => {
    const before = opened({ maxConcurrent: 1 }).given(register('a', { key: 'x' }))
    const rolledBack = before.when({ type: 'RollbackRegistration', id: 'a', registrationCommandId: 'command-1' })
    rolledBack.thenEffects({ type: 'CloseWatchers', number: 1, id: 'a', reason: 'rolled_back' })
    expect(rolledBack.next.when(register('a', { key: 'x' })).decision.type).toBe('accepted')
  })
})

describe('waits', () => {
  const three = opened().given(register('a', { claim: {} }), register('b', { claim: {} }), register('c', { claim: {} }))
  const all = (ids: readonly string[], waitId = 'w'): Command => ({ type: 'BeginWaitAll', waitId, ids: [...ids] })

  test('A9: keep the order asked and the revision at which each member ended, through eviction and collection', () => {
    const waiting = three.given(
      { type: 'ChangeLimits', limits: { maxCompleted: 1, tombstones: 1 } },
      all(['c', 'a', 'b']),
    )
    const ended = complete(complete(waiting, 'b').given({ type: 'CollectCompleted' }), 'a')
    const last = ended.when({ type: 'FailOperation', id: 'c', leaseEpoch: epochOf(ended, 'c'), error })
    expect(effectTypes(last.effects)).toContain('SatisfyWait')
    const wait = last.next.state.endedWaits.get('w')
    expect(wait?.members.map(({ id }) => id)).toEqual(['c', 'a', 'b'])
    expect(wait?.members.map(({ number }) => wait.reached.has(number))).toEqual([true, true, true])
  })

  test('A9: an empty list and members that have all ended are answered at once, and nothing is stored', () => {
    three.when(all([])).thenUnchanged()
    const specified = complete(three, 'a').when(all(['a']))
    expect(specified.decision).toMatchObject({ type: 'unchanged', wait: { ending: 'satisfied' } })
  })

  test('A9: name the first repeated id, then the first unknown one', () => {
    three.when(all(['a', 'x', 'b', 'b', 'a'])).thenRejects('duplicate_wait_operation', {
      operationId: 'b',
      waitId: 'w',
      command: 'BeginWaitAll',
    })
    three
      .when(all(['a', 'y', 'x']))
      .thenRejects('not_found', { operationId: 'y', waitId: 'w', command: 'BeginWaitAll' })
  })

  test('A9: a known wait id attaches with the same ids, and conflicts with others, active or ended', () => {
    const waiting = three.given(all(['a', 'b']))
    expect(waiting.when(all(['a', 'b'])).decision).toMatchObject({ type: 'unchanged', wait: { waitId: 'w' } })
    waiting.when(all(['b', 'a'])).thenRejects('wait_id_conflict')
    const ended = complete(complete(waiting, 'a'), 'b')
    expect(ended.when(all(['a', 'b'])).decision).toMatchObject({ type: 'unchanged', wait: { ending: 'satisfied' } })
    ended.when(all(['c'])).thenRejects('wait_id_conflict')
  })

  test('A9: a strict barrier refuses a second wait until the first is over', () => {
    const barrier = three.given({ type: 'ChangeLimits', limits: { maxActiveWaits: 1 } }, all(['a']))
    barrier.when(all(['b'], 'v')).thenRejects('wait_already_active')
    expect(barrier.given({ type: 'CancelWait', waitId: 'w' }).when(all(['b'], 'v')).decision.type).toBe('accepted')
  })

  test('A9: expire at their deadline, not before, and other waits are untouched', () => {
    const waiting = three.given(
      { type: 'BeginWaitAll', waitId: 'w', ids: ['a'], deadlineAt: three.at + 100 },
      all(['a'], 'other'),
    )
    waiting.after(99).when({ type: 'ExpireWait', waitId: 'w' }).thenRejects('not_due')
    const expired = waiting.after(100).when({ type: 'ExpireWait', waitId: 'w' })
    expired.thenEffects({ type: 'EndWait', waitId: 'w', ending: 'expired' })
    expect([...expired.next.state.waits.values()].map(({ waitId }) => waitId)).toEqual(['other'])
    expired.next.when({ type: 'ExpireWait', waitId: 'w' }).thenRejects('wait_not_active')
  })
})
