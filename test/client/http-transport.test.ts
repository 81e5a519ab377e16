import { getEventListeners, once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HttpTransport } from '../../src/client/http-transport.ts'

const ASKED = { method: 'GET', path: '/v1/anything' } as const

let server: Server
let left: AbortController
/** Requests that came, each with what it is answered by. */
let came: Promise<readonly [unknown, ServerResponse]>

beforeEach(async () => {
  server = createServer()
  left = new AbortController()
  came = once(server, 'request') as Promise<[unknown, ServerResponse]> // what a server gives with it
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

function transportTo(silenceMsMax: number): HttpTransport {
  const { port } = server.address() as AddressInfo // it listens
  return new HttpTransport(`http://127.0.0.1:${port}`, { silenceMsMax })
}

const listeners = () => getEventListeners(left.signal, 'abort').length

describe('a request', () => {
  test('is answered, and nothing of it stays with the signal that was given', async () => {
    const answer = transportTo(30_000).call(ASKED, left.signal)
    const [, response] = await came
    expect(listeners()).toBe(1)
    response.setHeader('content-type', 'application/json').end('{"is":"here"}')
    expect(await answer).toEqual({ type: 'answered', status: 200, body: { is: 'here' } })
    expect(listeners()).toBe(0)
  })

  test('that the server is silent about is lost, and may have arrived', async () => {
    const lost = { type: 'lost', message: 'the server does not answer', isUnsent: false }
    expect(await transportTo(50).call(ASKED, left.signal)).toEqual(lost)
    expect(listeners()).toBe(0)
  })

  test('that is left ends at once with the reason, also while its answer is read', async () => {
    const answer = transportTo(30_000).call(ASKED, left.signal)
    const [, response] = await came
    response.setHeader('content-type', 'application/json').write('{"is":')
    left.abort(new Error('left'))
    await expect(answer).rejects.toThrow('left')
    await once(response, 'close')
    expect(listeners()).toBe(0)
  })

  test('that was left before is never sent', async () => {
    let requests = 0
    server.on('request', () => requests++)
    left.abort(new Error('left'))
    await expect(transportTo(30_000).call(ASKED, left.signal)).rejects.toThrow('left')
    expect([requests, listeners()]).toEqual([0, 0])
  })
})
