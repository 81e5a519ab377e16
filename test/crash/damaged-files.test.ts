import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { LIVENESS } from '../../projections/liveness.ts'
import { OPERATION_HISTORY } from '../../projections/operation-history.ts'
import { OPERATION_INDEX } from '../../projections/operation-index.ts'
import { RATES } from '../../projections/rates.ts'
import { ReadDatabaseError } from '../../projections/read-database-file.ts'
import { REGISTRIES } from '../../projections/registries.ts'
import { settingsOf } from '../../src/config.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import { check } from '../../src/subscriptions/check.ts'
import { isDamage, openReadFile } from '../../src/subscriptions/read-file.ts'
import { ReadSideError } from '../../src/subscriptions/read-side-error.ts'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { freshSeed } from '../support/fresh-seed.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { CrashingServer } from './support/crashing-server.ts'

vi.setConfig({ testTimeout: 240_000 })

const FLIPS = Number(process.env.VERDICT_DAMAGE_FLIPS ?? 16)
/** Of the header: sizes, versions, encoding, what the file says of itself. https://www.sqlite.org/fileformat.html#the_database_header */
const FORMAT_BYTES = [0, 16, 17, 18, 19, 20, 44, 45, 46, 47, 56, 57, 58, 59, 60, 61, 62, 63, 68, 69, 70, 71]
const PATIENCE = { timeout: 60_000 }

let folder: string
let log: string

beforeEach(() => {
  folder = path.join(freshFolder(), 'data')
  mkdirSync(folder)
  log = path.join(folder, 'verdict.db')
})

/** A log with its read models, snapshots and mark, closed. */
async function begunLog(): Promise<void> {
  const verdict = await openedAt(log, {
    readModels: { follow: 'at_start' },
    settings: { snapshotEvents: 5, aliveMarkMs: 20 },
  })
  const ids = Array.from({ length: 12 }, (_, i) => `op-${i}`)
  const handles = await Promise.all(ids.map((id) => verdict.start('k', { id, owner: `o${id.length}` }, async () => id)))
  await Promise.all(handles.map((handle) => handle.outcome()))
  await verdict.operations.list()
  await expect.poll(() => existsSync(`${log}-alive`), PATIENCE).toBe(true)
  await verdict.close()
  for (const suffix of ['-views', '-snapshots', '-alive']) expect(existsSync(log + suffix), suffix).toBe(true)
}

describe('the file of the read models', () => {
  test.each([
    ['a', (random: () => number, size: number) => Array.from({ length: FLIPS }, () => Math.floor(random() * size * 8))],
    ['any', () => FORMAT_BYTES.flatMap((byte) => Array.from({ length: 8 }, (_, bit) => byte * 8 + bit))],
  ])(
    'with %s bit flipped is built anew, refused by name, told by a check, or tells what it told before',
    async (_, bits) => {
      await begunLog()
      const views = readFileSync(`${log}-views`)
      const store = await openSqliteStore({ path: log })
      onTestFinished(() => store.close())
      const random = seededRandom(freshSeed('VERDICT_DAMAGE_SEED'))
      const damaged = path.join(folder, 'damaged-views')

      async function found(): Promise<string> {
        try {
          const { database, renewedBecause } = openReadFile(damaged)
          try {
            if (renewedBecause !== undefined) return 'built anew'
            for (const projection of [OPERATION_INDEX, OPERATION_HISTORY, LIVENESS, REGISTRIES, RATES]) {
              const report = await check({
                database,
                reader: store,
                projection,
                sample: undefined,
                settings: settingsOf(),
                clock: SYSTEM_CLOCK,
                random,
                signal: new AbortController().signal,
                onProgress: () => {},
              })
              if (report.differences.length > 0 || report.parked.length > 0) return 'told'
            }
            return 'same'
          } finally {
            database.close()
          }
        } catch (error) {
          if (isDamage(error)) return 'built anew'
          if (error instanceof ReadDatabaseError || error instanceof ReadSideError) return 'refused'
          return String(error instanceof Error ? error.stack : error)
        }
      }

      const outcomes = new Set<string>()
      for (const flipped of bits(random, views.length)) {
        const at = Math.floor(flipped / 8)
        const bytes = Buffer.from(views)
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (flipped % 8)), at)
        for (const suffix of ['-wal', '-shm']) rmSync(damaged + suffix, { force: true })
        writeFileSync(damaged, bytes)
        outcomes.add(await found())
      }
      const known = ['built anew', 'refused', 'same', 'told']
      expect([...outcomes].filter((one) => !known.includes(one))).toEqual([])
    },
  )

  test.each([
    ['a table', 'rates.*', '"queue_wait"', '"queue_wai7"'],
    ['an index', 'operations.kind.*', 'status_since_at', 'status_since_ot'],
    ['a table of its own', 'generations', 'standing', 'standinc'],
  ])('in which the definition of %s was changed is built anew', async (_, name, word, other) => {
    await begunLog()
    const db = new Database(`${log}-views`)
    db.unsafeMode()
    db.pragma('writable_schema = ON')
    const change = db.prepare(
      'UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name GLOB ? AND instr(sql, ?) > 0',
    )
    expect(change.run(word, other, name, word)).toMatchObject({ changes: 1 })
    db.close()
    const verdict = await openedAt(log, { readModels: { follow: 'at_start' } })
    const isRight = () => {
      const views = new Database(`${log}-views`, { readonly: true })
      try {
        return views.prepare('SELECT 1 FROM sqlite_schema WHERE instr(sql, ?) > 0').get(other) === undefined
      } finally {
        views.close()
      }
    }
    await expect.poll(isRight, PATIENCE).toBe(true)
    await expect.poll(async () => (await verdict.operations.list()).operations.length, PATIENCE).toBe(12)
    const told = await verdict.operations.list({ kinds: ['k'] })
    expect(told.operations.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 'completed'))
  })
})

describe('a server', () => {
  async function serving(args: { readonly isEnded?: boolean } = {}) {
    const config = path.join(path.dirname(folder), 'verdict.json')
    writeFileSync(config, JSON.stringify({}))
    const server = new CrashingServer()
    onTestFinished(() => server.destroy())
    const life = server.begin({ folder, config })
    if (args.isEnded) return { ...(await life.ended), ask: () => Promise.reject(new Error('it has ended')) }
    const url = await life.listening
    if (url === undefined) throw new Error((await life.ended).said)
    const ask = async (place: string, body?: object) => {
      const headers = { 'content-type': 'application/json' }
      const init = body === undefined ? {} : { method: 'POST', headers, body: JSON.stringify(body) }
      const response = await fetch(`${url}${place}`, init)
      return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> }
    }
    return { ask, said: '', code: null }
  }

  test('whose read models, snapshots and mark are damaged knows what the log says, and builds them anew', async () => {
    await begunLog()
    for (const suffix of ['-views', '-alive']) truncateSync(log + suffix, Math.floor(statSync(log + suffix).size / 2))
    truncateSync(`${log}-snapshots`, 0)
    const { ask } = await serving()
    const place = '/v1/workspaces/default/owners/o4/operations'
    expect(await ask(`${place}/op-7`)).toMatchObject({ status: 200, body: { outcome: { result: 'op-7' } } })
    expect(await ask(place, { kind: 'k', id: 'op-7' })).toMatchObject({ status: 409 })
    expect(await ask(place, { kind: 'k', id: 'new' })).toMatchObject({ status: 201 })
    await expect
      .poll(() => ask('/readyz?verbose'), PATIENCE)
      .toMatchObject({ status: 200, body: { checks: { reads: { status: 'ok' }, projections: { status: 'ok' } } } })
    const listed = await ask('/v1/operations')
    expect((listed.body.operations as readonly unknown[]).length).toBe(13)
  })

  const LETTER = Buffer.from('a letter to a friend, and longer than a header of SQLite. '.repeat(80))

  test('whose read models hold something else leaves that as it is, says so, and takes commands', async () => {
    await begunLog()
    for (const beside of ['-wal', '-shm']) rmSync(`${log}-views${beside}`, { force: true })
    writeFileSync(`${log}-views`, LETTER)
    const { ask } = await serving()
    const place = '/v1/workspaces/default/owners/o4/operations'
    expect(await ask(place, { kind: 'k', id: 'new' })).toMatchObject({ status: 201 })
    expect(await ask(`${place}/op-7`)).toMatchObject({ status: 200 })
    await expect
      .poll(async () => JSON.stringify((await ask('/readyz?verbose')).body), PATIENCE)
      .toMatch(/"ready".*does not say that it holds read models/)
    expect(readFileSync(`${log}-views`)).toEqual(LETTER)
  })

  test('whose webhooks are damaged does not start, leaves them as they are, and says what to do', async () => {
    writeFileSync(`${log}-webhooks`, LETTER)
    const { code, said } = await serving({ isEnded: true })
    expect(code).toBe(125)
    expect(said).toMatch(
      /verdict\.db-webhooks' is damaged: file is not a database\. It was left as it is; bring back a copy/,
    )
    expect(readFileSync(`${log}-webhooks`)).toEqual(LETTER)
  })

  test('whose keys are damaged lets nobody in: it does not start, and says why', async () => {
    writeFileSync(path.join(folder, 'keys.json'), '{"version":1,"keys":[{"id":"0123')
    const { code, said } = await serving({ isEnded: true })
    expect(code).toBe(125)
    expect(said).toMatch(/keys\.json is no file of keys: it begins anew with "verdict keys add" once it is moved away/)
    expect(existsSync(log)).toBe(false)
  })
})
