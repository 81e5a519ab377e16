import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { servedTo } from './support/callers.ts'
import { streamOf } from './support/sent-events.ts'
import { type Served, served } from './support/served.ts'

/** For conditions, on a machine that others use as well. */
const PATIENCE = { timeout: 30_000 }
const PATH = '/v1/operations:outcomes'
const OWNER = '/v1/workspaces/w/owners/o'

interface Address {
  readonly workspace?: string
  readonly owner?: string
  readonly id: string
}

const mine = (id: string) => ({ workspace: 'w', owner: 'o', id })

async function register({ post }: Served, { workspace = 'w', owner = 'o', id }: Address): Promise<void> {
  const { status } = await post(`/v1/workspaces/${workspace}/owners/${owner}/operations`, { kind: 'k', id })
  expect(status).toBe(201)
}

async function cancel({ post }: Served, { workspace = 'w', owner = 'o', id }: Address): Promise<void> {
  const { status } = await post(`/v1/workspaces/${workspace}/owners/${owner}/operations/${id}:cancel`, { reason: id })
  expect(status).toBe(200)
}

async function outcomesOf(
  { url }: Served,
  operations: readonly Address[],
  headers: Readonly<Record<string, string>> = {},
) {
  const { events, ...stream } = await streamOf(url, PATH, headers, { operations })
  /** The next message: its name, or what became of an operation. */
  const next = async () => {
    const { value } = await events.next()
    if (value === undefined) return 'ended'
    return value.event ?? JSON.parse(value.data)
  }
  const some = async (count: number) => {
    const all = []
    while (all.length < count) all.push(await next())
    return all
  }
  /** What is told until it ends. */
  const rest = async () => {
    const all = []
    for (let one = await next(); one !== 'ended'; one = await next()) if (one !== 'open') all.push(one)
    return all
  }
  return { ...stream, next, some, rest }
}

const watchersOf = async ({ get }: Served, id: string) => (await get(`${OWNER}/operations/${id}`)).body.watchers

describe('outcomes of many operations in one stream', () => {
  test('are told once each, as they end: ended, let go, unknown, twice in the list, found without their owner', async () => {
    const server = await served({ limits: { maxCompleted: 1 } })
    for (const id of ['gone', 'kept', 'a', 'b']) await register(server, mine(id))
    await register(server, { workspace: 'w', owner: 'p', id: 'c' })
    for (const id of ['gone', 'kept']) await cancel(server, mine(id))
    const asked = ['gone', 'a', 'nobody', 'b', 'kept', 'a'].map(mine)
    const stream = await outcomesOf(server, [...asked, { workspace: 'w', owner: 'p', id: 'c' }, { id: 'c' }])
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const atOnce = await stream.some(3)
    expect(await stream.next()).toBe('open')
    expect(await watchersOf(server, 'a')).toBe(2)
    for (const one of atOnce) {
      const { status, body } = await server.get(`${OWNER}/operations/${one.id}/outcome`)
      if (status === 200) expect(one).toEqual({ type: 'ended', index: one.index, workspace: 'w', owner: 'o', ...body })
      else expect({ ...one.problem, instance: body.instance }).toEqual(body)
    }
    expect(atOnce.map(({ type, index, id }) => `${index} ${id} ${type}`).sort()).toEqual([
      '0 gone ended',
      '2 nobody refused',
      '4 kept ended',
    ])
    const ended = (index: number, owner: string, id: string, reason: string) => {
      const outcome = { status: 'cancelled', reason }
      return { type: 'ended', index, workspace: 'w', owner, id, status: 'cancelled', outcome }
    }
    await cancel(server, mine('b'))
    expect(await stream.next()).toEqual(ended(3, 'o', 'b', 'b'))
    await cancel(server, { owner: 'p', id: 'c' })
    expect(await stream.some(2)).toEqual([ended(6, 'p', 'c', 'c'), ended(7, 'p', 'c', 'c')])
    await cancel(server, mine('a'))
    expect(await stream.some(4)).toEqual([ended(1, 'o', 'a', 'a'), ended(5, 'o', 'a', 'a'), 'closing', 'ended'])
  })

  test('that end in one turn, or just while they are asked for, are told once each', async () => {
    const server = await served()
    const ids = Array.from({ length: 100 }, (_, i) => `i${i}`)
    for (const id of ids) await register(server, mine(id))
    const streams = [outcomesOf(server, ids.map(mine))]
    const ending = server.post(`${OWNER}:terminate`, { reason: 'left' })
    for (let i = 0; i < 5; i++) streams.push(outcomesOf(server, ids.map(mine)))
    expect(await ending).toMatchObject({ status: 200, body: { terminated: 100 } })
    for (const stream of await Promise.all(streams)) {
      const told = await stream.rest()
      expect(told.pop()).toBe('closing')
      const outcome = { status: 'terminated', reason: 'left' }
      expect(told.map(({ id, outcome }) => ({ id, outcome }))).toEqual(ids.map((id) => ({ id, outcome })))
    }
  })

  test('are refused one by one, as each alone is: of others, of nobody, of several owners', async () => {
    const server = await servedTo({ root: { '*': ['admin'] }, reader: { w: ['viewer'] } })
    const asRoot = server.as('root')
    for (const [workspace, owner] of [
      ['w', 'o'],
      ['w', 'p'],
      ['theirs', 'o'],
    ]) {
      const path = `/v1/workspaces/${workspace}/owners/${owner}/operations`
      expect((await server.post(path, { kind: 'k', id: 'a' }, asRoot)).status).toBe(201)
    }
    await server.post(`${OWNER}/operations/a:cancel`, {}, asRoot)
    const asked: readonly Address[] = [
      { workspace: 'theirs', owner: 'o', id: 'a' },
      { workspace: 'nowhere', owner: 'o', id: 'a' },
      { id: 'a' },
      { id: 'b' },
      { owner: 'o', id: 'a' },
      { workspace: 'w', id: 'a' },
      { workspace: 'w', owner: 'o', id: 'a' },
    ]
    const reader = server.as('reader')
    const stream = await outcomesOf(server, asked, reader.headers)
    const told = await stream.rest()
    expect(told.pop()).toBe('closing')
    const alone = await Promise.all(
      asked.map(async ({ id, ...named }) => {
        const query = new URLSearchParams(Object.entries(named))
        const { body } = await server.get(`/v1/operations/${id}/outcome?${query}`, reader)
        return body.code ?? body.status
      }),
    )
    const byPlace = told.sort((one, other) => one.index - other.index)
    expect(byPlace.map(({ problem, status }) => problem?.code ?? status)).toEqual(alone)
    expect(alone).toEqual([
      'not_found',
      'not_found',
      'ambiguous_operation',
      'not_found',
      'not_found',
      'not_found',
      'cancelled',
    ])
  })

  test('last as long as a wait may, or as long as is preferred, and say that they live', async () => {
    const server = await served({ settings: { logLevel: 'silent', httpStreamPingMs: 20, httpWaitSecondsMax: 70 } })
    await register(server, mine('a'))
    const long = await outcomesOf(server, [mine('a')], { prefer: 'wait=9999' })
    expect(long.headers.get('preference-applied')).toBe('wait=70')
    await long.commented(3)
    const unsaid = await streamOf(server.url, PATH, {}, { operations: [mine('a')] })
    expect((await unsaid.events.next()).value).toEqual({ event: 'open', data: '{"waitMs":70000,"pingMs":25}' })
    for (const seconds of [0, 1]) {
      const brief = await outcomesOf(server, [mine('a')], { prefer: `wait=${seconds}` })
      expect(await brief.some(3)).toEqual(['open', 'closing', 'ended'])
    }
    long.leave()
    unsaid.leave()
    await expect.poll(() => watchersOf(server, 'a'), PATIENCE).toBe(0)
  })

  test('are bounded: in one request, in all, in streams; whoever leaves makes room', async () => {
    const settings = { logLevel: 'silent', httpOutcomesMax: 3, httpOutcomesWaitedMax: 4, httpStreamsMax: 2 } as const
    const server = await served({ settings })
    for (const id of ['a', 'b', 'c']) await register(server, mine(id))
    const all = ['a', 'b', 'c'].map(mine)
    const refused = async (operations: readonly Address[]) => {
      const headers = { accept: 'text/event-stream' }
      const { status, body } = await server.post(PATH, { operations }, { headers })
      return { status, code: body.code, limit: body.limit, retryable: body.retryable }
    }
    const first = await outcomesOf(server, all)
    expect(await first.next()).toBe('open')
    expect(await refused([...all, mine('d')])).toEqual({
      status: 413,
      code: 'content_too_large',
      limit: 3,
      retryable: false,
    })
    expect(await refused(all)).toEqual({ status: 429, code: 'too_many_outcomes', limit: 4, retryable: true })
    const second = await outcomesOf(server, [mine('a')])
    expect(await second.next()).toBe('open')
    expect(await refused([mine('a')])).toMatchObject({ status: 429, code: 'too_many_streams', retryable: true })
    first.leave()
    await expect.poll(() => watchersOf(server, 'c'), PATIENCE).toBe(0)
    expect(await watchersOf(server, 'a')).toBe(1)
    const third = await outcomesOf(server, all)
    expect(await third.next()).toBe('open')
  })

  test('end when the server does, and it ends', async () => {
    const server = await served()
    await register(server, mine('a'))
    const stream = await outcomesOf(server, [mine('a')])
    expect(await stream.next()).toBe('open')
    await server.close()
    expect(await stream.some(2)).toEqual(['closing', 'ended'])
  })

  test('are cut off for who takes nothing, and nothing is kept for him', { timeout: 60_000 }, async () => {
    const server = await served({ settings: { logLevel: 'silent', httpStreamSlowMs: 200 } })
    const ids = Array.from({ length: 300 }, (_, i) => `i${i}`)
    for (const id of ids) await register(server, mine(id))
    const last = { workspace: 'w', owner: 'p', id: 'last' }
    await register(server, last)
    const watchers = async () => (await server.get('/v1/workspaces/w/owners/p/operations/last')).body.watchers
    const socket = connect(server.address.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const body = JSON.stringify({ operations: [...ids.map(mine), last] })
    const head = `host: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json`
    socket.write(`POST ${PATH} HTTP/1.1\r\n${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    socket.pause()
    await expect.poll(watchers, PATIENCE).toBe(1)
    // More than what any socket between takes.
    const reason = 'x'.repeat(48 * 1024)
    expect((await server.post(`${OWNER}:terminate`, { reason })).status).toBe(200)
    await expect.poll(watchers, PATIENCE).toBe(0)
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    socket.resume()
    await expect.poll(() => /event: slow\n/.test(text) || socket.closed, PATIENCE).toBe(true)
    const told = [...text.matchAll(/"type":"ended","index":(\d+)/g)].map(([, index]) => Number(index))
    expect(told).toEqual(Array.from(told, (_, i) => i))
    expect(told.length).toBeLessThan(300)
  })
})

describe('outcomes of many operations at once', () => {
  test('are told as they stand, in the order asked', async () => {
    const server = await served({ limits: { maxCompleted: 1 } })
    for (const id of ['a', 'b', 'on']) await register(server, mine(id))
    for (const id of ['a', 'b']) await cancel(server, mine(id))
    const asked = ['nobody', 'b', 'on', 'a'].map(mine)
    const { status, headers, body } = await server.post(PATH, { operations: asked })
    expect({ status, isCommand: headers.has('idempotency-key') }).toEqual({ status: 200, isCommand: false })
    const named = { workspace: 'w', owner: 'o' }
    const ended = (index: number, id: string) => {
      const outcome = { status: 'cancelled', reason: id }
      return { type: 'ended', index, ...named, id, status: 'cancelled', outcome }
    }
    expect(body.outcomes).toEqual([
      { type: 'refused', index: 0, id: 'nobody', problem: expect.objectContaining({ code: 'not_found', status: 404 }) },
      ended(1, 'b'),
      { type: 'active', index: 2, ...named, id: 'on', status: 'provisioning' },
      ended(3, 'a'),
    ])
  })
})
