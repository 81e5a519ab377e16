import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { connect } from '../../src/event-store/sqlite-file.ts'
import { commitsLost } from '../../src/event-store/sqlite-write-ahead.ts'
import { chainedEvents } from '../support/chained-events.ts'
import { freshSeed } from '../support/fresh-seed.ts'
import { allOf, openedLog } from '../support/opened-log.ts'
import { seededRandom } from '../support/seeded-random.ts'

/** Opening flushes, which costs nothing in memory. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
/** 1 cuts at every byte. */
const STEP = Number(process.env.VERDICT_TORN_STEP ?? 97)
const FLIPS = Math.ceil(24_400 / STEP)
const PAGE = 4_096
const FRAME_HEADER = 24
const FRAME = PAGE + FRAME_HEADER
const STREAM = 'registry-default/a'
const APPENDS = 24

vi.setConfig({ testTimeout: 600_000 })

let directory: string
/** As a process that was killed left them: nothing of the write-ahead log is in the file. */
let log: Buffer
let writeAhead: Buffer
/** How long the write-ahead log was when an append was acknowledged, and how many events there were. */
let acknowledged: { readonly bytes: number; readonly events: number }[]
let ids: string[]

beforeEach(async () => {
  directory = mkdtempSync(path.join(PLACE, 'verdict-torn-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const written = path.join(directory, 'written.db')
  const store = await openSqliteStore({ path: written })
  acknowledged = []
  ids = []
  // A checkpoint would empty what is to be cut; it comes when nothing was written for a while.
  const reader = connect(written, { readonly: true })
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM appends').get()
  for (let i = 0; i < APPENDS; i++) {
    const head = await store.head(STREAM)
    const events = chainedEvents(
      STREAM,
      head,
      Array.from({ length: 1 + (i % 3) }, () => 'x'.repeat(i * 90)),
    )
    expect(await store.append(STREAM, head?.revision ?? 'no_stream', events)).toMatchObject({ type: 'acknowledged' })
    ids.push(...events.map(({ id }) => id))
    acknowledged.push({ bytes: statSync(`${written}-wal`).size, events: ids.length })
  }
  log = readFileSync(written)
  writeAhead = readFileSync(`${written}-wal`)
  reader.close()
  await store.close()
})

/** The ids of all events, as who opens it reads them; or the code of the refusal. */
function opened(logBytes: Buffer, writeAheadBytes: Buffer | undefined): readonly string[] | string {
  const file = path.join(directory, 'opened.db')
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
  writeFileSync(file, logBytes)
  if (writeAheadBytes !== undefined) writeFileSync(`${file}-wal`, writeAheadBytes)
  return openedLog(file, (reader) => allOf(reader, [STREAM]).map(({ id }) => id))
}

const flipped = (bytes: Buffer, at: number, bit: number) => {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(at) ^ (1 << bit), at)
  return copy
}

const told = (found: readonly string[] | string) => (typeof found === 'string' ? found : `${found.length} events`)

describe('a write-ahead log', () => {
  test('that is cut at any byte gives exactly what was acknowledged before that byte was written', () => {
    const from = acknowledged.at(-4)?.bytes ?? 0
    const wrong: string[] = []
    for (let at = from; at <= writeAhead.length; at += at >= writeAhead.length - FRAME_HEADER ? 1 : STEP) {
      const events = acknowledged.findLast(({ bytes }) => bytes <= at)?.events
      const found = opened(log, writeAhead.subarray(0, at))
      if (JSON.stringify(found) !== JSON.stringify(ids.slice(0, events))) {
        wrong.push(`cut at ${at}: ${told(found)}, expected ${events}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('that is damaged before its last commits is told and left as it is; in them it may pass for torn', () => {
    const random = seededRandom(freshSeed('VERDICT_TORN_SEED'))
    const certain = acknowledged.at(-3)
    const last = acknowledged.at(-2)
    if (certain === undefined || last === undefined) throw new Error('there are more appends')
    const wrong: string[] = []
    for (let flip = 0; flip < FLIPS; flip++) {
      const at = Math.floor(random() * writeAhead.length)
      const bit = Math.floor(random() * 8)
      const found = opened(log, flipped(writeAhead, at, bit))
      const isTold = found === 'log_damaged'
      // Whoever was told of the last commit is the only one who knows that it is no torn one.
      const isWhole = JSON.stringify(found) === JSON.stringify(ids)
      const isTorn = at >= certain.bytes && [certain, last].some(({ events }) => told(found) === `${events} events`)
      if (!isTold && !isWhole && !isTorn) wrong.push(`bit ${bit} of byte ${at}: ${told(found)}`)
      if (isTold && statSync(path.join(directory, 'opened.db-wal')).size !== writeAhead.length)
        wrong.push(`${at}: changed`)
    }
    expect(wrong).toEqual([])
  })

  test('that is written while it is read is not taken for damaged: what can’t be read is elsewhere at the next look', () => {
    const unreadAt = (frame: number) => flipped(writeAhead, 32 + frame * FRAME + FRAME_HEADER, 0)
    const looks = (...bytes: readonly Buffer[]) => {
      const given = [...bytes]
      return commitsLost(() => given.shift() ?? Buffer.alloc(0))
    }
    expect(looks(unreadAt(1), unreadAt(1), unreadAt(1))).toBeGreaterThan(0)
    expect(looks(unreadAt(1), unreadAt(2), unreadAt(3))).toBe(0)
    expect(looks(unreadAt(1), writeAhead)).toBe(0)
    // Begun anew meanwhile, with other salts.
    expect(looks(unreadAt(1), Buffer.alloc(0))).toBe(0)
  })

  test('that lost a page in the middle, or its header, is told', () => {
    const middle = 32 + FRAME * Math.floor((writeAhead.length - 32) / FRAME / 2)
    const lost = Buffer.from(writeAhead).fill(0, middle, middle + FRAME)
    expect(opened(log, lost)).toBe('log_damaged')
    expect(opened(log, Buffer.from(writeAhead).fill(0, 0, 32))).toBe('log_damaged')
    expect(opened(log, writeAhead)).toEqual(ids)
  })

  test('whose last commit was written in part, its end before its beginning, is torn: that commit was never acknowledged', () => {
    const [before, after] = acknowledged.slice(-2)
    if (before === undefined || after === undefined) throw new Error('there are more appends')
    expect(after.bytes - before.bytes).toBeGreaterThan(FRAME)
    const torn = Buffer.from(writeAhead).fill(0, before.bytes, before.bytes + FRAME)
    expect(opened(log, torn)).toEqual(ids.slice(0, before.events))
  })
})

describe('a log that was closed', () => {
  test('and is cut at any byte of its last pages is told', async () => {
    const file = path.join(directory, 'written.db')
    const whole = readFileSync(file)
    expect(opened(whole, undefined)).toEqual(ids)
    const wrong: string[] = []
    for (let at = whole.length - 2 * PAGE; at < whole.length; at += at >= whole.length - FRAME_HEADER ? 1 : STEP) {
      const found = opened(whole.subarray(0, at), undefined)
      if (found !== 'log_damaged') wrong.push(`cut at ${at}: ${told(found)}`)
    }
    expect(wrong).toEqual([])
  })

  test('of which a bit was flipped is told, or reads as it was', () => {
    const whole = readFileSync(path.join(directory, 'written.db'))
    const random = seededRandom(freshSeed('VERDICT_TORN_SEED'))
    const wrong: string[] = []
    for (let flip = 0; flip < FLIPS; flip++) {
      const at = Math.floor(random() * whole.length)
      const bit = Math.floor(random() * 8)
      const found = opened(flipped(whole, at, bit), undefined)
      const isTold = found === 'log_damaged' || found === 'log_newer'
      if (!isTold && JSON.stringify(found) !== JSON.stringify(ids))
        wrong.push(`bit ${bit} of byte ${at}: ${told(found)}`)
    }
    expect(wrong).toEqual([])
  })
})
