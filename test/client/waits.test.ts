import { describe, expect, test } from 'vitest'
import { WaitCancelled, WaitExpired } from '../../src/client/operation-errors.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { freshFolder, opened, openedAt, refusalOf, STORES, thrownBy } from './support/opened-verdict.ts'

const registered = (verdict: Verdict, ...ids: string[]) => Promise.all(ids.map((id) => verdict.register('k', { id })))

describe.each(STORES)('waiting for one operation, on %s', (store) => {
  test('tells any number of watchers the same outcome once, late ones at once', async () => {
    const verdict = await opened(store)
    const [handle] = await registered(verdict, 'a')
    const watchers = Array.from({ length: 20 }, () => verdict.operation('a').outcome())
    await handle?.cancel({ reason: 'enough' })
    const outcome = { status: 'cancelled', reason: 'enough' }
    expect(await Promise.all(watchers)).toEqual(watchers.map(() => outcome))
    expect(await verdict.operation('a').outcome()).toEqual(outcome)
  })

  test('tells the true outcome of one that was let go long ago', async () => {
    const verdict = await opened(store, { limits: { maxCompleted: 1 } })
    for (const id of ['a', 'b', 'c']) await verdict.execute('k', { id }, () => `result of ${id}`)
    expect(await verdict.operations.get('a')).toBeUndefined()
    expect((await verdict.owner('default').overview()).retained).toBe(1)
    expect(await verdict.operation('a').outcome()).toEqual({ status: 'completed', result: 'result of a' })
    expect(await verdict.operation('a').result()).toBe('result of a')
  })
})

describe('waiting for one operation', () => {
  test('ends with the reason of its signal, and the operation goes on', async () => {
    const verdict = await opened()
    await registered(verdict, 'a')
    const stop = new AbortController()
    const waiting = thrownBy(verdict.operation('a').outcome({ signal: stop.signal }))
    stop.abort(new Error('no patience'))
    expect(await waiting).toMatchObject({ message: 'no patience' })
    expect(await thrownBy(verdict.operation('a').result({ signal: AbortSignal.abort('no') }))).toBe('no')
    expect((await verdict.operations.get('a'))?.status).toBe('provisioning')
  })

  test('of a registration that is rolled back ends with a closed channel, never with an invented outcome', async () => {
    const verdict = await opened()
    const [handle] = await registered(verdict, 'a')
    const waiting = thrownBy(verdict.operation('a').outcome())
    // The watcher is in its place before the registration goes.
    await expect.poll(async () => (await verdict.operations.get('a'))?.watchers).toBe(1)
    await handle?.rollback()
    expect(await waiting).toMatchObject({ name: 'ChannelClosed', reason: 'rolled_back' })
  })
})

describe.each(STORES)('waiting for many, on %s', (store) => {
  test('gives the outcomes in the order asked, failures as data', async () => {
    const verdict = await opened(store)
    const handles = await Promise.all([
      verdict.start('k', { id: 'a' }, () => 'first'),
      verdict.start('k', { id: 'b' }, () => {
        throw new Error('broken')
      }),
      verdict.register('k', { id: 'c' }),
    ])
    const waiting = verdict.waitAll([handles[2], 'b', handles[0]])
    await handles[2].abort()
    expect(await waiting).toEqual([
      { status: 'aborted' },
      { status: 'failed', error: { message: 'broken' } },
      { status: 'completed', result: 'first' },
    ])
  })

  test('for any gives the first one with its place', async () => {
    const verdict = await opened(store)
    const [, b] = await registered(verdict, 'a', 'b')
    const waiting = verdict.waitAny(['a', 'b'])
    await b?.cancel()
    expect(await waiting).toEqual({ id: 'b', index: 1, outcome: { status: 'cancelled' } })
  })

  test('for none is answered at once', async () => {
    const verdict = await opened(store)
    expect(await verdict.waitAll([])).toEqual([])
    expect(await verdict.waitAny([])).toBeUndefined()
  })
})

describe('waiting for many', () => {
  test('survives that members are let go and collected meanwhile', async () => {
    const verdict = await opened('memory', { limits: { maxCompleted: 1 } })
    const handles = await registered(verdict, 'a', 'b', 'c')
    const waiting = verdict.waitAll(['a', 'b', 'c'])
    await handles[0]?.cancel({ reason: '1' })
    await handles[1]?.cancel({ reason: '2' })
    await verdict.owner('default').collect()
    await handles[2]?.cancel({ reason: '3' })
    expect((await waiting).map((outcome) => 'reason' in outcome && outcome.reason)).toEqual(['1', '2', '3'])
  })

  test('goes on in another process: whoever comes back with its id gets the answer', async () => {
    const file = `${freshFolder()}/verdict.db`
    const first = await openedAt(file)
    const [a] = await registered(first, 'a', 'b')
    const lost = thrownBy(first.waitAll(['a', 'b'], { waitId: 'w' }))
    await expect.poll(async () => (await first.owner('default').overview()).waits).toBe(1)
    await a?.cancel()
    await first.close()
    expect(await lost).toMatchObject({ name: 'ChannelClosed', reason: 'shutdown' })

    const second = await openedAt(file)
    const waiting = second.waitAll(['a', 'b'], { waitId: 'w' })
    await second.operation('b').cancel({ reason: 'late' })
    const outcomes = [{ status: 'cancelled' }, { status: 'cancelled', reason: 'late' }]
    expect(await waiting).toEqual(outcomes)
    expect(await second.waitAll(['a', 'b'], { waitId: 'w' })).toEqual(outcomes)
    expect(await refusalOf(second.waitAll(['a'], { waitId: 'w' }))).toMatchObject({ code: 'wait_id_conflict' })
  })

  test('refuses what is named twice, what is not there, and a second wait at a strict barrier', async () => {
    const verdict = await opened('memory', { limits: { maxActiveWaits: 1 } })
    await registered(verdict, 'a', 'b')
    expect(await refusalOf(verdict.waitAll(['a', 'b', 'a']))).toMatchObject({
      code: 'duplicate_wait_operation',
      facts: { operationId: 'a' },
    })
    expect(await refusalOf(verdict.waitAny(['a', 'ghost']))).toMatchObject({
      code: 'not_found',
      facts: { operationId: 'ghost' },
    })
    const barrier = verdict.waitAll(['a'])
    await expect.poll(async () => (await verdict.owner('default').overview()).waits).toBe(1)
    expect(await refusalOf(verdict.waitAll(['b']))).toMatchObject({ code: 'wait_already_active' })
    await verdict.operation('a').cancel()
    expect(await barrier).toEqual([{ status: 'cancelled' }])
  })

  test('refuses operations of several owners, and takes the owner of its handles', async () => {
    const verdict = await opened()
    const [a, b] = await Promise.all([
      verdict.register('k', { id: 'a', owner: 'one' }),
      verdict.register('k', { id: 'b', owner: 'two' }),
    ])
    expect(await refusalOf(verdict.waitAll([a, b]))).toMatchObject({
      code: 'invalid_command',
      facts: {
        path: 'operations.1',
        expected: "an operation of owner one in workspace default: a wait is one owner's",
      },
    })
    await a.cancel()
    expect(await verdict.waitAll([a])).toEqual([{ status: 'cancelled' }])
    expect(await verdict.waitAll(['a'], { owner: 'one' })).toEqual([{ status: 'cancelled' }])
  })

  test('ends at its deadline with what had ended by then', async () => {
    const clock = new HandMovedClock()
    const verdict = await opened('memory', { clock })
    const [a] = await registered(verdict, 'a', 'b')
    const waiting = thrownBy(verdict.waitAll(['a', 'b'], { waitId: 'w', deadline: clock.now() + 60_000 }))
    await clock.advance(1_000)
    await a?.cancel()
    await clock.advance(60_000)
    const thrown = await waiting
    expect(thrown).toBeInstanceOf(WaitExpired)
    expect(thrown).toMatchObject({
      message: 'wait w expired with 1 of 2 operations unfinished',
      wait: { waitId: 'w', ending: 'expired', members: [{ id: 'a', outcome: { status: 'cancelled' } }, { id: 'b' }] },
    })
  })

  test('ends for everybody when it is cancelled', async () => {
    const verdict = await opened()
    await registered(verdict, 'a')
    const waiting = thrownBy(verdict.waitAll(['a'], { waitId: 'w' }))
    await expect.poll(async () => (await verdict.owner('default').overview()).waits).toBe(1)
    await verdict.owner('default').cancelWait('w')
    const thrown = await waiting
    expect(thrown).toBeInstanceOf(WaitCancelled)
    expect(thrown).toMatchObject({ wait: { waitId: 'w', ending: 'cancelled' } })
  })

  test('is cancelled by its signal, which is what it throws', async () => {
    const verdict = await opened()
    await registered(verdict, 'a')
    const stop = new AbortController()
    const waiting = thrownBy(verdict.waitAll(['a'], { waitId: 'w', signal: stop.signal }))
    await expect.poll(async () => (await verdict.owner('default').overview()).waits).toBe(1)
    stop.abort('enough')
    expect(await waiting).toBe('enough')
    expect((await verdict.owner('default').overview()).waits).toBe(0)
  })
})
