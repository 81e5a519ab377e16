import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventStore } from '../../src/event-store/event-store.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
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
