import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import type { EventStore, FollowItem, LogReader, StoredEvent } from '../../src/event-store/event-store.ts'
import { openMemoryStore } from '../../src/event-store/memory.ts'
import { openPortLogReader, serveLog } from '../../src/event-store/port-log-reader.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { openSqliteLogReader } from '../../src/event-store/sqlite-log-reader.ts'
import { chainedEvents } from '../support/chained-events.ts'

interface Opened {
  readonly store: EventStore
  readonly reader: LogReader
  /** As whoever appends in this process does. */
  nudge(): void
}

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const READERS: Readonly<Record<string, () => Promise<Opened>>> = {
  async 'of the embedded log without a writer'() {
    const folder = mkdtempSync(path.join(tmpdir(), 'verdict-reader-'))
    cleanups.push(() => rmSync(folder, { recursive: true }))
    const file = path.join(folder, 'log.db')
    const store = await openSqliteStore({ path: file })
    cleanups.push(() => store.close())
    const nudges = new SharedArrayBuffer(4)
    // So long that only a nudge can be what woke it.
    const reader = await openSqliteLogReader({ path: file, nudges, pollMs: 60_000 })
    cleanups.push(() => reader.close())
    const signal = new Int32Array(nudges)
    const nudge = () => {
      Atomics.add(signal, 0, 1)
      Atomics.notify(signal, 0)
    }
    return { store, reader, nudge }
  },
  async 'of a log behind a port'() {
    const store = openMemoryStore()
    const { port1, port2 } = new MessageChannel()
    const serving = serveLog(store, port1)
    cleanups.push(() => serving.stop())
    const reader = openPortLogReader(port2)
    cleanups.push(() => reader.close())
    return { store, reader, nudge: serving.appended }
  },
}

async function append(store: EventStore, stream: string, count: number): Promise<void> {
  const head = await store.head(stream)
  const events = chainedEvents(stream, head, Array(count).fill(0))
  expect(await store.append(stream, head?.revision ?? 'no_stream', events)).toMatchObject({ type: 'acknowledged' })
}

async function all(events: AsyncIterable<StoredEvent>): Promise<readonly StoredEvent[]> {
  const read: StoredEvent[] = []
  for await (const event of events) read.push(event)
  return read
}

describe.each(Object.keys(READERS))('a reader %s', (name) => {
  const open = READERS[name] as () => Promise<Opened>

  test('reads what the store reads', async () => {
    const { store, reader } = await open()
    for (let i = 0; i < 5; i++) await append(store, `registry-default/${i % 2}`, 300)
    const stream = 'registry-default/0'
    expect(await reader.identity()).toEqual(await store.identity())
    expect(await reader.end()).toBe(await store.end())
    expect(await reader.head(stream)).toEqual(await store.head(stream))
    expect(await reader.head('registry-default/none')).toBeUndefined()
    expect(await all(reader.readAll())).toEqual(await all(store.readAll()))
    expect(await all(reader.readAll({ after: 700n, limit: 600 }))).toEqual(
      await all(store.readAll({ after: 700n, limit: 600 })),
    )
    const filtered = { prefixes: [stream] }
    expect(await all(reader.readAll(filtered))).toEqual(await all(store.readAll(filtered)))
    for (const options of [
      {},
      { from: 599 },
      { direction: 'backwards' },
      { direction: 'backwards', from: 550, limit: 540 },
    ] as const) {
      expect(await all(reader.readStream(stream, options))).toEqual(await all(store.readStream(stream, options)))
    }
    expect(await reader.at(900n)).toEqual(await store.at(900n))
    expect(await reader.at(90_000n)).toBeUndefined()
  })

  test('follows on as soon as it is nudged, and ends when it is closed', async () => {
    const { store, reader, nudge } = await open()
    const followed: FollowItem[] = []
    let tell = () => {}
    const following = (async () => {
      for await (const item of reader.follow()) {
        followed.push(item)
        tell()
      }
    })()
    for (let i = 0; i < 3; i++) {
      await append(store, 'registry-default/a', 2)
      const end = await store.end()
      const caughtUp = new Promise<void>((resolve) => {
        tell = () => {
          const last = followed.at(-1)
          if (last?.type === 'caught_up' && last.position === end) resolve()
        }
      })
      tell()
      nudge()
      await caughtUp
    }
    expect(followed.filter(({ type }) => type === 'event')).toHaveLength(7)
    await reader.close()
    await reader.close()
    await following
    expect(reader.health()).toMatchObject({ status: 'closed' })
    await expect(reader.head('registry-default/a')).rejects.toMatchObject({ code: 'log_closed' })
  })
})
