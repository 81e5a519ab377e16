import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import type Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventStore } from '../../src/event-store/event-store.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { SqliteCommits } from '../../src/event-store/sqlite-commits.ts'
import { connect } from '../../src/event-store/sqlite-file.ts'
import { chainedEvents } from '../support/chained-events.ts'
import { every } from '../support/every.ts'

const STREAM = 'registry-default/a'

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

async function open(): Promise<EventStore> {
  const store = await openSqliteStore({ path: file })
  stores.push(store)
  return store
}

const append = (store: EventStore) => store.append(STREAM, 'no_stream', chainedEvents(STREAM, undefined, [1]))

describe('what another process left in the write-ahead log', () => {
  /** A reader that stands before the last appends keeps every checkpoint from going beyond them. */
  async function heldBack(): Promise<Database.Database> {
    const store = await open()
    const reader = connect(file, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM appends').get()
    expect(await append(store)).toMatchObject({ type: 'acknowledged' })
    return reader
  }

  test('and can not be secured within the lock wait keeps the log from being opened, by name', async () => {
    const reader = await heldBack()
    await expect(openSqliteStore({ path: file, lockWaitMs: 50 })).rejects.toMatchObject({
      name: 'LogError',
      code: 'log_locked',
      message: expect.stringMatching(/may not be secured, and another process keeps them from being copied/),
    })
    reader.close()
    const opened = await open()
    expect(await every(opened.readStream(STREAM))).toHaveLength(1)
  })

  test('is waited for within the lock wait', async () => {
    const reader = await heldBack()
    const opening = openSqliteStore({ path: file, lockWaitMs: 60_000 })
    expect(await Promise.race([opening, new Promise((resolve) => setTimeout(() => resolve('waits'), 100))])).toBe(
      'waits',
    )
    reader.close()
    stores.push(await opening)
  })

  test('does not count as held back by who reads the newest state', async () => {
    const store = await open()
    await append(store)
    const reader = connect(file, { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM appends').get()
    const opened = await openSqliteStore({ path: file, lockWaitMs: 0 })
    stores.push(opened)
    reader.close()
  })
})

describe('a file that another process holds whole, as one does that recovers its write-ahead log', () => {
  /** Holds it for a fifth of a second, on a thread of its own: opening it for writing blocks this one. */
  async function heldWhole(): Promise<Worker> {
    const holder = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads')
       const db = new (require(workerData.sqlite))(workerData.file)
       db.pragma('locking_mode = EXCLUSIVE')
       db.exec('BEGIN EXCLUSIVE')
       parentPort.postMessage('held')
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
       db.exec('ROLLBACK')
       db.close()`,
      { eval: true, workerData: { file, sqlite: createRequire(import.meta.url).resolve('better-sqlite3') } },
    )
    await once(holder, 'message')
    return holder
  }

  const commits = (lockWaitMs: number) =>
    new SqliteCommits({ path: file, lockWaitMs, onHealth: () => {}, onOthers: () => {} })

  test('is waited for by the writer within the lock wait, and no longer', async () => {
    await append(await open())
    await stores.pop()?.close()
    const holder = await heldWhole()
    expect(() => commits(0)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^SQLITE_BUSY/) }))
    commits(60_000).close()
    await once(holder, 'exit')
  })
})

describe('a path that can be none', () => {
  test.each([
    ['with a name that is too long', () => path.join(directory, 'x'.repeat(300)), /can't be opened: ENAMETOOLONG/],
    [
      'with a name that leaves no room',
      () => path.join(directory, 'x'.repeat(230)),
      /has a name of 230 bytes, and 200/,
    ],
    ['that is too long', () => path.join(directory, 'y/'.repeat(3_000), 'log.db'), /can't be opened: ENAMETOOLONG/],
    ['through a file', () => path.join(directory, 'file', 'log.db'), /needs a directory to lie in/],
    ['that is a link to nothing', () => path.join(directory, 'dangling'), /is a link that leads nowhere/],
    ['that is a link to itself', () => path.join(directory, 'circle'), /can't be opened: ELOOP/],
    ['with a null byte', () => `${file}\0`, /can't be opened: .*null bytes/],
    ['of a directory that is not there', () => path.join(directory, 'new/'), /names a directory/],
    ['of a directory', () => directory, /is not a file/],
  ])('%s is refused with a sentence, and nothing is made', async (_, place, sentence) => {
    writeFileSync(path.join(directory, 'file'), 'x')
    symlinkSync(path.join(directory, 'nowhere'), path.join(directory, 'dangling'))
    symlinkSync(path.join(directory, 'circle'), path.join(directory, 'circle'))
    const before = readdirSync(directory)
    const opening = openSqliteStore({ path: place() })
    await expect(opening).rejects.toMatchObject({
      name: 'LogError',
      code: 'log_unusable',
      message: expect.stringMatching(sentence),
    })
    expect(readdirSync(directory)).toEqual(before)
  })
})
