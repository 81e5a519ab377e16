import { rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CheckpointLost } from '../../projections/checkpoint.ts'
import { Lease } from '../../projections/lease.ts'
import { openReadDatabase, type ReadDatabase } from '../../projections/read-database.ts'
import type { EmbeddedNode } from '../../src/app/embedded-node.ts'
import { settingsOf } from '../../src/config.ts'
import type { EventReader } from '../../src/event-store/event-store.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { openSqliteLogReader } from '../../src/event-store/sqlite-log-reader.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import type { RebuildProgress } from '../../src/subscriptions/projection-health.ts'
import { rebuild } from '../../src/subscriptions/rebuild.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { TALLY } from '../projections/support/tally.ts'
import { appendNext, encodedHistory, registration, writtenLog } from './support/appended-history.ts'
import {
  atTheEnd,
  BUILT_IN,
  eventually,
  freshFolder,
  healthOf,
  INITIALS_QUESTION,
  openedNode,
  register,
  TALLIES_QUESTION,
  tallies,
} from './support/read-side-node.ts'
import { PICKY, TALLY_WIDE } from './support/tally-projections.ts'

/** Every row of what serves, by table without the number of its generation. */
function rowsIn(file: string): Readonly<Record<string, readonly unknown[]>> {
  const db = new Database(file, { readonly: true })
  try {
    const generations = db
      .prepare(`SELECT generation, tables FROM generations WHERE standing = 'serving'`)
      .all() as readonly { generation: number; tables: string }[]
    return Object.fromEntries(
      generations.flatMap(({ generation, tables }) =>
        (JSON.parse(tables) as readonly string[]).map((table) => {
          const columns = db.prepare(`SELECT name FROM pragma_table_info(?)`).pluck().all(`${table}.${generation}`)
          const order = columns.map((name) => `"${name}"`).join(', ')
          return [table, db.prepare(`SELECT * FROM "${table}.${generation}" ORDER BY ${order}`).raw().all()]
        }),
      ),
    )
  } finally {
    db.close()
  }
}

function tablesIn(file: string): readonly unknown[] {
  const db = new Database(file, { readonly: true })
  try {
    return db
      .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '*.[0-9]*' ORDER BY name`)
      .pluck()
      .all()
  } finally {
    db.close()
  }
}

/** Ends when everything that is served has reached the position. */
async function reached(node: EmbeddedNode, position: bigint): Promise<void> {
  await eventually(
    () => node.readSide.health(),
    (all) => all.every((one) => one.position !== undefined && one.position >= position),
  )
}

function pickyBuilt(database: ReadDatabase, reader: EventReader, onProgress = () => {}) {
  return rebuild({
    database,
    reader,
    projections: [PICKY],
    settings: settingsOf({ projectionRetryMs: 1 }),
    clock: SYSTEM_CLOCK,
    random: Math.random,
    holder: 'test',
    sharesDisk: false,
    signal: new AbortController().signal,
    onProgress,
  })
}

describe('a rebuild', () => {
  test('D2: equals following, row for row, over random histories', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(limits, wishes, fc.nat()), { minLength: 3, maxLength: 3 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        async (registries, sizes) => {
          const file = path.join(freshFolder(), 'verdict.db')
          const node = await openedNode(file, {
            // Times of these histories are long past: retention would take rows away at its own pace.
            settings: { projectionBatchEventsMax: 7, rebuildBatchEventsMax: 50, listKeepMs: null },
            readModels: { follow: 'at_start' },
          })
          const streams = registries.map(([given, sent, seed], i) =>
            encodedHistory(`owner-${i}`, historyOf(given, sent, seed).history),
          )
          let position = 1n
          while (streams.some(({ appended, events }) => appended < events.length)) {
            for (const stream of streams) {
              const { value: size } = sizes.next()
              position = (await appendNext(node.store, stream, size)) ?? position
            }
          }
          await reached(node, position)
          const followed = rowsIn(`${file}-views`)
          await node.readSide.rebuild([...BUILT_IN, 'tally'])
          expect(rowsIn(`${file}-views`)).toEqual(followed)
          for (const name of BUILT_IN) {
            expect(await node.readSide.check(name, undefined)).toMatchObject({ position, differences: [] })
          }
          await node.door.close()
        },
      ),
      { numRuns: 6 },
    )
  })

  test('D2: of a projection whose version changed runs by itself, while the old rows are served', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const one = await openedNode(file)
    const position = await register(one, 'a', 'x', 'k')
    expect(await tallies(one, position)).toEqual({ k: 1 })
    await one.door.close()
    const two = await openedNode(file, { projection: 'TALLY_2' })
    expect(await tallies(two)).toEqual({ k: 1 })
    const health = await eventually(
      () => healthOf(two),
      ({ status, version }) => status === 'following' && version === 2,
    )
    expect(health.position).toBe(position)
    expect(tablesIn(`${file}-views`).filter((name) => String(name).startsWith('tallies'))).toHaveLength(1)
    await two.door.close()

    const old = await openedNode(file)
    const stopped = await eventually(
      () => healthOf(old),
      ({ message }) => message !== undefined,
    )
    expect(stopped).toMatchObject({ status: 'stopped', version: 2 })
    expect(stopped.message).toBe(
      `The rows of 'tally' are of version 2, and this process knows version 1: run the version that built them.`,
    )
  })

  test('D2: to a new version that can not be done serves the old rows, and refuses what is asked of the new ones', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const one = await openedNode(file)
    await register(one, 'b', 'x', 'poison')
    expect(await tallies(one, await register(one, 'a', 'y', 'k'))).toEqual({ k: 1 })
    await one.door.close()
    const two = await openedNode(file, { projection: 'TALLY_OF_INITIALS' })
    expect(await tallies(two)).toEqual({ k: 1 })
    const refused = {
      code: 'not_served',
      message:
        "The rows of 'tally' are of version 1, and the question needs those of version 2, which are not built yet: no such column: initial.",
    }
    await expect(two.readSide.ask(INITIALS_QUESTION, [])).rejects.toMatchObject(refused)
    await expect(two.readSide.ask(INITIALS_QUESTION, [], { atLeast: 1n, timeoutMs: 50 })).rejects.toMatchObject(refused)
    const why = /^'tally' can't go on at revision 1 of 'registry-default\/b': a poisonous kind\. /
    const { status, version } = await eventually(
      () => healthOf(two),
      ({ message = '' }) => why.test(message),
    )
    expect({ status, version }).toEqual({ status: 'stopped', version: 1 })
    rmSync(`${file}-views`)
    expect((await two.readSide.ask(INITIALS_QUESTION, [], { atLeast: 1n })).answer).toEqual(['k'])
  })

  test('D2: that is cancelled at any moment leaves nothing behind, and the old rows serve on', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, 4_000)
    const node = await openedNode(file, { settings: { rebuildBatchEventsMax: 200 } })
    const position = await node.store.end()
    expect(await tallies(node, position)).toEqual({ k: 4_000 })
    await reached(node, position)
    const before = tablesIn(`${file}-views`)
    for (const moment of [0, 1, 5, 12, 19]) {
      const cancelling = new AbortController()
      let told = 0
      const rebuilding = node.readSide.rebuild(['tally', 'operation-index'], {
        signal: cancelling.signal,
        onProgress: () => {
          if (told++ === moment) cancelling.abort(new Error('cancelled'))
        },
      })
      await expect(rebuilding).rejects.toThrow('cancelled')
      expect(tablesIn(`${file}-views`)).toEqual(before)
    }
    expect(await tallies(node, position)).toEqual({ k: 4_000 })
  })

  test('D2: tells how far it is', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, 2_000)
    const node = await openedNode(file, { settings: { rebuildBatchEventsMax: 500 } })
    const told: RebuildProgress[] = []
    const report = await node.readSide.rebuild(['tally'], { onProgress: (progress) => told.push(progress) })
    expect(report).toEqual({ projections: ['tally'], events: 2_000, position: 2_001n })
    expect(told.map(({ events }) => events)).toEqual([499, 999, 1_499, 1_999, 2_000])
    expect(told.every(({ end }) => end === 2_001n)).toBe(true)
  })

  test('D2: serves rows that are not behind those before it, while events come', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, 3_000)
    const node = await openedNode(file, { settings: { rebuildBatchEventsMax: 200 } })
    await tallies(node, await node.store.end())
    let isRebuilt = false
    const rebuilding = node.readSide.rebuild(['tally']).then((report) => {
      isRebuilt = true
      return report
    })
    let last = 0n
    let count = 3_000
    for (let i = 0; !isRebuilt || i < 20; i++) {
      const position = await register(node, 'a', `id-${i}`, 'k')
      const { answer, position: at } = await node.readSide.ask(TALLIES_QUESTION, [], { atLeast: position })
      expect(at >= last).toBe(true)
      expect(answer).toEqual({ k: ++count })
      last = at
    }
    await rebuilding
  })

  test('D3: that meets an event it can make no sense of stops and names it; the old rows serve on', async () => {
    const node = await openedNode('memory:')
    await register(node, 'a', 'x', 'k')
    await tallies(node, await register(node, 'b', 'y', 'poison'))
    const position = await register(node, 'a', 'z', 'k')
    await expect(node.readSide.rebuild(['tally'])).rejects.toMatchObject({
      code: 'poison_event',
      message: expect.stringMatching(
        /^'tally' can't go on at revision 1 of 'registry-default\/b': a poisonous kind\. A rebuild leaves nothing out: the rows as they were serve on\. For rows without that stream, delete the file of the read models\.$/,
      ),
    })
    expect(await tallies(node, position)).toEqual({ k: 2 })
  })

  test('D3: that can not store the rows of an event stops and says so; the old rows serve on', async () => {
    const node = await openedNode('memory:', { projection: 'PICKY' })
    await tallies(node, await register(node, 'a', 'x', 'k'))
    const poison = await register(node, 'b', 'y', 'unwritable')
    await expect(node.readSide.rebuild(['tally'])).rejects.toMatchObject({
      code: 'unwritable_rows',
      message: expect.stringMatching(
        new RegExp(
          `^'tally' can't store its rows: NOT NULL constraint failed: .* \\(of an event up to position ${poison}\\)\\. A rebuild leaves nothing out: `,
        ),
      ),
    })
    expect(await tallies(node)).toEqual({ k: 1 })
  })

  test.each([
    ['WRONG_INDEX', /^The tables of 'tally' can't be made: .*nothing/],
    ['TABLE_TWICE', /^The tables of 'tally' can't be made: .*already exists/],
  ])('of all there are, one of which can not be built (%s), builds the others', async (projection, why) => {
    const file = path.join(freshFolder(), 'verdict.db')
    const first = await openedNode(file, { readModels: { follow: 'never' } })
    const position = await register(first, 'b', 'y', 'unwritable')
    await first.door.close()
    const node = await openedNode(file, { projection })
    const all = await eventually(
      () => node.readSide.health(),
      (health) =>
        health.filter((one) => one.position === position).length === BUILT_IN.length &&
        /^(The|')/.test(health.at(-1)?.message ?? ''),
    )
    expect(all.at(-1)).toMatchObject({ projection: 'tally', status: 'stopped', message: expect.stringMatching(why) })
  })

  test('D3: of the first rows of a projection parks the stream of an event whose rows can not be stored', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const first = await openedNode(file, { readModels: { follow: 'never' } })
    await register(first, 'a', 'x', 'k')
    const poison = await register(first, 'b', 'y', 'unwritable')
    await register(first, 'b', 'z', 'k')
    const position = await register(first, 'c', 'x', 'k')
    await first.door.close()
    const node = await openedNode(file, { projection: 'PICKY' })
    expect(await tallies(node, position)).toEqual({ k: 2 })
    expect((await healthOf(node)).parked).toMatchObject([
      { stream: 'registry-default/b', position: poison, error: expect.stringMatching(/^NOT NULL constraint failed: /) },
    ])
  })

  test('D3: of first rows comes to its end, although events whose rows can not be stored keep coming', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, 40, (i) => (i === 3 ? 'unwritable' : 'k'))
    const store = await openSqliteStore({ path: file })
    const log = await openSqliteLogReader({ path: file })
    const database = openReadDatabase(`${file}-views`)
    atTheEnd(async () => {
      database.close()
      await log.close()
      await store.close()
    })
    let passes = 0
    const reader: EventReader = {
      ...log,
      follow(options) {
        const kinds = [...Array.from({ length: 120 }, () => 'k'), 'unwritable']
        const coming = encodedHistory(
          `late-${++passes}`,
          kinds.map((kind, i) => registration(i, kind)),
        )
        return (async function* () {
          // A bound, so that one that never ends is told from one that does.
          if (passes <= 5) await appendNext(store, coming, kinds.length)
          yield* log.follow(options)
        })()
      },
    }
    await pickyBuilt(database, reader)
    expect(passes).toBe(2)
    const [serving] = database.generations('tally')
    expect(serving && database.parked(serving).map(({ stream }) => stream)).toEqual([
      'registry-default/o0',
      'registry-default/late-1',
      'registry-default/late-2',
    ])
  })

  test('D3: of first rows waits while others write to the file, also where it looks for the event to blame', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, 40, (i) => (i === 3 ? 'unwritable' : 'k'))
    const log = await openSqliteLogReader({ path: file })
    const database = openReadDatabase(`${file}-views`)
    const other = new Database(`${file}-views`)
    atTheEnd(async () => {
      other.close()
      database.close()
      await log.close()
    })
    let passes = 0
    const reader: EventReader = {
      ...log,
      async *follow(options) {
        const isSecond = ++passes === 2
        for await (const item of log.follow(options)) {
          if (isSecond && item.type === 'caught_up') {
            other.exec('BEGIN IMMEDIATE')
            // Not before this thread has waited in vain for as long as SQLite waits.
            setTimeout(() => other.exec('ROLLBACK'))
          }
          yield item
        }
      },
    }
    expect(await pickyBuilt(database, reader)).toMatchObject({ events: 40 })
    expect(passes).toBe(2)
    expect(rowsIn(`${file}-views`).tallies).toMatchObject([['k', 33, expect.any(Number)]])
  })

  test('that was taken for dead, and its tables away, says so, and nothing against the projection', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, 40)
    const reader = await openSqliteLogReader({ path: file })
    const database = openReadDatabase(`${file}-views`)
    atTheEnd(async () => {
      database.close()
      await reader.close()
    })
    const takenAway = () => {
      for (const { projection, generation } of database.generations()) database.drop(projection, generation)
    }
    await expect(pickyBuilt(database, reader, takenAway)).rejects.toBeInstanceOf(CheckpointLost)
    expect(tablesIn(`${file}-views`)).toEqual([])
  })

  test('whose file is deleted meanwhile does not say that it was done', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, 2_000)
    const node = await openedNode(file, { settings: { rebuildBatchEventsMax: 100 }, readModels: { follow: 'never' } })
    const onProgress = () => rmSync(`${file}-views`, { force: true })
    await expect(node.readSide.rebuild(['tally'], { onProgress })).rejects.toMatchObject({
      code: 'file_replaced',
      message: `'${file}-views' was deleted or replaced while it was filled, and what was built went with it: rebuild again.`,
    })
    expect(await node.readSide.rebuild(['tally'])).toMatchObject({ events: 2_000 })
  })

  test('of a projection that is not there is refused with those that are', async () => {
    const node = await openedNode('memory:')
    await expect(node.readSide.rebuild(['talley'])).rejects.toMatchObject({
      code: 'unknown_projection',
      message: `There is no projection 'talley'; there are: ${[...BUILT_IN, 'tally'].join(', ')}.`,
    })
  })

  test('runs once at a time', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const node = await openedNode(file, { settings: { followLeaseMs: 60_000 } })
    await tallies(node, await register(node, 'a', 'x', 'k'))
    const database = openReadDatabase(`${file}-views`)
    atTheEnd(() => database.close())
    const times = { now: Date.now(), monotonicNow: 0 }
    const other = new Lease(database, 'rebuild', 'somebody else', 60_000)
    expect(other.hold(times)).toBe(true)
    await expect(node.readSide.rebuild(['tally'])).rejects.toMatchObject({
      code: 'rebuild_running',
      message: 'Another rebuild of this file is running: wait for its end, or cancel it.',
    })
    other.release()
    expect(await node.readSide.rebuild(['tally'])).toMatchObject({ events: 2 })
  })

  test('D2: whose process was killed leaves rows that are gone after the next start', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const first = await openedNode(file)
    await tallies(first, await register(first, 'a', 'x', 'k'))
    await first.door.close()
    // What a rebuild has written when its process dies; its lease is its own until it is too old.
    const database = openReadDatabase(`${file}-views`)
    database.begin(TALLY, 'building', { logId: 'log', timeline: 1, position: 0n, hash: '' }, 1)
    database.connection.prepare(`INSERT INTO leases VALUES ('rebuild', 'somebody', ?)`).run(Date.now())
    database.close()
    const before = tablesIn(`${file}-views`)
    const node = await openedNode(file, { settings: { followLeaseMs: 300 } })
    expect(await tallies(node, await register(node, 'a', 'y', 'k'))).toEqual({ k: 2 })
    await eventually(
      () => tablesIn(`${file}-views`),
      (tables) => tables.length === before.length - 2,
    )
  })
})

describe('a rebuild on the disk of a log that others write to', () => {
  const EVENTS = 1_000

  /** Every flush takes 10 ms by its clock, and whenever it looks at the log, something has come. */
  async function besideCommands(onRest: () => void) {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, EVENTS)
    const node = await openedNode(file, { readModels: { follow: 'never' } })
    const reader = await openSqliteLogReader({ path: file })
    const database = openReadDatabase(`${file}-views`)
    atTheEnd(async () => {
      database.close()
      await reader.close()
    })
    let now = 0
    let registered = 0
    const built = (signal: AbortSignal) =>
      rebuild({
        database,
        reader: {
          ...reader,
          async end() {
            await register(node, 'beside', `id-${registered++}`, 'k')
            return await reader.end()
          },
        },
        projections: [TALLY_WIDE],
        settings: settingsOf({ rebuildBatchEventsMax: 100, rebuildDiskShareMax: 0.2 }),
        clock: {
          ...SYSTEM_CLOCK,
          monotonicNow: () => (now += 10),
          after(ms, call) {
            if (ms === 40) onRest()
            return SYSTEM_CLOCK.after(ms, call, 'awaited')
          },
        },
        random: Math.random,
        holder: 'test',
        sharesDisk: true,
        signal,
        onProgress: () => {},
      })
    return { file, node, built, registered: () => registered }
  }

  test('D2: rests, comes to the end all the same, and has every row', async () => {
    let rests = 0
    const { file, node, built, registered } = await besideCommands(() => rests++)
    const { events } = await built(new AbortController().signal)
    expect(rests).toBeGreaterThanOrEqual(EVENTS / 100)
    expect(events).toBeGreaterThan(EVENTS)
    expect(registered()).toBeGreaterThan(rests)
    await node.door.close()
    const following = await openedNode(file, { projection: 'TALLY_WIDE' })
    expect(await tallies(following, await following.store.end())).toEqual({ k: EVENTS + registered() })
    expect(await following.readSide.check('tally', undefined)).toMatchObject({ differences: [], parked: [] })
  })

  test('D2: is cancelled while it rests, and leaves nothing behind', async () => {
    const cancelling = new AbortController()
    let rests = 0
    const { file, built } = await besideCommands(() => {
      if (++rests === 3) cancelling.abort(new Error('cancelled'))
    })
    await expect(built(cancelling.signal)).rejects.toThrow('cancelled')
    expect(rests).toBe(3)
    expect(tablesIn(`${file}-views`)).toEqual([])
  })
})

describe('a check', () => {
  test('D2: names rows that are not what the log gives, in full and by sample', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    await writtenLog(file, 400)
    const node = await openedNode(file)
    const position = await node.store.end()
    expect(await tallies(node, position)).toEqual({ k: 400 })
    await reached(node, position)
    expect(await node.readSide.check('tally', undefined)).toEqual({
      projection: 'tally',
      position,
      streams: undefined,
      rows: 401,
      tablesLeftOut: [],
      differences: [],
      parked: [],
    })
    const db = new Database(`${file}-views`)
    const table = tablesIn(`${file}-views`).find((name) => String(name).startsWith('tally-names'))
    db.exec(`UPDATE "${table}" SET place = 7 WHERE stream = 'registry-default/o1' AND number = 3`)
    db.exec(`DELETE FROM "${table}" WHERE stream = 'registry-default/o2' AND number = 5`)
    db.exec(`INSERT INTO "${table}" VALUES ('registry-default/o3', 5000, 1)`)
    db.close()
    const differences = [
      { table: 'tally-names', key: ['registry-default/o1', 3n], type: 'different' },
      { table: 'tally-names', key: ['registry-default/o2', 5n], type: 'missing' },
      { table: 'tally-names', key: ['registry-default/o3', 5_000n], type: 'unexpected' },
    ]
    expect((await node.readSide.check('tally', undefined)).differences).toEqual(differences)
    // The places of names follow from all streams, so that a sample of some of them has others.
    const sampled = await node.readSide.check('operation-history', 2)
    expect(sampled).toMatchObject({ streams: 2, rows: 200, differences: [], tablesLeftOut: [] })
  })

  test('goes on while events come', async () => {
    const file = path.join(freshFolder(), 'verdict.db')
    const node = await openedNode(file)
    let isOver = false
    const working = (async () => {
      for (let i = 0; !isOver; i++) {
        await register(node, `o${i % 50}`, `id-${i}`, 'k')
        // As fast as they go they would fill their registries before a slow machine has checked.
        await delay(1)
      }
    })()
    // Told below; until then it ends nothing.
    working.catch(() => {})
    await tallies(node, 50n)
    for (const name of [...BUILT_IN, 'tally']) {
      expect((await node.readSide.check(name, undefined)).differences).toEqual([])
    }
    isOver = true
    await working
  })
})
