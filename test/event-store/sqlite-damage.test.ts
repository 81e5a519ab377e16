import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LogError, type StoredEvent } from '../../src/event-store/event-store.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { appendCrc, headCrc } from '../../src/event-store/sqlite-checksums.ts'
import { APPLICATION_ID } from '../../src/event-store/sqlite-creation.ts'
import { bringForward, connect, networkFileSystem } from '../../src/event-store/sqlite-file.ts'
import { chainedEvents } from '../support/chained-events.ts'
import { every } from '../support/every.ts'
import { allOf, openedLog } from '../support/opened-log.ts'

/** Opening flushes, which costs nothing in memory. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

let directory: string
let file: string

beforeEach(() => {
  directory = mkdtempSync(path.join(PLACE, 'verdict-log-'))
  file = path.join(directory, 'log.db')
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

const STREAMS = ['registry-default/a', 'registry-default/b', 'registry-default/c']

/** A closed log with appends of all sizes: marks, back links and overflow pages are in it. */
async function writeLog(): Promise<StoredEvent[]> {
  const store = await openSqliteStore({ path: file })
  for (let round = 0; round < 8; round++) {
    for (const [index, stream] of STREAMS.entries()) {
      const head = await store.head(stream)
      const results = Array.from({ length: 1 + ((round * 7 + index * 5) % 23) }, (_, at) => 'x'.repeat(at * 10))
      await store.append(stream, head?.revision ?? 'no_stream', chainedEvents(stream, head, results))
    }
  }
  const stored = await every(store.readAll())
  await store.close()
  return stored
}

/** Every event by every way to it; or the code of the refusal. */
function readEverything(): { byLog: StoredEvent[]; byStream: StoredEvent[][]; backwards: StoredEvent[][] } | string {
  return openedLog(file, (reader) => {
    const pages = (stream: string, direction: 'forwards' | 'backwards') => {
      const events: StoredEvent[] = []
      for (let next: number | undefined = direction === 'forwards' ? 0 : 1_000_000; next !== undefined; ) {
        const page: ReturnType<typeof reader.forwards> = reader[direction](stream, next)
        events.push(...page.events)
        if (page.next !== undefined && (direction === 'forwards' ? page.next <= next : page.next >= next)) {
          throw new Error(`Reading ${direction} of '${stream}' does not get on from ${next}.`)
        }
        next = page.next
      }
      return events
    }
    return {
      byLog: allOf(reader),
      byStream: STREAMS.map((stream) => pages(stream, 'forwards')),
      backwards: STREAMS.map((stream) => pages(stream, 'backwards').reverse()),
    }
  })
}

describe('a damaged file', () => {
  test('is told wherever a bit of it is flipped, or reads as it was', async () => {
    const stored = await writeLog()
    const intact = readFileSync(file)
    const whole = {
      byLog: stored,
      byStream: STREAMS.map((stream) => stored.filter((event) => event.stream === stream)),
      backwards: STREAMS.map((stream) => stored.filter((event) => event.stream === stream)),
    }
    expect(readEverything()).toEqual(whole)
    const wrong: string[] = []
    const told = new Map<string, number>()
    const step = Math.max(1, Math.floor(intact.length / 1_200)) | 1
    for (let at = 0; at < intact.length; at += step) {
      const bytes = Buffer.from(intact)
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at)
      for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
      writeFileSync(file, bytes)
      let found: ReturnType<typeof readEverything>
      try {
        found = readEverything()
      } catch (error) {
        wrong.push(`bit ${at % 8} of byte ${at}: ${error}`)
        continue
      }
      if (typeof found === 'string') told.set(found, (told.get(found) ?? 0) + 1)
      else if (JSON.stringify(found, bigintAsText) !== JSON.stringify(whole, bigintAsText)) {
        wrong.push(`bit ${at % 8} of byte ${at}: read otherwise`)
      }
    }
    expect(wrong).toEqual([])
    expect([...told.keys()].sort()).toEqual(expect.arrayContaining(['log_damaged']))
  })

  test('is told when the name of a stream is damaged in the index alone: it must not pass for a new stream', async () => {
    await writeLog()
    const intact = readFileSync(file)
    const [stream = ''] = STREAMS
    const asItWas = JSON.stringify(readEverything(), bigintAsText)
    let told = 0
    for (let at = intact.indexOf(stream); at !== -1; at = intact.indexOf(stream, at + 1)) {
      // Within an event it stands in quotes.
      if (intact[at - 1] === 0x22) continue
      const bytes = Buffer.from(intact)
      bytes[at + stream.length - 1] = 'z'.charCodeAt(0)
      writeFileSync(file, bytes)
      const found = readEverything()
      if (found === 'log_damaged') told++
      // What SQLite has moved leaves a copy in free space, where nobody looks.
      else expect(JSON.stringify(found, bigintAsText) === asItWas).toBe(true)
    }
    // In the table and in its index.
    expect(told).toBe(2)
  })

  test.each([0.99, 0.9, 0.5, 0.1])('cut to %d of its length is told when it is opened or read', async (part) => {
    const stored = await writeLog()
    truncateSync(file, Math.floor(statSync(file).size * part))
    const size = statSync(file).size
    expect(stored.length).toBeGreaterThan(100)
    await expect(openAndReadAll()).rejects.toMatchObject({ name: 'LogError', code: 'log_damaged' })
    expect(statSync(file).size).toBe(size)
  })

  test.each([
    ['an empty file', () => closeSync(openSync(file, 'w')), 'log_damaged'],
    [
      'text',
      () => writeFileSync(file, 'not a database at all, and longer than a header of SQLite would ever be. '.repeat(40)),
      'log_damaged',
    ],
    ['a file of one byte', () => writeFileSync(file, 'S'), 'log_damaged'],
    ['a directory', () => mkdirSync(file), 'log_unusable'],
    [
      "another program's database",
      () => withDatabase((db) => db.exec('CREATE TABLE notes (note TEXT)')),
      'log_damaged',
    ],
    [
      "another program's database of our version",
      () =>
        withDatabase((db) =>
          db.exec('PRAGMA application_id = 7; PRAGMA user_version = 1; CREATE TABLE notes (note TEXT)'),
        ),
      'log_damaged',
    ],
    [
      'a database of ours without tables',
      () => withDatabase((db) => db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = 1`)),
      'log_damaged',
    ],
  ])('%s is refused by name and left as it is', async (_, make, code) => {
    make()
    const before = statSync(file).isFile() ? readFileSync(file) : undefined
    await expect(openSqliteStore({ path: file })).rejects.toMatchObject({ name: 'LogError', code })
    if (before) expect(readFileSync(file)).toEqual(before)
  })

  test('a directory that is not there is refused, and not made', async () => {
    const missing = path.join(directory, 'missing', 'log.db')
    await expect(openSqliteStore({ path: missing })).rejects.toMatchObject({ name: 'LogError', code: 'log_unusable' })
    expect(existsSync(path.dirname(missing))).toBe(false)
  })

  test('shows in the health once somebody has read it', async () => {
    await writeLog()
    withDatabase((db) =>
      db.exec('UPDATE appends SET crc = crc + 1 WHERE position = (SELECT min(position) FROM appends WHERE stream = 2)'),
    )
    const store = await openSqliteStore({ path: file })
    expect(store.health()).toEqual({ status: 'ok' })
    await expect(every(store.readStream('registry-default/a'))).rejects.toMatchObject({ code: 'log_damaged' })
    expect(store.health()).toMatchObject({ status: 'damaged' })
    await store.close()
  })

  test.each([
    [
      'a mark that points too low',
      'UPDATE marks SET position = 1 + (SELECT min(position) FROM appends WHERE stream = 2) WHERE stream = 2',
    ],
    ['a mark of an append that came before', 'UPDATE marks SET revision = revision + 30 WHERE stream = 2'],
    ['a lost append', 'DELETE FROM appends WHERE position = (SELECT max(previous) FROM appends WHERE stream = 2)'],
    ['a head that lags', 'UPDATE streams SET revision = revision - 1 WHERE id = 2'],
    [
      'an append of another stream',
      'UPDATE appends SET stream = 3 WHERE position = (SELECT max(previous) FROM appends WHERE stream = 2)',
    ],
  ])('%s is damage, from wherever the stream is read', async (_, statement) => {
    const stored = await writeLog()
    withDatabase((db) => db.exec(statement))
    const [stream = ''] = STREAMS
    const expected = stored.filter((event) => event.stream === stream)
    const store = await openSqliteStore({ path: file })
    const codes = new Set<string>()
    for (let from = 0; from < expected.length; from++) {
      try {
        const read = await every(store.readStream(stream, { from }))
        expect(read).toEqual(expected.slice(from))
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        codes.add(error.code)
      }
    }
    expect([...codes]).toEqual(['log_damaged'])
    await store.close()
  })

  const LAST_OF_A = '(SELECT position FROM streams WHERE id = 2)'

  test.each([
    [
      'moves an append to a stream that nobody asked for',
      `UPDATE appends SET stream = 1 WHERE position = ${LAST_OF_A}`,
    ],
    [
      'moves an append there, and its count with it',
      `UPDATE appends SET stream = 1, count = position - (SELECT max(position) FROM appends b WHERE b.position < appends.position) WHERE position = ${LAST_OF_A}`,
    ],
    ['names a stream otherwise', "UPDATE streams SET name = 'segistry-default/a' WHERE id = 2"],
    ['names a stream by no text', `UPDATE streams SET name = CAST(name AS BLOB) WHERE id = 2`],
    ['leaves an append no number', `UPDATE appends SET count = NULL WHERE position = ${LAST_OF_A}`],
  ])('is told when it is read in part: what %s hides nothing', async (_, statement) => {
    const stored = await writeLog()
    const [stream = ''] = STREAMS
    const inPart = () => openedLog(file, (reader) => allOf(reader, [stream]))
    expect(inPart()).toEqual(stored.filter((event) => event.stream === stream))
    withoutTheRulesOfColumns(statement)
    expect(inPart()).toBe('log_damaged')
  })

  test('is told when an append is lost at its end, where no gap shows', async () => {
    await writeLog()
    withDatabase((db) => db.exec('DELETE FROM appends WHERE position = (SELECT max(position) FROM appends)'))
    await expect(openSqliteStore({ path: file })).rejects.toMatchObject({ name: 'LogError', code: 'log_damaged' })
  })

  test('whose head of one stream is damaged can be read otherwise', async () => {
    const stored = await writeLog()
    withDatabase((db) => db.exec('UPDATE streams SET position = position + 1000 WHERE id = 2'))
    expect(openedLog(file, (reader) => allOf(reader))).toEqual(stored)
    expect(openedLog(file, (reader) => reader.head('registry-default/a'))).toBe('log_damaged')
  })

  test('an append to a stream whose head is damaged is refused as damaged', async () => {
    const stored = await writeLog()
    withDatabase((db) => db.exec('UPDATE streams SET revision = revision - 1 WHERE id = 2'))
    const [stream = ''] = STREAMS
    const last = stored.filter((event) => event.stream === stream).at(-1)
    const store = await openSqliteStore({ path: file })
    const result = await store.append(stream, last?.revision ?? 0, chainedEvents(stream, last, [1]))
    expect(result).toMatchObject({ type: 'refused', reason: 'damaged' })
    expect((await every(store.readAll())).length).toBe(stored.length)
    await store.close()
  })
})

describe('the format', () => {
  test('a newer one is refused with a sentence that says what to do, and left as it is', async () => {
    await writeLog()
    withDatabase((db) => db.pragma('user_version = 7'))
    await expect(openSqliteStore({ path: file })).rejects.toMatchObject({
      name: 'LogError',
      code: 'log_newer',
      message: `'${file}' has format 7, and this version of Verdict reads up to 1. It was left as it is; use the version that wrote it, or a later one.`,
    })
    withDatabase((db) => expect(db.pragma('user_version', { simple: true })).toBe(7))
  })

  test('an older one is brought forward step by step, each step once', async () => {
    await writeLog()
    const steps: number[] = []
    const migrations = [2, 3].map((version) => (db: Database.Database) => {
      steps.push(version)
      db.exec(`CREATE TABLE of_version_${version} (id INTEGER PRIMARY KEY)`)
    })
    withDatabase((db) => {
      bringForward(db, file, migrations)
      bringForward(db, file, migrations)
      expect(db.pragma('user_version', { simple: true })).toBe(3)
    })
    expect(steps).toEqual([2, 3])
  })

  test('a step that fails leaves the format before it', async () => {
    await writeLog()
    const failing = (db: Database.Database) => {
      db.exec('CREATE TABLE half_done (id INTEGER PRIMARY KEY)')
      throw new Error('the step fails')
    }
    withDatabase((db) => {
      expect(() => bringForward(db, file, [failing])).toThrow('the step fails')
      expect(db.pragma('user_version', { simple: true })).toBe(1)
      expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'half_done'").all()).toEqual([])
    })
  })

  test('two that bring it forward at once take each step once', async () => {
    await writeLog()
    const [one, two] = [connect(file), connect(file)]
    const steps: string[] = []
    bringForward(one, file, [
      () => {
        steps.push('one')
      },
    ])
    bringForward(two, file, [
      () => {
        steps.push('two')
      },
    ])
    expect(steps).toEqual(['one'])
    one.close()
    two.close()
  })

  test("a copy that SQLite's VACUUM INTO made is a log again, with its write-ahead log", async () => {
    const stored = await writeLog()
    const copy = path.join(directory, 'copy.db')
    withDatabase((db) => db.prepare('VACUUM INTO ?').run(copy))
    const store = await openSqliteStore({ path: copy })
    expect(await every(store.readAll())).toEqual(stored)
    await store.close()
    const db = new Database(copy)
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
    db.close()
  })

  test('positions go on beyond 2^53', async () => {
    await (await openSqliteStore({ path: file })).close()
    const far = 2n ** 53n + 1n
    withDatabase((db) => {
      const { lines, hash } = db.prepare('SELECT a.lines, s.hash FROM appends a, streams s').get() as {
        lines: Buffer
        hash: string
      }
      db.prepare('UPDATE appends SET position = ?, crc = ?').run(far, appendCrc(far, 1, 0, 1, 0n, lines))
      db.prepare('UPDATE streams SET position = ?, crc = ?').run(far, headCrc('admin', 0, far, hash))
    })
    const store = await openSqliteStore({ path: file })
    const [stream = ''] = STREAMS
    expect(await store.append(stream, 'no_stream', chainedEvents(stream, undefined, [1, 2]))).toEqual({
      type: 'acknowledged',
      revision: 1,
      position: far + 2n,
    })
    expect((await every(store.readAll({ after: far }))).map(({ position }) => position)).toEqual([far + 1n, far + 2n])
    expect((await store.head(stream))?.position).toBe(far + 2n)
    await store.close()
  })

  test('texts are kept as they are, also those that JSON would write otherwise', async () => {
    const store = await openSqliteStore({ path: file })
    const [stream = ''] = STREAMS
    const [event] = chainedEvents(stream, undefined, [0])
    if (event === undefined) throw new Error('one event was asked for')
    const content = `{"salt":"00","value":{"b":-0,"1":1E+2,"a":1.0,"a":2,"\\u0041":"\u2028 \\/ é" } }`
    await store.append(stream, 'no_stream', [{ ...event, content }])
    expect((await every(store.readStream(stream))).map((stored) => stored.content)).toEqual([content])
    await store.close()
  })

  test('leaves nothing beside the log when it was closed', async () => {
    await writeLog()
    expect(existsSync(`${file}-wal`)).toBe(false)
    const copy = path.join(directory, 'copy.db')
    copyFileSync(file, copy)
    const store = await openSqliteStore({ path: copy })
    expect((await every(store.readAll())).length).toBeGreaterThan(100)
    await store.close()
  })
})

describe('a place', () => {
  test.each([
    [0x6969, 'NFS'],
    [0xff534d42, 'CIFS'],
    [0xff534d42 | 0, 'CIFS'],
    [0xfe534d42, 'SMB2'],
    [0x01021997, '9P'],
    [0xef53, undefined],
    [0x01021994, undefined],
    [0x9123683e, undefined],
    [0x58465342, undefined],
    [0x794c7630, undefined],
  ])('with the file system %d is on the network: %s', (type, name) => {
    expect(networkFileSystem(type)).toBe(name)
  })
})

describe('the write-ahead log', () => {
  test('stays bounded however much is written', async () => {
    const store = await openSqliteStore({ path: file })
    const [stream = ''] = STREAMS
    const result = 'x'.repeat(400 * 1024)
    const appends = 100
    let largest = 0
    for (let written = 0; written < appends; written++) {
      const head = await store.head(stream)
      await store.append(stream, head?.revision ?? 'no_stream', chainedEvents(stream, head, [result]))
      largest = Math.max(largest, statSync(`${file}-wal`).size)
    }
    expect(statSync(file).size + largest).toBeGreaterThan(appends * result.length)
    expect(largest).toBeLessThan(8 * 1024 * 1024)
    await store.close()
  })
})

async function openAndReadAll(): Promise<StoredEvent[]> {
  const store = await openSqliteStore({ path: file })
  try {
    return await every(store.readAll())
  } finally {
    await store.close()
  }
}

function withDatabase(use: (db: Database.Database) => void): void {
  const db = new Database(file)
  try {
    use(db)
  } finally {
    db.close()
  }
}

/** As a flipped bit does it: also what the columns don't allow. */
function withoutTheRulesOfColumns(statement: string): void {
  withDatabase((db) => {
    db.unsafeMode()
    db.pragma('writable_schema = ON')
    const rules = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").all() as Table[]
    const rule = db.prepare<Table>('UPDATE sqlite_schema SET sql = :sql WHERE name = :name')
    for (const { name, sql } of rules) rule.run({ name, sql: sql.replace(/ STRICT/, '').replaceAll(' NOT NULL', '') })
    db.pragma('writable_schema = RESET')
    expect(db.prepare(statement).run().changes).toBe(1)
    db.pragma('writable_schema = ON')
    for (const table of rules) rule.run(table)
    db.pragma('writable_schema = RESET')
  })
}

interface Table {
  readonly name: string
  readonly sql: string
}

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value
}
