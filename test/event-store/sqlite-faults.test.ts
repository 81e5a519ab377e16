import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { chainedEvents } from '../support/chained-events.ts'
import { every } from '../support/every.ts'
import { FailingSyscalls } from '../support/failing-syscalls.ts'
import { LogProcess, type LogProcessOptions } from '../support/log-process.ts'
import { needs } from '../support/needs.ts'

const STREAM = 'registry-default/a'
const OTHER = 'registry-default/b'
const IS_ROOT = process.getuid?.() === 0
const NOBODY = 65_534

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

/** A process that holds the log; opened. */
async function start(options: Partial<LogProcessOptions> = {}): Promise<LogProcess> {
  const started = new LogProcess({ path: file, ...options })
  processes.push(started)
  expect(await started.opened()).toEqual({ type: 'opened' })
  return started
}

/** The same append again until somebody can say what became of it. */
async function againUntilKnown(holder: LogProcess, stream: string): Promise<unknown> {
  for (;;) {
    const result = await holder.again(stream)
    if (result.type !== 'unknown') return result
  }
}

async function idsOf(stream: string): Promise<string[]> {
  const store = await openSqliteStore({ path: file })
  const ids = (await every(store.readStream(stream))).map(({ id }) => id)
  await store.close()
  return ids
}

const acknowledgedAt = (revision: number) => expect.objectContaining({ type: 'acknowledged', revision })

describe.skipIf(!needs('strace'))('a disk that fails to flush', () => {
  const FLUSH_FAILS = 'fdatasync,fsync:error=EIO'

  test('leaves the append unknown, and it is acknowledged once the disk flushes again, stored once', async () => {
    const holder = await start()
    expect(await holder.append(STREAM)).toEqual(acknowledgedAt(0))
    const failing = await FailingSyscalls.in(holder.pid, FLUSH_FAILS)
    expect(await holder.append(STREAM)).toMatchObject({ type: 'unknown' })
    expect(await holder.health()).toMatchObject({ status: 'unavailable' })
    await failing.stop()
    expect(await againUntilKnown(holder, STREAM)).toEqual(acknowledgedAt(1))
    expect(await holder.health()).toEqual({ status: 'ok' })
    expect(await holder.append(STREAM)).toEqual(acknowledgedAt(2))
    const { ids, chain } = await holder.read(STREAM)
    expect([new Set(ids).size, ids.length, chain]).toEqual([3, 3, 'intact'])
    await holder.kill()
    expect(await idsOf(STREAM)).toEqual(ids)
  })

  test('answers unknown as long as it fails, refuses other streams, and shows nothing that is not durable', async () => {
    const holder = await start()
    await holder.append(STREAM)
    const failing = await FailingSyscalls.in(holder.pid, FLUSH_FAILS)
    expect(await holder.append(STREAM)).toMatchObject({ type: 'unknown' })
    const answers = new Set<string>()
    for (let tries = 0; tries < 200; tries++) answers.add((await holder.again(STREAM)).type)
    expect([...answers]).toEqual(['unknown'])
    expect((await holder.read(STREAM)).ids.length).toBe(1)
    const other = await holder.append(OTHER)
    expect(['unknown', 'refused']).toContain(other.type)
    expect((await holder.read(OTHER)).ids).toEqual([])
    await failing.stop()
    expect(await againUntilKnown(holder, STREAM)).toEqual(acknowledgedAt(1))
  })

  test('is trusted again only when the file was opened anew and its checkpoint went through', async () => {
    const holder = await start()
    // Flushing fails once and works from then on; only the checkpoint's last step goes on failing.
    const failing = await FailingSyscalls.in(holder.pid, `${FLUSH_FAILS}:when=1`, 'ftruncate:error=EIO')
    expect(await holder.append(STREAM)).toMatchObject({ type: 'unknown' })
    const answers = new Set<string>()
    for (let tries = 0; tries < 200; tries++) answers.add((await holder.again(STREAM)).type)
    expect([...answers]).toEqual(['unknown'])
    await failing.stop()
    expect(await againUntilKnown(holder, STREAM)).toEqual(acknowledgedAt(0))
    expect((await holder.read(STREAM)).ids.length).toBe(1)
  })

  test('and a crash in between store the append once or not at all', async () => {
    const holder = await start()
    for (let appended = 0; appended < 5; appended++) await holder.append(STREAM)
    const { ids } = await holder.read(STREAM)
    const failing = await FailingSyscalls.in(holder.pid, FLUSH_FAILS)
    expect(await holder.append(STREAM)).toMatchObject({ type: 'unknown' })
    await holder.kill()
    await failing.stop()
    const store = await openSqliteStore({ path: file })
    const stored = await every(store.readStream(STREAM))
    expect(stored.slice(0, 5).map(({ id }) => id)).toEqual(ids)
    expect([5, 6]).toContain(stored.length)
    const last = stored.at(-1)
    const next = chainedEvents(STREAM, last, [0])
    expect(await store.append(STREAM, last?.revision ?? 0, next)).toEqual(acknowledgedAt(stored.length))
    await store.close()
  })

  test('while the log is closed loses nothing that was acknowledged', async () => {
    const holder = await start()
    for (let appended = 0; appended < 5; appended++) await holder.append(STREAM)
    const { ids } = await holder.read(STREAM)
    const failing = await FailingSyscalls.in(holder.pid, FLUSH_FAILS)
    await holder.end()
    await failing.stop()
    expect(await idsOf(STREAM)).toEqual(ids)
  })

  test('keeps a new log from being begun, by name, and leaves nothing behind', async () => {
    const inject = ['-e', 'trace=fdatasync,fsync', '-e', `inject=${FLUSH_FAILS}`]
    const failing = new LogProcess({ path: file, under: ['strace', '-f', '-qq', '-o', '/dev/null', ...inject] })
    processes.push(failing)
    expect(await failing.opened()).toMatchObject({ type: 'error', code: 'log_unusable' })
    expect(readdirSync(directory)).toEqual([])
    const store = await openSqliteStore({ path: file })
    await store.close()
  })
})

describe('a full disk', () => {
  const canMount = IS_ROOT && isMountPossible()

  test.skipIf(!canMount)('refuses appends as full, says so, loses nothing and goes on when there is room', async () => {
    const disk = path.join(directory, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    try {
      writeFileSync(path.join(disk, 'ballast'), Buffer.alloc(300 * 1024))
      const store = await openSqliteStore({ path: path.join(disk, 'log.db') })
      const acknowledged: string[] = []
      const append = async (result: string) => {
        const head = await store.head(STREAM)
        const events = chainedEvents(STREAM, head, [result])
        const answer = await store.append(STREAM, head?.revision ?? 'no_stream', events)
        if (answer.type === 'acknowledged') acknowledged.push(events[0]?.id ?? '')
        return answer
      }
      const large = 'x'.repeat(20_000)
      let last = await append(large)
      while (last.type === 'acknowledged') last = await append(large)
      expect(last).toMatchObject({ type: 'refused', reason: 'full' })
      expect(store.health()).toMatchObject({ status: 'read_only', message: expect.stringContaining('disk is full') })
      expect((await append(large)).type).toBe('refused')
      expect((await every(store.readStream(STREAM))).map(({ id }) => id)).toEqual(acknowledged)

      rmSync(path.join(disk, 'ballast'))
      expect((await append(large)).type).toBe('acknowledged')
      expect(store.health()).toEqual({ status: 'ok' })
      await store.close()
      execFileSync('mount', ['-o', 'remount,size=8m', disk])
      const again = await openSqliteStore({ path: path.join(disk, 'log.db') })
      expect((await every(again.readStream(STREAM))).map(({ id }) => id)).toEqual(acknowledged)
      await again.close()
    } finally {
      execFileSync('umount', [disk])
    }
  })

  test.skipIf(!canMount)('after a crash keeps the log shut, by name, until there is room to secure it', async () => {
    const disk = path.join(directory, 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    try {
      const crashing = await start({ path: path.join(disk, 'log.db') })
      expect(await crashing.append(STREAM, ['x'.repeat(300 * 1024)])).toEqual(acknowledgedAt(0))
      await crashing.kill()
      const { bavail, bsize } = statfsSync(disk)
      writeFileSync(path.join(disk, 'ballast'), Buffer.alloc((bavail - 9) * bsize))
      await expect(openSqliteStore({ path: path.join(disk, 'log.db') })).rejects.toMatchObject({
        name: 'LogError',
        code: 'log_unavailable',
        message: expect.stringContaining('the disk is full'),
      })
      rmSync(path.join(disk, 'ballast'))
      const store = await openSqliteStore({ path: path.join(disk, 'log.db') })
      expect((await store.head(STREAM))?.revision).toBe(0)
      await store.close()
    } finally {
      execFileSync('umount', [disk])
    }
  })

  test.skipIf(!needs('prlimit', 'util-linux'))(
    'that is a limit on the size of files leaves the append unknown until it is lifted, and loses nothing',
    async () => {
      const holder = await start()
      await holder.append(STREAM)
      const limit = (bytes: string) => execFileSync('prlimit', ['--pid', String(holder.pid), `--fsize=${bytes}:`])
      limit(String(200 * 1024))
      const results = ['x'.repeat(30_000)]
      // A limit that the write-ahead log meets first is made up for by a checkpoint, until the file meets it too.
      let stored = 1
      const answers = new Set<string>()
      for (let last = await holder.append(STREAM, results); ; last = await holder.append(STREAM, results)) {
        answers.add(last.type)
        for (let tries = 0; last.type === 'unknown' && tries < 50; tries++) last = await holder.again(STREAM)
        if (last.type !== 'acknowledged') break
        stored++
      }
      expect([...answers]).toEqual(['acknowledged', 'unknown'])
      expect(stored).toBeGreaterThan(2)
      expect((await holder.health()).status).toBe('unavailable')
      expect((await holder.read(STREAM)).ids.length).toBe(stored)
      limit('unlimited')
      expect(await againUntilKnown(holder, STREAM)).toEqual(acknowledgedAt(stored))
      expect(await holder.health()).toEqual({ status: 'ok' })
      const { ids, chain } = await holder.read(STREAM)
      expect([new Set(ids).size, chain]).toEqual([stored + 1, 'intact'])
      await holder.kill()
      expect(await idsOf(STREAM)).toEqual(ids)
    },
  )
})

describe('a log without rights', () => {
  /** Rights say nothing to root: there the process runs as nobody. */
  const identity = IS_ROOT ? { uid: NOBODY } : {}

  beforeEach(async () => {
    const store = await openSqliteStore({ path: file })
    await store.append(STREAM, 'no_stream', chainedEvents(STREAM, undefined, [1, 2]))
    await store.close()
    chmodSync(directory, 0o777)
  })

  test('to write is read, refuses appends as read-only and says so, and is written when it may be', async () => {
    chmodSync(file, 0o444)
    const holder = await start(identity)
    expect((await holder.read(STREAM)).ids.length).toBe(2)
    expect(await holder.health()).toMatchObject({ status: 'read_only' })
    expect(await holder.append(STREAM)).toMatchObject({ type: 'refused', reason: 'read_only' })
    expect(await holder.append(OTHER)).toMatchObject({ type: 'refused', reason: 'read_only' })
    expect((await holder.read(STREAM)).ids.length).toBe(2)
    await holder.end()
    // SQLite gives the files beside it the rights that the log has.
    for (const name of readdirSync(directory)) chmodSync(path.join(directory, name), 0o666)
    const again = await start(identity)
    expect(await again.append(STREAM)).toEqual(acknowledgedAt(2))
    expect(await again.health()).toEqual({ status: 'ok' })
  })

  test('to read is refused by name and left as it is', async () => {
    chmodSync(file, 0o000)
    const holder = new LogProcess({ path: file, ...identity })
    processes.push(holder)
    expect(await holder.opened()).toMatchObject({ type: 'error', code: 'log_unusable' })
    chmodSync(file, 0o600)
    expect((await idsOf(STREAM)).length).toBe(2)
  })

  test('to its directory is refused by name, and not made elsewhere', async () => {
    const before = readFileSync(file)
    chmodSync(directory, 0o555)
    for (const name of ['log.db', 'new.db']) {
      const holder = new LogProcess({ path: path.join(directory, name), ...identity })
      processes.push(holder)
      expect(await holder.opened()).toMatchObject({ type: 'error', code: 'log_unusable' })
    }
    chmodSync(directory, 0o777)
    expect(readFileSync(file)).toEqual(before)
    expect((await idsOf(STREAM)).length).toBe(2)
  })

  test('that belongs to somebody else and may be written is written', async () => {
    chmodSync(file, 0o666)
    if (IS_ROOT) chownSync(file, 1, 1)
    const holder = await start(identity)
    expect(await holder.append(STREAM)).toEqual(acknowledgedAt(2))
    await holder.end()
    expect((await idsOf(STREAM)).length).toBe(3)
  })
})

function isMountPossible(): boolean {
  const probe = mkdtempSync(path.join(tmpdir(), 'verdict-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' })
    execFileSync('umount', [probe])
    return true
  } catch {
    process.stderr.write('SKIPPED: a full disk is a small file system of its own, and this machine mounts none\n')
    return false
  } finally {
    rmSync(probe, { recursive: true })
  }
}
