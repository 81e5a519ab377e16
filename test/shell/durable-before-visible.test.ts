import { describe, expect, test } from 'vitest'
import { createMemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { faulty, Hold } from './support/faulty-store.ts'
import { answered, codeOf, foldedFrom, hasEnded, OWNER, openShell, running, turns, typesIn } from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }

function node() {
  const log = createMemoryLog()
  const store = faulty(openMemoryStore({ log }))
  const clock = new HandMovedClock()
  return { log, store, clock, shell: openShell({ store, clock }) }
}

describe('while an append hangs', () => {
  test('neither answers, rejections, reads, watchers nor the feed show what it holds', async () => {
    const { store, shell } = node()
    const epoch = await running(shell, 'a')
    const watcher = shell.outcome(OWNER, 'a')
    const feed = shell.completions(OWNER, { after: 0, wait: true })
    await turns()
    const hold = new Hold()
    store.faults.push({ type: 'held', hold, stored: 'after' })
    const completed = shell.send(OWNER, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })
    await hold.arrived
    const again = shell.send(OWNER, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })
    const next = shell.send(OWNER, { ...REGISTER, id: 'b' })
    expect(await shell.snapshot(OWNER, 'a')).toMatchObject({ status: 'running' })
    expect(await shell.history(OWNER, 'a')).toHaveLength(2)
    for (const promise of [completed, again, next, watcher, feed]) expect(await hasEnded(promise)).toBe(false)
    hold.open()
    expect(await completed).toMatchObject({ type: 'answered', answer: { status: 'completed', sequence: 1 } })
    expect(await again).toMatchObject({ type: 'refused', rejection: { code: 'already_terminal' } })
    expect(await next).toMatchObject({ type: 'answered', answer: { status: 'provisioning' } })
    expect(await watcher).toMatchObject({ type: 'answered', answer: { status: 'completed' } })
    expect(await feed).toMatchObject({ type: 'answered', answer: { type: 'entries', watermark: 1 } })
  })

  test('a read whose head shows it waits for its acknowledgement', async () => {
    const { store, shell } = node()
    await running(shell, 'a')
    const hold = new Hold()
    store.faults.push({ type: 'held', hold, stored: 'before' })
    const sent = shell.send(OWNER, { ...REGISTER, id: 'b' })
    await hold.arrived
    const read = shell.snapshot(OWNER, 'b')
    expect(await hasEnded(read)).toBe(false)
    hold.open()
    expect(await read).toMatchObject({ id: 'b', status: 'provisioning' })
    await sent
  })

  test('with no answer at all its callers learn after the unknown wait that nobody knows, and reads go on', async () => {
    const { store, clock, shell } = node()
    await running(shell, 'a')
    const hold = new Hold()
    store.faults.push({ type: 'held', hold, stored: 'before' })
    const inIt = codeOf(shell, { ...REGISTER, id: 'b' }, { commandId: 'one' })
    await hold.arrived
    const onTop = codeOf(shell, { ...REGISTER, id: 'c' })
    const read = shell.list(OWNER)
    await clock.advance(10_000)
    expect([await inIt, await onTop]).toEqual(['outcome_unknown', 'store_unavailable'])
    expect(await read).toHaveLength(1)
    expect(await codeOf(shell, { ...REGISTER, id: 'd' })).toBe('store_unavailable')
    hold.open()
    await turns()
    const again = await answered(shell, { ...REGISTER, id: 'b' }, { commandId: 'one' })
    expect(again).toMatchObject({ operationId: 'b', changed: true })
    expect(await typesIn(store)).toEqual([
      'RegistryOpened',
      'OperationRegistered',
      'OperationStarted',
      'OperationRegistered',
    ])
  })
})

test('a rejection names the state that it was decided on, whatever became durable since', async () => {
  const { store, shell } = node()
  await running(shell, 'a')
  const head = store.head
  const hold = new Hold()
  store.head = async (stream) => {
    const told = await head(stream)
    hold.arrive()
    await hold.opened
    return told
  }
  const rejected = shell.send(OWNER, { ...REGISTER, id: 'a' })
  await hold.arrived
  await answered(shell, { ...REGISTER, id: 'b' })
  hold.open()
  expect(await rejected).toMatchObject({ rejection: { code: 'already_registered' }, place: { revision: 2 } })
})

describe('a refused append', () => {
  test.each([
    ['full', 'store_full'],
    ['too_large', 'append_too_large'],
    ['read_only', 'store_read_only'],
    ['busy', 'store_busy'],
    ['unavailable', 'store_unavailable'],
  ] as const)('that is %s leaves everything as it was and tells %s', async (reason, code) => {
    const { store, shell } = node()
    await running(shell, 'a')
    const before = await shell.list(OWNER)
    store.faults.push({ type: 'refused', reason })
    expect(await codeOf(shell, { ...REGISTER, id: 'b' })).toBe(code)
    expect(await shell.list(OWNER)).toEqual(before)
    expect(await answered(shell, { ...REGISTER, id: 'b' })).toMatchObject({ status: 'provisioning' })
  })

  test('lets what was decided on top of it be decided again, in order of arrival', async () => {
    const { store, shell } = node()
    const epoch = await running(shell, 'a')
    const hold = new Hold()
    store.faults.push({ type: 'held', hold, stored: 'after' }, { type: 'refused', reason: 'full' })
    const first = shell.send(OWNER, { ...REGISTER, id: 'b' })
    await hold.arrived
    const cancelled = shell.send(OWNER, { type: 'CancelOperation', id: 'a' })
    hold.open()
    await first
    expect(await cancelled).toMatchObject({ type: 'refused', rejection: { code: 'store_full' } })
    const late = shell.send(OWNER, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })
    expect(await late).toMatchObject({ type: 'answered', answer: { status: 'completed' } })
  })

  test('that the log can not even take is told to its callers, and the registry goes on', async () => {
    const { store, shell } = node()
    await running(shell, 'a')
    store.faults.push({ type: 'thrown', error: new TypeError('not in the stored form') })
    expect(await codeOf(shell, { ...REGISTER, id: 'b' })).toBe('append_too_large')
    expect(await codeOf(shell, { ...REGISTER, id: 'b' })).toBe('answered')
  })

  test('undoes a rejection that rested on it', async () => {
    const { store, shell } = node()
    const epoch = await running(shell, 'a')
    const full = { type: 'refused', reason: 'full' } as const
    store.faults.push(full)
    // Both are decided in one turn: the second one on the pending state that the first one made.
    const cancel = shell.send(OWNER, { type: 'CancelOperation', id: 'a' })
    const complete = shell.send(OWNER, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })
    expect(await cancel).toMatchObject({ type: 'refused', rejection: { code: 'store_full' } })
    expect(await complete).toMatchObject({ type: 'answered', answer: { status: 'completed' } })
  })
})

describe('an unknown append', () => {
  test.each([
    ['was stored', true],
    ['was not stored', false],
  ])(
    'that %s is sent again as it was and stored once; meanwhile nothing is decided and reads are served',
    async (_, isStored) => {
      const { store, clock, shell } = node()
      await running(shell, 'a')
      store.faults.push({ type: 'unknown', isStored }, { type: 'unknown', isStored: false })
      const unknown = shell.send(OWNER, { ...REGISTER, id: 'b' })
      await turns()
      const later = shell.send(OWNER, { ...REGISTER, id: 'c' })
      expect(await shell.list(OWNER)).toHaveLength(1)
      expect(await hasEnded(later)).toBe(false)
      expect(store.appends).toHaveLength(2)
      await clock.advance(1_000)
      expect(await unknown).toMatchObject({ type: 'answered', answer: { operationId: 'b', changed: true } })
      expect(await later).toMatchObject({ type: 'answered', answer: { operationId: 'c' } })
      expect((await typesIn(store)).filter((type) => type === 'OperationRegistered')).toHaveLength(3)
    },
  )

  test('in whose place others stand is decided again on what they wrote', async () => {
    const { log, store, clock, shell } = node()
    await running(shell, 'a')
    store.faults.push({ type: 'unknown', isStored: false })
    const unknown = shell.send(OWNER, { ...REGISTER, id: 'b' })
    await turns()
    const other = openShell({ store: openMemoryStore({ log }), clock })
    await answered(other, { ...REGISTER, id: 'b' })
    await clock.advance(1_000)
    expect(await unknown).toMatchObject({ type: 'refused', rejection: { code: 'already_registered' } })
  })

  test('that stays unknown is told after ten seconds, resolved later, and then known by its command id', async () => {
    const { store, clock, shell } = node()
    await running(shell, 'a')
    store.always = { type: 'unknown', isStored: true }
    const inIt = shell.send(OWNER, { ...REGISTER, id: 'b' }, { commandId: 'b-once' })
    await turns()
    const onTop = shell.send(OWNER, { ...REGISTER, id: 'c' })
    await clock.advance(9_999)
    expect(await hasEnded(inIt)).toBe(false)
    await clock.advance(1)
    expect(await inIt).toMatchObject({
      type: 'refused',
      rejection: { code: 'outcome_unknown', facts: { retryable: true } },
    })
    expect(await onTop).toMatchObject({
      type: 'refused',
      rejection: { code: 'store_unavailable', facts: { retryable: true } },
    })
    expect(await codeOf(shell, { ...REGISTER, id: 'd' })).toBe('store_unavailable')
    expect(await shell.list(OWNER)).toHaveLength(1)
    store.always = undefined
    await clock.advance(3_000)
    expect(await shell.list(OWNER)).toHaveLength(2)
    const again = await answered(shell, { ...REGISTER, id: 'b' }, { commandId: 'b-once' })
    expect(again).toMatchObject({ operationId: 'b', changed: true, revision: 3 })
    expect([...(await foldedFrom(store)).operations.values()].map(({ id }) => id).sort()).toEqual(['a', 'b'])
  })

  test('is also one that fails by an exception', async () => {
    const { store, clock, shell } = node()
    await running(shell, 'a')
    store.faults.push({ type: 'thrown', error: new Error('the connection is gone') })
    const sent = codeOf(shell, { ...REGISTER, id: 'b' })
    await turns()
    expect(store.appends).toHaveLength(2)
    await clock.advance(100)
    expect(await sent).toBe('answered')
    expect(store.appends).toHaveLength(3)
  })

  test('does not keep a node from closing', async () => {
    const { store, clock, shell } = node()
    await running(shell, 'a')
    store.always = { type: 'unknown', isStored: false }
    const inIt = codeOf(shell, { ...REGISTER, id: 'b' })
    const onTop = turns().then(() => codeOf(shell, { ...REGISTER, id: 'c' }))
    await turns()
    await turns()
    await shell.close()
    expect([await inIt, await onTop]).toEqual(['outcome_unknown', 'store_unavailable'])
    await clock.advance(5_000)
  })

  test('that begins while the node is closing is sent once more and then given up', async () => {
    const { store, clock, shell } = node()
    await running(shell, 'a')
    const hold = new Hold()
    store.faults.push({ type: 'held', hold, stored: 'never' })
    store.always = { type: 'unknown', isStored: false }
    const inIt = codeOf(shell, { ...REGISTER, id: 'b' })
    await hold.arrived
    const closing = shell.close()
    await turns()
    hold.open()
    await clock.advance(100)
    await closing
    expect(await inIt).toBe('outcome_unknown')
  })
})
