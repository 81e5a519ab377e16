import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectVerdict } from '../../src/client/connect.ts'
import { fileReportSpool } from '../../src/client/file-report-spool.ts'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { FailingSyscalls } from '../support/failing-syscalls.ts'
import { needs } from '../support/needs.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { lookAtCopy } from './support/copied-log.ts'
import { CrashingServer, type Life, type LifeOptions } from './support/crashing-server.ts'

vi.setConfig({ testTimeout: 240_000 })

const PATIENCE = { timeout: 60_000 }
const IS_ROOT = process.getuid?.() === 0
const NOBODY = 65_534
const SETTINGS = { unknownWaitMs: 300, logLevel: 'silent' }

let folder: string
let config: string

beforeEach(() => {
  const place = freshFolder()
  folder = path.join(place, 'data')
  config = path.join(place, 'verdict.json')
  mkdirSync(folder)
  writeFileSync(config, JSON.stringify({ settings: SETTINGS }))
})

/** A real server over the folder. */
async function serving(options: Partial<LifeOptions> = {}) {
  const server = new CrashingServer()
  onTestFinished(() => server.destroy())
  const life = server.begin({ folder, config, ...options })
  const url = await life.listening
  if (url === undefined) throw new Error((await life.ended).said)
  const ask = async (place: string, body?: object, key?: string) => {
    const init = body && { method: 'POST', body: JSON.stringify(body) }
    const headers = { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) }
    const response = await fetch(`${url}${place}`, { ...init, ...(init && { headers }) })
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: (await response.json()) as Readonly<Record<string, unknown>>,
    }
  }
  const register = (id: string, owner = 'amber') =>
    ask(`/v1/workspaces/crash/owners/${owner}/operations`, { kind: 'crash', id }, `${id}-r`)
  const look = (id: string, owner = 'amber') => ask(`/v1/workspaces/crash/owners/${owner}/operations/${id}?held=true`)
  return { life, url, ask, register, look }
}

/** Whatever was acknowledged is there after a kill -9, in a log without a fault. */
async function leftBy(life: Life): Promise<readonly string[]> {
  life.signal('SIGKILL')
  await life.ended
  const left = await lookAtCopy(folder, { heads: [], isCaughtUp: false })
  expect(left?.faults).toEqual([])
  return [...(left?.stories.get('amber')?.lives.values() ?? [])].map(({ id }) => id)
}

describe.skipIf(!needs('strace'))('a server whose disk', () => {
  test('is full reads on, refuses by name, is not ready, and takes commands again when there is room', async () => {
    const { life, ask, register, look } = await serving()
    expect(await register('a')).toMatchObject({ status: 201 })
    const full = await FailingSyscalls.in(life.pid, 'pwrite64:error=ENOSPC')
    onTestFinished(() => full.stop())
    expect(await register('b')).toMatchObject({
      status: 507,
      retryAfter: '5',
      body: { code: 'store_full', retryable: true },
    })
    expect(await look('a')).toMatchObject({ status: 200, body: { status: 'provisioning' } })
    expect(await look('b')).toMatchObject({ status: 404 })
    expect(await ask('/readyz')).toMatchObject({ status: 503, body: { status: 'not_ready' } })
    expect(await ask('/readyz?verbose')).toMatchObject({
      body: { checks: { commands: { status: 'read_only', message: expect.stringContaining('disk is full') } } },
    })
    expect(await ask('/livez')).toMatchObject({ status: 200 })
    await full.stop()
    expect(await register('b')).toMatchObject({ status: 201 })
    expect(await ask('/readyz')).toMatchObject({ status: 200 })
    await expect
      .poll(() => ask('/readyz?verbose'), PATIENCE)
      .toMatchObject({ body: { checks: { projections: { status: 'ok' } } } })
    expect((await ask('/v1/operations?workspaces=crash')).body.operations).toHaveLength(2)
    expect(await leftBy(life)).toEqual(['a', 'b'])
  })

  test("is full keeps a worker's last word, on disk as well, until there is room", async () => {
    const { life, url } = await serving()
    const kept = freshFolder()
    const verdict = connectVerdict(url, {
      workspace: 'crash',
      owner: 'amber',
      log: new RecordingLog(),
      spool: fileReportSpool(kept),
    })
    onTestFinished(() => verdict.close({ grace: 0 }))
    const gate = Promise.withResolvers<void>()
    const handle = await verdict.start('crash', { id: 'a' }, async () => {
      await gate.promise
      return { by: 'a' }
    })
    const full = await FailingSyscalls.in(life.pid, 'pwrite64:error=ENOSPC')
    onTestFinished(() => full.stop())
    gate.resolve()
    await expect.poll(() => readdirSync(kept), PATIENCE).toHaveLength(1)
    expect(await handle.snapshot()).toMatchObject({ status: 'running' })
    await full.stop()
    expect(await handle.outcome()).toMatchObject({ status: 'completed', result: { by: 'a' } })
    await expect.poll(() => readdirSync(kept), PATIENCE).toHaveLength(0)
    expect(await leftBy(life)).toEqual(['a'])
  })

  test('fails to flush says that it does not know, shows nothing of it, and stores it once when it flushes again', async () => {
    const { life, ask, register, look } = await serving()
    expect(await register('a')).toMatchObject({ status: 201 })
    const failing = await FailingSyscalls.in(life.pid, 'fdatasync,fsync:error=EIO')
    onTestFinished(() => failing.stop())
    expect(await register('b')).toMatchObject({ status: 503, body: { code: 'outcome_unknown', retryable: true } })
    expect(await look('a')).toMatchObject({ status: 200 })
    expect(await look('b')).toMatchObject({ status: 404 })
    expect(await register('c', 'birch')).toMatchObject({ status: 503, body: { retryable: true } })
    expect(await ask('/readyz?verbose')).toMatchObject({
      status: 503,
      body: { checks: { commands: { status: 'unavailable' } } },
    })
    await failing.stop()
    await expect.poll(() => register('b'), PATIENCE).toMatchObject({ status: 201, body: { revision: 2 } })
    expect(await register('b')).toMatchObject({ status: 201, body: { revision: 2 } })
    await expect.poll(() => ask('/readyz'), PATIENCE).toMatchObject({ status: 200 })
    expect(await leftBy(life)).toEqual(['a', 'b'])
  })
})

describe('a server without rights', () => {
  const identity = IS_ROOT ? { uid: NOBODY } : {}

  /** A log with one operation, that belongs to whom the server runs as. */
  async function begunLog(): Promise<void> {
    const { life, register } = await serving()
    await register('a')
    life.signal('SIGTERM')
    await life.ended
    chmodSync(path.dirname(folder), 0o755)
    if (IS_ROOT) for (const name of ['.', ...readdirSync(folder)]) chownSync(path.join(folder, name), NOBODY, NOBODY)
  }

  test('to write reads, refuses by name, is not ready and says what to do, and takes commands after that', async () => {
    await begunLog()
    const log = path.join(folder, 'verdict.db')
    chmodSync(log, 0o444)
    const { ask, register, look, life } = await serving(identity)
    expect(await look('a')).toMatchObject({ status: 200 })
    expect(await register('b')).toMatchObject({
      status: 503,
      retryAfter: '5',
      body: { code: 'store_read_only', retryable: true },
    })
    expect(await ask('/readyz?verbose')).toMatchObject({
      status: 503,
      body: { checks: { commands: { status: 'read_only', message: expect.stringContaining('and open it again') } } },
    })
    life.signal('SIGTERM')
    expect((await life.ended).code).toBe(0)
    for (const name of readdirSync(folder)) chmodSync(path.join(folder, name), 0o644)
    const again = await serving(identity)
    expect(await again.register('b')).toMatchObject({ status: 201 })
    expect(await again.ask('/readyz')).toMatchObject({ status: 200 })
    expect(await leftBy(again.life)).toEqual(['a', 'b'])
  })

  test('to its folder stops by name, and leaves all as it was', async () => {
    await begunLog()
    const before = readdirSync(folder)
    chmodSync(folder, 0o555)
    const server = new CrashingServer()
    onTestFinished(() => server.destroy())
    const { code, said } = await server.begin({ folder, config, ...identity }).ended
    chmodSync(folder, 0o755)
    expect({ code, said }).toMatchObject({
      code: 125,
      said: expect.stringContaining('with the rights of this process'),
    })
    expect(readdirSync(folder)).toEqual(before)
  })
})
