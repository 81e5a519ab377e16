import { describe, expect, test } from 'vitest'
import { served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'
const PATIENT = { headers: { prefer: 'wait=30' } }

describe('a batch', () => {
  test('gives each command its own answer or refusal, in order, for any owner', async () => {
    const { post, get } = await served()
    const command = { type: 'RegisterOperation', kind: 'k', id: 'a' }
    const batch = await post(`${OWNER}/commands:batch`, {
      commands: [
        { command, commandId: 'c-1' },
        { command, commandId: 'c-1' },
        { command, owner: 'other' },
        { command },
        { command: { type: 'CompleteOperation', id: 'a' }, owner: 'other' },
        { command: { type: 'AbortProvisioning', id: 'a' } },
        { command: { type: 'RequestCancel', id: 'a' } },
        { command: { type: 'Nonsense' } },
        { command: { type: 'RecordSigns', signs: [[1, 1]] } },
      ],
    })
    expect(batch.status).toBe(200)
    expect(batch.body.results).toMatchObject([
      { type: 'answered', answer: { id: 'a', changed: true, number: 1 } },
      { type: 'answered', answer: { id: 'a', changed: true, number: 1 } },
      { type: 'answered', answer: { id: 'a', changed: true } },
      { type: 'refused', problem: { code: 'already_registered', status: 409, operationId: 'a' } },
      { type: 'refused', problem: { code: 'illegal_transition', status: 409, currentStatus: 'provisioning' } },
      { type: 'answered', answer: { status: 'aborted' } },
      { type: 'answered', answer: { changed: false, status: 'aborted', unchanged: { code: 'already_terminal' } } },
      { type: 'refused', problem: { code: 'invalid_command', status: 400, path: 'type' } },
      { type: 'refused', problem: { code: 'forbidden', status: 403 } },
    ])
    expect((await get('/v1/workspaces/w/owners/other')).body).toMatchObject({ active: 1 })
  })

  test('is refused whole where it is none, or wider than a batch may be', async () => {
    const { post } = await served({ settings: { httpBatchCommandsMax: 2, logLevel: 'silent' } })
    const one = { command: { type: 'CollectCompleted' } }
    expect(await post('/v1/commands:batch', { commands: [] })).toMatchObject({
      status: 400,
      body: { path: 'commands' },
    })
    expect(await post('/v1/commands:batch', { commands: [{ ...one, at: 1 }] })).toMatchObject({
      status: 400,
      body: { path: 'commands.0.at', expected: 'no such field' },
    })
    expect(await post('/v1/commands:batch', { commands: [one, one, one] })).toMatchObject({
      status: 413,
      body: { code: 'content_too_large', limit: 2 },
    })
  })
})

describe('A9: a wait', () => {
  test('goes on without its connection, and whoever comes back with its id gets the answer', async () => {
    const { post, get } = await served()
    for (const id of ['a', 'b']) await post(`${OWNER}/operations`, { kind: 'k', id })
    const asked = { mode: 'all', ids: ['b', 'a'], waitId: 'w-1' }
    expect(await post(`${OWNER}/waits`, asked)).toMatchObject({ status: 201, body: { waitId: 'w-1', mode: 'all' } })
    const dropped = new AbortController()
    const lost = get(`${OWNER}/waits/w-1`, { ...PATIENT, signal: dropped.signal }).catch(() => 'lost')
    await post(`${OWNER}/operations/a:abort`)
    dropped.abort()
    expect(await lost).toBe('lost')
    const back = get(`${OWNER}/waits/w-1`, PATIENT)
    const attached = post(`${OWNER}/waits`, asked, PATIENT)
    await post(`${OWNER}/operations/b:abort`, { reason: 'late' })
    const ended = {
      waitId: 'w-1',
      ending: 'satisfied',
      members: [
        { id: 'b', outcome: { status: 'aborted', reason: 'late' } },
        { id: 'a', outcome: { status: 'aborted' } },
      ],
    }
    expect(await back).toMatchObject({ status: 200, body: ended })
    expect(await attached).toMatchObject({ status: 200, body: ended })
    expect(await post(`${OWNER}/waits`, { ...asked, ids: ['a'] })).toMatchObject({
      status: 409,
      body: { code: 'wait_id_conflict' },
    })
  })

  test('whose operations have all ended before is answered at once, sent again as well', async () => {
    const { post } = await served()
    for (const id of ['a', 'b']) {
      await post(`${OWNER}/operations`, { kind: 'k', id })
      await post(`${OWNER}/operations/${id}:abort`, { reason: id })
    }
    const [a, b] = ['a', 'b'].map((id) => ({ id, outcome: { status: 'aborted', reason: id } }))
    const all = { mode: 'all', ids: ['b', 'a'], waitId: 'w-1' }
    for (const headers of [{}, { headers: { 'idempotency-key': 'k-1' } }, { headers: { 'idempotency-key': 'k-1' } }]) {
      expect(await post(`${OWNER}/waits`, all, headers)).toMatchObject({
        status: 200,
        body: { waitId: 'w-1', ending: 'satisfied', members: [b, a] },
      })
    }
    expect(await post(`${OWNER}/waits`, { mode: 'any', ids: ['b', 'a'] }, PATIENT)).toMatchObject({
      status: 200,
      body: { ending: 'satisfied', winner: 'a', members: [b, a] },
    })
  })

  test('for any names the first; an empty one, an unknown operation and a cancelled wait are answered as they are', async () => {
    const { post, get } = await served()
    for (const id of ['a', 'b']) await post(`${OWNER}/operations`, { kind: 'k', id })
    const first = post(`${OWNER}/waits`, { mode: 'any', ids: ['a', 'b'], waitId: 'w-2' }, PATIENT)
    await post(`${OWNER}/operations/b:abort`)
    expect(await first).toMatchObject({ status: 200, body: { ending: 'satisfied', winner: 'b' } })
    expect(await post(`${OWNER}/waits`, { mode: 'all', ids: [] })).toMatchObject({
      status: 200,
      body: { ending: 'satisfied' },
    })
    expect(await post(`${OWNER}/waits`, { mode: 'all', ids: ['x'] })).toMatchObject({ status: 404 })
    await post(`${OWNER}/waits`, { mode: 'all', ids: ['a'], waitId: 'w-3' })
    expect(await post(`${OWNER}/waits/w-3:cancel`)).toMatchObject({ status: 200 })
    expect(await get(`${OWNER}/waits/w-3`, PATIENT)).toMatchObject({ status: 200, body: { ending: 'cancelled' } })
    expect(await get(`${OWNER}/waits/w-9`)).toMatchObject({ status: 404 })
  })
})

describe('A15: the completion feed', () => {
  test('gives what ended after a sequence, waits for the next, and says what to pass on', async () => {
    const { post, get, ask } = await served()
    for (const id of ['a', 'b']) await post(`${OWNER}/operations`, { kind: 'k', id })
    const next = get(`${OWNER}/completions?after=0`, PATIENT)
    await post(`${OWNER}/operations/a:abort`)
    expect((await next).body).toMatchObject({
      type: 'entries',
      entries: [{ sequence: 1, id: 'a' }],
      watermark: 1,
      nextAfter: 1,
    })
    expect((await get(`${OWNER}/completions?after=1`)).body).toEqual({
      type: 'entries',
      entries: [],
      watermark: 1,
      nextAfter: 1,
    })
    expect(await get(`${OWNER}/completions?after=7`)).toMatchObject({
      status: 409,
      body: { code: 'cursor_ahead', watermark: 1 },
    })
    expect(await get(`${OWNER}/completions?after=-1`)).toMatchObject({ status: 400, body: { path: 'after' } })
    expect(await ask('PUT', `${OWNER}/cursors/mailer`, { body: { sequence: 1 } })).toMatchObject({
      status: 200,
      body: { sequence: 1 },
    })
    expect(await ask('PUT', `${OWNER}/cursors/mailer`, { body: { sequence: 0 } })).toMatchObject({
      body: { sequence: 1 },
    })
    expect((await get(`${OWNER}/cursors/mailer`)).body).toEqual({ sequence: 1 })
  })

  test('names its gaps', async () => {
    const { post, get } = await served({ limits: { feedRetention: 1 } })
    for (const id of ['a', 'b']) {
      await post(`${OWNER}/operations`, { kind: 'k', id })
      await post(`${OWNER}/operations/${id}:abort`)
    }
    expect((await get(`${OWNER}/completions`, PATIENT)).body).toEqual({
      type: 'gap',
      requestedAfter: 0,
      droppedThrough: 1,
      watermark: 2,
      nextAfter: 1,
    })
  })
})

describe('an owner', () => {
  test('is opened with limits, collected once, terminated in one event, and retired', async () => {
    const { post, get } = await served()
    expect(await post(`${OWNER}:open`, { limits: { maxConcurrent: 2 } })).toMatchObject({
      status: 200,
      body: { changed: true },
    })
    for (const id of ['a', 'b']) await post(`${OWNER}/operations`, { kind: 'k', id })
    const third = await post(`${OWNER}/operations`, { kind: 'k', id: 'c' })
    expect(third).toMatchObject({
      status: 429,
      body: { code: 'max_concurrent_exceeded', limit: 2, active: 2, retryable: true },
    })
    expect(third.headers.get('retry-after')).toBe('1')
    await post(`${OWNER}/operations/a:abort`)
    const asked = { headers: { 'idempotency-key': 'collect-1' } }
    const collected = {
      status: 200,
      body: { operations: [{ id: 'a', status: 'aborted' }], collected: { fromSequence: 1 } },
    }
    expect(await post(`${OWNER}:collect`, {}, asked)).toMatchObject(collected)
    expect(await post(`${OWNER}:collect`, {}, asked)).toMatchObject(collected)
    expect((await get(`${OWNER}/operations/a/outcome`)).body).toMatchObject({ outcome: { status: 'aborted' } })
    expect(await post(`${OWNER}:terminate`, { reason: 'moved' })).toMatchObject({
      status: 200,
      body: { terminated: 1 },
    })
    await post(`${OWNER}:retire`, { reason: 'gone' })
    expect((await get(OWNER)).body).toMatchObject({ retired: true, active: 0, limits: { maxConcurrent: 2 } })
    expect(await post(`${OWNER}/operations`, { kind: 'k' })).toMatchObject({
      status: 409,
      body: { code: 'owner_retired' },
    })
  })
})
