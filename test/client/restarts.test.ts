import { readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type ConnectOptions, connectVerdict } from '../../src/client/connect.ts'
import { fileReportSpool } from '../../src/client/file-report-spool.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { freshFolder, refusalOf } from './support/opened-verdict.ts'
import { ServerProcess } from './support/server-process.ts'

const TIMEOUT = { timeout: 120_000 }

/** For conditions, on a machine that others use as well. */
const PATIENCE = { timeout: 30_000 }

function connectedTo({ url }: ServerProcess, options: ConnectOptions = {}): Verdict {
  const verdict = connectVerdict(url, { log: new RecordingLog(), ...options })
  onTestFinished(() => verdict.close({ grace: 0 }))
  return verdict
}

describe('a server that is killed and comes back', () => {
  test('C9, F9: everything in flight goes on: functions, waits, outcomes, feeds and events', TIMEOUT, async () => {
    const server = await ServerProcess.start()
    const verdict = connectedTo(server)
    const gate = Promise.withResolvers<void>()
    const ids = Array.from({ length: 20 }, (_, i) => `op-${i}`)
    const handles = await Promise.all(
      ids.map((id, i) =>
        verdict.start('k', { id }, async ({ progress, phase }) => {
          progress({ processed: 0, total: 1 })
          await phase('wait', () => gate.promise)
          if (i % 5 === 0) throw new Error(`${i} fails`)
          return i
        }),
      ),
    )
    const outcomes = Promise.all(handles.map((handle) => handle.outcome()))
    const waited = verdict.waitAll(handles)
    const completed: string[] = []
    const completions = (async () => {
      for await (const { id } of verdict.owner('default').completions()) {
        completed.push(id)
        if (completed.length === ids.length) return
      }
    })()
    const positions: bigint[] = []
    const ended: (string | undefined)[] = []
    const events = (async () => {
      for await (const { id, subject, type } of verdict.events()) {
        positions.push(BigInt(id))
        if (/operation\.(completed|failed)$/.test(type)) ended.push(subject)
        if (ended.length === ids.length) return
      }
    })()
    await expect.poll(() => positions.length, PATIENCE).toBeGreaterThan(0)

    await server.kill()
    gate.resolve()
    // Their last words meet nobody.
    await new Promise((resolve) => setImmediate(resolve))
    await server.restart()
    await server.restart()

    const told = await outcomes
    expect(told.map(({ status }) => status)).toEqual(ids.map((_, i) => (i % 5 === 0 ? 'failed' : 'completed')))
    expect(await waited).toEqual(told)
    await Promise.all([completions, events])
    expect([...completed].sort()).toEqual([...ids].sort())
    expect(ended).toEqual(completed)
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => (a < b ? -1 : 1)))
    for (const handle of handles) {
      const types = (await handle.history()).map(({ event }) => event.type)
      expect(types.filter((type) => /^Operation(Completed|Failed)$/.test(type)).length).toBe(1)
    }
  })

  test('a command that was on its way has one effect, whenever the server dies', TIMEOUT, async () => {
    const server = await ServerProcess.start()
    const verdict = connectedTo(server, { startWithin: '60s' })
    let registered = 0
    const registering = Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        for (let i = 0; i < 40; i++) {
          const handle = await verdict.register('k', { owner: `w${worker}`, key: `${i}` })
          expect(handle.joined).toBe(false)
          registered++
        }
      }),
    )
    for (const share of [80, 160, 240]) {
      await expect.poll(() => registered, { timeout: 60_000, interval: 1 }).toBeGreaterThan(share)
      await server.restart()
    }
    await registering
    for (let worker = 0; worker < 8; worker++) {
      expect(await verdict.owner(`w${worker}`).overview()).toMatchObject({ active: 40 })
    }
  })

  test('tells who waits when it ends in order, and they go on with the next one', TIMEOUT, async () => {
    const server = await ServerProcess.start()
    const verdict = connectedTo(server)
    const { lease, ...handle } = await verdict.start('k', { id: 'a' })
    const outcome = verdict.operation(handle.id ?? 'a').outcome()
    await server.terminate()
    await server.restart()
    await lease?.complete('done')
    expect(await outcome).toEqual({ status: 'completed', result: 'done' })
  })
})

describe('a server that is gone', () => {
  test('F9: refuses new work within a bound, and nothing of it is left to be sent', TIMEOUT, async () => {
    const server = await ServerProcess.start()
    const verdict = connectedTo(server, { startWithin: '1s', answerWithin: '2s' })
    const patient = connectedTo(server, { startWithin: '60s', answerWithin: '60s' })
    await patient.register('k', { id: 'before' })
    await server.kill()
    // A request on a connection that had not heard of it yet may have arrived, for all that its sender knows.
    expect((await refusalOf(() => verdict.operation('before').snapshot())).code).toBe('server_unavailable')
    const begun = performance.now()
    let ran = 0
    const refused = await Promise.all([
      refusalOf(() => verdict.start('k', { id: 'a' }, async () => ran++)),
      refusalOf(() => verdict.register('k', { id: 'b' })),
    ])
    expect(performance.now() - begun).toBeLessThan(30_000)
    expect(refused.map(({ code, retryable }) => ({ code, retryable }))).toEqual([
      { code: 'server_unavailable', retryable: true },
      { code: 'server_unavailable', retryable: true },
    ])
    await server.restart()
    await expect.poll(() => verdict.operation('before').snapshot(), { timeout: 60_000 }).toMatchObject({ id: 'before' })
    await patient.register('k', { id: 'after' })
    expect(await patient.owner('default').overview()).toMatchObject({ active: 2 })
    expect(ran).toBe(0)
  })

  test('C9: a last word is kept until it is accepted; beyond the process where there is a spool', TIMEOUT, async () => {
    const server = await ServerProcess.start()
    const folder = path.join(freshFolder(), 'spool')
    const log = new RecordingLog()
    const worker = connectVerdict(server.url, { log, spool: fileReportSpool(folder) })
    const { lease } = await worker.start('k', { id: 'a' })
    if (lease === undefined) throw new Error('no lease')
    await server.kill()
    const reporting = refusalOf(() => lease.complete({ rows: 7 }))
    await expect.poll(() => spooled(folder), PATIENCE).toBe(1)
    await worker.close({ grace: 0 })
    expect((await reporting).code).toBe('shutting_down')
    expect(log.lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringMatching(/last word could not be delivered: it is kept on disk/)]),
    )

    await server.restart()
    const next = connectedTo(server, { spool: fileReportSpool(folder) })
    expect(await next.operation('a').outcome()).toEqual({ status: 'completed', result: { rows: 7 } })
    await expect.poll(() => spooled(folder), PATIENCE).toBe(0)
  })

  test('C9: a last word that is given up without a spool leaves a line in the log', TIMEOUT, async () => {
    const server = await ServerProcess.start()
    const log = new RecordingLog()
    const worker = connectVerdict(server.url, { log })
    const handle = await worker.start('k', { id: 'a' })
    await server.kill()
    const reporting = refusalOf(() => (handle.lease as NonNullable<typeof handle.lease>).fail('no'))
    await worker.close({ grace: 0 })
    expect((await reporting).code).toBe('shutting_down')
    expect(log.lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringMatching(/it is lost with this process/)]),
    )
  })
})

function spooled(folder: string): number {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.report.json')).length
  } catch {
    return 0
  }
}
