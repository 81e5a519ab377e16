import { describe, expect, test } from 'vitest'
import { decodeEvent } from '../../src/event-store/event-codec.ts'
import { createMemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { faulty, Hold } from './support/faulty-store.ts'
import {
  answered,
  codeOf,
  hasEnded,
  type NodeOptions,
  OWNER,
  openShell,
  refused,
  running,
  storedIn,
  turns,
  typesIn,
} from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }
const cancel = (id: string) => ({ type: 'CancelOperation', id })

async function cancelled(shell: ReturnType<typeof openShell>, ...names: string[]) {
  for (const id of names) {
    await answered(shell, { ...REGISTER, id })
    await answered(shell, cancel(id))
  }
}

describe('a retired owner', () => {
  test('refuses every mutation but terminate, collect and cancel of a wait; reads work; repeating is a no-op', async () => {
    const shell = openShell()
    await cancelled(shell, 'a')
    await answered(shell, { ...REGISTER, id: 'b' })
    expect(await answered(shell, { type: 'RetireOwner', reason: 'over' })).toMatchObject({ changed: true })
    expect(await answered(shell, { type: 'RetireOwner', reason: 'over' })).toMatchObject({ changed: false })
    expect(await shell.outcome(OWNER, 'b')).toMatchObject({
      answer: { outcome: { status: 'terminated', reason: 'over' } },
    })
    for (const command of [
      { ...REGISTER, id: 'c' },
      cancel('a'),
      { type: 'RequestRetire', id: 'b' },
      { type: 'ChangeLimits', limits: {} },
    ]) {
      expect(await codeOf(shell, command)).toBe('owner_retired')
    }
    expect(await answered(shell, { type: 'TerminateOwner', reason: 'r' })).toMatchObject({ changed: false })
    expect(await shell.wait(OWNER, { mode: 'all', ids: ['a', 'b'] })).toMatchObject({ answer: { ending: 'satisfied' } })
    expect(await codeOf(shell, { type: 'CancelWait', waitId: 'w' })).toBe('wait_not_active')
    expect(await shell.overview(OWNER)).toMatchObject({ retired: true, active: 0 })
    expect(await shell.collect(OWNER)).toMatchObject({ answer: { operations: [{ id: 'a' }, { id: 'b' }] } })
  })
})

describe('retention', () => {
  test.each([
    [2, ['b', 'c']],
    [1, ['c']],
    [0, ['c']],
  ])('of %i keeps the newest completions whole', async (maxCompleted, kept) => {
    const shell = openShell({ limits: { maxCompleted } })
    await cancelled(shell, 'a', 'b', 'c')
    expect((await shell.list(OWNER)).map(({ id }) => id)).toEqual(kept)
    expect(await codeOf(shell, { ...REGISTER, id: 'a' })).toBe('already_registered')
  })
})

describe('collecting', () => {
  test('gives the retained ones in completion order, once; a lost answer again under its command id, also after a restart', async () => {
    const log = createMemoryLog()
    const shell = openShell({ store: openMemoryStore({ log }) })
    for (const id of ['a', 'b', 'c']) await answered(shell, { ...REGISTER, id, input: { id } })
    for (const id of ['b', 'c', 'a']) await answered(shell, cancel(id))
    const first = await shell.collect(OWNER, { commandId: 'collect-1' })
    expect(first).toMatchObject({
      answer: { operations: [{ id: 'b', outcome: { status: 'cancelled' } }, { id: 'c' }, { id: 'a' }] },
    })
    expect(await shell.collect(OWNER, { commandId: 'collect-1' })).toEqual(first)
    expect(await shell.collect(OWNER, { commandId: 'collect-2' })).toMatchObject({ answer: { operations: [] } })
    await shell.close()
    const restarted = openShell({ store: openMemoryStore({ log }) })
    expect(await restarted.collect(OWNER, { commandId: 'collect-1' })).toEqual(first)
    expect(await restarted.list(OWNER)).toEqual([])
  })
})

describe('rolling back a registration', () => {
  test.each<[string, (shell: ReturnType<typeof openShell>) => Promise<unknown>]>([
    ['claimed', (shell) => answered(shell, { type: 'ProvisioningSucceeded', id: 'a' })],
    ['joined', (shell) => answered(shell, { ...REGISTER, id: 'b', key: 'k' })],
    ['waited for', async (shell) => void shell.wait(OWNER, { mode: 'all', ids: ['a'] }).catch(() => undefined)],
  ])('is refused once it is %s', async (_, rely) => {
    const shell = openShell()
    await answered(shell, { ...REGISTER, id: 'a', key: 'k' }, { commandId: 'r' })
    await rely(shell)
    await turns()
    expect(await codeOf(shell, { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'r' })).toBe(
      'rollback_refused',
    )
  })

  test('frees the slot, the key and the id', async () => {
    const shell = openShell({ limits: { maxConcurrent: 1 } })
    await answered(shell, { ...REGISTER, id: 'a', key: 'k' }, { commandId: 'r' })
    await answered(shell, { type: 'RollbackRegistration', id: 'a', registrationCommandId: 'r' })
    expect(await answered(shell, { ...REGISTER, id: 'a', key: 'k' })).toMatchObject({ changed: true })
  })
})

describe('the completion feed', () => {
  const page = async (shell: ReturnType<typeof openShell>, after: number) => shell.completions(OWNER, { after })

  test('numbers each end, gives entries and watermark of one moment, and answers a typed gap below its rows', async () => {
    const shell = openShell({ limits: { feedRetention: 2 } })
    await cancelled(shell, 'a', 'b', 'c')
    expect(await page(shell, 1)).toMatchObject({
      answer: {
        type: 'entries',
        entries: [
          { sequence: 2, id: 'b' },
          { sequence: 3, id: 'c' },
        ],
        watermark: 3,
      },
    })
    expect(await page(shell, 0)).toEqual({
      type: 'answered',
      answer: { type: 'gap', requestedAfter: 0, droppedThrough: 1, watermark: 3 },
    })
    expect(await page(shell, 4)).toMatchObject({ rejection: { code: 'cursor_ahead' } })
    await shell.collect(OWNER)
    expect(await page(shell, 2)).toMatchObject({ answer: { entries: [{ sequence: 3 }] } })
  })

  test.each([-1, 0.5, Number.NaN, '1', undefined])('refuses to begin after %s', async (after) => {
    expect(await openShell().completions(OWNER, { after: after as number })).toMatchObject({
      type: 'refused',
      rejection: { code: 'invalid_command', facts: { path: 'after' } },
    })
  })

  test('wakes whoever waits, also for an entry that lands while it registers', async () => {
    const shell = openShell()
    for (let i = 0; i < 100; i++) {
      await answered(shell, { ...REGISTER, id: `o${i}` })
      const ended = shell.send(OWNER, cancel(`o${i}`))
      for (let turn = 0; turn < i % 12; turn++) await Promise.resolve()
      const waited = await shell.completions(OWNER, { after: i, wait: true })
      expect(waited).toMatchObject({ answer: { entries: [{ sequence: i + 1, id: `o${i}` }] } })
      await ended
    }
  })

  test('ends a wait with the reason of its signal', async () => {
    const abort = new AbortController()
    const waiting = openShell().completions(OWNER, { after: 0, wait: true, signal: abort.signal })
    await turns()
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  const KINDS = {
    quiet: { feed: 'suppress', wakeOwner: false },
    gone: { retention: 'discard' },
    waking: { wakeOwner: true },
  } as NonNullable<NodeOptions['kinds']>

  test('leaves no row for a kind that is suppressed, which is no gap, and tells who is to be woken', async () => {
    const shell = openShell({ kinds: KINDS })
    for (const kind of ['quiet', 'waking', 'quiet']) {
      const { operationId } = await answered(shell, { type: 'RegisterOperation', kind })
      await answered(shell, cancel(operationId as string))
    }
    expect(await page(shell, 0)).toMatchObject({
      answer: { entries: [{ sequence: 2, wakeOwner: true }], watermark: 3 },
    })
  })

  test('outlives a kind that discards: never retained, never collected, its outcome known', async () => {
    const shell = openShell({ kinds: KINDS })
    await answered(shell, { type: 'RegisterOperation', kind: 'gone', id: 'a' })
    const watcher = shell.outcome(OWNER, 'a')
    await turns()
    await answered(shell, cancel('a'))
    expect(await watcher).toMatchObject({ answer: { status: 'cancelled' } })
    expect(await shell.list(OWNER)).toEqual([])
    expect(await shell.collect(OWNER)).toMatchObject({ answer: { operations: [] } })
    expect(await shell.outcome(OWNER, 'a')).toMatchObject({ answer: { status: 'cancelled' } })
    expect(await page(shell, 0)).toMatchObject({ answer: { entries: [{ id: 'a' }] } })
  })

  test('has named cursors: only forward, never ahead, at most 64, the same on every node and after a restart', async () => {
    const log = createMemoryLog()
    const here = openShell({ store: openMemoryStore({ log }) })
    const there = openShell({ store: openMemoryStore({ log }) })
    await cancelled(here, 'a', 'b', 'c')
    expect(await here.cursor(OWNER, 'mail')).toBe(0)
    expect(await here.moveCursor(OWNER, 'mail', 2)).toEqual({ type: 'answered', answer: { sequence: 2 } })
    expect(await there.moveCursor(OWNER, 'mail', 1)).toEqual({ type: 'answered', answer: { sequence: 2 } })
    expect(await there.moveCursor(OWNER, 'mail', 4)).toMatchObject({ rejection: { code: 'cursor_ahead' } })
    await Promise.all([here.moveCursor(OWNER, 'mail', 3), there.moveCursor(OWNER, 'mail', 3)])
    await here.close()
    expect(await openShell({ store: openMemoryStore({ log }) }).cursor(OWNER, 'mail')).toBe(3)
    for (let i = 1; i < 64; i++) await there.moveCursor(OWNER, `consumer-${i}`, 1)
    expect(await there.moveCursor(OWNER, 'one-more', 1)).toMatchObject({ rejection: { code: 'too_many_cursors' } })
    expect(await there.moveCursor(OWNER, 'bad\n', 1)).toMatchObject({ rejection: { code: 'invalid_command' } })
  })
})

describe('the same command id', () => {
  test('has one effect and one answer, also after a restart; rejections are decided anew', async () => {
    const log = createMemoryLog()
    const shell = openShell({ store: openMemoryStore({ log }), limits: { maxConcurrent: 1 } })
    const first = await answered(shell, { ...REGISTER, claim: {} }, { commandId: 'one' })
    expect(await codeOf(shell, { ...REGISTER, id: 'b' }, { commandId: 'two' })).toBe('max_concurrent_exceeded')
    await answered(shell, { type: 'CompleteOperation', id: first.operationId, leaseEpoch: first.leaseEpoch })
    expect(await codeOf(shell, { ...REGISTER, id: 'b' }, { commandId: 'two' })).toBe('answered')
    await shell.close()
    const restarted = openShell({ store: openMemoryStore({ log }) })
    const again = await answered(restarted, { ...REGISTER, claim: {} }, { commandId: 'one' })
    const { operationId, number, leaseEpoch, revision, changed } = first
    expect(again).toMatchObject({ operationId, number, leaseEpoch, revision, changed, status: 'completed' })
    expect(await codeOf(restarted, { ...REGISTER, id: 'c' }, { commandId: 'one' })).toBe('command_id_reused')
  })
})

describe('views', () => {
  test('tell everything that registration gave: labels, key, policy, input and claim in the one call', async () => {
    const shell = openShell()
    const claimant = { id: 'w', host: 'h', pid: 7, version: '1' }
    await answered(shell, {
      ...REGISTER,
      id: 'a',
      name: 'Report',
      source: 'nightly',
      input: { n: 1 },
      labels: { team: 'x' },
      key: 'k',
      policy: { staleAfterMs: 120_000 },
      claim: { claimant },
    })
    expect(await shell.snapshot(OWNER, 'a')).toMatchObject({
      ...OWNER,
      id: 'a',
      kind: 'test',
      name: 'Report',
      source: 'nightly',
      labels: { team: 'x' },
      status: 'running',
      attempt: 1,
      watchers: 0,
    })
  })

  test('of unknown owners are empty, and store nothing', async () => {
    const store = openMemoryStore()
    const shell = openShell({ store })
    expect(await shell.list(OWNER)).toEqual([])
    expect(await shell.snapshot(OWNER, 'a')).toBeUndefined()
    expect(await shell.history(OWNER, 'a')).toEqual([])
    expect(await shell.outcome(OWNER, 'a')).toMatchObject({ rejection: { code: 'not_found' } })
    expect(await answered(shell, { type: 'TerminateOwner', reason: 'r' })).toMatchObject({
      changed: false,
      revision: -1,
    })
    expect(await storedIn(store)).toEqual([])
  })
})

test('a wall clock that steps back makes no elapsed time negative and reorders no stamp', async () => {
  const clock = new HandMovedClock()
  const shell = openShell({ clock })
  const epoch = await running(shell, 'a')
  clock.step(-3_600_000)
  await answered(shell, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })
  const {
    registeredAt,
    startedAt = 0,
    completedAt = 0,
    elapsedMs,
  } = (await shell.snapshot(OWNER, 'a')) ?? expect.fail()
  expect(registeredAt).toBeLessThanOrEqual(startedAt)
  expect(startedAt).toBeLessThanOrEqual(completedAt)
  expect(elapsedMs).toBe(0)
})

test('a clock that knows fractions of a millisecond writes a history that can be read again', async () => {
  const log = createMemoryLog()
  const clock = new HandMovedClock(1_000_000.5)
  const shell = openShell({ clock, store: openMemoryStore({ log }) })
  await cancelled(shell, 'a')
  await shell.moveCursor(OWNER, 'mail', 1)
  const restarted = openShell({ clock, store: openMemoryStore({ log }) })
  expect(await restarted.list(OWNER)).toMatchObject([{ id: 'a', completedAt: 1_000_000 }])
  expect(await restarted.cursor(OWNER, 'mail')).toBe(1)
})

test('a worker of an earlier life of an id never passes, and its late word goes on record', async () => {
  const store = openMemoryStore()
  const shell = openShell({ store, limits: { tombstones: 1, maxCompleted: 1 } })
  const epoch = await running(shell, 'a')
  await answered(shell, { type: 'CancelOperation', id: 'a' })
  const late = { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch, result: 'done' }
  expect(await refused(shell, late)).toMatchObject({
    code: 'already_terminal',
    facts: { outcome: { status: 'cancelled' } },
  })
  await turns()
  expect(await refused(shell, late)).toMatchObject({ code: 'already_terminal' })
  await turns()
  expect((await typesIn(store)).filter((type) => type === 'ContradictionRecorded')).toHaveLength(1)
  await cancelled(shell, 'b', 'c', 'd')
  const second = await running(shell, 'a')
  expect(second).toBeGreaterThan(epoch)
  expect(await refused(shell, late)).toMatchObject({ code: 'stale_lease', facts: { currentStatus: 'running' } })
})

test('every event tells actor, command, correlation, causation and trace', async () => {
  const store = openMemoryStore()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const thread = { correlationId: 'co', causationId: 'ca', traceparent }
  const options = { commandId: 'c', actor: 'ann', onBehalfOf: 'customer 7', ...thread }
  await answered(openShell({ store }), { ...REGISTER, id: 'a' }, options)
  for (const { metadata } of (await storedIn(store)).map(decodeEvent)) {
    expect(metadata).toMatchObject({ ...options, commandType: 'RegisterOperation', count: 2, ruleset: 1 })
  }
})

test('effects run in their order, after the append and before the answer', async () => {
  const shell = openShell({ limits: { maxCompleted: 1 } })
  await cancelled(shell, 'old')
  const epoch = await running(shell, 'a')
  const order: string[] = []
  shell.onLease(OWNER, { id: 'a', leaseEpoch: epoch }, (cause) => order.push(`lease ${cause}`))
  const told = [
    shell.outcome(OWNER, 'a').then(() => order.push('watcher')),
    shell.wait(OWNER, { mode: 'all', ids: ['a'] }).then(() => order.push('wait')),
    shell.completions(OWNER, { after: 1, wait: true }).then(() => order.push('feed')),
  ]
  await turns()
  await shell.send(OWNER, { type: 'FailOperation', id: 'a', error: { message: 'no' }, asOperator: true })
  await Promise.all(told)
  expect(order[0]).toBe('lease ended')
  expect(new Set(order)).toEqual(new Set(['lease ended', 'watcher', 'wait', 'feed']))
})

test("a listener that throws takes nobody's answer away", async () => {
  const shell = openShell()
  const a = await running(shell, 'a')
  const thrown: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', (error) => thrown.push(error))
  shell.onLease(OWNER, { id: 'a', leaseEpoch: a }, () => {
    throw new Error('my own mistake')
  })
  await turns()
  expect(
    await Promise.all(['a', 'b'].map((id) => codeOf(shell, id === 'a' ? cancel('a') : { ...REGISTER, id }))),
  ).toEqual(['answered', 'answered'])
  await turns()
  for (const listener of listeners) process.on('uncaughtException', listener)
  expect(thrown).toMatchObject([{ message: 'my own mistake' }])
})

test('more commands than the queue holds are refused as overloaded, and the others are answered', async () => {
  const store = faulty(openMemoryStore())
  const shell = openShell({ store, settings: { commandsQueuedMax: 10 } })
  await running(shell, 'a')
  const hold = new Hold()
  store.faults.push({ type: 'held', hold, stored: 'after' })
  const sent = Array.from({ length: 15 }, (_, i) => codeOf(shell, { ...REGISTER, id: `b${i}` }))
  expect(await Promise.all(sent.slice(10))).toEqual(Array(5).fill('overloaded'))
  hold.open()
  expect(await Promise.all(sent.slice(0, 10))).toEqual(Array(10).fill('answered'))
})

test('a command that loses sixteen races is told so', async () => {
  const log = createMemoryLog()
  const store = faulty(openMemoryStore({ log }))
  const clock = new HandMovedClock()
  const shell = openShell({ store, clock })
  const rival = openShell({ store: openMemoryStore({ log }), clock })
  await running(shell, 'a')
  const append = store.append
  let races = 0
  store.append = async (...args) => {
    await answered(rival, { ...REGISTER, id: `rival-${races++}` })
    return append(...args)
  }
  const lost = codeOf(shell, { ...REGISTER, id: 'b' })
  for (let i = 0; i < 40 && !(await hasEnded(lost)); i++) await clock.advance(1_000)
  expect(await lost).toBe('contention')
  expect(races).toBe(16)
  store.append = append
  const next = codeOf(shell, { ...REGISTER, id: 'b' })
  await clock.advance(1_000)
  expect(await next).toBe('answered')
})

test('a lease is told its end on a node that hears of it from another, and at once when it is over already', async () => {
  const log = createMemoryLog()
  const here = openShell({ store: openMemoryStore({ log }) })
  const there = openShell({ store: openMemoryStore({ log }) })
  await here.list(OWNER)
  const epoch = await running(there, 'a')
  const causes: string[] = []
  here.onLease(OWNER, { id: 'a', leaseEpoch: epoch }, (cause) => causes.push(cause))
  await turns()
  expect(causes).toEqual([])
  await answered(there, { type: 'RequestCancel', id: 'a' })
  await turns()
  expect(causes).toEqual(['cancel_requested'])
  await answered(there, cancel('a'))
  await turns()
  expect(causes).toEqual(['cancel_requested', 'ended'])
  here.onLease(OWNER, { id: 'a', leaseEpoch: epoch }, (cause) => causes.push(`late ${cause}`))
  await turns()
  expect(causes.at(-1)).toBe('late ended')
})

test('whoever listens late for a lease whose id lives again hears that its own life has ended', async () => {
  const shell = openShell({ limits: { maxCompleted: 1, tombstones: 0 } })
  const epoch = await running(shell, 'a')
  await answered(shell, cancel('a'))
  await running(shell, 'b')
  await answered(shell, cancel('b'))
  await running(shell, 'a')
  const causes: string[] = []
  shell.onLease(OWNER, { id: 'a', leaseEpoch: epoch }, (cause) => causes.push(cause))
  await turns()
  expect(causes).toEqual(['ended'])
})
