/** What is on record of keys and of denied actions, and who may read it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { verifyLog } from '../../src/audit/verify.ts'
import { randomSalts } from '../../src/event-store/event-codec.ts'
import { ADMIN_STREAM } from '../../src/event-store/stream-names.ts'
import { addKey, readKeys, revokeKey } from '../../src/http/api-keys.ts'
import { SYSTEM_CLOCK } from '../../src/runtime/clock.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { systemRandom } from '../../src/runtime/ids.ts'
import { AdminRecord } from '../../src/shell/admin-record.ts'
import { AdminStream } from '../../src/shell/admin-stream.ts'
import { servedTo } from './support/callers.ts'
import { secretOfKey } from './support/secret-of-key.ts'
import type { Answered, Served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'
const ADMIN = '/v1/admin/events'
const BOUND = { timeout: 30_000 }
const MINUTE_MS = 60_000

interface AdminEvent {
  readonly revision: number
  readonly type: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly content: Readonly<Record<string, unknown>>
  readonly metadata: { readonly actor: string; readonly at: number }
}

function told({ body }: Answered, type: RegExp) {
  const events = body.events as readonly AdminEvent[]
  return events
    .filter((event) => type.test(event.type))
    .map(({ type: name, facts, content, metadata }) => ({ type: name, actor: metadata.actor, ...facts, ...content }))
}

async function denied(server: Pick<Served, 'get'>, asked: Parameters<Served['get']>[1]) {
  return told(await server.get(`${ADMIN}?limit=1000`, asked), /Denied/)
}

describe('keys', () => {
  test('are on record as they come, change and go, without their secret, in a chain that verifies', async () => {
    const { get, as, keysFile, node } = await servedTo({ root: { '*': ['admin'] } })
    const keyEvents = async () => told(await get(ADMIN, as('root')), /ApiKey/)
    const [root] = readKeys(keysFile)
    const ofRoot = { keyId: root?.id, grants: [{ workspace: '*', roles: ['admin'] }], name: 'root' }
    await expect.poll(keyEvents, BOUND).toEqual([{ type: 'ApiKeyCreated', actor: 'verdict', createdAt: 0, ...ofRoot }])

    const grants = [{ workspace: 'w', roles: ['service' as const] }]
    const { key, text } = addKey(keysFile, { name: 'billing', grants, now: 1_000, by: 'mara' })
    await expect
      .poll(async () => (await keyEvents()).slice(1), BOUND)
      .toEqual([{ type: 'ApiKeyCreated', actor: 'mara', keyId: key.id, grants, createdAt: 1_000, name: 'billing' }])

    const file = readFileSync(keysFile, 'utf8')
    writeFileSync(keysFile, file.replace('"service"', '"service",\n"operator"'))
    const wider = [{ workspace: 'w', roles: ['service', 'operator'] }]
    await expect
      .poll(async () => (await keyEvents()).slice(2), BOUND)
      .toEqual([{ type: 'ApiKeyGrantsChanged', actor: 'verdict', keyId: key.id, grants: wider, name: 'billing' }])

    revokeKey(keysFile, key.id, 2_000, 'ann')
    await expect
      .poll(async () => (await keyEvents()).slice(3), BOUND)
      .toEqual([{ type: 'ApiKeyRevoked', actor: 'ann', keyId: key.id, revokedAt: 2_000, name: 'billing' }])

    const other = addKey(keysFile, { name: 'gone', grants, now: 3_000 }).key
    await expect.poll(async () => (await keyEvents()).length, BOUND).toBe(5)
    const without = readKeys(keysFile).filter(({ id }) => id !== other.id)
    writeFileSync(keysFile, JSON.stringify({ version: 1, keys: without }))
    await expect
      .poll(async () => (await keyEvents()).slice(5), BOUND)
      .toEqual([{ type: 'ApiKeyRevoked', actor: 'verdict', keyId: other.id, name: 'gone' }])

    const all = JSON.stringify((await get(ADMIN, as('root'))).body)
    const secret = secretOfKey(text)
    expect(all).not.toContain(secret)
    expect(all).not.toContain(key.hash)
    for await (const { body, content } of node.store.readStream(ADMIN_STREAM)) {
      expect(body + content).not.toContain(secret)
      expect(body + content).not.toContain(key.hash)
    }
    expect(await verifyLog(node.store)).toMatchObject({ faults: [] })
  })

  test('that are on record already are not put there again by another server of the same log', async () => {
    const first = await servedTo({ root: { '*': ['admin'] } })
    await expect.poll(async () => (await first.get(ADMIN, first.as('root'))).body.events.length, BOUND).toBe(2)
    const keys = readKeys(first.keysFile)
    const admin = new AdminStream({
      store: first.node.store,
      clock: SYSTEM_CLOCK,
      random: systemRandom(),
      salts: randomSalts(),
      conflictsMax: 8,
      unknownWaitMs: 1_000,
    })
    await new AdminRecord(admin).keys(keys)
    expect((await first.get(ADMIN, first.as('root'))).body.events).toHaveLength(2)
  })
})

describe('a denied operator action', () => {
  const CALLERS = {
    root: { '*': ['admin'] },
    svc: { w: ['service'] },
    stranger: { v: ['service'] },
  } as const

  test('is on record with who, what and which right was lacking, also of a stranger and within a batch', async () => {
    const server = await servedTo(CALLERS)
    const { post, get, as, node } = server
    expect(await post(`${OWNER}:terminate`, { reason: 'x' }, as('svc'))).toMatchObject({ status: 403 })
    expect(await post(`${OWNER}:retire`, { reason: 'x' }, as('stranger'))).toMatchObject({ status: 404 })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, as('svc'))
    expect(await post(`${OWNER}/operations/a:force-cancel`, {}, as('svc'))).toMatchObject({ status: 403 })
    await post(`${OWNER}/commands:batch`, { commands: [{ command: { type: 'CollectCompleted' } }] }, as('svc'))
    expect(await post('/v1/reconciler:set-mode', { mode: 'off', reason: 'r' }, as('svc'))).toMatchObject({
      status: 403,
    })
    expect(await get(ADMIN, as('svc'))).toMatchObject({ status: 403 })
    const common = {
      type: 'OperatorActionDenied',
      actor: 'svc',
      attempts: 1,
      fromAt: expect.any(Number),
      right: 'operate',
    }
    await expect
      .poll(() => denied(server, as('root')), BOUND)
      .toEqual([
        { ...common, action: 'terminateOwner', workspace: 'w', path: `${OWNER}:terminate` },
        { ...common, actor: 'stranger', action: 'retireOwner', workspace: 'w', path: `${OWNER}:retire` },
        { ...common, action: 'forceCancelOperation', workspace: 'w', path: `${OWNER}/operations/a:force-cancel` },
        { ...common, action: 'CollectCompleted', workspace: 'w', path: '/commands:batch' },
        { ...common, action: 'setReconcilerMode', workspace: '*', path: '/v1/reconciler:set-mode' },
        { ...common, action: 'getAdminEvents', right: 'audit', workspace: '*', path: ADMIN },
      ])
    expect(await verifyLog(node.store)).toMatchObject({ faults: [] })
  })

  test('that is tried again and again is one event a minute, with the number of attempts', async () => {
    const clock = new HandMovedClock()
    const server = await servedTo(CALLERS, { clock, reconciler: false })
    const { post, as } = server
    const attempts = async () =>
      (await denied(server, as('root'))).map((one) => (one as { attempts?: number }).attempts)
    const terminate = async (times: number) => {
      for (let i = 0; i < times; i++) await post(`${OWNER}:terminate`, { reason: 'x' }, as('svc'))
    }
    await terminate(6)
    await expect.poll(attempts, BOUND).toEqual([1])
    await clock.advance(MINUTE_MS)
    await expect.poll(attempts, BOUND).toEqual([1, 5])
    await terminate(3)
    expect(await attempts()).toEqual([1, 5])
    await clock.advance(MINUTE_MS)
    await expect.poll(attempts, BOUND).toEqual([1, 5, 3])
    await clock.advance(MINUTE_MS)
    await terminate(1)
    await expect.poll(attempts, BOUND).toEqual([1, 5, 3, 1])
  })

  test('of somebody who does not say who he is, and what takes no operator, is not written to the log', async () => {
    const { post, get, as, node } = await servedTo({ ...CALLERS, viewer: { w: ['viewer'] } })
    await expect.poll(async () => (await get(ADMIN, as('root'))).body.events.length, BOUND).toBe(5)
    const end = await node.store.end()
    for (let i = 0; i < 20; i++) {
      expect(await post(`${OWNER}:terminate`, { reason: 'x' })).toMatchObject({ status: 401 })
      expect(await get(ADMIN, { headers: { authorization: 'Bearer vk_0' } })).toMatchObject({ status: 401 })
    }
    expect(await post(`${OWNER}/operations`, { kind: 'k' }, as('viewer'))).toMatchObject({ status: 403 })
    expect(await get(`${OWNER}`, as('stranger'))).toMatchObject({ status: 404 })
    expect(await node.store.end()).toBe(end)
    const { body } = await get('/metrics', as('root'))
    expect(body).toMatch(/^verdict_requests_denied_total\{code="unauthenticated"\} 40$/m)
    expect(body).toMatch(/^verdict_requests_denied_total\{code="forbidden"\} 1$/m)
  })

  test('that was only counted is written when the server ends', async () => {
    const server = await servedTo(CALLERS, { clock: new HandMovedClock(), reconciler: false })
    const { post, as, node } = server
    for (let i = 0; i < 4; i++) await post(`${OWNER}:terminate`, { reason: 'x' }, as('svc'))
    const written: unknown[] = []
    const { append } = node.store
    node.store.append = async (...args) => {
      written.push(...args[2].map(({ body }) => JSON.parse(body).facts))
      return append.apply(node.store, args)
    }
    await server.close()
    expect(written).toEqual([expect.objectContaining({ action: 'terminateOwner', attempts: 3 })])
  })
})

describe('the admin stream over HTTP', () => {
  test('is read page by page, with revisions, positions and hashes as they stand in the log', async () => {
    const { get, post, node } = await servedTo({ root: { '*': ['admin'] } }).then(({ as, ...server }) => ({
      ...server,
      get: (path: string) => server.get(path, as('root')),
      post: (path: string, body: unknown) => server.post(path, body, as('root')),
    }))
    await expect.poll(async () => (await get(ADMIN)).body.events.length, BOUND).toBe(2)
    for (const mode of ['observe', 'off', 'enforce']) await post('/v1/reconciler:set-mode', { mode, reason: 'r' })
    const seen: unknown[] = []
    let page = (await get(`${ADMIN}?limit=2`)).body
    for (;;) {
      seen.push(...page.events)
      if (page.isCaughtUp) break
      page = (await get(`${ADMIN}?limit=2&after=${page.nextAfter}`)).body
    }
    const stored = []
    for await (const { revision, position, hash, type } of node.store.readStream(ADMIN_STREAM)) {
      stored.push(expect.objectContaining({ revision, position: String(position), hash, type }))
    }
    expect(stored).toHaveLength(5)
    expect(seen).toEqual(stored)
    expect((await get(`${ADMIN}?after=4`)).body).toEqual({ events: [], nextAfter: 4, isCaughtUp: true })
    for (const query of ['after=-1', 'after=x', 'limit=1e3', 'from=1']) {
      expect(await get(`${ADMIN}?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_command' } })
    }
  })

  test('is read by auditors and administrators of every workspace, and nobody else', async () => {
    const { get, as } = await servedTo({
      auditor: { '*': ['auditor'] },
      admin: { '*': ['admin'] },
      auditorOfOne: { w: ['auditor'] },
      operator: { '*': ['operator'] },
      viewer: { '*': ['viewer'] },
    })
    const met: Record<string, number> = {}
    for (const caller of ['auditor', 'admin', 'auditorOfOne', 'operator', 'viewer']) {
      met[caller] = (await get(ADMIN, as(caller))).status
    }
    expect(met).toEqual({ auditor: 200, admin: 200, auditorOfOne: 403, operator: 403, viewer: 403 })
  })
})
