import { connect } from 'node:net'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Verdict } from '../../src/client/verdict.ts'
import { addKey } from '../../src/http/api-keys.ts'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { type SentEvent, streamOf } from './support/sent-events.ts'
import { type Served, served } from './support/served.ts'

/** For conditions, on a machine that others use as well. */
const PATIENCE = { timeout: 30_000 }

const verdictOn = ({ node }: Served) => new Verdict(node.door, { log: new RecordingLog() })
const subjectsIn = (events: readonly { readonly subject?: string }[]) => events.map(({ subject }) => subject ?? '-')
const PATIENT = { headers: { prefer: 'wait=30' } }

describe('the feed of events', () => {
  test('D6: gives pages that go on behind one another without gap or duplicate', async () => {
    const server = await served()
    const verdict = verdictOn(server)
    for (const id of ['a', 'b', 'c']) await verdict.register('k', { id })
    const first = await server.get('/v1/events?limit=2')
    expect(first).toMatchObject({ status: 200, body: { type: 'events', isCaughtUp: false } })
    expect(subjectsIn(first.body.events)).toEqual(['-', 'a'])
    expect(first.body.events[1]).toMatchObject({
      specversion: '1.0',
      type: 'verdict.operation.registered',
      workspace: 'default',
      owner: 'default',
      data: { id: 'a', kind: 'k' },
    })
    const rest = await server.get(`/v1/events?after=${first.body.nextAfter}`)
    expect(subjectsIn(rest.body.events)).toEqual(['b', 'c'])
    const none = await server.get(`/v1/events?after=${rest.body.nextAfter}`)
    expect(none.body).toMatchObject({ events: [], isCaughtUp: true, nextAfter: rest.body.nextAfter })
  })

  test('waits for what comes where that is preferred, and for no longer', async () => {
    const server = await served()
    const verdict = verdictOn(server)
    await verdict.register('k', { id: 'a' })
    const { nextAfter } = (await server.get('/v1/events?after=now')).body
    const waiting = server.get(`/v1/events?after=${nextAfter}&types=verdict.operation.aborted`, PATIENT)
    await verdict.register('k', { id: 'b' })
    await verdict.operation('a').abort()
    expect(subjectsIn((await waiting).body.events)).toEqual(['a'])
    const brief = await server.get(`/v1/events?after=now`, { headers: { prefer: 'wait=1' } })
    expect(brief.body).toMatchObject({ events: [], isCaughtUp: true })
  })

  test('refuses what does not fit, and says resync for another log', async () => {
    const server = await served()
    const other = await served()
    await verdictOn(other).register('k')
    const { nextAfter } = (await other.get('/v1/events')).body
    expect((await server.get(`/v1/events?after=${nextAfter}`)).body).toEqual({
      type: 'resync',
      reason: 'log_replaced',
      nextAfter: expect.any(String),
    })
    for (const query of ['after=x', 'types=operation.completed', 'limit=x', 'colour=red']) {
      const { status, body } = await server.get(`/v1/events?${query}`)
      expect({ status, code: body.code, path: body.path }).toEqual({
        status: 400,
        code: 'invalid_command',
        path: query.split('=')[0],
      })
    }
  })

  test('shows of workspaces only those in which one may read', async () => {
    const keys = path.join(freshFolder(), 'keys.json')
    const keyOf = (workspace: string) =>
      `Bearer ${addKey(keys, { name: `of ${workspace}`, grants: [{ workspace, roles: ['viewer'] }], now: 1 }).text}`
    const [one, all] = [keyOf('one'), keyOf('*')]
    const server = await served({ authentication: { keys } })
    const verdict = verdictOn(server)
    for (const workspace of ['one', 'two']) await verdict.register('k', { id: workspace, workspace })
    const asked = async (who: string, query = '') => {
      const { status, body } = await server.get(`/v1/events${query}`, { headers: { authorization: who } })
      return status === 200 ? subjectsIn(body.events) : status
    }
    expect(await asked(one)).toEqual(['-', 'one'])
    expect(await asked(all)).toEqual(['-', 'one', '-', 'two'])
    expect(await asked(all, '?workspace=two')).toEqual(['-', 'two'])
    expect(await asked(one, '?workspace=two')).toBe(404)
    const stream = await streamOf(server.url, '/v1/events?workspace=two', { authorization: one })
    expect(stream.status).toBe(404)
    const own = await streamOf(server.url, '/v1/events', { authorization: one })
    expect(await subjectsOf(own.events, 2)).toEqual(['-', 'one'])
    own.leave()
  })
})

describe('a stream of events', () => {
  test('D6: is history, then live, and goes on behind the last event that was seen', async () => {
    const server = await served()
    const verdict = verdictOn(server)
    for (const id of ['a', 'b']) await verdict.register('k', { id })
    const stream = await streamOf(server.url, '/v1/events')
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(await subjectsOf(stream.events, 3)).toEqual(['-', 'a', 'b'])
    await verdict.register('k', { id: 'c' })
    const { value: last } = await stream.events.next()
    expect(JSON.parse(last?.data ?? '')).toMatchObject({ subject: 'c', cursor: last?.id })
    stream.leave()
    await verdict.register('k', { id: 'd' })
    // What the browser sends by itself when it comes back, and what others may write into the address.
    const back = await streamOf(server.url, '/v1/events?after=now', { 'last-event-id': last?.id ?? '' })
    expect(await subjectsOf(back.events, 1)).toEqual(['d'])
    back.leave()
    const again = await streamOf(server.url, `/v1/events?after=${last?.id}`)
    expect(await subjectsOf(again.events, 1)).toEqual(['d'])
    again.leave()
  })

  test('D6: says resync where the place is gone, and goes on', async () => {
    const server = await served()
    const other = await served()
    for (const one of [server, other]) await verdictOn(one).register('k', { id: 'before' })
    const { nextAfter } = (await other.get('/v1/events')).body
    const stream = await streamOf(server.url, '/v1/events', { 'last-event-id': nextAfter })
    const { value: resync } = await stream.events.next()
    expect(resync).toEqual({ event: 'resync', data: expect.stringContaining('log_replaced') })
    await verdictOn(server).register('k', { id: 'after' })
    expect(await subjectsOf(stream.events, 1)).toEqual(['after'])
    stream.leave()
  })

  test('says that it lives while nothing happens, and that the server ends', async () => {
    const server = await served({ settings: { logLevel: 'silent', httpStreamPingMs: 20 } })
    const stream = await streamOf(server.url, '/v1/events?after=now')
    await stream.commented(3)
    const rest = allOf(stream.events)
    await server.close()
    expect(await rest).toEqual([{ event: 'closing', data: '{}' }])
  })

  test('D6: lets go of who takes nothing, keeps nothing for him, and he goes on where he was', {
    timeout: 60_000,
  }, async () => {
    const server = await served({ settings: { logLevel: 'silent', httpStreamSlowMs: 200 } })
    const verdict = verdictOn(server)
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.write('GET /v1/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n')
    socket.pause()
    await expect.poll(() => server.node.events.readers, { timeout: 30_000 }).toBe(1)
    // More than what any socket between takes.
    const name = 'x'.repeat(48 * 1024)
    for (let i = 0; i < 300; i++) await verdict.register('k', { id: `i${i}`, name })
    await expect.poll(() => server.node.events.readers, { timeout: 30_000 }).toBe(0)
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
    const ids = [...text.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id as string)
    expect(ids.length).toBeGreaterThan(1)
    expect(ids.length).toBeLessThan(301)
    // However often he is let go of again, because this machine is busy.
    const rest: string[] = []
    for (let last = ids.at(-1) as string; ids.length + rest.length < 301; ) {
      const back = await streamOf(server.url, '/v1/events', { 'last-event-id': last })
      for await (const { id, data } of back.events) {
        if (id === undefined) break
        last = id
        rest.push(JSON.parse(data).subject)
        if (ids.length + rest.length === 301) break
      }
      back.leave()
    }
    expect(rest).toEqual(Array.from({ length: 301 - ids.length }, (_, i) => `i${i + ids.length - 1}`))
  })

  test('is refused beyond as many as there may be', async () => {
    const server = await served({ settings: { logLevel: 'silent', httpStreamsMax: 1 } })
    const one = await streamOf(server.url, '/v1/events')
    const two = await streamOf(server.url, '/v1/events')
    expect({ status: two.status, retryAfter: two.headers.get('retry-after') }).toEqual({ status: 429, retryAfter: '5' })
    one.leave()
    await expect.poll(async () => (await streamOf(server.url, '/v1/events')).status, PATIENCE).toBe(200)
  })

  test('D6: is the same for a thousand clients at once', { timeout: 120_000 }, async () => {
    const server = await served()
    const verdict = verdictOn(server)
    const streams: Awaited<ReturnType<typeof streamOf>>[] = []
    // In waves: more connections at once than a socket's backlog holds would be refused before anybody sees them.
    for (let wave = 0; wave < 10; wave++) {
      const opening = Array.from({ length: 100 }, () => streamOf(server.url, '/v1/events?after=now'))
      streams.push(...(await Promise.all(opening)))
    }
    expect(server.node.events.readers).toBe(1_000)
    for (let i = 0; i < 20; i++) await verdict.register('k', { id: `i${i}` })
    const all = await Promise.all(streams.map(({ events }) => subjectsOf(events, 21)))
    const wanted = ['-', ...Array.from({ length: 20 }, (_, i) => `i${i}`)]
    for (const one of all) expect(one).toEqual(wanted)
    for (const stream of streams) stream.leave()
  })
})

async function subjectsOf(events: AsyncIterator<SentEvent>, count: number): Promise<readonly string[]> {
  const subjects: string[] = []
  while (subjects.length < count) {
    const { value, done } = await events.next()
    if (done) throw new Error(`the stream ended after ${subjects.length} of ${count} events`)
    subjects.push(JSON.parse(value.data).subject ?? '-')
  }
  return subjects
}

async function allOf<T>(items: AsyncIterator<T, void>): Promise<readonly T[]> {
  const all: T[] = []
  for (let next = await items.next(); !next.done; next = await items.next()) all.push(next.value)
  return all
}
