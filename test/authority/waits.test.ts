import { describe, expect, test } from 'vitest'
import type { Command } from '../../src/authority/commands.ts'
import { firstWaitDeadline, winnerOf } from '../../src/authority/registry.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'
import { waitView } from '../../src/authority/wait-view.ts'

const AT = 1_000
const IDS = ['a', 'b', 'c']
const three = IDS.reduce<Specification>(
  (before, id) => before.given({ type: 'RegisterOperation', id, kind: 'k' }),
  specification({ at: AT }),
)
const wait = (mode: 'All' | 'Any', waitId: string, ids: readonly string[], more = {}): Command => ({
  type: `BeginWait${mode}`,
  waitId,
  ids: [...ids],
  ...more,
})
const cancel = (id: string): Command => ({ type: 'CancelOperation', id })
const waitsOf = ({ state }: Specification) => IDS.map((id) => state.operations.get(id)?.waits)
const seen = ({ state }: Specification, waitId: string) => {
  const found = state.waits.get(waitId) ?? state.endedWaits.get(waitId)
  return found === undefined ? undefined : waitView(found)
}

describe('a wait', () => {
  test('A9: for all hears of every member, ends with the last, and is shown at each step', () => {
    const waiting = three.given(wait('All', 'w', ['c', 'a'], { runId: 'r', deadlineAt: 5_000 }))
    const members = [
      { id: 'c', number: 3 },
      { id: 'a', number: 1 },
    ]
    expect(seen(waiting, 'w')).toStrictEqual({ waitId: 'w', mode: 'all', runId: 'r', members, deadlineAt: 5_000 })
    const half = waiting.when(cancel('a'))
    expect(half.effects.map(({ type }) => type)).toEqual(['NotifyWatchers', 'WakeFeed'])
    expect(seen(half.next, 'w')?.members).toStrictEqual([members[0], { ...members[1], terminalRevision: 5 }])
    const whole = half.next.when(cancel('c'))
    expect(whole.effects).toContainEqual({ type: 'SatisfyWait', waitId: 'w' })
    expect(seen(whole.next, 'w')).toStrictEqual({
      waitId: 'w',
      mode: 'all',
      runId: 'r',
      members: [
        { id: 'c', number: 3, terminalRevision: 6 },
        { id: 'a', number: 1, terminalRevision: 5 },
      ],
      deadlineAt: 5_000,
      ending: 'satisfied',
    })
  })

  test('A9: for any ends with the first, and holds those that go on no longer, whatever else waits for them', () => {
    const waiting = three.given(wait('Any', 'w', ['c', 'a', 'b']), wait('All', 'v', ['c', 'b']))
    expect(waitsOf(waiting)).toEqual([['w'], ['w', 'v'], ['w', 'v']])
    const ended = waiting.when(cancel('b'))
    expect(ended.effects).toContainEqual({ type: 'SatisfyWait', waitId: 'w' })
    expect(waitsOf(ended.next)).toEqual([[], [], ['v']])
    expect(seen(ended.next, 'w')).toMatchObject({ ending: 'satisfied', winner: 'b' })
    const after = ended.next.given(cancel('a'), cancel('c'))
    expect(after.state.endedWaits.get('w')?.reached.size).toBe(1)
    expect(seen(after, 'v')).toMatchObject({ ending: 'satisfied' })
    expect(seen(after, 'v')).not.toHaveProperty('winner')
  })

  test('A9: for any of those that one event ends has the first in the order asked for its winner', () => {
    const ended = three.given(wait('Any', 'w', ['c', 'a'])).given({ type: 'TerminateOwner', reason: 'over' })
    expect(seen(ended, 'w')).toMatchObject({ winner: 'c' })
    const earlier = three.given(cancel('a'), cancel('c')).when(wait('Any', 'w', ['c', 'b', 'a'])).decision
    if (earlier.type !== 'unchanged' || earlier.wait === undefined) throw new Error('it is satisfied at once')
    expect(winnerOf(earlier.wait)).toBe(1)
    expect(waitView(earlier.wait)).toMatchObject({
      ending: 'satisfied',
      winner: 'a',
      members: [{ id: 'c' }, { id: 'b' }, { id: 'a' }],
    })
    const { wait: kept } = three.given(cancel('a')).when(wait('Any', 'w', ['a'], { runId: 'r', deadlineAt: 5_000 }))
      .decision as Extract<typeof earlier, { type: 'unchanged' }>
    expect(kept).toMatchObject({
      runId: 'r',
      mode: 'any',
      beganAt: AT,
      deadlineAt: 5_000,
      revision: 4,
      endedRevision: 4,
    })
    expect(three.given(cancel('a')).when(wait('All', 'w', ['a'])).decision).not.toHaveProperty('wait.runId')
  })

  test('A9: counts a member that ended before, retained or collected, and is told of the others only', () => {
    const before = three.given(cancel('a'), { type: 'CollectCompleted' }, cancel('b'))
    const waiting = before.given(wait('All', 'w', ['a', 'b', 'c']))
    expect(seen(waiting, 'w')?.members).toStrictEqual([
      { id: 'a', number: 1, terminalRevision: 4 },
      { id: 'b', number: 2, terminalRevision: 6 },
      { id: 'c', number: 3 },
    ])
    expect(waitsOf(waiting)).toEqual([undefined, [], ['w']])
    expect(waiting.state.operations.get('b')?.waitedFor).toBe(false)
  })

  test('A9: that is cancelled or expires lets go of its members, and of nothing else', () => {
    const waiting = three.given(
      wait('All', 'w', ['a', 'b'], { deadlineAt: 2_000 }),
      wait('All', 'v', ['b', 'c']),
      cancel('a'),
    )
    const cancelled = waiting.given({ type: 'CancelWait', waitId: 'w' })
    expect(waitsOf(cancelled)).toEqual([[], ['v'], ['v']])
    expect(seen(cancelled, 'w')).toMatchObject({ ending: 'cancelled' })
    const expired = waiting.after(1_000).when({ type: 'ExpireWait', waitId: 'w' })
    expired.thenEffects({ type: 'EndWait', waitId: 'w', ending: 'expired' })
    expect(waitsOf(expired.next)).toEqual([[], ['v'], ['v']])
    expect(seen(expired.next, 'w')).toMatchObject({ ending: 'expired' })
    expect(waitsOf(three.given(wait('Any', 'x', ['a', 'b']), { type: 'CancelWait', waitId: 'x' }))).toEqual([
      [],
      [],
      [],
    ])
  })

  test('A9: leaves a later life of a member alone', () => {
    const lives = specification({ at: AT, limits: { maxCompleted: 1, tombstones: 1 } }).given(
      { type: 'RegisterOperation', id: 'b', kind: 'k' },
      { type: 'RegisterOperation', id: 'a', kind: 'k' },
      wait('All', 'w', ['a', 'b'], { deadlineAt: 2_000 }),
      cancel('a'),
      { type: 'RegisterOperation', id: 'x', kind: 'k' },
      cancel('x'),
      { type: 'RegisterOperation', id: 'y', kind: 'k' },
      cancel('y'),
      { type: 'RegisterOperation', id: 'a', kind: 'k' },
      wait('Any', 'later', ['a']),
    )
    expect(lives.state.operations.get('a')?.number).toBeGreaterThan(2)
    expect(waitsOf(lives.given({ type: 'CancelWait', waitId: 'w' }))).toEqual([['later'], [], undefined])
    const both = lives.given(wait('Any', 'both', ['a', 'b']))
    expect(waitsOf(both.given(cancel('b')))).toEqual([['later'], [], undefined])
  })

  test('A9: is remembered, oldest first forgotten, at most so many', () => {
    const limited = three.given({ type: 'ChangeLimits', limits: { endedWaits: 2 } })
    const ended = ['u', 'v', 'w'].reduce<Specification>(
      (before, waitId) => before.given(wait('All', waitId, ['a']), { type: 'CancelWait', waitId }),
      limited,
    )
    expect([...ended.state.endedWaits.values()].map(({ waitId }) => waitId).sort()).toEqual(['v', 'w'])
    expect([...ended.state.endedWaitOrder]).toEqual(['v', 'w'])
  })

  test('A9: is the same under its id with the same mode and ids, and no other', () => {
    const waiting = three.given(wait('All', 'w', ['a', 'b']))
    expect(waiting.when(wait('All', 'w', ['a', 'b'])).decision).toMatchObject({ wait: { waitId: 'w' } })
    const others: readonly Command[] = [
      wait('Any', 'w', ['a', 'b']),
      wait('All', 'w', ['a']),
      wait('All', 'w', ['a', 'b', 'c']),
      wait('All', 'w', ['a', 'c']),
    ]
    for (const other of others) waiting.when(other).thenRejects('wait_id_conflict')
  })

  test('A9: that names somebody twice is refused, though all of them have ended', () => {
    three
      .given(cancel('a'))
      .when(wait('Any', 'w', ['a', 'a']))
      .thenRejects('duplicate_wait_operation')
    three
      .given(cancel('a'))
      .when(wait('Any', 'w', ['a', 'x']))
      .thenRejects('not_found')
  })
})

describe('waits whose deadline passed without a word', () => {
  const expiring = three
    .given({ type: 'ChangeLimits', limits: { maxActiveWaits: 3 } })
    .given(wait('All', 'third', ['a'], { deadlineAt: 3_000 }), wait('All', 'first', ['a'], { deadlineAt: 1_500 }))
    .given(wait('All', 'second', ['a'], { deadlineAt: 3_000 }))

  test('A9: end with the next one that begins, the longest passed first, and count no more', () => {
    const began = expiring.after(2_000).when(wait('All', 'next', ['a'], { deadlineAt: 9_000 }))
    began.thenEvents(
      { type: 'WaitExpired', facts: { waitId: 'first' }, content: {} },
      { type: 'WaitExpired', facts: { waitId: 'third' }, content: {} },
      { type: 'WaitExpired', facts: { waitId: 'second' }, content: {} },
      { type: 'WaitBegan', facts: { waitId: 'next', mode: 'all', numbers: [1], deadlineAt: 9_000 }, content: {} },
    )
    expect(began.next.state.waitsExpireFrom).toBe(9_000)
  })

  test('A9: end at their very time, and not before', () => {
    expiring
      .after(499)
      .when(wait('All', 'next', ['a']))
      .thenRejects('wait_already_active')
    const began = expiring.after(500).when(wait('All', 'next', ['a'], { deadlineAt: 9_000 }))
    expect(began.decision).toMatchObject({ events: [{ facts: { waitId: 'first' } }, { type: 'WaitBegan' }] })
    expect(began.next.state.waitsExpireFrom).toBe(3_000)
  })

  test('A9: are looked for from the first deadline on', () => {
    expect(three.state.waitsExpireFrom).toBe(Number.POSITIVE_INFINITY)
    expect(expiring.state.waitsExpireFrom).toBe(1_500)
    expect(firstWaitDeadline(expiring.state.waits)).toBe(1_500)
    const over = expiring.given({ type: 'CancelWait', waitId: 'first' })
    expect(over.state.waitsExpireFrom).toBe(1_500)
    expect(
      over.after(400).given({ type: 'CancelWait', waitId: 'third' }, wait('All', 'w', ['a'])).state.waitsExpireFrom,
    ).toBe(1_500)
    expect(
      over.after(500).given({ type: 'CancelWait', waitId: 'third' }, wait('All', 'w', ['a'])).state.waitsExpireFrom,
    ).toBe(3_000)
  })

  test('A9: end as many as one append takes for sure', () => {
    const many = Array.from({ length: 257 }, (_, i) => `w${i}`).reduce<Specification>(
      (before, waitId) => before.given(wait('All', waitId, ['a'], { deadlineAt: 1_500 })),
      three,
    )
    const { decision } = many.after(500).when(wait('All', 'next', ['a']))
    expect(decision.type === 'accepted' && decision.events.length).toBe(257)
  })
})
