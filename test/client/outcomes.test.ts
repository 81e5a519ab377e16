/** Waiting for outcomes on a server: how many requests it takes, and what becomes of those who wait. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { HttpDoor, HttpDoorParts } from '../../src/client/http-door.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { type Served, served } from '../http/support/served.ts'
import { told } from './support/both-doors.ts'
import { httpDoorTo } from './support/http-door-to.ts'

/** For conditions, on a machine that others use as well. */
const PATIENCE = { timeout: 30_000 }
const OWNER = { workspace: 'w', owner: 'o' }
const PATH = '/v1/operations:outcomes'

interface Watched {
  readonly door: HttpDoor
  /** How many operations each request for outcomes asked for. */
  readonly requests: number[]
}

function doorTo(url: string, parts: Partial<HttpDoorParts> = {}): Watched {
  const requests: number[] = []
  const door = httpDoorTo(url, {
    ...parts,
    fetch: (address, init) => {
      if (String(address).endsWith(PATH)) requests.push(JSON.parse(String(init?.body)).operations.length)
      return fetch(address, init)
    },
  })
  return { door, requests }
}

async function registered({ door }: Watched, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, i) => `i${i}`)
  await Promise.all(ids.map((id) => door.send(OWNER, { type: 'RegisterOperation', id, kind: 'k' })))
  return ids
}

const cancel = ({ door }: Watched, id: string) => door.send(OWNER, { type: 'CancelOperation', id, reason: id })
const cancelled = (id: string) => {
  const outcome = { status: 'cancelled', reason: id }
  return { type: 'answered', answer: { status: 'cancelled', outcome } }
}

async function isWatched({ door }: Watched, id: string, watchers = 1): Promise<void> {
  await expect.poll(async () => (await door.snapshot(OWNER, id))?.watchers, PATIENCE).toBe(watchers)
}

async function streamsOf({ get }: Served): Promise<number> {
  return Number(/^verdict_event_streams_open (\d+)$/m.exec((await get('/metrics')).body)?.[1])
}

describe('outcomes that are waited for on a server', () => {
  test('travel in one request when they are asked for in one turn, and each is told to each who asks', async () => {
    const server = await served()
    const client = doorTo(server.url)
    const ids = await registered(client, 200)
    const first = ids.map((id) => client.door.outcome(OWNER, id))
    const unknown = client.door.outcome(OWNER, 'nobody')
    const again = client.door.outcome(OWNER, 'i0')
    await isWatched(client, 'i0', 2)
    expect(client.requests).toEqual([202])
    const ending = Promise.all(ids.map((id) => cancel(client, id)))
    // While they end.
    const late = ids.map((id) => client.door.outcome(OWNER, id))
    await ending
    expect(await Promise.all(first)).toEqual(ids.map(cancelled))
    expect(await Promise.all(late)).toEqual(ids.map(cancelled))
    expect(await again).toEqual(cancelled('i0'))
    expect(await unknown).toMatchObject({ type: 'refused', rejection: { code: 'not_found' } })
    expect(client.requests).toEqual([202, 200])
  })

  test('take few connections, however many are asked for one by one, and none is lost when requests become one', async () => {
    const server = await served({ settings: { logLevel: 'silent', httpWaitSecondsMax: 600 } })
    const client = doorTo(server.url)
    const ids = await registered(client, 60)
    const waiting: Promise<unknown>[] = []
    for (const id of ids) {
      waiting.push(client.door.outcome(OWNER, id))
      await isWatched(client, id)
    }
    // Of those that were taken over, the server may not have heard yet.
    await expect.poll(() => streamsOf(server), PATIENCE).toBeLessThanOrEqual(4)
    const sent = client.requests.reduce((sum, count) => sum + count, 0)
    expect({ requests: client.requests.length, isAmortised: sent <= 60 * 8 }).toEqual({
      requests: 60,
      isAmortised: true,
    })
    for (const id of ids) await isWatched(client, id)
    await Promise.all(ids.map((id) => cancel(client, id)))
    expect(await Promise.all(waiting)).toEqual(ids.map(cancelled))
    await expect.poll(() => streamsOf(server), PATIENCE).toBe(0)
  })

  test('are let go by who leaves, and the others go on; with the last one the connection goes', async () => {
    const server = await served()
    const client = doorTo(server.url)
    const [a = '', b = '', c = ''] = await registered(client, 3)
    const left = new AbortController()
    const leaving = [a, b].map((id) => told(() => client.door.outcome(OWNER, id, left.signal)))
    const staying = client.door.outcome(OWNER, c)
    await isWatched(client, c)
    left.abort(new Error('enough'))
    expect(await Promise.all(leaving)).toEqual([a, b].map(() => ({ thrown: { name: 'Error', message: 'enough' } })))
    await isWatched(client, a, 0)
    await cancel(client, c)
    expect(await staying).toEqual(cancelled(c))
    const alone = new AbortController()
    const last = told(() => client.door.outcome(OWNER, b, alone.signal))
    await isWatched(client, b)
    alone.abort('gone')
    expect(await last).toEqual({ thrown: 'gone' })
    await isWatched(client, b, 0)
    await expect.poll(() => streamsOf(server), PATIENCE).toBe(0)
  })

  test('of a registration that is rolled back are those of nobody, and others go on', async () => {
    const server = await served()
    const client = doorTo(server.url)
    const [a = ''] = await registered(client, 1)
    const registration = { type: 'RegisterOperation', id: 'b', kind: 'k' }
    await client.door.send(OWNER, registration, { commandId: 'c1' })
    const waiting = [a, 'b'].map((id) => client.door.outcome(OWNER, id))
    await isWatched(client, 'b')
    await client.door.send(OWNER, { type: 'RollbackRegistration', id: 'b', registrationCommandId: 'c1' })
    expect(await waiting[1]).toMatchObject({ type: 'refused', rejection: { code: 'not_found' } })
    await cancel(client, a)
    expect(await waiting[0]).toEqual(cancelled(a))
  })

  test('fit into what the server takes in one request', async () => {
    const server = await served({ settings: { logLevel: 'silent', httpOutcomesMax: 3 } })
    const client = doorTo(server.url)
    const ids = await registered(client, 10)
    const waiting = ids.map((id) => client.door.outcome(OWNER, id))
    for (const id of ids) await isWatched(client, id)
    await Promise.all(ids.map((id) => cancel(client, id)))
    expect(await Promise.all(waiting)).toEqual(ids.map(cancelled))
  })

  test('that the server has no room for wait until there is some', async () => {
    const server = await served({ settings: { logLevel: 'silent', httpOutcomesWaitedMax: 1 } })
    const one = doorTo(server.url)
    const clock = new HandMovedClock()
    const other = doorTo(server.url, { clock })
    const [a = '', b = ''] = await registered(one, 2)
    const first = one.door.outcome(OWNER, a)
    await isWatched(one, a)
    const second = other.door.outcome(OWNER, b)
    await expect.poll(() => other.requests.length, PATIENCE).toBe(1)
    await cancel(one, b)
    await cancel(one, a)
    expect(await first).toEqual(cancelled(a))
    let isTold = false
    void second.then(() => {
      isTold = true
    })
    await expect
      .poll(async () => {
        await clock.advance(1_000)
        return isTold
      }, PATIENCE)
      .toBe(true)
    expect(await second).toEqual(cancelled(b))
  })
})

type Answer = (response: ServerResponse) => unknown

/**
 * A stand-in for a server: what it answers, by how many outcomes are asked for; to the same number again the next, and the last for as
 * long as that is asked.
 */
async function standIn(answers: Readonly<Record<number, readonly Answer[]>>) {
  const asked: number[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      const count = JSON.parse(body).operations.length
      const before = asked.filter((one) => one === count).length
      asked.push(count)
      const known = answers[count] ?? []
      known[Math.min(before, known.length - 1)]?.(response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const streaming = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' })
const PROBLEM = { 'content-type': 'application/problem+json' }
const outcome = { status: 'completed', result: 1 }
const ended = (index: number) => {
  const message = { type: 'ended', index, ...OWNER, id: `i${index}`, status: 'completed', outcome }
  return `data: ${JSON.stringify(message)}\n\n`
}
const refused = (index: number, code: string) => {
  const problem = { type: `urn:verdict:problem:${code}`, title: 't', status: 503, detail: 'd', code, retryable: true }
  return `data: ${JSON.stringify({ type: 'refused', index, id: `i${index}`, problem })}\n\n`
}

describe('a server that does not tell all', () => {
  test('is asked again for what is left: cut off, silent, ended, refused for now, in words of a newer one', async () => {
    const notNow = { type: 't', title: 't', status: 503, detail: 'd', code: 'shutting_down', retryable: true }
    const { url, asked } = await standIn({
      // Cut off behind the first.
      5: [(response) => streaming(response).write(ended(0), () => response.destroy())],
      // Silent for longer than it said.
      4: [(response) => streaming(response).write(`event: open\ndata: {"waitMs":1,"pingMs":1}\n\n${ended(0)}`)],
      // Ended in order, before all were told.
      3: [(response) => streaming(response).end(`${ended(0)}event: closing\ndata: {}\n\n`)],
      2: [
        // Nothing of it, as by a proxy; then not now; then one passes and the other is told, with what nobody knows.
        (response) => response.writeHead(502).end('<html>'),
        (response) => response.writeHead(503, PROBLEM).end(JSON.stringify(notNow)),
        (response) => {
          const unknown = `event: news\ndata: x\n\ndata: {"type":"new","index":0}\n\n${ended(7)}`
          streaming(response).end(`${unknown}${refused(0, 'not_served')}${ended(1)}`)
        },
      ],
      1: [(response) => streaming(response).end(`${refused(0, 'not_found')}event: closing\ndata: {}\n\n`)],
    })
    const { door } = doorTo(url, { silenceMsMax: 1_000, random: () => 0 })
    const waiting = Array.from({ length: 5 }, (_, i) => door.outcome(OWNER, `i${i}`))
    const answers = await Promise.all(waiting)
    const answered = { type: 'answered', answer: { status: 'completed', outcome } }
    expect(answers.filter(({ type }) => type === 'answered')).toEqual([answered, answered, answered, answered])
    expect(answers.filter(({ type }) => type === 'refused')).toMatchObject([{ rejection: { code: 'not_found' } }])
    expect([...new Set(asked)]).toEqual([5, 4, 3, 2, 1])
    expect(asked.filter((count) => count === 2).length).toBeGreaterThanOrEqual(3)
  })

  test('for good tells that to all who ask', async () => {
    const problem = { type: 't', title: 't', status: 401, detail: 'd', code: 'unauthenticated', retryable: false }
    const { url } = await standIn({ 2: [(response) => response.writeHead(401, PROBLEM).end(JSON.stringify(problem))] })
    const { door } = doorTo(url)
    for (const answer of await Promise.all(['a', 'b'].map((id) => door.outcome(OWNER, id)))) {
      expect(answer).toMatchObject({ type: 'refused', rejection: { code: 'unauthenticated' } })
    }
  })
})
