import { describe, expect, test, vi } from 'vitest'
import { createMemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { answered, hasEnded, OWNER, openShell, openTestSqlite, refused, running, turns } from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }
const COMPLETED = { status: 'completed', result: { n: 1 } }

describe('watchers', () => {
  test('many of one operation are told the same true outcome, once, and late ones at once', async () => {
    const shell = openShell()
    const epoch = await running(shell, 'a')
    const watching = Array.from({ length: 50 }, () => shell.outcome(OWNER, 'a'))
    await turns()
    expect(await shell.snapshot(OWNER, 'a')).toMatchObject({ watchers: 50 })
    await answered(shell, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch, result: { n: 1 } })
    const told = { type: 'answered', answer: { status: 'completed', outcome: COMPLETED } }
    for (const watcher of watching) expect(await watcher).toEqual(told)
    expect(await shell.outcome(OWNER, 'a')).toEqual(told)
    expect(await shell.snapshot(OWNER, 'a')).toMatchObject({ watchers: 0 })
  })

  test('of many operations at once are told by place, once, until they leave; what is lost is told as lost', async () => {
    const shell = openShell({ limits: { maxCompleted: 1 } })
    const done = async (id: string, leaseEpoch: number) =>
      answered(shell, { type: 'CompleteOperation', id, leaseEpoch, result: { n: 1 } })
    for (const id of ['gone', 'kept']) await done(id, await running(shell, id))
    const a = await running(shell, 'a')
    await running(shell, 'b')
    const ids = ['a', 'gone', 'nobody', 'kept', 'a', 'b']
    const watch = async (signal: AbortSignal) => {
      const told: unknown[][] = ids.map(() => [])
      await shell.watchOutcomes(OWNER, ids, (place, one) => told[place]?.push(one), signal)
      return told
    }
    const left = new AbortController()
    const leaving = await watch(left.signal)
    const staying = await watch(new AbortController().signal)
    expect(await shell.snapshot(OWNER, 'a')).toMatchObject({ watchers: 4 })
    left.abort()
    expect(await shell.snapshot(OWNER, 'a')).toMatchObject({ watchers: 2 })
    const ended = { type: 'answered', answer: { status: 'completed', outcome: COMPLETED } }
    const unknown = { type: 'refused', rejection: expect.objectContaining({ code: 'not_found' }) }
    expect(leaving).toEqual([[], [ended], [unknown], [ended], [], []])
    await done('a', a)
    expect(staying).toEqual([[ended], [ended], [unknown], [ended], [ended], []])
    await shell.close()
    const lost = { type: 'lost', error: expect.objectContaining({ name: 'ChannelClosed' }) }
    expect(staying).toEqual([[ended], [ended], [unknown], [ended], [ended], [lost]])
    expect(leaving).toEqual([[], [ended], [unknown], [ended], [], []])
    await expect(watch(new AbortController().signal)).rejects.toMatchObject({ name: 'ChannelClosed' })
  })

  test('of an evicted operation are told its outcome from the log', async () => {
    const shell = openShell({ limits: { maxCompleted: 1 } })
    for (const id of ['a', 'b', 'c']) {
      const epoch = await running(shell, id)
      await answered(shell, { type: 'CompleteOperation', id, leaseEpoch: epoch, result: { n: 1 } })
    }
    expect(await shell.snapshot(OWNER, 'a')).toBeUndefined()
    expect(await shell.outcome(OWNER, 'a')).toEqual({
      type: 'answered',
      answer: { status: 'completed', outcome: COMPLETED },
    })
  })

  test('are told with retention 1 and more live operations than retention holds when the owner is terminated', async () => {
    const shell = openShell({ limits: { maxCompleted: 1 } })
    const ids = Array.from({ length: 20 }, (_, i) => `operation-${i}`)
    for (const id of ids) await answered(shell, { ...REGISTER, id })
    const watching = ids.map((id) => shell.outcome(OWNER, id))
    await turns()
    await answered(shell, { type: 'TerminateOwner', reason: 'the house burns' })
    const outcome = { status: 'terminated', reason: 'the house burns' }
    for (const watcher of watching)
      expect(await watcher).toEqual({ type: 'answered', answer: { status: 'terminated', outcome } })
  })

  test('of a registration that is rolled back get channel_closed with that reason', async () => {
    const shell = openShell()
    await answered(shell, { ...REGISTER, id: 'a' }, { commandId: 'registration' })
    const watcher = shell.outcome(OWNER, 'a')
    await turns()
    await answered(shell, { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'registration' })
    await expect(watcher).rejects.toMatchObject({ code: 'channel_closed', reason: 'rolled_back' })
    expect(await refused(shell, { ...REGISTER, id: 'a' }, { commandId: 'registration' })).toMatchObject({
      code: 'registration_rolled_back',
    })
  })

  test('get channel_closed at shutdown, and later ones at once', async () => {
    const shell = openShell()
    await running(shell, 'a')
    const watcher = shell.outcome(OWNER, 'a')
    await turns()
    const closing = shell.close()
    await expect(watcher).rejects.toMatchObject({ code: 'channel_closed', reason: 'shutdown' })
    await closing
    await expect(shell.outcome(OWNER, 'a')).rejects.toMatchObject({ code: 'channel_closed', reason: 'shutdown' })
  })

  test('end with the reason of their signal, and the operation does not', async () => {
    const shell = openShell()
    await running(shell, 'a')
    const abort = new AbortController()
    const watcher = shell.outcome(OWNER, 'a', abort.signal)
    await turns()
    abort.abort(new Error('enough'))
    await expect(watcher).rejects.toThrow('enough')
    expect(await shell.snapshot(OWNER, 'a')).toMatchObject({ status: 'running', watchers: 0 })
  })

  test('on one node are told what another node decided', async () => {
    const log = createMemoryLog()
    const here = openShell({ store: openMemoryStore({ log }) })
    const there = openShell({ store: openMemoryStore({ log }) })
    const epoch = await running(there, 'a')
    const watcher = here.outcome(OWNER, 'a')
    await turns()
    await answered(there, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch, result: { n: 1 } })
    expect(await watcher).toEqual({ type: 'answered', answer: { status: 'completed', outcome: COMPLETED } })
  })

  test('never miss an end that lands while they look the operation up', async () => {
    const shell = openShell()
    for (let i = 0; i < 200; i++) {
      const epoch = await running(shell, `operation-${i}`)
      const ended = shell.send(OWNER, { type: 'CompleteOperation', id: `operation-${i}`, leaseEpoch: epoch })
      for (let turn = 0; turn < i % 12; turn++) await Promise.resolve()
      expect(await shell.outcome(OWNER, `operation-${i}`)).toMatchObject({ answer: { status: 'completed' } })
      await ended
    }
  })
})

describe('10,000 live operations are terminated at once', () => {
  test.each([
    ['in memory', async () => openMemoryStore()],
    ['in a file', () => openTestSqlite()],
  ])(
    '%s: one event, and every watcher and wait is told the reason',
    async (_, open) => {
      const shell = openShell({ store: await open(), limits: { maxConcurrent: null } })
      const ids = Array.from({ length: 10_000 }, (_, i) => `operation-${i}`)
      for (let from = 0; from < ids.length; from += 1_000) {
        await Promise.all(ids.slice(from, from + 1_000).map((id) => answered(shell, { ...REGISTER, id })))
      }
      const ended = ids.pop() as string
      await answered(shell, { type: 'CancelOperation', id: ended })
      const watching = ids.map((id) => shell.outcome(OWNER, id))
      const all = shell.wait(OWNER, { mode: 'all', ids })
      const any = shell.wait(OWNER, { mode: 'any', ids: ids.slice(5, 10) })
      // A file takes its time: both waits are on record before anything ends.
      await vi.waitFor(async () => expect((await shell.overview(OWNER)).waits).toBe(2), { timeout: 20_000 })
      const { revision } = await shell.overview(OWNER)
      const answer = await answered(shell, { type: 'TerminateOwner', reason: 'enough' })
      expect(answer).toMatchObject({ terminated: 9_999, changed: true, revision: revision + 1 })
      const outcome = { status: 'terminated', reason: 'enough' }
      for (const watcher of watching)
        expect(await watcher).toEqual({ type: 'answered', answer: { status: 'terminated', outcome } })
      const waited = await all
      expect(waited.type === 'answered' && waited.answer.members.map(({ id, outcome: told }) => [id, told])).toEqual(
        ids.map((id) => [id, outcome]),
      )
      expect(await any).toMatchObject({ type: 'answered', answer: { ending: 'satisfied', winner: ids[5] } })
      expect(await shell.outcome(OWNER, ended)).toMatchObject({ answer: { status: 'cancelled' } })
      expect(await answered(shell, { type: 'TerminateOwner', reason: 'again' })).toMatchObject({ changed: false })
      await shell.close()
    },
    60_000,
  )
})

describe('waits', () => {
  async function three() {
    const clock = new HandMovedClock()
    const log = createMemoryLog()
    const shell = openShell({ clock, store: openMemoryStore({ log }) })
    for (const id of ['a', 'b', 'c']) await answered(shell, { ...REGISTER, id })
    return { clock, log, shell }
  }
  const cancel = (id: string) => ({ type: 'CancelOperation', id })
  const CANCELLED = { outcome: { status: 'cancelled' } }

  test('for all keep the order asked, with any outcomes', async () => {
    const { shell } = await three()
    const waiting = shell.wait(OWNER, { mode: 'all', ids: ['c', 'a'] })
    await turns()
    await answered(shell, { type: 'FailOperation', id: 'a', error: { message: 'no' } })
    expect(await hasEnded(waiting)).toBe(false)
    await answered(shell, cancel('c'))
    expect(await waiting).toMatchObject({
      answer: {
        ending: 'satisfied',
        members: [
          { id: 'c', ...CANCELLED },
          { id: 'a', outcome: { status: 'failed' } },
        ],
      },
    })
  })

  test('for any name the first to end, and then the first asked for', async () => {
    const { shell } = await three()
    const waiting = shell.wait(OWNER, { mode: 'any', ids: ['a', 'b', 'c'] })
    await turns()
    await answered(shell, cancel('b'))
    expect(await waiting).toMatchObject({ answer: { winner: 'b' } })
    await answered(shell, cancel('a'))
    expect(await shell.wait(OWNER, { mode: 'any', ids: ['a', 'b'] })).toMatchObject({ answer: { winner: 'b' } })
  })

  test('for nothing and for what has ended are reads that store nothing', async () => {
    const { shell } = await three()
    await answered(shell, cancel('a'))
    const { revision } = await shell.overview(OWNER)
    expect(await shell.wait(OWNER, { mode: 'all', ids: [] })).toMatchObject({
      answer: { ending: 'satisfied', members: [] },
    })
    expect(await shell.wait(OWNER, { mode: 'all', ids: ['a'] })).toMatchObject({ answer: { members: [CANCELLED] } })
    expect(await shell.overview(OWNER)).toMatchObject({ revision })
  })

  test.each([
    ['repeat an id', ['a', 'b', 'a'], 'duplicate_wait_operation'],
    ['name an unknown id', ['a', 'x', 'y'], 'not_found'],
  ])('that %s are refused', async (_, ids, code) => {
    const { shell } = await three()
    expect(await shell.wait(OWNER, { mode: 'all', ids })).toMatchObject({ type: 'refused', rejection: { code } })
  })

  test('are refused one at a time in a strict barrier', async () => {
    const shell = openShell({ limits: { maxActiveWaits: 1 } })
    await answered(shell, { ...REGISTER, id: 'a' })
    const first = shell.wait(OWNER, { mode: 'all', ids: ['a'] })
    await turns()
    expect(await shell.wait(OWNER, { mode: 'all', ids: ['a'] })).toMatchObject({
      rejection: { code: 'wait_already_active' },
    })
    await answered(shell, cancel('a'))
    expect(await first).toMatchObject({ answer: { ending: 'satisfied' } })
  })

  test('expire at their deadline and tell who had ended by then', async () => {
    const { clock, shell } = await three()
    const waiting = shell.wait(OWNER, { mode: 'all', ids: ['a', 'b'], deadlineAt: clock.now() + 5_000 })
    await turns()
    await answered(shell, cancel('b'))
    await clock.advance(4_999)
    expect(await hasEnded(waiting)).toBe(false)
    await clock.advance(1)
    expect(await waiting).toMatchObject({
      answer: { ending: 'expired', members: [{ id: 'a' }, { id: 'b', ...CANCELLED }] },
    })
  })

  test('are neither hung nor failed by retention and collection of their members', async () => {
    const shell = openShell({ limits: { maxCompleted: 1 } })
    for (const id of ['a', 'b', 'c']) await answered(shell, { ...REGISTER, id })
    const waiting = shell.wait(OWNER, { mode: 'all', ids: ['a', 'b', 'c'] })
    await turns()
    await answered(shell, cancel('a'))
    await answered(shell, cancel('b'))
    await answered(shell, { type: 'CollectCompleted' })
    await answered(shell, cancel('c'))
    expect(await waiting).toMatchObject({ answer: { members: [CANCELLED, CANCELLED, CANCELLED] } })
  })

  test('outlive their node: whoever comes back with the wait id gets the answer, on any node', async () => {
    const { log, shell } = await three()
    const lost = shell.wait(OWNER, { mode: 'all', ids: ['a', 'b'], waitId: 'mine' })
    await turns()
    await answered(shell, cancel('a'))
    const closing = shell.close()
    await expect(lost).rejects.toMatchObject({ code: 'channel_closed' })
    await closing
    const second = openShell({ store: openMemoryStore({ log }) })
    const third = openShell({ store: openMemoryStore({ log }) })
    const back = second.wait(OWNER, { mode: 'all', ids: ['a', 'b'], waitId: 'mine' })
    await turns()
    await answered(third, cancel('b'))
    expect(await back).toMatchObject({
      answer: { waitId: 'mine', ending: 'satisfied', members: [CANCELLED, CANCELLED] },
    })
    expect(await third.wait(OWNER, { mode: 'all', ids: ['a', 'b'], waitId: 'mine' })).toEqual(await back)
    expect(await third.wait(OWNER, { mode: 'all', ids: ['b', 'a'], waitId: 'mine' })).toMatchObject({
      rejection: { code: 'wait_id_conflict' },
    })
  })

  test('are cancelled by an abort, others are not touched', async () => {
    const { shell } = await three()
    const abort = new AbortController()
    const mine = shell.wait(OWNER, { mode: 'all', ids: ['a'], signal: abort.signal })
    const other = shell.wait(OWNER, { mode: 'all', ids: ['a'] })
    await turns()
    expect(await shell.overview(OWNER)).toMatchObject({ waits: 2 })
    abort.abort(new Error('enough'))
    await expect(mine).rejects.toThrow('enough')
    expect(await shell.overview(OWNER)).toMatchObject({ waits: 1 })
    await answered(shell, cancel('a'))
    expect(await other).toMatchObject({ answer: { ending: 'satisfied' } })
  })
})
