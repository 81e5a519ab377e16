import { describe, expect, test } from 'vitest'
import { plainOf, SNAPSHOT_SCHEMA } from '../../src/authority/registry-snapshot.ts'
import { decodeEvent, encodeEvents, randomSalts } from '../../src/event-store/event-codec.ts'
import { LogError, type StoredEvent } from '../../src/event-store/event-store.ts'
import { createMemoryLog, openMemoryStore } from '../../src/event-store/memory.ts'
import { memorySnapshotCache, type SnapshotEntry } from '../../src/event-store/snapshot-cache.ts'
import { registryStream } from '../../src/event-store/stream-names.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { loadRegistry } from '../../src/shell/registry-loader.ts'
import { faulty } from './support/faulty-store.ts'
import { answered, codeOf, foldedFrom, OWNER, openShell, running, STREAM, storedIn, turns } from './support/nodes.ts'

const REGISTER = { type: 'RegisterOperation', kind: 'test' }
const BOB = { workspace: 'default', owner: 'bob' }

async function writtenLog() {
  const log = createMemoryLog()
  const shell = openShell({ store: openMemoryStore({ log }) })
  for (const id of ['a', 'b', 'c']) {
    const epoch = await running(shell, id)
    if (id !== 'c') await answered(shell, { type: 'CompleteOperation', id, leaseEpoch: epoch, result: { id } })
  }
  await answered(shell, { ...REGISTER, id: 'x' }, {}, BOB)
  await shell.close()
  return log
}

describe('a history that can not be trusted', () => {
  const body = (event: StoredEvent, change: (text: string) => string) => ({ ...event, body: change(event.body) })
  test.each<[string, (stream: StoredEvent[]) => StoredEvent[]]>([
    [
      'a changed fact',
      (events) =>
        events.with(
          3,
          body(events[3] as StoredEvent, (text) => text.replace('"sequence":1', '"sequence":2')),
        ),
    ],
    ['a missing event', (events) => events.toSpliced(2, 1)],
    ['a missing beginning', (events) => events.slice(1)],
    ['an event twice', (events) => events.toSpliced(3, 0, events[3] as StoredEvent)],
    [
      'another content',
      (events) => events.with(1, { ...(events[1] as StoredEvent), content: '{"salt":"","value":{}}' }),
    ],
    [
      'an undecodable event',
      (events) =>
        events.with(
          0,
          body(events[0] as StoredEvent, () => 'no JSON'),
        ),
    ],
  ])('(%s) stops its registry by name, never gives an empty one, and leaves others alone', async (_, damage) => {
    const log = await writtenLog()
    log.streams.set(STREAM, damage(log.streams.get(STREAM) as StoredEvent[]))
    const shell = openShell({ store: openMemoryStore({ log }) })
    expect(await codeOf(shell, { ...REGISTER, id: 'd' })).toBe('registry_stopped')
    expect(await codeOf(shell, { type: 'TerminateOwner', reason: 'r' })).toBe('registry_stopped')
    for (const read of [
      shell.list(OWNER),
      shell.snapshot(OWNER, 'a'),
      shell.outcome(OWNER, 'a'),
      shell.overview(OWNER),
    ]) {
      await expect(read).rejects.toMatchObject({ code: 'registry_stopped', stream: STREAM })
    }
    expect(await shell.list(BOB)).toMatchObject([{ id: 'x' }])
    expect(await answered(shell, { ...REGISTER, id: 'y' }, {}, BOB)).toMatchObject({ status: 'provisioning' })
    await shell.close()
  })

  test('is read again at the next access, once it was repaired', async () => {
    const log = await writtenLog()
    const sound = log.streams.get(STREAM) as StoredEvent[]
    log.streams.set(STREAM, sound.slice(1))
    const shell = openShell({ store: openMemoryStore({ log }) })
    expect(await codeOf(shell, { ...REGISTER, id: 'd' })).toBe('registry_stopped')
    log.streams.set(STREAM, sound)
    expect(await shell.list(OWNER)).toHaveLength(3)
    expect(await codeOf(shell, { ...REGISTER, id: 'd' })).toBe('answered')
  })

  test('met while reading on stops the registry, and those who wait get channel_closed', async () => {
    const log = createMemoryLog()
    const shell = openShell({ store: openMemoryStore({ log }) })
    const epoch = await running(shell, 'a')
    const watcher = shell.outcome(OWNER, 'a')
    const waiting = shell.wait(OWNER, { mode: 'all', ids: ['a'] })
    await turns()
    const told = [watcher, waiting].map((promise) => promise.catch((error: unknown) => error))
    const head = (await storedIn(openMemoryStore({ log }))).at(-1) as StoredEvent
    const contradiction = encodeEvents({
      stream: STREAM,
      expectedNextRevision: head.revision + 1,
      previousHash: head.hash,
      salts: randomSalts(),
      events: [
        {
          event: { type: 'OperationCancelled', facts: { id: 'nobody', number: 77, sequence: 1 }, content: {} },
          metadata: { ...decodeEvent(head).metadata, commandId: 'contradiction', index: 0, count: 1 },
        },
      ],
    })
    await openMemoryStore({ log }).append(STREAM, head.revision, contradiction)
    await turns()
    expect(await codeOf(shell, { type: 'CompleteOperation', id: 'a', leaseEpoch: epoch })).toBe('registry_stopped')
    const closed = { code: 'channel_closed', reason: 'registry_stopped' }
    expect(await Promise.all(told)).toMatchObject([closed, closed])
  })
})

describe('a log that is away', () => {
  test.each(['log_unavailable', 'log_locked'] as const)(
    '(%s) is an error, never an empty list, and no registry stays stopped by it',
    async (code) => {
      const log = await writtenLog()
      const store = faulty(openMemoryStore({ log }))
      const shell = openShell({ store })
      store.readError = new LogError(code, 'away')
      expect(await codeOf(shell, { ...REGISTER, id: 'd' })).toBe('store_unavailable')
      await expect(shell.list(OWNER)).rejects.toMatchObject({ code })
      await expect(shell.outcome(OWNER, 'a')).rejects.toMatchObject({ code })
      store.readError = undefined
      expect(await shell.list(OWNER)).toHaveLength(3)
      expect(await codeOf(shell, { ...REGISTER, id: 'd' })).toBe('answered')
    },
  )

  test('while a registry is in memory fails reads and rejections, and nothing else', async () => {
    const store = faulty(openMemoryStore())
    const shell = openShell({ store })
    await running(shell, 'a')
    store.readError = new LogError('log_unavailable', 'away')
    await expect(shell.list(OWNER)).rejects.toMatchObject({ code: 'log_unavailable' })
    expect(await codeOf(shell, { type: 'CompleteOperation', id: 'nobody' })).toBe('store_unavailable')
    expect(await codeOf(shell, { ...REGISTER, id: 'b' })).toBe('answered')
    store.readError = undefined
    expect(await shell.list(OWNER)).toHaveLength(2)
  })

  test('while the outcome behind a tombstone is asked for is a retryable refusal', async () => {
    const store = faulty(openMemoryStore())
    const shell = openShell({ store, limits: { maxCompleted: 1 } })
    for (const id of ['a', 'b']) {
      await answered(shell, { ...REGISTER, id })
      await answered(shell, { type: 'CancelOperation', id })
    }
    expect((await shell.send(OWNER, { type: 'CancelOperation', id: 'a' })) as unknown).toMatchObject({
      rejection: { code: 'already_terminal', facts: { outcome: { status: 'cancelled' } } },
    })
  })
})

test('after a restart a registry is exactly what the log says', async () => {
  const log = await writtenLog()
  const store = openMemoryStore({ log })
  const { loaded } = await loadRegistry(store, STREAM, undefined)
  expect(plainOf(loaded.state)).toEqual(plainOf(await foldedFrom(store)))
})

describe('a snapshot', () => {
  async function snapshotted() {
    const log = createMemoryLog()
    const snapshots = memorySnapshotCache()
    const shell = openShell({ store: openMemoryStore({ log }), snapshots, settings: { snapshotEvents: 5 } })
    for (let i = 0; i < 20; i++) await running(shell, `operation-${i}`, { input: { i } })
    await answered(shell, { type: 'CancelOperation', id: 'operation-3' })
    await shell.close()
    const entry = snapshots.load(STREAM) as SnapshotEntry
    const more = openShell({ store: openMemoryStore({ log }) })
    await answered(more, { type: 'CancelOperation', id: 'operation-4' })
    return { log, snapshots, entry }
  }

  test('loads the same as a fold of everything, and reads only what came after it', async () => {
    const { log, snapshots, entry } = await snapshotted()
    const store = faulty(openMemoryStore({ log }))
    const reads: unknown[] = []
    const readStream = store.readStream
    store.readStream = (stream, options) => {
      reads.push(options)
      return readStream(stream, options)
    }
    const { loaded, eventsFolded } = await loadRegistry(store, STREAM, snapshots)
    expect(plainOf(loaded.state)).toEqual(plainOf(await foldedFrom(openMemoryStore({ log }))))
    expect(eventsFolded).toBe(1)
    expect(reads).toEqual([{ from: entry.revision, limit: 1 }, { from: entry.revision + 1 }])
  })

  test.each<[string, (entry: SnapshotEntry) => SnapshotEntry | undefined]>([
    ['deleted', () => undefined],
    ['of another schema', (entry) => ({ ...entry, schema: SNAPSHOT_SCHEMA + 1 })],
    ['of another log', (entry) => ({ ...entry, logId: 'another' })],
    ['of another timeline', (entry) => ({ ...entry, timeline: 2 })],
    ['behind another event', (entry) => ({ ...entry, hash: 'f'.repeat(64) })],
    ['behind no event', (entry) => ({ ...entry, revision: 9_999 })],
    ['damaged', (entry) => ({ ...entry, state: entry.state.slice(0, -20) })],
    ['damaged and still JSON', (entry) => ({ ...entry, state: entry.state.replace('"sequence":1', '"sequence":7') })],
    ['of another stream', (entry) => ({ ...entry, stream: registryStream(BOB) })],
  ])('that is %s costs time and nothing else', async (_, change) => {
    const { log, snapshots, entry } = await snapshotted()
    const changed = change(entry)
    const cache = { ...snapshots, load: () => changed }
    const store = openMemoryStore({ log })
    const { loaded, eventsFolded } = await loadRegistry(store, STREAM, cache)
    expect(eventsFolded).toBe(loaded.state.revision + 1)
    expect(plainOf(loaded.state)).toEqual(plainOf(await foldedFrom(store)))
  })

  test('is kept after a long load, so that a crash does not ask for the same fold again', async () => {
    const { log } = await snapshotted()
    const snapshots = memorySnapshotCache()
    const shell = openShell({ store: openMemoryStore({ log }), snapshots, settings: { snapshotEvents: 5 } })
    await shell.list(OWNER)
    await turns()
    expect(snapshots.load(STREAM)).toMatchObject({ revision: (await shell.overview(OWNER)).revision })
  })

  test('that can not be kept does not hurt anybody', async () => {
    const log = createMemoryLog()
    const snapshots = {
      ...memorySnapshotCache(),
      save: () => {
        throw new Error('no room')
      },
    }
    const shell = openShell({ store: openMemoryStore({ log }), snapshots, settings: { snapshotEvents: 1 } })
    await running(shell, 'a')
    expect(await shell.list(OWNER)).toHaveLength(1)
    await shell.close()
  })
})

describe('registries in memory', () => {
  const owner = (i: number) => ({ workspace: 'default', owner: `owner-${i}` })
  const HOT = 1024 * 1024

  test('stay within their bytes, contents counted as stored, the longest unused let go first', async () => {
    const store = openMemoryStore()
    const shell = openShell({ store, settings: { hotBytesMax: HOT }, clock: new HandMovedClock() })
    const input = { text: 'x'.repeat(50_000) }
    for (let i = 0; i < 60; i++) {
      await answered(shell, { ...REGISTER, id: 'a', input }, {}, owner(i))
      await turns(2)
      expect(shell.hot.bytes).toBeLessThanOrEqual(HOT)
    }
    expect(shell.hot.registries).toBeLessThanOrEqual(20)
    expect(shell.hot.registries).toBeGreaterThan(10)
    for (let i = 0; i < 60; i++) expect(await shell.list(owner(i))).toMatchObject([{ id: 'a', status: 'provisioning' }])
    await shell.close()
  })

  test('are let go after writes too, not only when another is loaded', async () => {
    const shell = openShell({ settings: { hotBytesMax: HOT } })
    const input = { text: 'x'.repeat(50_000) }
    for (let i = 0; i < 4; i++) await answered(shell, { ...REGISTER, id: 'a', input }, {}, owner(i))
    expect(shell.hot.registries).toBe(4)
    for (let i = 0; i < 18; i++) await answered(shell, { ...REGISTER, id: `b${i}`, input }, {}, owner(3))
    await turns()
    expect(shell.hot).toMatchObject({ registries: 1 })
  })

  test('that somebody needs are never let go', async () => {
    const clock = new HandMovedClock()
    const shell = openShell({ clock, settings: { hotBytesMax: 1 } })
    const epochs: number[] = []
    for (let i = 0; i < 4; i++) {
      const { leaseEpoch } = await answered(shell, { ...REGISTER, id: 'a', claim: {} }, {}, owner(i))
      epochs.push(leaseEpoch as number)
    }
    const watcher = shell.outcome(owner(0), 'a')
    const waiting = shell.wait(owner(1), { mode: 'all', ids: ['a'] })
    const feed = shell.completions(owner(2), { after: 0, wait: true })
    const causes: string[] = []
    const stop = shell.onLease(owner(3), { id: 'a', leaseEpoch: epochs[3] as number }, (cause) => causes.push(cause))
    await turns()
    await clock.advance(1_000)
    for (let i = 4; i < 10; i++) await answered(shell, { ...REGISTER, id: 'a' }, {}, owner(i))
    await clock.advance(1_000)
    await answered(shell, { ...REGISTER, id: 'a' }, {}, owner(10))
    await turns()
    expect(shell.hot.registries).toBeLessThanOrEqual(6)
    for (let i = 0; i < 4; i++) await answered(shell, { type: 'CancelOperation', id: 'a' }, {}, owner(i))
    expect(await watcher).toMatchObject({ answer: { status: 'cancelled' } })
    expect(await waiting).toMatchObject({ answer: { ending: 'satisfied' } })
    expect(await feed).toMatchObject({ answer: { watermark: 1 } })
    expect(causes).toEqual(['ended'])
    stop()
    await shell.close()
  })

  test('that are let go while commands arrive lose none of them', async () => {
    const store = openMemoryStore()
    const shell = openShell({ store, settings: { hotBytesMax: 1 } })
    const sent = Array.from({ length: 300 }, async (_, i) => {
      for (let turn = 0; turn < i % 7; turn++) await Promise.resolve()
      await answered(shell, { ...REGISTER, id: `operation-${i}` }, {}, owner(i % 3))
    })
    await Promise.all(sent)
    let count = 0
    for (let i = 0; i < 3; i++) count += (await shell.list(owner(i))).length
    expect(count).toBe(300)
    await shell.close()
  })
})
