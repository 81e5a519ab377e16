import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AppendResult, EventStore } from '../../src/event-store/event-store.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { chainedEvents } from '../support/chained-events.ts'
import { every } from '../support/every.ts'

const STREAM = 'registry-default/a'
const OTHER = 'registry-default/b'
/** Longer than any test: so only an append itself can notice. */
const NEVER_MS = 600_000

let directory: string
let file: string
let stores: EventStore[]

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'verdict-log-'))
  file = path.join(directory, 'log.db')
  stores = []
})

afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()))
  rmSync(directory, { recursive: true, force: true })
})

async function open(name = file, pollMs = 5): Promise<EventStore> {
  const store = await openSqliteStore({ path: name, pollMs })
  stores.push(store)
  return store
}

async function append(store: EventStore, stream: string): Promise<AppendResult> {
  const head = await store.head(stream)
  return store.append(stream, head?.revision ?? 'no_stream', chainedEvents(stream, head, [1]))
}

const moved = (name: string, to: string) => {
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(name + suffix)) renameSync(name + suffix, to + suffix)
  }
}

describe('a log whose file is taken away while it is open', () => {
  const WAYS: readonly (readonly [string, () => void | Promise<void>])[] = [
    ['is removed', () => rmSync(file)],
    ['is moved', () => moved(file, `${file}-moved`)],
    [
      'is replaced by another log',
      async () => {
        await (await openSqliteStore({ path: `${file}-other` })).close()
        renameSync(`${file}-other`, file)
      },
    ],
    ['loses its directory', () => renameSync(directory, `${directory}-moved`)],
  ]

  test.each(WAYS)('%s: the next append is refused, and the health says why', async (_, takeAway) => {
    const store = await open(file, NEVER_MS)
    expect(await append(store, STREAM)).toMatchObject({ type: 'acknowledged', revision: 0 })
    await takeAway()
    expect(await append(store, STREAM)).toEqual({
      type: 'refused',
      reason: 'unavailable',
      message: expect.stringMatching(/log\.db' was removed or replaced by another file while the log was open/),
    })
    expect(await append(store, OTHER)).toMatchObject({ type: 'refused', reason: 'unavailable' })
    expect(store.health()).toMatchObject({
      status: 'unavailable',
      message: expect.stringContaining('put the file back'),
    })
    if (existsSync(`${directory}-moved`)) renameSync(`${directory}-moved`, directory)
  })

  test('between the lock and the commit leaves the append unknown, and nothing is acknowledged', async () => {
    const store = await open(file, NEVER_MS)
    await append(store, STREAM)
    const head = await store.head(STREAM)
    const events = chainedEvents(STREAM, head, [1])
    const told = await store.turn?.((appender) => {
      rmSync(file)
      return appender.append(STREAM, 0, events)
    })
    expect(told).toMatchObject({ type: 'unknown', message: expect.stringContaining('removed or replaced') })
    expect(await store.append(STREAM, 0, events)).toMatchObject({ type: 'unknown' })
    expect(await append(store, OTHER)).toMatchObject({ type: 'refused', reason: 'unavailable' })
  })

  test('shows in the health without an append', async () => {
    const store = await open()
    await append(store, STREAM)
    rmSync(file)
    await expect.poll(() => store.health().status).toBe('unavailable')
  })

  test('is written again when the very same file is back, with all that was acknowledged', async () => {
    const store = await open()
    await append(store, STREAM)
    moved(file, `${file}-moved`)
    await expect.poll(() => store.health().status).toBe('unavailable')
    moved(`${file}-moved`, file)
    await expect.poll(() => store.health()).toEqual({ status: 'ok' })
    expect(await append(store, STREAM)).toMatchObject({ type: 'acknowledged', revision: 1 })
    await store.close()
    const reopened = await open()
    expect((await every(reopened.readStream(STREAM))).map(({ revision }) => revision)).toEqual([0, 1])
  })

  test('that lost its write-ahead log alone is written again when it was opened anew, and nothing is lost', async () => {
    const store = await open(file, NEVER_MS)
    expect(await append(store, STREAM)).toMatchObject({ type: 'acknowledged' })
    rmSync(`${file}-wal`)
    const refused = {
      type: 'refused',
      reason: 'unavailable',
      message: expect.stringMatching(/log\.db-wal' was removed or replaced while the log was open.*open the log anew/),
    }
    expect(await append(store, STREAM)).toEqual(refused)
    expect(await append(store, OTHER)).toEqual(refused)
    expect(store.health()).toMatchObject({ status: 'unavailable' })
    // As after a crash: nothing but the file itself is there.
    copyFileSync(file, `${file}-copy`)
    const copy = await open(`${file}-copy`)
    expect((await every(copy.readStream(STREAM))).map(({ revision }) => revision)).toEqual([0])
    await store.close()
    const reopened = await open()
    expect(await append(reopened, STREAM)).toMatchObject({ type: 'acknowledged', revision: 1 })
  })

  test('is noticed behind a link that leads elsewhere', async () => {
    const real = path.join(directory, 'real')
    mkdirSync(real)
    await (await openSqliteStore({ path: path.join(real, 'one.db') })).close()
    await (await openSqliteStore({ path: path.join(real, 'two.db') })).close()
    symlinkSync(path.join(real, 'one.db'), file)
    const store = await open(file, NEVER_MS)
    expect(await append(store, STREAM)).toMatchObject({ type: 'acknowledged' })
    rmSync(file)
    symlinkSync(path.join(real, 'two.db'), file)
    expect(await append(store, STREAM)).toMatchObject({ type: 'refused', reason: 'unavailable' })
  })
})
