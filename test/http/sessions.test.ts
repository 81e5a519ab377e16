import { Writable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { readKeys, revokeKey } from '../../src/http/api-keys.ts'
import { Sessions } from '../../src/http/sessions.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { type ServedToCallers, servedTo } from './support/callers.ts'
import { secretOfKey } from './support/secret-of-key.ts'
import { streamOf } from './support/sent-events.ts'
import { served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'
const CALLERS = { ann: { w: ['viewer'], v: ['operator', 'auditor'] } } as const

function keyOf({ as }: ServedToCallers, caller: string): string {
  return as(caller).headers.authorization?.replace('Bearer ', '') ?? ''
}

/** As a page of the server sends it, with the cookie that it was given. */
async function loggedIn(server: ServedToCallers, caller: string) {
  const { post, url } = server
  const { headers, body } = await post('/v1/session', { apiKey: keyOf(server, caller) }, { headers: { origin: url } })
  const setCookie = headers.get('set-cookie') ?? ''
  const cookie = setCookie.split(';', 1)[0] ?? ''
  return { setCookie, body, headers: { cookie, origin: url } }
}

describe('a session', () => {
  test('is given for a key that is good, and acts as the key does', async () => {
    const server = await servedTo({ ...CALLERS, ben: { w: ['service'] } })
    const { get, post } = server
    expect(await get('/v1/session')).toMatchObject({
      status: 200,
      body: { authenticated: false, isOpen: false, roles: {} },
    })
    const { setCookie, body } = await loggedIn(server, 'ann')
    expect(body).toEqual({
      authenticated: true,
      isOpen: false,
      principal: 'ann',
      roles: { w: ['viewer'], v: ['operator', 'auditor'] },
      rights: { w: ['read'], v: ['read', 'work', 'operate', 'audit'] },
      expiresAt: expect.any(Number),
    })
    expect(setCookie).toMatch(/^verdict_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/)
    const { headers } = await loggedIn(server, 'ben')
    expect(await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, { headers })).toMatchObject({ status: 201 })
    expect((await get(`${OWNER}/operations/a/history`, { headers })).body.events).toMatchObject([
      { metadata: { actor: 'ben' } },
    ])
    expect(await post(`${OWNER}:terminate`, { reason: 'x' }, { headers })).toMatchObject({ status: 403 })
    expect((await get('/v1/session', { headers })).body).toMatchObject({ authenticated: true, principal: 'ben' })
  })

  test('is not given for a key that is wrong, revoked or missing, nor to a page of others', async () => {
    const server = await servedTo(CALLERS)
    const { post, url, keysFile } = server
    const begin = async (apiKey: unknown, headers: Readonly<Record<string, string>> = {}) => {
      const answered = await post('/v1/session', apiKey === undefined ? {} : { apiKey }, { headers })
      expect(answered.headers.get('set-cookie')).toBe(null)
      return `${answered.status} ${answered.body.code}`
    }
    const good = keyOf(server, 'ann')
    const met = {
      wrong: await begin(`vk_${'0'.repeat(12)}_${'A'.repeat(43)}`),
      noKey: await begin(undefined),
      empty: await begin(''),
      number: await begin(7),
      long: await begin('x'.repeat(8_193)),
      otherSite: await begin(good, { origin: 'https://evil.example' }),
      sandboxed: await begin(good, { origin: 'null' }),
      crossSite: await begin(good, { origin: url, 'sec-fetch-site': 'cross-site' }),
      downgraded: await begin(good, { origin: url, 'x-forwarded-proto': 'https' }),
    }
    expect(met).toEqual({
      wrong: '401 unauthenticated',
      noKey: '400 invalid_command',
      empty: '400 invalid_command',
      number: '400 invalid_command',
      long: '400 invalid_command',
      otherSite: '401 unauthenticated',
      sandboxed: '401 unauthenticated',
      crossSite: '401 unauthenticated',
      downgraded: '401 unauthenticated',
    })
    revokeKey(keysFile, readKeys(keysFile)[0]?.id ?? '', 0)
    const revoked = async () => (await post('/v1/session', { apiKey: good })).status
    await expect.poll(revoked, { timeout: 30_000 }).toBe(401)
  })

  test('is over when its key is revoked, when it is ended, and when another is begun in its browser', async () => {
    const server = await servedTo({ ann: { w: ['viewer'] }, ben: { w: ['viewer'] } })
    const { get, post, ask, keysFile, url } = server
    const [ended, replaced, ofRevoked] = [
      await loggedIn(server, 'ann'),
      await loggedIn(server, 'ann'),
      await loggedIn(server, 'ben'),
    ]
    const status = async ({ headers }: typeof ended) => (await get(OWNER, { headers })).status
    for (const one of [ended, replaced, ofRevoked]) expect(await status(one)).toBe(200)
    const over = await ask('DELETE', '/v1/session', { headers: ended.headers })
    expect(over).toMatchObject({ status: 200, body: { authenticated: false, isOpen: false, roles: {}, rights: {} } })
    expect(over.headers.get('set-cookie')).toBe('verdict_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict')
    await post('/v1/session', { apiKey: keyOf(server, 'ann') }, { headers: replaced.headers })
    revokeKey(keysFile, readKeys(keysFile).find(({ name }) => name === 'ben')?.id ?? '', 0)
    expect(await status(ended)).toBe(401)
    expect(await status(replaced)).toBe(401)
    await expect.poll(() => status(ofRevoked), { timeout: 30_000 }).toBe(401)
    expect((await get('/v1/session', { headers: ofRevoked.headers })).body).toMatchObject({ authenticated: false })
    // Ended by a page of others it is not.
    const kept = await loggedIn(server, 'ann')
    const foreign = { headers: { ...kept.headers, origin: 'https://evil.example' } }
    expect(await ask('DELETE', '/v1/session', foreign)).toMatchObject({ status: 401 })
    expect(await ask('DELETE', '/v1/session', { headers: { origin: url } })).toMatchObject({ status: 200 })
    expect(await status(kept)).toBe(200)
  })

  test('behind a proxy that speaks TLS has a cookie that goes over TLS and to this host only', async () => {
    const server = await servedTo(CALLERS)
    const { post, get, address } = server
    const proxied = { 'x-forwarded-proto': 'https', origin: `https://127.0.0.1:${address.port}` }
    const { headers } = await post('/v1/session', { apiKey: keyOf(server, 'ann') }, { headers: proxied })
    const setCookie = headers.get('set-cookie') ?? ''
    expect(setCookie).toMatch(
      /^__Host-verdict_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    )
    const cookie = setCookie.split(';', 1)[0] ?? ''
    expect(await get(OWNER, { headers: { ...proxied, cookie } })).toMatchObject({ status: 200 })
    // What somebody on the way could plant counts for nothing over TLS.
    const planted = cookie.replace('__Host-', '')
    expect(await get(OWNER, { headers: { ...proxied, cookie: planted } })).toMatchObject({ status: 401 })
  })

  test('of a server that is open to this machine is everybody, and no cookie is needed', async () => {
    const { get, post, ask } = await served()
    const open = { authenticated: true, isOpen: true, principal: 'anonymous', roles: { '*': ['admin'] } }
    for (const answered of [
      await get('/v1/session'),
      await post('/v1/session', { apiKey: 'whatever' }),
      await ask('DELETE', '/v1/session'),
    ]) {
      expect(answered).toMatchObject({ status: 200, body: open })
      expect(answered.headers.get('set-cookie')).toBe(null)
    }
    expect((await get('/v1/session', { headers: { origin: 'https://evil.example' } })).body).toEqual({
      authenticated: false,
      isOpen: true,
      roles: {},
      rights: {},
    })
  })

  test('is asked for no more often than anything else from one address', async () => {
    const server = await servedTo(CALLERS, { settings: { httpRequestsPerMinuteMax: 3, logLevel: 'silent' } })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await server.post('/v1/session', { apiKey: 'guess' })).status)
    expect(statuses).toEqual([401, 401, 401, 429])
    expect(await server.get(OWNER, server.as('ann'))).toMatchObject({ status: 200 })
  })

  test('leaves neither key nor token in a log', async () => {
    let text = ''
    const sink = new Writable({
      write(chunk, _encoding, done) {
        text += chunk
        done()
      },
    })
    const server = await servedTo(CALLERS, { log: pino({ level: 'debug' }, sink) })
    const { headers } = await loggedIn(server, 'ann')
    await server.get(OWNER, { headers })
    const secrets = [secretOfKey(keyOf(server, 'ann')), headers.cookie.split('=').at(-1) ?? '']
    expect(secrets.map((secret) => secret.length)).toEqual([43, 43])
    expect(text).toContain('"actor":"ann"')
    for (const secret of secrets) expect(text).not.toContain(secret)
  })
})

describe('a stream of events', () => {
  test('ends when the key of its session is revoked', async () => {
    const server = await servedTo(CALLERS, { settings: { httpStreamPingMs: 50, logLevel: 'silent' } })
    const { headers } = await loggedIn(server, 'ann')
    const stream = await streamOf(server.url, '/v1/events', headers)
    expect(stream.status).toBe(200)
    await stream.commented(3)
    revokeKey(server.keysFile, readKeys(server.keysFile)[0]?.id ?? '', 0)
    const met = []
    for await (const { event } of stream.events) met.push(event)
    expect(met).toEqual(['closing'])
  })
})

describe('sessions', () => {
  const HOUR = 3_600_000
  const settings = { httpSessionMs: 5 * HOUR, httpSessionIdleMs: HOUR, httpSessionsMax: 2 }
  const ann = { name: 'ann', grants: [] }

  function sessionsAt(clock: HandMovedClock, good = new Set(['key'])) {
    const credential = (key: string) => (good.has(key) ? ann : undefined)
    const times = { now: () => clock.now(), monotonicNow: () => clock.monotonicNow() }
    return new Sessions({ credential, settings, ...times })
  }

  test('are over after their time, or when nobody asked anything for a while, whatever the wall clock says', async () => {
    const clock = new HandMovedClock(0)
    const sessions = sessionsAt(clock)
    const used = await sessions.begin('key')
    const idle = await sessions.begin('key')
    expect(used).toMatchObject({ principal: ann, expiresAt: 5 * HOUR })
    clock.step(-24 * HOUR)
    for (let minutes = 0; minutes < 295; minutes += 59) {
      await clock.advance(59 * 60_000)
      expect(await sessions.find(used?.token ?? '')).toEqual({ principal: ann, expiresAt: 5 * HOUR })
    }
    expect(await sessions.find(idle?.token ?? '')).toBe(undefined)
    await clock.advance(5 * 60_000)
    expect(await sessions.find(used?.token ?? '')).toBe(undefined)
  })

  test('are bounded: for one more, the one that rested longest is over', async () => {
    const sessions = sessionsAt(new HandMovedClock(0))
    const tokens: string[] = []
    for (let i = 0; i < 2; i++) tokens.push((await sessions.begin('key'))?.token ?? '')
    await sessions.find(tokens[0] ?? '')
    tokens.push((await sessions.begin('key'))?.token ?? '')
    const found = await Promise.all(tokens.map(async (token) => (await sessions.find(token)) !== undefined))
    expect(found).toEqual([true, false, true])
  })

  test('rest while the key is not good, and end only by themselves', async () => {
    const good = new Set(['key'])
    const sessions = sessionsAt(new HandMovedClock(0), good)
    const { token = '' } = (await sessions.begin('key')) ?? {}
    good.delete('key')
    expect(await sessions.find(token)).toBe(undefined)
    good.add('key')
    expect(await sessions.find(token)).toMatchObject({ principal: ann })
    sessions.end(token)
    sessions.end(token)
    expect(await sessions.find(token)).toBe(undefined)
  })
})
