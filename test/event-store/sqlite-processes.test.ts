import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { verifyChain } from '../../src/event-store/hash-chain.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { chainedEvents } from '../support/chained-events.ts'
import { every } from '../support/every.ts'
import { type Acknowledged, LogProcess, type LogProcessOptions } from '../support/log-process.ts'

let directory: string
let file: string
let processes: LogProcess[]

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'verdict-log-'))
  file = path.join(directory, 'log.db')
  processes = []
})

afterEach(async () => {
  await Promise.all(processes.map((process) => process.kill()))
  rmSync(directory, { recursive: true })
})

function start(options: Partial<LogProcessOptions> = {}): LogProcess {
  const process = new LogProcess({ path: file, ...options })
  processes.push(process)
  return process
}

const opened = { type: 'opened' }

describe('several processes on one file', () => {
  test('three of them open a log that is not there yet at once, and it is one log', async () => {
    const started = [start(), start(), start()]
    expect(await Promise.all(started.map((process) => process.opened()))).toEqual([opened, opened, opened])
    const store = await openSqliteStore({ path: file })
    const { logId } = await store.identity()
    expect((await every(store.readAll())).map(({ type }) => type)).toEqual(['LogOpened'])
    expect(logId).toMatch(/^[0-9a-f-]{36}$/)
    await store.close()
  })

  test('two stores of one process open a fresh path at once, and it is one log', async () => {
    const stores = await Promise.all([openSqliteStore({ path: file }), openSqliteStore({ path: file })])
    const [one, two] = await Promise.all(stores.map((store) => store.identity()))
    expect(one).toEqual(two)
    await Promise.all(stores.map((store) => store.close()))
  })

  test('three that write the same streams lose nothing, leave no gap and keep every chain', async () => {
    const streams = ['registry-default/a', 'registry-default/b', 'registry-default/c']
    const wins = 25
    const started = [start(), start(), start()]
    await Promise.all(started.map((process) => process.opened()))
    const answers = await Promise.all(started.map((process) => process.ask({ do: 'contend', streams, wins })))
    const acknowledged = (answers as Acknowledged[][]).flat()
    const store = await openSqliteStore({ path: file })
    for (const stream of streams) {
      const stored = await every(store.readStream(stream))
      const won = acknowledged.filter((one) => one.stream === stream).sort((a, b) => a.revision - b.revision)
      expect(stored.map(({ revision, id }) => ({ stream, revision, id }))).toEqual(won)
      expect(stored.map(({ revision }) => revision)).toEqual(Array.from({ length: 3 * wins }, (_, index) => index))
      expect((await verifyChain(stored)).type).toBe('intact')
    }
    const everything = await every(store.readAll())
    expect(everything.map(({ position }) => position)).toEqual(everything.map((_, index) => BigInt(index + 1)))
    await store.close()
  })

  test('one that is killed while it writes has stored everything that it acknowledged', async () => {
    const streams = ['registry-default/a', 'registry-default/b']
    const acknowledged: Acknowledged[] = []
    for (let cycle = 0; cycle < 6; cycle++) {
      const writer = start()
      await writer.opened()
      writer.tell({ do: 'pour', streams })
      for (let heard = 0; heard < 20 + cycle * 7; heard++) acknowledged.push((await writer.hear()) as Acknowledged)
      const killed = writer.kill()
      acknowledged.push(...((await writer.rest()) as Acknowledged[]))
      await killed

      const store = await openSqliteStore({ path: file })
      for (const stream of streams) {
        const stored = await every(store.readStream(stream))
        const lost = acknowledged.filter((one) => one.stream === stream && stored[one.revision]?.id !== one.id)
        expect(lost).toEqual([])
        expect((await verifyChain(stored)).type).toBe('intact')
      }
      await store.close()
    }
  })

  test('one that is killed in the middle leaves the others working', async () => {
    const stream = 'registry-default/a'
    const [killed, other] = [start(), start()]
    await Promise.all([killed.opened(), other.opened()])
    killed.tell({ do: 'pour', streams: [stream] })
    await killed.hear()
    await killed.kill()
    expect((await other.append(stream)).type).toBe('acknowledged')
    expect((await other.read(stream)).chain).toBe('intact')
  })
})

describe('a lock that another process holds', () => {
  const stream = 'registry-default/a'

  test('beyond the lock wait is told as busy, and the next append works when it is gone', async () => {
    const store = await openSqliteStore({ path: file, lockWaitMs: 50 })
    const holder = new Database(file)
    holder.exec('BEGIN IMMEDIATE')
    const events = chainedEvents(stream, undefined, [0])
    const refused = await store.append(stream, 'no_stream', events)
    expect(refused).toEqual({
      type: 'refused',
      reason: 'busy',
      message: 'Another process has held the log for more than 50 ms.',
    })
    expect(await store.head(stream)).toBeUndefined()
    expect(store.health()).toEqual({ status: 'ok' })
    holder.exec('ROLLBACK')
    expect((await store.append(stream, 'no_stream', events)).type).toBe('acknowledged')
    holder.close()
    await store.close()
  })

  test('within the lock wait is waited for', async () => {
    const store = await openSqliteStore({ path: file, lockWaitMs: 20_000 })
    const holder = new Database(file)
    holder.exec('BEGIN IMMEDIATE')
    const appended = store.append(stream, 'no_stream', chainedEvents(stream, undefined, [0]))
    // The append has met the lock: a turn asked for behind it is not given either.
    const order: string[] = []
    const both = Promise.all([appended.then(() => order.push('append')), store.turn?.(async () => order.push('turn'))])
    expect(await store.head(stream)).toBeUndefined()
    expect(order).toEqual([])
    holder.exec('COMMIT')
    holder.close()
    await both
    expect((await appended).type).toBe('acknowledged')
    await store.close()
  })

  test('keeps a log from being opened only beyond the lock wait, by name', async () => {
    await (await openSqliteStore({ path: file })).close()
    const holder = new Database(file)
    holder.pragma('locking_mode = EXCLUSIVE')
    holder.exec('BEGIN EXCLUSIVE')
    await expect(openSqliteStore({ path: file, lockWaitMs: 50 })).rejects.toMatchObject({
      name: 'LogError',
      code: 'log_locked',
    })
    const opening = openSqliteStore({ path: file, lockWaitMs: 20_000 })
    holder.exec('COMMIT')
    holder.close()
    await (await opening).close()
  })

  test('by another process is waited for as well', async () => {
    const holder = start()
    await holder.opened()
    const store = await openSqliteStore({ path: file })
    holder.tell({ do: 'pour', streams: ['registry-default/other'] })
    await holder.hear()
    for (let appended = 0; appended < 20; appended++) {
      const head = await store.head(stream)
      const events = chainedEvents(stream, head, [appended])
      expect((await store.append(stream, head?.revision ?? 'no_stream', events)).type).toBe('acknowledged')
    }
    await store.close()
  })
})
