import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { servedTo } from './support/callers.ts'
import { raw } from './support/raw-http.ts'
import { type Served, served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'
const HEAD = 'host: 127.0.0.1\r\ncontent-type: application/json\r\n'

/** It still serves, and nothing but what the test did itself stands in the log. */
async function assertUntouched({ get, node }: Served, end: bigint): Promise<void> {
  expect(await node.store.end()).toBe(end)
  expect(await get(OWNER)).toMatchObject({ status: 200 })
}

describe('a path', () => {
  test('that climbs, doubles, hides or breaks its encoding reaches nothing', async () => {
    const server = await served()
    await server.post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    const end = await server.node.store.end()
    const paths = [
      '/v1/../v1/workspaces/w/owners/o/operations/a',
      '//v1/workspaces/w/owners/o/operations/a',
      '/v1//workspaces/w/owners/o/operations/a',
      '/V1/workspaces/w/owners/o/operations/a',
      '/v1/workspaces/w/owners/o/operations/a/',
      '/v1/workspaces/w/owners/o/operations/./a',
      '/v1/workspaces/w/owners/x%2F..%2Fo/operations/a',
      '/v1/workspaces/w/owners/x/../o/operations/a',
      '/v1/workspaces/w/owners/o/operations/%2e%2e/%2e%2e/o/operations/a',
      '/v1/workspaces/w/owners/o/operations/a%00',
      '/v1/workspaces/w/owners/o/operations/a;v=1',
      '/v1/workspaces/w/owners/o/operations/%c0%ae',
      '/v1/workspaces/w/owners/o/operations/%zz',
      `/v1/workspaces/w/owners/o/operations/${'a'.repeat(5_000)}`,
      '/docs/../openapi.json',
      '/docs/js/../../package.json',
      '/docs/js/%2e%2e%2f%2e%2e%2fpackage.json',
      '/../../../../etc/passwd',
      'http://127.0.0.1/v1/workspaces/w/owners/o/operations/b',
      '*',
    ]
    for (const path of paths) {
      const { statuses, text } = await raw(server.address.port, `GET ${path} HTTP/1.1\r\n${HEAD}\r\n`)
      expect({ path, statuses }).toEqual({
        path,
        statuses: [expect.toSatisfy((status) => status === 404 || status === 400)],
      })
      expect(text).toContain('application/problem+json')
      expect(text).not.toMatch(/"kind":|root:/)
    }
    await assertUntouched(server, end)
  })

  test('or query with a name twice, or a member that every object has, is refused', async () => {
    const { get } = await served()
    for (const query of ['workspace=a&workspace=b', '__proto__=x', 'constructor=x', 'owner=', 'x=1']) {
      expect(await get(`/v1/operations/a?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_command' } })
    }
  })
})

describe('a body', () => {
  test('that is too large, too deep, no JSON, of another type or poisoned is refused, and nothing is written', async () => {
    const server = await served({ settings: { httpBodyBytesMax: 300_000, logLevel: 'silent' } })
    const { url, node } = server
    await server.post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    const end = await node.store.end()
    const sent = async (body: string, type = 'application/json') => {
      const response = await fetch(`${url}${OWNER}/operations`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      })
      return `${response.status} ${((await response.json()) as { code: string }).code}`
    }
    const deep = (levels: number) => `{"kind":"k","input":${'['.repeat(levels)}${']'.repeat(levels)}}`
    const met = {
      large: await sent(JSON.stringify({ kind: 'k', input: 'x'.repeat(300_000) })),
      content: await sent(JSON.stringify({ kind: 'k', input: 'x'.repeat(70_000) })),
      deep: await sent(deep(65)),
      veryDeep: await sent(deep(100_000)),
      cut: await sent('{"kind":"k"'),
      list: await sent('[]'),
      null: await sent('null'),
      number: await sent('7'),
      text: await sent('{"kind":"k"}', 'text/plain'),
      form: await sent('kind=k', 'application/x-www-form-urlencoded'),
      proto: await sent('{"kind":"k","__proto__":{"x":1}}'),
      protoInside: await sent('{"kind":"k","input":{"__proto__":{"isAdmin":true}}}'),
      constructor: await sent('{"kind":"k","constructor":{"prototype":{"x":1}}}'),
      unsafe: await sent('{"kind":"k","input":9007199254740993}'),
      controls: await sent('{"kind":"k\\u0000"}'),
      lone: await sent('{"kind":"k","key":"\\ud800"}'),
    }
    expect(met).toEqual({
      large: '413 body_too_large',
      content: '413 content_too_large',
      deep: '400 invalid_command',
      veryDeep: '400 invalid_command',
      cut: '400 malformed_request',
      list: '400 invalid_command',
      null: '400 invalid_command',
      number: '400 invalid_command',
      text: '415 unsupported_media_type',
      form: '415 unsupported_media_type',
      proto: '400 invalid_command',
      protoInside: '400 invalid_command',
      constructor: '400 invalid_command',
      unsafe: '400 unsafe_number',
      controls: '400 invalid_command',
      lone: '400 invalid_command',
    })
    expect(({} as { isAdmin?: boolean }).isAdmin).toBe(undefined)
    await assertUntouched(server, end)
  })

  test('to the reconciler or about the record that is poisoned or no order is refused, and nothing is written', async () => {
    const server = await served({ reconciler: false })
    const { url, node, get } = server
    await server.post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    const end = await node.store.end()
    const order = '"kind":"k","mode":"off","reason":"r"'
    const bodies = [
      `{${order},"__proto__":{"mode":"enforce"}}`,
      `{${order},"constructor":{"prototype":{"isAdmin":true}}}`,
      `{${order},"onBehalfOf":{"__proto__":{"name":"root"}}}`,
      `{"kind":{"__proto__":"k"},"mode":"off","reason":"r"}`,
      `{${order.replace('"r"', '"\\u0000\\n"')},"actor":"root"}`,
      `[{${order}}]`,
      '"off"',
      'null',
      '{',
    ]
    for (const verb of ['set-mode', 'release', 'run']) {
      for (const body of bodies) {
        const headers = { 'content-type': 'application/json' }
        const { status } = await fetch(`${url}/v1/reconciler:${verb}`, { method: 'POST', headers, body })
        expect({ verb, body, status }).toEqual({ verb, body, status: 400 })
      }
    }
    for (const path of [
      '/v1/reconciler:explode',
      '/v1/reconciler/',
      '/v1/admin',
      '/v1/admin/events/..',
      '/v1/admin/keys',
    ]) {
      expect({ path, status: (await server.ask('POST', path)).status }).toEqual({
        path,
        status: expect.toSatisfy((status) => status === 404 || status === 405),
      })
    }
    for (const query of [
      'after=__proto__',
      'after=1&after=2',
      'after=99999999999999999999',
      'limit=-1',
      '__proto__=x',
    ]) {
      expect(await get(`/v1/admin/events?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_command' } })
    }
    expect(({} as { isAdmin?: boolean }).isAdmin).toBe(undefined)
    await assertUntouched(server, end)
  })

  test('that asks for outcomes and is poisoned or no list is refused, and what can be no name is nobody', async () => {
    const server = await served()
    const { url, node } = server
    await server.post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    const end = await node.store.end()
    const asked = (body: string, accept: string) => {
      const headers = { 'content-type': 'application/json', accept, prefer: 'wait=0' }
      return fetch(`${url}/v1/operations:outcomes`, { method: 'POST', headers, body })
    }
    const bodies = [
      '{"operations":[]}',
      '{"operations":{"id":"a"}}',
      '{"operations":["a"]}',
      '{"operations":[null]}',
      '{"operations":[{"id":7}]}',
      '{"operations":[{"id":"a","__proto__":{"owner":"o"}}]}',
      '{"operations":[{"id":"a","constructor":{}}]}',
      '{"operations":[{"owner":"o"}]}',
      '{"operations":[{"id":"a"}],"workspace":"w"}',
      '[{"id":"a"}]',
      'null',
      '{',
    ]
    const nobody = ['', '\\u0000', '../o', 'a:claim', '__proto__', '\\ud800', 'data: x\\n\\n', 'x'.repeat(5_000)]
    for (const accept of ['application/json', 'text/event-stream']) {
      for (const body of bodies) {
        const { status } = await asked(body, accept)
        expect({ accept, body, status }).toEqual({ accept, body, status: 400 })
      }
      const names = nobody.flatMap((name) => [
        `{"workspace":"w","owner":"o","id":"${name}"}`,
        `{"workspace":"w","owner":"${name}","id":"a"}`,
        `{"workspace":"${name}","owner":"o","id":"a"}`,
      ])
      const answered = await asked(`{"operations":[${names}]}`, accept)
      expect(answered.status).toBe(200)
      const told = [...(await answered.text()).matchAll(/"code":"(\w+)"/g)].map(([, code]) => code)
      expect(told.length).toBe(names.length)
      expect(new Set(told)).toEqual(new Set(['not_found']))
    }
    await assertUntouched(server, end)
  })

  test('for many values at once stays within its bounds', async () => {
    const { post } = await served()
    const members = { mode: 'all', ids: Array.from({ length: 10_001 }, (_, i) => String(i)) }
    expect(await post(`${OWNER}/waits`, members)).toMatchObject({ status: 400, body: { path: 'ids' } })
    const labels = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`l${i}`, 'x']))
    expect(await post(`${OWNER}/operations`, { kind: 'k', labels })).toMatchObject({
      status: 400,
      body: { path: 'labels' },
    })
    const asked = { headers: { 'idempotency-key': 'k'.repeat(129) } }
    expect(await post(`${OWNER}/operations`, { kind: 'k' }, asked)).toMatchObject({
      status: 400,
      body: { path: 'commandId' },
    })
  })
})

describe('a connection', () => {
  const inner = `POST ${OWNER}/operations HTTP/1.1\r\n${HEAD}content-length: 12\r\n\r\n{"kind":"k"}`

  test.each([
    ['both lengths', `content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${inner}`],
    ['two lengths', `content-length: 5\r\ncontent-length: 50\r\n\r\nhello${inner}`],
    ['a list of lengths', `content-length: 5, 50\r\n\r\nhello${inner}`],
    ['a signed length', `content-length: +5\r\n\r\nhello${inner}`],
    ['an unknown coding', `transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${inner}`],
    ['two codings', `transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n${inner}`],
    ['a space before the colon', `transfer-encoding : chunked\r\n\r\n0\r\n\r\n${inner}`],
    ['a folded header', `x: a\r\n transfer-encoding: chunked\r\n\r\n0\r\n\r\n${inner}`],
    ['a bare line feed', `x: a\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${inner}`],
    ['a null in a header', `x: a\u0000b\r\n\r\n${inner}`],
    ['a wrong chunk', `transfer-encoding: chunked\r\n\r\nzz\r\n${inner}`],
  ])(
    'that smuggles a request behind another with %s is cut off, and the second is never carried out',
    async (_how, rest) => {
      const server = await served()
      const end = await server.node.store.end()
      const { statuses } = await raw(server.address.port, `POST /v1/operations/x:cancel HTTP/1.1\r\n${HEAD}${rest}`)
      for (const status of statuses) expect(status).toBeGreaterThanOrEqual(400)
      await assertUntouched(server, end)
    },
  )

  test('with headers without end, or no HTTP at all, is answered once and ended', async () => {
    const server = await served()
    const { port } = server.address
    const long = await raw(port, `GET ${OWNER} HTTP/1.1\r\n${HEAD}x: ${'a'.repeat(20_000)}\r\n\r\n`)
    expect(long).toMatchObject({ statuses: [431], text: expect.stringContaining('headers_too_large') })
    const noise = await raw(port, Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 0x0d, 0x0a, 0x0d, 0x0a]))
    expect(noise).toMatchObject({ statuses: [400], text: expect.stringContaining('malformed_request') })
    const noHost = await raw(port, `GET ${OWNER} HTTP/1.1\r\n\r\n`)
    expect(noHost.statuses).toEqual([400])
    expect(await server.get(OWNER)).toMatchObject({ status: 200 })
  })

  test('that sends its request drop by drop is ended in time, and others are served meanwhile', async () => {
    const { address, get } = await served({ settings: { httpRequestTimeoutMs: 300, logLevel: 'silent' } })
    const slow = [
      `GET ${OWNER} HTTP/1.1\r\nhost: 127`,
      `POST ${OWNER}/operations HTTP/1.1\r\n${HEAD}content-length: 50\r\n\r\n{"kind"`,
    ].map((begun) => raw(address.port, begun))
    expect(await get(OWNER)).toMatchObject({ status: 200 })
    for (const { statuses } of await Promise.all(slow)) expect(statuses).toEqual([408])
  })

  test('beyond those that the server takes is closed, and the others go on', async () => {
    const { address, get } = await served({ settings: { httpConnectionsMax: 3, logLevel: 'silent' } })
    await get(OWNER)
    const held = Array.from({ length: 6 }, () => connect(address.port, '127.0.0.1'))
    onTestFinished(() => held.forEach((socket) => void socket.destroy()))
    let closed = 0
    for (const socket of held)
      socket
        .on('error', () => {})
        .on('close', () => closed++)
        .resume()
    await expect.poll(() => closed).toBeGreaterThanOrEqual(3)
    expect(await get(OWNER)).toMatchObject({ status: 200 })
  })
})

describe('a server that is open to this machine', () => {
  test('answers no page of another site, and no name that was made to mean it', async () => {
    const server = await served()
    const { port } = server.address
    const cancel = (headers: string) =>
      raw(port, `POST /v1/workspaces/w/owners/o:collect HTTP/1.1\r\n${headers}content-length: 0\r\n\r\n`)
    const end = await server.node.store.end()
    for (const headers of [
      'host: evil.example\r\n',
      `host: 127.0.0.1.evil.example:${port}\r\n`,
      `host: 127.0.0.1:${port}\r\norigin: https://evil.example\r\n`,
      `host: 127.0.0.1:${port}\r\norigin: null\r\n`,
      `host: 127.0.0.1:${port}\r\nsec-fetch-site: cross-site\r\n`,
    ]) {
      expect({ headers, statuses: (await cancel(headers)).statuses }).toEqual({ headers, statuses: [401] })
    }
    expect((await cancel(`host: localhost:${port}\r\norigin: http://localhost:${port}\r\n`)).statuses).toEqual([200])
    await assertUntouched(server, end)
  })
})

describe('too many requests', () => {
  test('of one caller are refused with the time to come back, and another caller is served', async () => {
    const callers = { a: { w: ['viewer'] }, b: { w: ['viewer'] } } as const
    const { get, as } = await servedTo(callers, { settings: { httpRequestsPerMinuteMax: 3, logLevel: 'silent' } })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await get(OWNER, as('a'))).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    const limited = await get(OWNER, as('a'))
    expect(limited.body).toMatchObject({ code: 'rate_limited', limit: 3, retryable: true })
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await get(OWNER, as('b'))).toMatchObject({ status: 200 })
  })
})

describe('what is logged', () => {
  test('is one line of JSON for each thing, whatever callers write, and never a secret', async () => {
    let text = ''
    const sink = new Writable({
      write(chunk, _encoding, done) {
        text += chunk
        done()
      },
    })
    const server = await served({ log: pino({ level: 'debug' }, sink) })
    const secret = `vk_${'1'.repeat(12)}_${'S'.repeat(43)}`
    await server.get(`/v1/operations/${encodeURIComponent('a\n{"level":60,"msg":"forged"}')}?x=${secret}`)
    await server.post(
      `${OWNER}/operations`,
      { kind: 'k\u2028', name: secret },
      { headers: { authorization: `Bearer ${secret}` } },
    )
    await raw(server.address.port, `GET /\u001b[31m%0d%0aforged HTTP/1.1\r\n${HEAD}user-agent: a\tb\r\n\r\n`)
    const lines = text.split('\n').slice(0, -1)
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(JSON.parse(line)).not.toMatchObject({ msg: 'forged' })
    // A terminal that shows it obeys nothing in it.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f]/)
    expect(text).not.toContain('SSSS')
  })
})

describe('answers', () => {
  test('carry headers that let no browser make a page, a frame or a copy of them', async () => {
    const { get } = await served()
    for (const place of [OWNER, '/nowhere', '/openapi.json']) {
      const { headers } = await get(place)
      expect(Object.fromEntries(headers)).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      })
      expect(headers.get('server')).toBe(null)
      expect(headers.get('access-control-allow-origin')).toBe(null)
    }
  })
})
