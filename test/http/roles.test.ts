import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { readKeys, revokeKey } from '../../src/http/api-keys.ts'
import { API_ENDPOINTS } from '../../src/http/endpoints.ts'
import { ROLES, type Role, standing } from '../../src/http/roles.ts'
import { type Address, addressesOf } from '../../src/http/routing.ts'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { servedTo } from './support/callers.ts'
import { served } from './support/served.ts'

const ALL = API_ENDPOINTS.flatMap(addressesOf)
/** What is about no owner is weighed by what it is asked for: see lists.test.ts and live-events.test.ts. */
const ADDRESSES = ALL.filter(({ endpoint }) => endpoint.scope !== 'server')
const OWNER = '/v1/workspaces/w/owners/o'

const QUERIES: Readonly<Record<string, string>> = { getLease: 'leaseEpoch=1' }
/** Bodies that pass, so that nothing but the caller stands in the way. */
const BODIES: Readonly<Record<string, object>> = {
  registerOperation: { kind: 'k' },
  beginWait: { mode: 'all', ids: [] },
  moveCursor: { sequence: 0 },
  sendCommands: { commands: [{ command: { type: 'RegisterOperation', kind: 'k' } }] },
}

function requestOf({ endpoint, path: template, isOwnerNamed }: Address) {
  const values: Record<string, string> = { workspace: 'w', owner: 'o', id: 'a', waitId: 'w-1', name: 'n' }
  const place = template.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? 'x')
  const query = [...(isOwnerNamed ? [] : ['workspace=w', 'owner=o']), QUERIES[endpoint.id]].filter(Boolean).join('&')
  const body = endpoint.method === 'GET' ? {} : { body: BODIES[endpoint.id] ?? {} }
  return { method: endpoint.method, path: query === '' ? place : `${place}?${query}`, body }
}

/** The strongest role that has not the right. */
const TOO_WEAK: Readonly<Record<string, Role | undefined>> = {
  work: 'auditor',
  operate: 'service',
  administer: 'operator',
}

describe('every address of the API', () => {
  test('answers nobody without a key, with a wrong one, from another workspace or in too weak a role, and nothing is written', async () => {
    const { ask, post, as, node } = await servedTo({
      root: { '*': ['admin'] },
      stranger: { theirs: ['admin'] },
      auditor: { w: ['auditor'] },
      service: { w: ['service'] },
      operator: { w: ['operator'] },
    })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, as('root'))
    const before = await node.store.end()
    const met: Record<string, unknown> = {}
    const expected: Record<string, unknown> = {}
    for (const address of ADDRESSES) {
      const { method, path: place, body } = requestOf(address)
      const weak = TOO_WEAK[address.endpoint.right]
      const status = async (headers: Readonly<Record<string, string>>) => {
        const answered = await ask(method, place, { ...body, headers })
        return `${answered.status} ${answered.body.code}`
      }
      met[`${method} ${address.path}`] = {
        nobody: await status({}),
        wrong: await status({ authorization: `Bearer vk_${'0'.repeat(12)}_${'A'.repeat(43)}` }),
        stranger: await status(as('stranger').headers),
        weak: weak === undefined ? '403 forbidden' : await status(as(weak).headers),
      }
      expected[`${method} ${address.path}`] = {
        nobody: '401 unauthenticated',
        wrong: '401 unauthenticated',
        stranger: '404 not_found',
        weak: '403 forbidden',
      }
    }
    expect(met).toEqual(expected)
    const written = new Set<string>()
    for await (const { stream, type } of node.store.readAll({ after: before })) written.add(`${stream} ${type}`)
    // But for the record of it.
    expect([...written].filter((one) => !/^admin (ApiKeyCreated|OperatorActionDenied)$/.test(one))).toEqual([])
  })

  test('that is about no owner answers nobody without a key either', async () => {
    const { ask } = await servedTo({ root: { '*': ['admin'] } })
    const others = ALL.filter((address) => !ADDRESSES.includes(address) && address.endpoint.access === undefined)
    const met = await Promise.all(
      others.map(async ({ endpoint, path: place }) => `${place} ${(await ask(endpoint.method, place)).status}`),
    )
    expect(met).toEqual(others.map(({ path: place }) => `${place} 401`))
    expect(met).toContain('/v1/operations 401')
    const open = ALL.filter(({ endpoint }) => endpoint.access !== undefined)
    expect(open.map(({ endpoint, path: place }) => `${endpoint.method} ${place}`)).toEqual([
      'GET /v1/session',
      'POST /v1/session',
      'DELETE /v1/session',
    ])
  })

  test('answers no cookie that is forged, over, of a revoked key or sent by a page of others, and nothing is written', async () => {
    const { ask, post, as, node, url, keysFile } = await servedTo({
      root: { '*': ['admin'] },
      gone: { '*': ['admin'] },
    })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, as('root'))
    const before = await node.store.end()
    const begun = async (caller: string) => {
      const apiKey = as(caller).headers.authorization?.replace('Bearer ', '')
      const { headers } = await post('/v1/session', { apiKey })
      return { cookie: headers.get('set-cookie')?.split(';', 1)[0] ?? '' }
    }
    const [good, ended, revoked] = [await begun('root'), await begun('root'), await begun('gone')]
    await ask('DELETE', '/v1/session', { headers: { ...ended, origin: url } })
    revokeKey(keysFile, readKeys(keysFile).find(({ name }) => name === 'gone')?.id ?? '', 0)
    const cases: Record<string, Readonly<Record<string, string>>> = {
      forged: { cookie: `verdict_session=${'A'.repeat(43)}`, origin: url },
      short: { cookie: 'verdict_session=', origin: url },
      ended: { ...ended, origin: url },
      revoked: { ...revoked, origin: url },
      otherOrigin: { ...good, origin: 'https://evil.example' },
      opaqueOrigin: { ...good, origin: 'null' },
      crossSite: { ...good, origin: url, 'sec-fetch-site': 'cross-site' },
      sameSite: { ...good, 'sec-fetch-site': 'same-site' },
      besideWrongKey: { ...good, origin: url, authorization: `Bearer vk_${'0'.repeat(12)}_${'A'.repeat(43)}` },
    }
    // A key that was revoked is good for a second at most.
    await expect
      .poll(async () => (await ask('GET', OWNER, { headers: cases.revoked ?? {} })).status, { timeout: 30_000 })
      .toBe(401)
    const met: string[] = []
    const expected: string[] = []
    for (const address of ALL.filter(({ endpoint }) => endpoint.access === undefined)) {
      const { method, path: place, body } = requestOf(address)
      const stated = { ...cases, ...(method === 'GET' ? {} : { noWordOfOrigin: good }) }
      for (const [name, headers] of Object.entries(stated)) {
        const answered = await ask(method, place, { ...body, headers })
        met.push(`${method} ${place} ${name} ${answered.status} ${answered.body.code}`)
        expected.push(`${method} ${place} ${name} 401 unauthenticated`)
      }
    }
    expect(met).toEqual(expected)
    const written = new Set<string>()
    for await (const { stream, type } of node.store.readAll({ after: before })) written.add(`${stream} ${type}`)
    // But for the record of keys.
    expect([...written].filter((one) => !/^admin ApiKey(Created|Revoked)$/.test(one))).toEqual([])
  })

  test('looks the same in a workspace of others and in one that nobody has', async () => {
    const { get, post, as } = await servedTo({ root: { '*': ['admin'] }, stranger: { theirs: ['viewer'] } })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, as('root'))
    const told = async (place: string) => {
      const { status, body } = await get(place, as('stranger'))
      return { status, ...body, instance: '', detail: body.detail.replace(/\bw\b|nowhere/, '') }
    }
    for (const rest of ['/owners/o', '/owners/o/operations/a', '/owners/o/operations/a/history']) {
      expect(await told(`/v1/workspaces/w${rest}`)).toEqual(await told(`/v1/workspaces/nowhere${rest}`))
    }
    expect(await get('/v1/operations/a', as('stranger'))).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(await get('/v1/operations/a', as('root'))).toMatchObject({ status: 200 })
  })
})

describe('a role', () => {
  test('has the rights that it is documented with', () => {
    const rights = ['read', 'work', 'operate', 'audit', 'administer'] as const
    const table = ROLES.map((role) => {
      const principal = { name: 'x', grants: [{ workspace: 'w', roles: [role] }] }
      return [role, rights.filter((right) => standing(principal, 'w', right) === 'entitled').join(' ')]
    })
    expect(Object.fromEntries(table)).toEqual({
      viewer: 'read',
      service: 'read work',
      operator: 'read work operate',
      auditor: 'read audit',
      admin: 'read work operate audit administer',
    })
  })

  test('decides for each command of a batch, and the caller is the actor of what is stored, whatever the body says', async () => {
    const { post, get, as } = await servedTo({ svc: { w: ['service'], v: ['viewer'] } })
    const register = { type: 'RegisterOperation', kind: 'k', id: 'a' }
    const { body } = await post(
      `${OWNER}/commands:batch`,
      {
        commands: [
          { command: register },
          { command: register, workspace: 'v' },
          { command: register, workspace: 'x' },
          { command: { type: 'TerminateOwner', reason: 'x' } },
          { command: { type: 'CancelOperation', id: 'a' } },
          { command: { type: 'FailOperation', id: 'a', error: { message: 'x' }, asOperator: true } },
          { command: { ...register, actor: 'root' } },
        ],
      },
      as('svc'),
    )
    const codes = body.results.map((one: { problem?: { code: string } }) => one.problem?.code ?? 'answered')
    expect(codes).toEqual([
      'answered',
      'forbidden',
      'not_found',
      'forbidden',
      'forbidden',
      'forbidden',
      'invalid_command',
    ])
    const { events } = (await get(`${OWNER}/operations/a/history`, as('svc'))).body
    expect(events).toMatchObject([{ type: 'OperationRegistered', metadata: { actor: 'svc' } }])
  })

  test('ends what others run by force as an operator only; a worker with its lease may', async () => {
    const { post, as } = await servedTo({ svc: { w: ['service'] }, ops: { w: ['operator'] } })
    const { body } = await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true }, as('svc'))
    await post(`${OWNER}/operations`, { kind: 'k', id: 'b' }, as('svc'))
    expect(await post(`${OWNER}/operations/b:force-cancel`, {}, as('svc'))).toMatchObject({ status: 403 })
    const { leaseEpoch } = body
    expect(await post(`${OWNER}/operations/a:force-cancel`, { leaseEpoch }, as('svc'))).toMatchObject({ status: 200 })
    expect(await post(`${OWNER}/operations/b:force-cancel`, { reason: 'x' }, as('ops'))).toMatchObject({ status: 200 })
  })
})

describe('a JSON Web Token', () => {
  async function issuer() {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwks = path.join(freshFolder(), 'jwks.json')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k-1', alg: 'ES256' }
    writeFileSync(jwks, JSON.stringify({ keys: [jwk] }))
    const jwt = { jwks, issuer: 'https://id.example', audience: 'verdict' }
    const token = (claims: object = {}, alg = 'ES256') =>
      new SignJWT({ verdict_roles: { w: ['service'] }, ...claims })
        .setProtectedHeader({ alg, kid: 'k-1' })
        .setSubject('alice')
        .setIssuer('https://id.example')
        .setAudience('verdict')
        .setIssuedAt()
        .setExpirationTime('5m')
    return { jwt, jwk, privateKey, sign: async (claims?: object) => token(claims).sign(privateKey), token }
  }

  test('of the issuer lets its subject in, in the roles of its claim', async () => {
    const { jwt, sign } = await issuer()
    const { post, get } = await served({ authentication: { jwt } })
    const asked = { headers: { authorization: `Bearer ${await sign()}` } }
    expect(await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, asked)).toMatchObject({ status: 201 })
    const { events } = (await get(`${OWNER}/operations/a/history`, asked)).body
    expect(events).toMatchObject([{ metadata: { actor: 'alice' } }])
    expect(await post(`${OWNER}:terminate`, { reason: 'x' }, asked)).toMatchObject({ status: 403 })
    expect(await get('/v1/workspaces/v/owners/o', asked)).toMatchObject({ status: 404 })
  })

  test('that is forged, expired, of somebody else, for somebody else or without roles lets nobody in', async () => {
    const { jwt, jwk, privateKey, token } = await issuer()
    const { get } = await served({ authentication: { jwt } })
    const other = await generateKeyPair('ES256')
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = {
      sub: 'alice',
      iss: jwt.issuer,
      aud: 'verdict',
      exp: 9_999_999_999,
      verdict_roles: { '*': ['admin'] },
    }
    const bad = {
      unsigned: `${part({ alg: 'none' })}.${part(claims)}.`,
      sharedSecret: await token({}, 'HS256').sign(new TextEncoder().encode(JSON.stringify(jwk))),
      otherKey: await token().sign(other.privateKey),
      expired: await token().setExpirationTime(1_000).sign(privateKey),
      notYet: await token().setNotBefore('1h').sign(privateKey),
      otherIssuer: await token().setIssuer('https://evil.example').sign(privateKey),
      otherAudience: await token().setAudience('else').sign(privateKey),
      noSubject: await new SignJWT({ verdict_roles: { w: ['admin'] } })
        .setProtectedHeader({ alg: 'ES256' })
        .setIssuer(jwt.issuer)
        .setAudience('verdict')
        .setExpirationTime('5m')
        .sign(privateKey),
      noRoles: await token({ verdict_roles: undefined }).sign(privateKey),
      kingsRole: await token({ verdict_roles: { w: ['king'] } }).sign(privateKey),
      controlName: await token().setSubject('al\nice').sign(privateKey),
      notEvenOne: 'a.b.c',
    }
    const met: Record<string, number> = {}
    for (const [name, text] of Object.entries(bad)) {
      met[name] = (await get(`${OWNER}`, { headers: { authorization: `Bearer ${text}` } })).status
    }
    expect(met).toEqual(Object.fromEntries(Object.keys(bad).map((name) => [name, 401])))
  })

  test('of options that make no sense stops the start', async () => {
    await expect(served({ authentication: { jwt: { jwks: '', issuer: 'x', audience: 'y' } } })).rejects.toThrow(
      'jwt.jwks',
    )
  })
})
