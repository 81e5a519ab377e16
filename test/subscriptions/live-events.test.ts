import { copyFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import type { EmbeddedNode } from '../../src/app/embedded-node.ts'
import { openNode } from '../../src/app.ts'
import type { LiveEvent } from '../../src/authority/questions.ts'
import { EventsReplaced, OperationRejected } from '../../src/client/operation-errors.ts'
import { Verdict } from '../../src/client/verdict.ts'
import { LiveEvents } from '../../src/subscriptions/live-events.ts'
import { freshFolder, opened, openedAt, refusalOf, STORES, thrownBy } from '../client/support/opened-verdict.ts'
import { every } from '../support/every.ts'
import { RecordingLog } from '../support/recording-log.ts'

const told = ({ type, subject }: LiveEvent) => `${type.replace('verdict.', '')} ${subject ?? '-'}`

describe.each(STORES)('the events of a log (%s)', (store) => {
  test('D6: history comes first, then what happens, each event once and in order', async () => {
    const verdict = await opened(store)
    await (await verdict.start('export', { id: 'a' }, async () => 1)).result()
    const seen: LiveEvent[] = []
    const reading = (async () => {
      for await (const event of verdict.events()) {
        seen.push(event)
        if (event.subject === 'b' && event.type === 'verdict.operation.completed') return
      }
    })()
    await (await verdict.start('export', { id: 'b' }, async () => 2)).result()
    await reading
    const types = seen.map(told).filter((one) => !/signs_of_life/.test(one))
    expect(types).toEqual([
      'registry.opened -',
      'operation.registered a',
      'operation.started a',
      'operation.completed a',
      'operation.registered b',
      'operation.started b',
      'operation.completed b',
    ])
    const positions = seen.map(({ id }) => BigInt(id))
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => (a < b ? -1 : 1)))
    expect(JSON.stringify(seen)).not.toContain('digestKey')
  })

  test('D6: whoever comes back with a cursor misses nothing and gets nothing twice, from any place', async () => {
    const verdict = await opened(store)
    for (const id of ['a', 'b', 'c']) await verdict.register('k', { id, owner: id })
    const all = await every(verdict.events({ follow: false }))
    expect(all.length).toBe(6)
    for (const [i, { cursor }] of all.entries()) {
      const rest = await every(verdict.events({ after: cursor, follow: false }))
      expect(rest).toEqual(all.slice(i + 1))
    }
  })

  test('what was acknowledged is there for who asks afterwards, without waiting', async () => {
    const verdict = await opened(store)
    for (let i = 0; i < 20; i++) {
      await verdict.register('k', { id: `i${i}` })
      const events = await every(verdict.events({ operation: `i${i}`, follow: false }))
      expect(events.map(told)).toEqual([`operation.registered i${i}`])
    }
  })

  test('are those that are wanted: by owner, kind, operation and type, also where the event tells but a number', async () => {
    const verdict = await opened(store)
    for (const [id, kind, owner] of [
      ['a', 'export', 'acme'],
      ['b', 'sync', 'acme'],
      ['c', 'export', 'other'],
    ] as const)
      await verdict.register(kind, { id, owner })
    await verdict.owner('acme').terminate('the end')
    const of = async (wanted: object) => (await every(verdict.events({ ...wanted, follow: false }))).map(told)
    expect(await of({ kind: 'export' })).toEqual([
      'operation.registered a',
      'operation.registered c',
      'owner.terminated -',
    ])
    expect(await of({ operation: 'b' })).toEqual(['operation.registered b', 'owner.terminated -'])
    expect(await of({ owner: 'other' })).toEqual(['registry.opened -', 'operation.registered c'])
    expect(await of({ types: ['verdict.owner.terminated'] })).toEqual(['owner.terminated -'])
    expect(await of({ workspace: 'elsewhere' })).toEqual([])
    expect(await of({ after: 'now' })).toEqual([])
  })
})

describe('reading events', () => {
  test('ends with the signal, when it is left while it waits, and when the log is closed', async () => {
    const verdict = await opened()
    const stop = new AbortController()
    const aborted = thrownBy(every(verdict.events({ signal: stop.signal })))
    const left = verdict.events()
    const waiting = left.next()
    await left.return?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    stop.abort(new Error('enough'))
    expect(await aborted).toEqual(new Error('enough'))
    const closed = every(verdict.events())
    await verdict.close()
    expect(await closed).toEqual([])
  })

  test('refuses what it does not know by name', async () => {
    const verdict = await opened()
    const refusal = async (options: object) => (await refusalOf(() => every(verdict.events(options)))).facts.path
    expect(await refusal({ ofter: 'x' })).toBe('ofter')
    expect(await refusal({ after: 'x' })).toBe('after')
    expect(await refusal({ after: 7 })).toBe('after')
    expect(await refusal({ types: ['operation.ended'] })).toBe('types')
    await expect(every(verdict.events({ after: '' }))).rejects.toBeInstanceOf(OperationRejected)
  })

  test('D6: of a log that was replaced says resync, with the place to go on from', async () => {
    const folder = freshFolder()
    const file = path.join(folder, 'verdict.db')
    const before = await openedAt(file)
    await before.register('k', { id: 'kept' })
    await before.close()
    copyFileSync(file, `${file}.backup`)
    const lost = await openedAt(file)
    await lost.register('k', { id: 'lost' })
    const [first, , third] = await every(lost.events({ follow: false }))
    await lost.close()
    for (const end of ['', '-wal', '-shm', '-snapshots']) rmSync(`${file}${end}`, { force: true })
    copyFileSync(`${file}.backup`, file)
    const after = await openedAt(file)

    // Its end is before the place that was read up to; then another event stands there.
    const resyncs: unknown[] = []
    expect(await thrownBy(every(after.events({ after: third?.cursor as string })))).toBeInstanceOf(EventsReplaced)
    await after.register('k', { id: 'other' })
    const replaced = await thrownBy(every(after.events({ after: third?.cursor as string })))
    if (!(replaced instanceof EventsReplaced)) throw replaced
    expect(replaced.resync.reason).toBe('log_replaced')
    await after.register('k', { id: 'next' })
    const rest = await every(after.events({ after: replaced.resync.cursor, follow: false }))
    expect(rest.map(told)).toEqual(['operation.registered next'])
    // What is the same in both is gone on with.
    const kept = await every(after.events({ after: first?.cursor as string, follow: false }))
    expect(kept.map(told)).toEqual([
      'operation.registered kept',
      'operation.registered other',
      'operation.registered next',
    ])
    const onResync = (resync: unknown) => resyncs.push(resync)
    expect(await every(after.events({ after: third?.cursor as string, follow: false, onResync }))).toEqual([])
    expect(resyncs).toEqual([{ type: 'resync', reason: 'log_replaced', cursor: expect.any(String) }])
    // Another log altogether.
    const other = await opened()
    const events = other.events({ after: first?.cursor as string })
    expect(await thrownBy(every(events))).toBeInstanceOf(EventsReplaced)
  })

  test('D6: keeps so many events in memory at most, and who is slower reads the rest from the log', async () => {
    const node = await nodeWithEvents()
    const verdict = new Verdict(node.door, { log: new RecordingLog() })
    const live = new LiveEvents({ reader: node.store, log: new RecordingLog(), tail: { eventsMax: 4, bytesMax: 1e6 } })
    const stop = new AbortController()
    const readers = Array.from({ length: 8 }, () => live.batches({}, stop.signal))
    // Each reads its first batch, and then is away while a hundred things happen.
    const seen = await Promise.all(readers.map(async (reader) => [...entriesIn(await reader.next())]))
    for (let i = 0; i < 100; i++) await verdict.register('k', { id: `i${i}` })
    for (const [i, reader] of readers.entries()) {
      while ((seen[i]?.length ?? 0) < 101) seen[i]?.push(...entriesIn(await reader.next()))
    }
    const subjects = ['-', ...Array.from({ length: 100 }, (_, i) => `i${i}`)]
    for (const one of seen) expect(one.map(({ live: { subject } }) => subject ?? '-')).toEqual(subjects)
    expect(live.readers).toBe(8)
    stop.abort()
    for (const reader of readers) expect(await reader.next()).toEqual({ done: true, value: undefined })
    expect(live.readers).toBe(0)
    await verdict.close()
  })

  test('D6: decodes and writes an event once for all who follow', async () => {
    const node = await nodeWithEvents()
    const verdict = new Verdict(node.door, { log: new RecordingLog() })
    const stop = new AbortController()
    const readers = Array.from({ length: 50 }, () => node.events.batches({ after: 'now' }, stop.signal))
    // The place of each is known once it was told that there is nothing.
    for (const reader of readers) expect(entriesIn(await reader.next())).toEqual([])
    const waiting = readers.map((reader) => reader.next())
    await verdict.register('k', { id: 'a' })
    const given = await Promise.all(waiting.map(async (next) => entriesIn(await next)[0]))
    expect(given[0]?.live.type).toBe('verdict.registry.opened')
    expect(new Set(given).size).toBe(1)
    stop.abort()
    await verdict.close()
  })
})

type Batches = ReturnType<LiveEvents['batches']>

function entriesIn({ value }: Awaited<ReturnType<Batches['next']>>) {
  if (value?.type !== 'events') throw new Error(`expected events, got ${JSON.stringify(value)}`)
  return value.entries
}

async function nodeWithEvents(): Promise<EmbeddedNode> {
  return openNode('memory:', { log: new RecordingLog() })
}
