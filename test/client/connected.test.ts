import { describe, expect, onTestFinished, test } from 'vitest'
import { type ConnectOptions, connectVerdict } from '../../src/client/connect.ts'
import {
  AttemptAborted,
  EventsReplaced,
  OperationCancelled,
  OperationFailed,
  OperationRejected,
  WaitExpired,
} from '../../src/client/operation-errors.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { served } from '../http/support/served.ts'
import { every } from '../support/every.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { refusalOf, thrownBy, untilAborted } from './support/opened-verdict.ts'

/** For conditions, on a machine that others use as well. */
const PATIENCE = { timeout: 30_000 }

async function connected(options: ConnectOptions = {}): Promise<Verdict & { readonly url: string }> {
  const { url } = await served()
  const verdict = connectVerdict(url, { log: new RecordingLog(), ...options })
  onTestFinished(() => verdict.close({ grace: 0 }))
  return Object.assign(verdict, { url })
}

describe('a server is used as an embedded log is', () => {
  test('an async function becomes an operation, with its progress, phases and result', async () => {
    const verdict = await connected()
    const handle = await verdict.start(
      'export',
      { owner: 'acme', key: 'k', name: 'March', labels: { team: 'b' }, input: { n: 2 }, policy: { staleAfter: '2m' } },
      async ({ input, phase, progress }) => {
        const rows = await phase('read', () => input.n * 2)
        progress({ processed: 1, total: rows, message: 'one' })
        return { rows }
      },
    )
    expect(await handle.result()).toEqual({ rows: 4 })
    expect(await handle.snapshot()).toMatchObject({
      status: 'completed',
      owner: 'acme',
      name: 'March',
      labels: { team: 'b' },
      phases: [{ name: 'read', status: 'completed', result: 4 }],
      progress: { processed: 1, total: 4, message: 'one' },
    })
    const types = (await handle.history()).map(({ event }) => event.type)
    expect(types.slice(0, 3)).toEqual(['OperationRegistered', 'OperationStarted', 'PhaseStarted'])
    expect((await handle.history())[0]?.position).toBeTypeOf('bigint')
  })

  test('outcomes are data, results are thrown', async () => {
    const verdict = await connected()
    const failing = await verdict.start('k', {}, async () => {
      throw Object.assign(new Error('no disk'), { code: 'ENOSPC' })
    })
    expect(await failing.outcome()).toEqual({ status: 'failed', error: { message: 'no disk', code: 'ENOSPC' } })
    expect(await thrownBy(failing.result())).toBeInstanceOf(OperationFailed)
    const waiting = await verdict.register('k')
    await waiting.cancel({ reason: 'not wanted' })
    expect(await thrownBy(waiting.result())).toBeInstanceOf(OperationCancelled)
  })

  test('a cancel reaches the function that works, wherever it is asked', async () => {
    const verdict = await connected()
    const reasons: unknown[] = []
    const working = await verdict.start('k', {}, (attempt) =>
      untilAborted(attempt).catch((error) => {
        reasons.push(error)
        throw error
      }),
    )
    const elsewhere = connectVerdict(verdict.url, { log: new RecordingLog() })
    await elsewhere.operation(working.id).cancel({ reason: 'customer asked' })
    expect(await working.outcome()).toMatchObject({ status: 'cancelled', reason: 'customer asked' })
    expect(reasons).toEqual([expect.any(AttemptAborted)])
    await elsewhere.close()
  })

  test('waits for several keep order, take any outcome and end at their deadline', async () => {
    const verdict = await connected()
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((id) => verdict.start('k', { id })))
    if (!a?.lease || !b?.lease || !c?.lease) throw new Error('no lease')
    const all = verdict.waitAll([b, a])
    const first = verdict.waitAny([a, b, c])
    await a.lease.complete(1)
    expect(await first).toEqual({ id: 'a', index: 0, outcome: { status: 'completed', result: 1 } })
    await b.lease.fail('no')
    expect(await all).toEqual([
      { status: 'failed', error: { message: 'no' } },
      { status: 'completed', result: 1 },
    ])
    expect(await thrownBy(verdict.waitAll([c], { deadline: Date.now() + 50 }))).toBeInstanceOf(WaitExpired)
    const stop = new AbortController()
    const stopped = thrownBy(verdict.waitAll([c], { waitId: 'w', signal: stop.signal }))
    await expect.poll(async () => (await verdict.owner('default').overview()).waits, PATIENCE).toBe(1)
    stop.abort(new Error('enough'))
    expect(await stopped).toEqual(new Error('enough'))
    await expect.poll(async () => (await verdict.owner('default').overview()).waits, PATIENCE).toBe(0)
  })

  test('refusals are thrown with code, facts and the current truth; idempotent ones are answers', async () => {
    const verdict = await connected()
    const { lease, id } = await verdict.start('k', { id: 'a' })
    await lease?.complete('done')
    const refused = await refusalOf(() =>
      verdict.operation(id).fail('late', { leaseEpoch: lease?.leaseEpoch as number }),
    )
    expect(refused).toMatchObject({
      code: 'already_terminal',
      current: { status: 'completed', outcome: { status: 'completed', result: 'done' } },
      retryable: false,
    })
    expect(refused.commandId).toBeTypeOf('string')
    expect(await verdict.operation(id).cancel()).toMatchObject({ changed: false, status: 'completed' })
    expect((await refusalOf(() => verdict.operation('nobody').outcome())).code).toBe('not_found')
    expect(await verdict.operation('nobody').snapshot()).toBeUndefined()
    expect(await verdict.operation('nobody').history()).toEqual([])
  })

  test('what JSON would change on the way is refused before it is sent', async () => {
    const verdict = await connected()
    for (const input of [Number.NaN, 1n, new Date(), () => 1]) {
      expect((await refusalOf(() => verdict.register('k', { input: { input } }))).facts.path).toBe('input.input')
    }
    expect((await refusalOf(() => verdict.register('k', { input: 2 ** 60 }))).code).toBe('unsafe_number')
    expect((await refusalOf(() => verdict.register('k', { color: 'red' } as object))).facts.path).toBe('color')
  })

  test('a command that does not fit spoils no other that travels with it', async () => {
    const verdict = await connected()
    const calls = [
      verdict.register('k', { id: 'a' }),
      verdict.register('k', { id: 'b', commandId: 7 as unknown as string }),
      verdict.register('k', { id: 'c' }),
    ]
    const [a, b, c] = await Promise.allSettled(calls)
    expect([a?.status, c?.status]).toEqual(['fulfilled', 'fulfilled'])
    expect(b).toMatchObject({ reason: { code: 'invalid_command' } })
  })

  test('commands that are issued together travel together, and those of one owner in their order', async () => {
    const requests: string[] = []
    const counting: typeof fetch = (input, init) => {
      requests.push(String(input))
      return fetch(input, init)
    }
    const verdict = await connected({ fetch: counting })
    const ids = Array.from({ length: 300 }, (_, i) => `i${i}`)
    const handles = await Promise.all(ids.map((id) => verdict.register('k', { id })))
    expect(requests.length).toBe(2)
    const numbers = handles.map(({ number }) => number as number)
    expect(numbers).toEqual([...numbers].sort((x, y) => x - y))
  })

  test('what there is no room for in a batch is not overtaken by what its owner issued after it', async () => {
    const verdict = await connected()
    const large = Array.from({ length: 20 }, (_, i) => verdict.register('k', { id: `${i}`, input: 'x'.repeat(60_000) }))
    const handles = await Promise.all([
      ...large,
      verdict.register('k', { id: 'small enough for the room that is left' }),
    ])
    const numbers = handles.map(({ number }) => number as number)
    expect(numbers).toEqual([...numbers].sort((x, y) => x - y))
  })

  test('completions are read by cursor and waited for', async () => {
    const verdict = await connected()
    const owner = verdict.owner('default')
    const seen: string[] = []
    const reading = (async () => {
      for await (const { id, sequence } of owner.completions()) {
        seen.push(id)
        await owner.moveCursor('reader', sequence)
        if (seen.length === 2) return
      }
    })()
    for (const id of ['a', 'b']) await (await verdict.start('k', { id }, async () => 1)).result()
    await reading
    expect(seen).toEqual(['a', 'b'])
    expect(await owner.cursor('reader')).toBe(2)
    expect((await owner.collect()).map(({ id }) => id)).toEqual(['a', 'b'])
    expect(await owner.overview()).toMatchObject({ owner: 'default', active: 0, watermark: 2 })
  })

  test('events are history, then live, and resync for another log', async () => {
    const verdict = await connected()
    await verdict.register('k', { id: 'a' })
    const events = verdict.events({ types: ['verdict.operation.registered', 'verdict.operation.aborted'] })
    expect((await events.next()).value).toMatchObject({ subject: 'a' })
    const next = events.next()
    await verdict.operation('a').abort()
    const { value } = await next
    expect(value).toMatchObject({ subject: 'a', type: 'verdict.operation.aborted' })
    await events.return?.()
    const all = await every(verdict.events({ follow: false }))
    expect(all.map(({ type }) => type)).toEqual([
      'verdict.registry.opened',
      'verdict.operation.registered',
      'verdict.operation.aborted',
    ])
    const other = await connected()
    const after = all[0]?.cursor as string
    expect(await thrownBy(every(other.events({ after })))).toBeInstanceOf(EventsReplaced)
    expect(await thrownBy(every(other.events({ after: 'x' })))).toBeInstanceOf(OperationRejected)
  })

  test('an address that is none, and options that are not known, are refused at once', async () => {
    for (const url of ['ftp://x', 'http://user@x', 'http://x/?key=1', 'nowhere']) {
      expect(() => connectVerdict(url)).toThrow(TypeError)
    }
    expect(() => connectVerdict('http://x', { key: 'y' } as object)).toThrow(/options.key/)
  })
})
