/** Snapshots are a cache: whatever is in their place, nobody is kept from working and nothing wrong is given out. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { memorySnapshotCache, type SnapshotCache, type SnapshotEntry } from '../../src/event-store/snapshot-cache.ts'
import { openSnapshotCache } from '../../src/event-store/sqlite-snapshot-cache.ts'

const ALICE: SnapshotEntry = {
  logId: '01976d1c-0c2e-7a52-9f3d-3f0f8a6f1b11',
  timeline: 1,
  stream: 'registry-default/alice',
  revision: 4_711,
  hash: 'ab'.repeat(32),
  schema: 1,
  state: '{"name":"Zürich \\"West\\"","lone":"\\ud800","nul":"\\u0000"}',
}
const BOB: SnapshotEntry = { ...ALICE, stream: 'registry-default/bob', revision: Number.MAX_SAFE_INTEGER, state: '' }

const KINDS: readonly [string, () => SnapshotCache][] = [
  ['in memory', memorySnapshotCache],
  ['in a file', () => opened(path.join(directory(), 'snapshots.db'))],
]

describe.each(KINDS)('a snapshot cache %s', (_name, open) => {
  test('gives back what was saved, to the letter', () => {
    const cache = open()
    cache.save(ALICE)
    cache.save(BOB)
    expect([cache.load(ALICE.stream), cache.load(BOB.stream)]).toEqual([ALICE, BOB])
  })

  test('has nothing for a stream that was never saved, in another case neither', () => {
    const cache = open()
    cache.save(ALICE)
    expect(cache.load('registry-default/Alice')).toBeUndefined()
  })

  test('replaces the entry of a stream as a whole, an older one included', () => {
    const cache = open()
    const older = { ...ALICE, logId: 'other', timeline: 2, revision: 3, hash: 'cd'.repeat(32), schema: 2, state: '{}' }
    cache.save(ALICE)
    cache.save(older)
    expect(cache.load(ALICE.stream)).toEqual(older)
  })

  test('forgets a stream, and only that one, and twice is once', () => {
    const cache = open()
    cache.save(ALICE)
    cache.save(BOB)
    cache.delete(ALICE.stream)
    cache.delete(ALICE.stream)
    expect([cache.load(ALICE.stream), cache.load(BOB.stream)]).toEqual([undefined, BOB])
  })
})

describe('a snapshot file', () => {
  test('keeps its entries over closing and opening', () => {
    const file = path.join(directory(), 'snapshots.db')
    const first = openSnapshotCache(file)
    first.save(ALICE)
    first.save(BOB)
    first.delete(BOB.stream)
    first.close()
    const second = opened(file)
    expect([second.load(ALICE.stream), second.load(BOB.stream)]).toEqual([ALICE, undefined])
  })

  test('that is deleted is begun anew, empty, and works', () => {
    const file = saved()
    rmSync(file)
    expectWorking(opened(file))
  })

  test('that is deleted while it is open is no reason to throw', () => {
    const file = path.join(directory(), 'snapshots.db')
    const cache = opened(file)
    rmSync(file)
    cache.save(ALICE)
    cache.load(ALICE.stream)
    cache.delete(ALICE.stream)
    cache.close()
    expectWorking(openedAgain(file))
  })

  const DAMAGED_PAGES: readonly [string, (cache: SnapshotCache) => void][] = [
    ['load', (cache) => cache.load(ALICE.stream)],
    ['save', (cache) => cache.save(ALICE)],
    ['delete', (cache) => cache.delete(ALICE.stream)],
  ]
  const DAMAGE: readonly [string, (file: string) => void][] = [
    ['cut to its half', (file) => writeFileSync(file, readFileSync(file).subarray(0, statSync(file).size / 2))],
    ['empty', (file) => writeFileSync(file, '')],
    ['without its header', (file) => writeFileSync(file, readFileSync(file).fill(0, 0, 100))],
    ['a text', (file) => writeFileSync(file, 'not a database '.repeat(1_000))],
    ['all zeros', (file) => writeFileSync(file, Buffer.alloc(8_192))],
    ['of another version', (file) => changed(file, 'PRAGMA user_version = 2')],
    ['of ours by its header, but without its table', (file) => changed(file, 'DROP TABLE snapshots')],
    ['of ours by its header, but with another table', (file) => changed(file, OTHER_TABLE)],
    ['damaged in its schema', (file) => writeFileSync(file, readFileSync(file).fill(0xff, 100, 4_096))],
    ['damaged in its table', (file) => writeFileSync(file, readFileSync(file).fill(0xff, 4_096))],
  ]
  test.each(DAMAGE)('that is %s gives no snapshot, and works', (_name, damage) => {
    const file = saved()
    damage(file)
    expectWorking(opened(file))
    expect(openedAgain(file).load(ALICE.stream)).toEqual(ALICE)
  })

  test.each(DAMAGED_PAGES)(
    'with a page that is damaged while it is open is begun anew when a %s meets it',
    (_name, meet) => {
      const file = saved()
      const cache = opened(file)
      writeFileSync(file, readFileSync(file).fill(0xff, 4_096))
      meet(cache)
      expectWorking(cache)
      expect(openedAgain(file).load(ALICE.stream)).toEqual(ALICE)
    },
  )

  const NO_PLACES: readonly [string, () => string][] = [
    [
      'a directory stands in its place',
      () => {
        const place = path.join(directory(), 'snapshots.db')
        mkdirSync(place)
        writeFileSync(path.join(place, 'kept.txt'), 'mine')
        return place
      },
    ],
    ['its folder is not there', () => path.join(directory(), 'nowhere', 'snapshots.db')],
    [
      'its folder is a file',
      () => {
        const file = path.join(directory(), 'file')
        writeFileSync(file, 'mine')
        return path.join(file, 'snapshots.db')
      },
    ],
  ]
  test.each(NO_PLACES)('is not needed: where %s, snapshots are kept in memory', (_name, place) => {
    const file = place()
    expectWorking(opened(file))
    expect(opened(file).load(ALICE.stream)).toBeUndefined()
  })

  test('leaves a directory in its place as it is', () => {
    const place = path.join(directory(), 'snapshots.db')
    mkdirSync(place)
    writeFileSync(path.join(place, 'kept.txt'), 'mine')
    opened(place)
    expect(readFileSync(path.join(place, 'kept.txt'), 'utf8')).toBe('mine')
  })

  test('is shared by two who have it open: each sees what the other saved last', () => {
    const file = path.join(directory(), 'snapshots.db')
    const [one, other] = [opened(file), opened(file)]
    one.save(ALICE)
    expect(other.load(ALICE.stream)).toEqual(ALICE)
    other.save({ ...ALICE, revision: 5_000 })
    expect(one.load(ALICE.stream)).toEqual({ ...ALICE, revision: 5_000 })
    one.delete(ALICE.stream)
    expect(other.load(ALICE.stream)).toBeUndefined()
  })

  test('is shared with another process', () => {
    const file = saved()
    const here = opened(file)
    const there = `
      import { openSnapshotCache } from ${JSON.stringify(CACHE_SOURCE)}
      const cache = openSnapshotCache(${JSON.stringify(file)})
      process.stdout.write(JSON.stringify(cache.load(${JSON.stringify(ALICE.stream)})))
      cache.save(${JSON.stringify(BOB)})
      cache.close()
    `
    const told = execFileSync(process.execPath, ['--input-type=module', '-e', there], { encoding: 'utf8' })
    expect(JSON.parse(told)).toEqual(ALICE)
    expect(here.load(BOB.stream)).toEqual(BOB)
  })

  test('that another is writing is not waited for: nothing is saved, nothing is thrown, and later it works', () => {
    const file = saved()
    const cache = opened(file)
    const writer = database(file)
    writer.exec('BEGIN EXCLUSIVE')
    expect(cache.load(ALICE.stream)).toBeUndefined()
    cache.save(BOB)
    cache.delete(ALICE.stream)
    writer.exec('COMMIT')
    expect([cache.load(ALICE.stream), cache.load(BOB.stream)]).toEqual([ALICE, undefined])
  })

  test('that another is writing is not thrown away by one who opens it, and works for it later', () => {
    const file = saved()
    const writer = database(file)
    writer.exec('BEGIN EXCLUSIVE')
    const cache = opened(file)
    cache.save(BOB)
    expect(cache.load(ALICE.stream)).toBeUndefined()
    writer.exec('COMMIT')
    expect(cache.load(ALICE.stream)).toEqual(ALICE)
    cache.save(BOB)
    expect(openedAgain(file).load(BOB.stream)).toEqual(BOB)
  })

  test('is opened by several at once for the first time, and all of them work', () => {
    const file = path.join(directory(), 'snapshots.db')
    const script = `
      import { openSnapshotCache } from ${JSON.stringify(CACHE_SOURCE)}
      const cache = openSnapshotCache(${JSON.stringify(file)})
      cache.save(${JSON.stringify(ALICE)})
      cache.load(${JSON.stringify(ALICE.stream)})
      cache.close()
    `
    const shell = Array.from({ length: 6 }, () => '"$NODE" --input-type=module -e "$SCRIPT" & pids="$pids $!"').join(
      '\n',
    )
    const run = () =>
      execFileSync('sh', ['-c', `${shell}\nfor pid in $pids; do wait $pid || exit 1; done`], {
        env: { ...process.env, NODE: process.execPath, SCRIPT: script },
      })
    expect(run).not.toThrow()
    const cache = opened(file)
    cache.save(ALICE)
    expect(cache.load(ALICE.stream)).toEqual(ALICE)
  })

  test('may be used after it was closed: it has nothing, and closing twice is once', () => {
    const cache = openSnapshotCache(saved())
    cache.close()
    expect(cache.load(ALICE.stream)).toBeUndefined()
    expect(() => cache.save(ALICE)).not.toThrow()
    expect(() => cache.delete(ALICE.stream)).not.toThrow()
    expect(() => cache.close()).not.toThrow()
  })

  const NOT_OURS: readonly [string, string][] = [
    ['a log', 'PRAGMA application_id = 0x56455244; CREATE TABLE appends (position INTEGER PRIMARY KEY)'],
    ['someone else’s database', 'CREATE TABLE photos (name TEXT)'],
  ]
  test.each(NOT_OURS)('is kept in memory where %s stands in its place, and that is left as it is', (_name, sql) => {
    const file = path.join(directory(), 'snapshots.db')
    changed(file, sql)
    const before = readFileSync(file)
    expectWorking(opened(file))
    expect(readFileSync(file).equals(before)).toBe(true)
  })
})

const CACHE_SOURCE = path.resolve(import.meta.dirname, '../../src/event-store/sqlite-snapshot-cache.ts')
const OTHER_TABLE = 'DROP TABLE snapshots; CREATE TABLE snapshots (stream TEXT PRIMARY KEY, state BLOB)'

function expectWorking(cache: SnapshotCache): void {
  expect(cache.load(ALICE.stream)).toBeUndefined()
  cache.save(ALICE)
  expect(cache.load(ALICE.stream)).toEqual(ALICE)
}

function directory(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-snapshots-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function opened(file: string): SnapshotCache {
  const cache = openSnapshotCache(file)
  onTestFinished(() => cache.close())
  return cache
}

/** Named for the reader: what the file holds now, whoever else has it open. */
const openedAgain = opened

/** A file that holds Alice's snapshot and is closed. */
function saved(): string {
  const file = path.join(directory(), 'snapshots.db')
  const cache = openSnapshotCache(file)
  cache.save(ALICE)
  cache.close()
  return file
}

function database(file: string): Database.Database {
  const db = new Database(file)
  onTestFinished(() => void db.close())
  return db
}

function changed(file: string, sql: string): void {
  const db = new Database(file)
  db.exec(sql)
  db.close()
}
