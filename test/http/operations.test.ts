import { describe, expect, test } from 'vitest'
import { served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'

describe('one call begins work', () => {
  test('registered and claimed: its id, its lease, its place', async () => {
    const { post } = await served()
    const begun = await post('/v1/operations', { kind: 'export', claim: true, policy: { staleAfterMs: 90_000 } })
    expect(begun.status).toBe(201)
    expect(begun.body).toMatchObject({
      changed: true,
      status: 'running',
      cancelRequested: false,
      position: expect.stringMatching(/^\d+$/),
    })
    const { id, leaseEpoch } = begun.body
    expect(begun.headers.get('location')).toBe(`/v1/workspaces/default/owners/default/operations/${id}`)
    const ended = await post(`/v1/operations/${id}:complete`, { leaseEpoch, result: { rows: 3 } })
    expect(ended).toMatchObject({
      status: 200,
      body: { id, status: 'completed', outcome: { status: 'completed', result: { rows: 3 } }, sequence: 1 },
    })
  })

  test('every answer to a worker tells whether to stop and by when it is expected again', async () => {
    const { post } = await served()
    const { body } = await post(`${OWNER}/operations`, { kind: 'export', id: 'a', claim: true })
    const beat = await post(`${OWNER}/operations/a:heartbeat`, { leaseEpoch: body.leaseEpoch })
    expect(beat.body).toMatchObject({ cancelRequested: false, leaseEpoch: body.leaseEpoch })
    expect(beat.body.nextHeartbeatBefore).toBeGreaterThan(Date.now())
    await post(`${OWNER}/operations/a:cancel`, { reason: 'enough' })
    const next = await post(`${OWNER}/operations/a:progress`, { leaseEpoch: body.leaseEpoch, percent: 3 })
    expect(next.body).toMatchObject({ cancelRequested: true })
  })
})

describe('addresses', () => {
  test('an id of any printable text, colons and slashes included, is one operation', async () => {
    const { post, get } = await served()
    for (const id of ['a:b', 'x/y', 'ünï:cancel', 'a b?c#d%', '100%', ':', 'z'.repeat(128), '–'.repeat(42)]) {
      const place = `${OWNER}/operations/${encodeURIComponent(id)}`
      expect(await post(`${OWNER}/operations`, { kind: 'k', id })).toMatchObject({ status: 201, body: { id } })
      expect(await post(`${place}:claim`)).toMatchObject({ status: 200, body: { id, status: 'running' } })
      expect(await get(place)).toMatchObject({ status: 200, body: { id, workspace: 'w', owner: 'o' } })
    }
  })

  test('a short address finds its owner, tells when there are several, and when there is none', async () => {
    const { post, get } = await served()
    await post(`${OWNER}/operations`, { kind: 'k', id: 'only' })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'both' })
    await post('/v1/operations?owner=other', { kind: 'k', id: 'both' })
    expect(await get('/v1/operations/only')).toMatchObject({ status: 200, body: { owner: 'o', workspace: 'w' } })
    expect(await post('/v1/operations/only:claim')).toMatchObject({ status: 200, body: { status: 'running' } })
    expect(await get('/v1/operations/both')).toMatchObject({
      status: 409,
      body: { code: 'ambiguous_operation', owners: expect.arrayContaining(['w/o', 'default/other']) },
    })
    expect(await get('/v1/operations/both?owner=other')).toMatchObject({ status: 200, body: { owner: 'other' } })
    expect(await get('/v1/operations/nowhere')).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  test('what is no address, no verb or no method is told as that', async () => {
    const { ask, get, post } = await served()
    expect(await get('/v2')).toMatchObject({ status: 404, body: { code: 'no_such_route' } })
    expect(await post(`${OWNER}/operations/a:explode`)).toMatchObject({ status: 404, body: { code: 'no_such_route' } })
    const deleted = await ask('DELETE', `${OWNER}/operations/a`)
    expect(deleted).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } })
    expect(deleted.headers.get('allow')).toBe('GET, POST')
  })
})

describe('a repeated request', () => {
  test('under the same key has one effect and one answer, also concurrently; another body is refused', async () => {
    const { post, get } = await served()
    const asked = { headers: { 'idempotency-key': 'k-1' } }
    const all = await Promise.all([1, 2, 3].map(() => post(`${OWNER}/operations`, { kind: 'export' }, asked)))
    expect(new Set(all.map(({ body }) => body.id)).size).toBe(1)
    expect(all.map(({ status }) => status)).toEqual([201, 201, 201])
    expect(all[0]?.headers.get('idempotency-key')).toBe('k-1')
    const other = await post(`${OWNER}/operations`, { kind: 'import' }, asked)
    expect(other).toMatchObject({ status: 422, body: { code: 'command_id_reused', retryable: false } })
    expect((await get(OWNER)).body.active).toBe(1)
  })

  test('that had no key is known by the id that its request was given, whatever id it asked for', async () => {
    const { post } = await served()
    const body = { kind: 'export', id: 'a' }
    const asked = { headers: { 'x-request-id': 'mine' } }
    const first = await post(`${OWNER}/operations`, body, asked)
    const key = first.headers.get('idempotency-key') ?? ''
    expect(key).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(first.headers.get('x-request-id')).toBe(key)
    const again = await post(`${OWNER}/operations`, body, { headers: { 'idempotency-key': key } })
    expect(again).toMatchObject({ status: 201, body: first.body })
    expect(again.headers.get('x-request-id')).not.toBe(key)
    const other = await post(`${OWNER}/operations`, body, asked)
    expect(other).toMatchObject({ status: 409, body: { code: 'already_registered' } })
    expect(other.headers.get('idempotency-key')).not.toBe(key)
  })

  test('whose wish is so already changes nothing, and says why', async () => {
    const { post } = await served()
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true })
    const asked = { headers: { 'idempotency-key': 'cancel-1' } }
    await post(`${OWNER}/operations/a:force-cancel`, {}, asked)
    const again = await post(`${OWNER}/operations/a:cancel`)
    expect(again).toMatchObject({
      status: 200,
      body: { changed: false, status: 'cancelled', unchanged: { code: 'already_terminal' } },
    })
  })
})

describe('a refusal', () => {
  test('is a problem with the facts, whose media type says so', async () => {
    const { post } = await served()
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    const refused = await post(`${OWNER}/operations/a:complete`, {})
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(refused.status).toBe(409)
    expect(refused.body).toMatchObject({
      type: 'urn:verdict:problem:illegal_transition',
      title: 'Not in this status',
      status: 409,
      code: 'illegal_transition',
      retryable: false,
      operationId: 'a',
      currentStatus: 'provisioning',
      command: 'CompleteOperation',
      position: expect.stringMatching(/^\d+$/),
      instance: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  test.each([
    [{ kind: 'k', colour: 'red' }, 'colour', 'no such field'],
    [{ kind: 7 }, 'kind', expect.stringContaining('string')],
    [{ kind: 'k', id: 'x'.repeat(129) }, 'id', '1 to 128 bytes of printable text'],
    [{ kind: 'k', type: 'TerminateOwner' }, 'type', 'no such field: the address says it'],
    [{ kind: 'k', input: { n: 2 ** 53 } }, 'input.n', expect.stringContaining('integer')],
  ])('of what does not fit names the path and the expectation: %j', async (body, path, expected) => {
    const { post } = await served()
    expect(await post(`${OWNER}/operations`, body)).toMatchObject({ status: 400, body: { path, expected } })
  })
})

describe('waiting', () => {
  test('for an operation is answered as soon as it has ended, at once when it has, and on expiry with what is so', async () => {
    const { post, get } = await served()
    const { body } = await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true })
    const patient = { headers: { prefer: 'wait=30' } }
    expect(await get(`${OWNER}/operations/a`, { headers: { prefer: 'wait=0' } })).toMatchObject({
      body: { status: 'running' },
    })
    const short = await get(`${OWNER}/operations/a/outcome`, { headers: { prefer: 'respond-async, wait=1' } })
    expect(short).toMatchObject({ status: 200, body: { id: 'a', status: 'running' } })
    expect(short.headers.get('preference-applied')).toBe('wait=1')
    const waiting = [get(`${OWNER}/operations/a`, patient), get(`${OWNER}/operations/a/outcome`, patient)]
    await post(`${OWNER}/operations/a:fail`, { leaseEpoch: body.leaseEpoch, error: { message: 'no disk' } })
    const outcome = { status: 'failed', error: { message: 'no disk' } }
    for (const one of await Promise.all(waiting)) expect(one.body).toMatchObject({ status: 'failed', outcome })
    expect(await get(`${OWNER}/operations/a`, patient)).toMatchObject({ body: { outcome } })
    expect(await get(`${OWNER}/operations/b`, patient)).toMatchObject({ status: 404 })
  })

  test('is capped, and the cap is told', async () => {
    const { post, get } = await served({ settings: { httpWaitSecondsMax: 0, logLevel: 'silent' } })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    const answered = await get(`${OWNER}/operations/a`, { headers: { prefer: 'wait=3600' } })
    expect(answered).toMatchObject({ status: 200, body: { status: 'provisioning' } })
  })

  test('for the fate of a lease tells why to stop', async () => {
    const { post, get } = await served()
    const { body } = await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true })
    const place = `${OWNER}/operations/a/lease?leaseEpoch=${body.leaseEpoch}`
    expect((await get(place)).body).toEqual({})
    const waiting = get(place, { headers: { prefer: 'wait=30' } })
    await post(`${OWNER}/operations/a:cancel`)
    expect((await waiting).body).toEqual({ cause: 'cancel_requested' })
    expect((await get(`${OWNER}/operations/a/lease?leaseEpoch=99`)).body).toEqual({ cause: 'attempt_lost' })
    // Of an earlier life of the id.
    expect((await get(`${OWNER}/operations/a/lease?leaseEpoch=0`)).body).toEqual({ cause: 'ended' })
  })
})

describe('the story of an operation', () => {
  test('is told from the log, with positions as text and the actor of each event', async () => {
    const { post, get } = await served()
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a', input: { n: 1 } }, { headers: { 'correlation-id': 'c-7' } })
    await post(`${OWNER}/operations/a:abort`, { reason: 'not wanted' })
    const { body } = await get(`${OWNER}/operations/a/history`)
    expect(body.events).toMatchObject([
      {
        revision: 1,
        position: expect.stringMatching(/^\d+$/),
        type: 'OperationRegistered',
        metadata: { actor: 'anonymous', correlationId: 'c-7' },
      },
      {
        revision: 2,
        position: expect.stringMatching(/^\d+$/),
        type: 'OperationAborted',
        content: { reason: 'not wanted' },
      },
    ])
    expect(await get(`${OWNER}/operations/b/history`)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })
})
