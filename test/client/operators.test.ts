/** What operators and auditors ask of a server with the client: its reconciler, and what is on record. */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectVerdict } from '../../src/client/connect.ts'
import type { AdminEvent } from '../../src/client/http-operators.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { servedTo } from '../http/support/callers.ts'
import { served } from '../http/support/served.ts'
import { every } from '../support/every.ts'
import { RecordingLog } from '../support/recording-log.ts'
import { refusalOf } from './support/opened-verdict.ts'

const BOUND = { timeout: 30_000 }

async function connected() {
  const clock = new HandMovedClock()
  const { url } = await served({ clock, reconciler: false })
  const verdict = connectVerdict(url, { log: new RecordingLog() })
  onTestFinished(() => verdict.close({ grace: 0 }))
  const neverStarted = async (ids: readonly string[], kind: string) => {
    for (const id of ids) await verdict.register(kind, { id, policy: { provisioningTimeout: 1 } })
    await clock.advance(1_000)
  }
  return { verdict, neverStarted }
}

describe('the reconciler of a server', () => {
  test('does a pass by hand, within its scope, and finds nothing the second time', async () => {
    const { verdict, neverStarted } = await connected()
    await neverStarted(['a', 'b'], 'export')
    await neverStarted(['c'], 'import')
    expect(await verdict.reconcile({ dryRun: true, withoutGrace: true })).toMatchObject({
      dryRun: true,
      candidates: 3,
      reconciled: 3,
      operations: [{ id: 'a', finding: 'reconciled' }, { id: 'b' }, { id: 'c' }],
    })
    const scope = { kinds: ['export'], limit: 1, withoutGrace: true }
    expect(await verdict.reconcile(scope)).toMatchObject({ candidates: 2, reconciled: 1, skipped: 1 })
    expect(await verdict.reconcile({ withoutGrace: true })).toMatchObject({ candidates: 2, reconciled: 2 })
    expect(await verdict.reconcile({ withoutGrace: true })).toMatchObject({ candidates: 0, operations: [] })
    expect(await verdict.reconcile({ owners: [] })).toMatchObject({ candidates: 0 })
  })

  test('tells how it stands, takes modes and releases with their reason, and refuses what is no order', async () => {
    const { verdict } = await connected()
    const { reconciler } = verdict
    expect(await reconciler.standing()).toMatchObject({ status: 'off', modes: [], breakers: [], releases: [] })
    const order = { reason: 'the queue is being moved', onBehalfOf: 'mara' }
    const mode = { kind: 'export', mode: 'observe', order: { actor: 'anonymous', ...order } }
    expect(await reconciler.changeMode('export', 'observe', order)).toMatchObject({ modes: [mode] })
    const release = { kind: '*', order: { reason: 'the machine burnt down' } }
    expect(await reconciler.release('*', { reason: 'the machine burnt down' })).toMatchObject({ releases: [release] })
    expect(await reconciler.standing()).toMatchObject({ modes: [mode], releases: [release] })
    expect(await refusalOf(reconciler.changeMode('export', 'off', { reason: ' ' }))).toMatchObject({
      code: 'invalid_command',
      facts: { path: 'reason' },
    })
    const once = { reason: 'r', commandId: 'order-1' }
    await reconciler.changeMode('export', 'off', once)
    await reconciler.changeMode('export', 'off', once)
    expect(await refusalOf(reconciler.changeMode('export', 'enforce', once))).toMatchObject({
      code: 'command_id_reused',
    })
    const orders = (await every(verdict.adminEvents({ follow: false }))).slice(1)
    expect(orders.map(({ type }) => type)).toEqual([
      'ReconcilerModeChanged',
      'ReconcilerBreakerReleased',
      'ReconcilerModeChanged',
    ])
  })
})

describe('what is on record', () => {
  test(
    'comes page by page, each event once and in order, from any place on, and then as it happens',
    BOUND,
    async () => {
      const { verdict } = await connected()
      const { reconciler } = verdict
      for (let i = 0; i < 4; i++) await reconciler.changeMode(`kind-${i}`, 'off', { reason: 'r' })
      const all = await every(verdict.adminEvents({ follow: false }))
      expect(all.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4])
      expect(all[1]).toMatchObject({
        position: expect.any(BigInt),
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        type: 'ReconcilerModeChanged',
        facts: { kind: 'kind-0', mode: 'off' },
        content: { reason: 'r' },
        metadata: { actor: 'anonymous' },
      })
      expect(await every(verdict.adminEvents({ after: 2, follow: false }))).toEqual(all.slice(3))
      const met: AdminEvent[] = []
      for await (const event of verdict.adminEvents({ after: 3 })) {
        met.push(event)
        if (met.length === 1) void reconciler.changeMode('later', 'off', { reason: 'r' })
        if (met.length === 2) break
      }
      expect(met.map(({ revision, facts }) => [revision, facts.kind])).toEqual([
        [4, 'kind-3'],
        [5, 'later'],
      ])
    },
  )

  test('is waited for by one request, which is answered when there is something', BOUND, async () => {
    const { url } = await served({ reconciler: false })
    const asked: string[] = []
    const counting: typeof fetch = (input, init) => {
      asked.push(String(input))
      return fetch(input, init)
    }
    const verdict = connectVerdict(url, { log: new RecordingLog(), fetch: counting })
    onTestFinished(() => verdict.close({ grace: 0 }))
    const events = verdict.adminEvents()
    expect((await events.next()).value).toMatchObject({ type: 'LogOpened' })
    const next = events.next()
    await vi.waitFor(() => expect(asked.length).toBe(2), { timeout: 30_000 })
    await verdict.reconciler.changeMode('export', 'off', { reason: 'r' })
    expect((await next).value).toMatchObject({ type: 'ReconcilerModeChanged', revision: 1 })
    await events.return?.()
    expect(asked.filter((one) => one.includes('/v1/admin/events')).length).toBe(2)
  })

  test('is left while it is waited for, and an aborted signal throws its reason', BOUND, async () => {
    const { verdict } = await connected()
    const events = verdict.adminEvents()
    expect((await events.next()).value).toMatchObject({ type: 'LogOpened' })
    const waiting = events.next()
    await events.return?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    const aborting = new AbortController()
    const aborted = every(verdict.adminEvents({ signal: aborting.signal }))
    aborting.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    expect(() => verdict.adminEvents({ after: -1 })).toThrow('after')
    expect(() => verdict.adminEvents({ limit: 1 } as object)).toThrow('limit')
  })

  test('is for auditors, and orders are for operators: others are refused by name', async () => {
    const callers = { mara: { '*': ['operator'] }, audrey: { '*': ['auditor'] } } as const
    const server = await servedTo(callers, { reconciler: false })
    const as = (caller: keyof typeof callers) => {
      const apiKey = server.as(caller).headers.authorization?.replace('Bearer ', '') ?? ''
      const verdict = connectVerdict(server.url, { apiKey, log: new RecordingLog() })
      onTestFinished(() => verdict.close({ grace: 0 }))
      return verdict
    }
    const [mara, audrey] = [as('mara'), as('audrey')]
    const order = { reason: 'moving' }
    expect(await mara.reconciler.changeMode('export', 'off', order)).toMatchObject({
      modes: [{ kind: 'export', mode: 'off', order: { actor: 'mara' } }],
    })
    expect(await refusalOf(audrey.reconciler.changeMode('export', 'enforce', order))).toMatchObject({
      code: 'forbidden',
    })
    expect(await refusalOf(audrey.reconcile())).toMatchObject({ code: 'forbidden' })
    expect(await refusalOf(mara.adminEvents({ follow: false }).next())).toMatchObject({ code: 'forbidden' })
    const types = (await every(audrey.adminEvents({ follow: false }))).map(({ type }) => type)
    expect(types).toContain('ReconcilerModeChanged')
  })
})
