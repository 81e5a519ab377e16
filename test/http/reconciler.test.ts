/** The reconciler over HTTP: how it stands, what operators tell it, a pass by hand. */
import { describe, expect, test } from 'vitest'
import { verifyLog } from '../../src/audit/verify.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import type { ServeOptions } from '../../src/serve.ts'
import { POLICY, SILENCE_MS } from '../reconciler/support/rig.ts'
import { servedTo } from './support/callers.ts'
import { ordersIn } from './support/orders.ts'
import { type Served, served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'

/** By a clock that is moved by hand: a pass comes when the clock is moved on, or when one is asked for. */
async function servedByHand(options: ServeOptions = {}) {
  const clock = new HandMovedClock()
  return { clock, ...(await served({ clock, ...options })) }
}

async function running({ post }: Pick<Served, 'post'>, ids: readonly string[], kind = 'export', owner = OWNER) {
  for (const id of ids) {
    const { body } = await post(`${owner}/operations`, { kind, id, policy: POLICY, claim: true })
    await post(`${owner}/operations/${id}:progress`, { leaseEpoch: body.leaseEpoch })
  }
}

describe('the reconciler over HTTP', () => {
  test('tells how it stands: what its last pass did, and the modes that were configured', async () => {
    const { clock, get, post } = await servedByHand({ reconciler: { modes: { import: 'observe' } } })
    expect(await get('/v1/reconciler')).toMatchObject({
      status: 200,
      body: {
        status: 'on',
        clock: { type: 'agrees' },
        modes: [{ kind: 'import', mode: 'observe' }],
        breakers: [],
        releases: [],
      },
    })
    await post('/v1/reconciler:run', { dryRun: true })
    const { body } = await get('/v1/reconciler')
    expect(body.lastPass).toMatchObject({ at: clock.now(), dryRun: true, candidates: 0, reconciled: 0 })
    expect(body).not.toHaveProperty('lastFailure')
  })

  test('says that it is off where it is left to other nodes, and takes orders for them all the same', async () => {
    const { get, post } = await served({ reconciler: false })
    expect((await get('/v1/reconciler')).body).toMatchObject({ status: 'off' })
    const { body } = await post('/v1/reconciler:set-mode', { kind: 'export', mode: 'off', reason: 'moving' })
    expect(body).toMatchObject({ status: 'off', modes: [{ kind: 'export', mode: 'off' }] })
  })

  test('takes a mode with its reason: in force at once, on record with the principal as its actor, whoever the body names', async () => {
    const server = await servedTo({ mara: { '*': ['operator'] } }, { clock: new HandMovedClock() })
    const { post, as } = server
    const { status, body } = await post(
      '/v1/reconciler:set-mode',
      { kind: 'export', mode: 'observe', reason: 'the queue is being moved' },
      as('mara'),
    )
    const order = { at: expect.any(Number), actor: 'mara', reason: 'the queue is being moved' }
    expect({ status, modes: body.modes }).toEqual({
      status: 200,
      modes: [{ kind: 'export', mode: 'observe', order }],
    })
    expect(server.node.reconciler.modeOf('export')).toBe('observe')
    const forged = { kind: 'export', mode: 'off', reason: 'r', actor: 'root' }
    expect(await post('/v1/reconciler:set-mode', forged, as('mara'))).toMatchObject({
      status: 400,
      body: { code: 'invalid_command', path: 'actor' },
    })
    expect(await ordersIn(server)).toEqual([
      {
        type: 'ReconcilerModeChanged',
        facts: { kind: 'export', mode: 'observe' },
        content: { reason: 'the queue is being moved' },
        actor: 'mara',
      },
    ])
    expect(await verifyLog(server.node.store)).toMatchObject({ faults: [] })
  })

  test('takes a mode for every kind, which overrules what was said before, and of one kind again what is said after', async () => {
    const { get, post, node } = await servedByHand({ reconciler: { modes: { mail: 'enforce' } } })
    const set = (order: object) => post('/v1/reconciler:set-mode', { reason: 'r', ...order })
    await set({ kind: 'import', mode: 'enforce' })
    await set({ mode: 'off' })
    await set({ kind: 'export', mode: 'observe' })
    const modes = ['import', 'mail', 'never named', 'export'].map((kind) => node.reconciler.modeOf(kind))
    expect(modes).toEqual(['off', 'off', 'off', 'observe'])
    expect((await get('/v1/reconciler')).body.modes).toMatchObject([
      { kind: '*', mode: 'off' },
      { kind: 'export', mode: 'observe' },
    ])
  })

  test('has one effect under one key, and refuses the key with another order', async () => {
    const server = await servedByHand()
    const { post } = server
    const asked = { headers: { 'idempotency-key': 'order-1' } }
    const order = { kind: 'export', mode: 'observe', reason: 'r' }
    expect(await post('/v1/reconciler:set-mode', order, asked)).toMatchObject({ status: 200 })
    expect(await post('/v1/reconciler:set-mode', order, asked)).toMatchObject({ status: 200 })
    expect(await post('/v1/reconciler:set-mode', { ...order, mode: 'off' }, asked)).toMatchObject({
      status: 422,
      body: { code: 'command_id_reused' },
    })
    expect(await post('/v1/reconciler:release', { reason: 'r' }, asked)).toMatchObject({ status: 422 })
    expect(await ordersIn(server)).toHaveLength(1)
    expect(server.node.reconciler.modeOf('export')).toBe('observe')
  })

  test('does a pass on demand, within its scope, and finds nothing the second time', async () => {
    const server = await servedByHand({ reconciler: false })
    const { clock, get, post } = server
    await running(server, ['a', 'b'])
    await running(server, ['c'], 'import')
    await clock.advance(SILENCE_MS)
    const run = async (request: object) => (await post('/v1/reconciler:run', { withoutGrace: true, ...request })).body
    expect(await run({ dryRun: true })).toMatchObject({ dryRun: true, candidates: 3, reconciled: 3 })
    expect(await run({ kinds: ['import'], owners: ['nobody'] })).toMatchObject({ candidates: 0 })
    expect(await run({ kinds: ['export'], limit: 1 })).toMatchObject({ candidates: 2, reconciled: 1, skipped: 1 })
    const rest = await run({})
    expect(rest).toMatchObject({ dryRun: false, candidates: 2, reconciled: 2 })
    expect(rest.operations).toEqual(
      expect.arrayContaining([
        {
          workspace: 'w',
          owner: 'o',
          id: 'c',
          kind: 'import',
          rule: 'sign',
          finding: 'reconciled',
          reasonCode: 'run.stale_running',
        },
      ]),
    )
    expect(await run({})).toMatchObject({ candidates: 0, reconciled: 0 })
    expect((await get(`${OWNER}/operations/a`)).body.outcome).toMatchObject({ reasonCode: 'run.stale_running' })
  })

  test('shows what a breaker holds, and lets it go by an order with a reason', async () => {
    const server = await servedByHand()
    const { clock, get, post } = server
    await running(
      server,
      Array.from({ length: 21 }, (_, i) => `a-${i}`),
    )
    await clock.advance(SILENCE_MS)
    const run = async () => (await post('/v1/reconciler:run', { withoutGrace: true })).body
    expect(await run()).toMatchObject({ heldByBreaker: 21, reconciled: 0 })
    const { body } = await get('/v1/reconciler')
    expect(body).toMatchObject({
      status: 'held',
      breakers: [{ kind: 'export', openedAt: clock.now(), suspects: 21, active: 21 }],
    })
    expect(body.breakers[0].held).toHaveLength(21)
    expect(body.breakers[0].held[0]).toMatchObject({ owner: 'o', kind: 'export', finding: 'heldByBreaker' })
    expect(await post('/v1/reconciler:release', { reason: 'the machine burnt down' })).toMatchObject({
      status: 200,
      body: {
        status: 'on',
        breakers: [],
        releases: [{ kind: '*', order: { at: clock.now(), actor: 'anonymous', reason: 'the machine burnt down' } }],
      },
    })
    expect(await run()).toMatchObject({ reconciled: 21, heldByBreaker: 0 })
    expect(await verifyLog(server.node.store)).toMatchObject({ faults: [] })
  })

  test.each([
    ['set-mode', {}, 'mode'],
    ['set-mode', { mode: 'maybe', reason: 'r' }, 'mode'],
    ['set-mode', { mode: 'off' }, 'reason'],
    ['set-mode', { mode: 'off', reason: ' ' }, 'reason'],
    ['set-mode', { mode: 'off', reason: 'x'.repeat(1_025) }, 'reason'],
    ['set-mode', { kind: '', mode: 'off', reason: 'r' }, 'kind'],
    ['set-mode', { kind: 'k'.repeat(129), mode: 'off', reason: 'r' }, 'kind'],
    ['release', {}, 'reason'],
    ['release', { kind: 'a\u0000b', reason: 'r' }, 'kind'],
    ['release', { kind: ['export'], reason: 'r' }, 'kind'],
    ['run', { limit: -1 }, 'limit'],
    ['run', { limit: 1.5 }, 'limit'],
    ['run', { kinds: 'export' }, 'kinds'],
    ['run', { kinds: Array.from({ length: 1_001 }, () => 'k') }, 'kinds'],
    ['run', { dryRun: 'yes' }, 'dryRun'],
    ['run', { everything: true }, 'everything'],
    ['run', [], ''],
  ])('refuses %s with %o, and names what does not fit', async (verb, body, path) => {
    const server = await servedByHand()
    const end = await server.node.store.end()
    expect(await server.post(`/v1/reconciler:${verb}`, body)).toMatchObject({
      status: 400,
      body: { code: 'invalid_command', path },
    })
    const long = { headers: { 'idempotency-key': 'k'.repeat(129) } }
    if (verb === 'release') {
      expect(await server.post('/v1/reconciler:release', { reason: 'r' }, long)).toMatchObject({
        status: 400,
        body: { path: 'commandId' },
      })
    }
    expect(await server.node.store.end()).toBe(end)
  })

  test('is looked at by those who may read every workspace, told by those who operate all of them, and nobody else', async () => {
    const server = await servedTo(
      {
        viewer: { '*': ['viewer'] },
        viewerOfOne: { w: ['viewer'] },
        service: { '*': ['service'] },
        auditor: { '*': ['auditor'] },
        operatorOfOne: { w: ['operator'] },
        operator: { '*': ['operator'] },
      },
      { clock: new HandMovedClock() },
    )
    const { get, post, as } = server
    const callers = ['viewer', 'viewerOfOne', 'service', 'auditor', 'operatorOfOne', 'operator']
    const met: Record<string, readonly number[]> = {}
    for (const caller of callers) {
      met[caller] = [
        (await get('/v1/reconciler', as(caller))).status,
        (await post('/v1/reconciler:run', { dryRun: true }, as(caller))).status,
        (await post('/v1/reconciler:run', { workspaces: ['v'] }, as(caller))).status,
      ]
      if (caller === 'operator') continue
      for (const [verb, body] of [
        ['set-mode', { mode: 'off', reason: 'r' }],
        ['release', { reason: 'r' }],
      ] as const) {
        expect(await post(`/v1/reconciler:${verb}`, body, as(caller))).toMatchObject({
          status: 403,
          body: { code: 'forbidden', right: 'operate' },
        })
      }
    }
    expect(met).toEqual({
      viewer: [200, 403, 403],
      viewerOfOne: [403, 403, 403],
      service: [200, 403, 403],
      auditor: [200, 403, 403],
      operatorOfOne: [403, 200, 403],
      operator: [200, 200, 200],
    })
    // What they were denied is on record, and no order.
    expect(await ordersIn(server)).toEqual([])
  })

  test('passes for the operator of one workspace over that one alone', async () => {
    const clock = new HandMovedClock()
    const { post, as } = await servedTo(
      { root: { '*': ['admin'] }, mara: { w: ['operator'] } },
      { clock, reconciler: false },
    )
    const asRoot = { post: (place: string, body?: unknown) => post(place, body, as('root')) }
    await running(asRoot, ['a'])
    await running(asRoot, ['b'], 'export', '/v1/workspaces/v/owners/o')
    await clock.advance(SILENCE_MS)
    const { body } = await post('/v1/reconciler:run', { withoutGrace: true }, as('mara'))
    expect(body).toMatchObject({ candidates: 1, reconciled: 1, operations: [{ workspace: 'w', id: 'a' }] })
  })
})
