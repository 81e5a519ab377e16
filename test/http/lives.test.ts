import { describe, expect, test } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { servedTo } from './support/callers.ts'
import { served } from './support/served.ts'

const OWNER = '/v1/workspaces/w/owners/o'
const MINUTE = 60_000
const POLICY = { staleAfterMs: 4 * MINUTE, lateAfterMs: 2 * MINUTE, startGraceMs: 10 * MINUTE }

/** A server whose time is in our hands; nobody judges but those who are told to. */
async function servedByHand(options: Parameters<typeof served>[0] = {}) {
  const clock = new HandMovedClock()
  const server = await served({ clock, reconciler: false, ...options })
  const minutes = (count: number) => clock.advance(count * MINUTE)
  return { ...server, clock, minutes }
}

const actionsOf = (body: { readonly actions: readonly Record<string, unknown>[] }) =>
  Object.fromEntries(body.actions.map(({ action, isLegal, refusal }) => [action, isLegal ? 'legal' : refusal]))

describe('what is ahead of an operation', () => {
  test('A21: tells the policy in force, and of each number whether its kind or its registration said so', async () => {
    const kinds = { export: { policy: { staleAfter: '4m', maxRuntime: '1h' } } }
    const { post, get } = await servedByHand({ kinds })
    await post(`${OWNER}/operations`, { kind: 'export', id: 'a', policy: { maxRuntimeMs: 30 * MINUTE } })
    await post(`${OWNER}/operations`, { kind: 'other', id: 'b' })
    await post(`${OWNER}/operations`, { kind: 'other', id: 'c', policy: 'none' })
    const { body } = await get(`${OWNER}/operations/a/outlook`)
    expect(body.policy).toMatchObject({ staleAfterMs: 4 * MINUTE, maxRuntimeMs: 30 * MINUTE })
    expect(body.origins).toMatchObject({
      staleAfterMs: 'kind',
      maxRuntimeMs: 'operation',
      'retry.maxAttempts': 'default',
    })
    const { body: other } = await get(`${OWNER}/operations/b/outlook`)
    expect(new Set(Object.values(other.origins))).toEqual(new Set(['default']))
    expect((await get(`${OWNER}/operations/c/outlook`)).body).toMatchObject({
      policy: null,
      origins: {},
      deadlines: [],
    })
  })

  test('B12: tells how far the reconciler goes with its kind', async () => {
    const modes = { export: 'observe' as const }
    const { post, get } = await served({ reconciler: { modes } })
    await post(`${OWNER}/operations`, { kind: 'export', id: 'a' })
    expect((await get(`${OWNER}/operations/a/outlook`)).body).toMatchObject({
      reconciler: { mode: 'observe', isHeld: false, isAway: false },
    })
  })

  test('tells the waits that miss it, each with its members', async () => {
    const { post, get } = await servedByHand()
    for (const id of ['a', 'b']) await post(`${OWNER}/operations`, { kind: 'k', id })
    await post(`${OWNER}/waits`, { mode: 'all', ids: ['b', 'a'], waitId: 'both', runId: 'run 7' })
    const waits = [{ waitId: 'both', mode: 'all', runId: 'run 7', members: [{ id: 'b' }, { id: 'a' }] }]
    expect((await get(`${OWNER}/operations/a/outlook`)).body).toMatchObject({ waits })
    await post(`${OWNER}/operations/a:abort`)
    expect((await get(`${OWNER}/operations/a/outlook`)).body).toMatchObject({ status: 'aborted', waits: [] })
    expect((await get(`${OWNER}/operations/b/outlook`)).body).toMatchObject({
      waits: [{ members: [{ id: 'b' }, { id: 'a', terminalRevision: expect.any(Number) }] }],
    })
  })

  test('offers what would be accepted now, and says why not the rest', async () => {
    const { post, get } = await servedByHand()
    const { body: begun } = await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true, policy: POLICY })
    const outlook = async () => (await get(`${OWNER}/operations/a/outlook`)).body
    expect(actionsOf(await outlook())).toMatchObject({
      cancel: 'legal',
      'force-cancel': 'legal',
      reconcile: { code: 'evidence_outdated' },
      retry: { code: 'illegal_transition' },
    })
    await post(`${OWNER}/operations/a:cancel`, { reason: 'enough' })
    expect(actionsOf(await outlook())).toMatchObject({ cancel: { code: 'already_requested' }, 'force-cancel': 'legal' })
    await post(`${OWNER}/operations/a:complete`, { leaseEpoch: begun.leaseEpoch, result: 1 })
    expect(actionsOf(await outlook())).toMatchObject({
      cancel: { code: 'already_requested' },
      'force-cancel': { code: 'already_terminal' },
      reconcile: { code: 'already_terminal' },
      retry: 'legal',
    })
  })

  test('prepares the verdict that may be spoken once a deadline has passed; spoken, it bears the reason that was given', async () => {
    const { post, get, minutes } = await servedByHand()
    const retry = { maxAttempts: 2 }
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true, policy: { ...POLICY, retry } })
    expect((await get(`${OWNER}/operations/a/outlook`)).body.verdict).toBe(undefined)
    await minutes(11)
    const { body } = await get(`${OWNER}/operations/a/outlook`)
    expect(body.verdict).toMatchObject({
      reasonCode: 'run.stale_running',
      evidence: { rule: 'first_sign', attempt: 1 },
      disposition: { type: 'retry' },
    })
    expect(actionsOf(body)).toMatchObject({ reconcile: 'legal' })
    const error = { message: 'the machine burnt down' }
    const disposition = { ...body.verdict.disposition, error }
    expect(await post(`${OWNER}/operations/a:reconcile`, { ...body.verdict, disposition })).toMatchObject({
      status: 200,
      body: { status: 'provisioning' },
    })
    const { events } = (await get(`${OWNER}/operations/a/history`)).body
    expect(events.at(-1)).toMatchObject({ type: 'AttemptLost', content: { error }, facts: { attempt: 1 } })
  })

  test('a forced cancel that is judged bears the reason of whoever judged it', async () => {
    const { post, get, minutes } = await servedByHand()
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true, policy: { ...POLICY, cancelGraceMs: MINUTE } })
    await post(`${OWNER}/operations/a:cancel`, { reason: 'asked' })
    await minutes(2)
    const { verdict } = (await get(`${OWNER}/operations/a/outlook`)).body
    expect(verdict).toMatchObject({ reasonCode: 'run.cancel_ignored', disposition: { type: 'cancel' } })
    const disposition = { ...verdict.disposition, reason: 'forced by hand' }
    expect(await post(`${OWNER}/operations/a:reconcile`, { ...verdict, disposition })).toMatchObject({
      status: 200,
      body: { outcome: { status: 'cancelled', reason: 'forced by hand' } },
    })
  })

  test('says which of it the caller may do', async () => {
    const { post, get, as } = await servedTo({
      vera: { w: ['viewer'] },
      otto: { w: ['operator'] },
      sue: { w: ['service'] },
    })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' }, as('otto'))
    const entitled = async (caller: string) => {
      const { body } = await get(`${OWNER}/operations/a/outlook`, as(caller))
      return body.actions.filter(({ isEntitled }: { isEntitled: boolean }) => isEntitled).map(nameOf)
    }
    const nameOf = ({ action }: { readonly action: string }) => action
    expect(await entitled('vera')).toEqual([])
    expect(await entitled('sue')).toEqual(['cancel', 'retry'])
    expect(await entitled('otto')).toEqual(['cancel', 'force-cancel', 'reconcile', 'retry'])
  })

  test('is told of what its owner let go as well, and of an earlier life of an id; of what never was, nothing', async () => {
    const limits = { maxCompleted: 1, tombstones: 0 }
    const { post, get } = await servedByHand({ limits })
    for (const id of ['a', 'b', 'c']) {
      await post(`${OWNER}/operations`, { kind: 'k', id })
      await post(`${OWNER}/operations/${id}:abort`)
    }
    const { body } = await get(`${OWNER}/operations/a/outlook`)
    expect(body).toMatchObject({ id: 'a', status: 'aborted', policy: { cancelGraceMs: 30_000 } })
    expect(actionsOf(body)).toMatchObject({ retry: 'legal' })
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a' })
    expect((await get(`${OWNER}/operations/a/outlook`)).body).toMatchObject({ status: 'provisioning' })
    const { body: earlier } = await get(`${OWNER}/operations/a/outlook?number=${body.number}`)
    expect(earlier).toMatchObject({ status: 'aborted', number: body.number })
    expect(actionsOf(earlier)).toMatchObject({ cancel: { code: 'not_found' }, retry: 'legal' })
    for (const place of ['never/outlook', 'never/timeline', 'a/outlook?number=4711']) {
      expect(await get(`${OWNER}/operations/${place}`)).toMatchObject({ status: 404, body: { code: 'not_found' } })
    }
  })
})

describe('an operation in time', () => {
  test('has its queue, attempts, phases and what its policy calls silence', async () => {
    const { post, get, minutes, clock } = await servedByHand()
    const zero = clock.now()
    const at = (count: number) => zero + count * MINUTE
    const retry = { maxAttempts: 2, backoff: { initialMs: 0, factor: 1, maxMs: 0, jitter: 0 } }
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a', policy: { ...POLICY, retry } })
    await minutes(1)
    const claimant = { id: 'worker 1' }
    const { leaseEpoch } = (await post(`${OWNER}/operations/a:claim`, { claimant })).body
    await post(`${OWNER}/operations/a:start-phase`, { leaseEpoch, phase: 'read' })
    await minutes(1)
    await post(`${OWNER}/operations/a:complete-phase`, { leaseEpoch, phase: 'read', result: 1 })
    await post(`${OWNER}/operations/a:start-phase`, { leaseEpoch, phase: 'write' })
    // Longer than late, which a sign may be written a minute after it was heard.
    await minutes(4)
    await post(`${OWNER}/operations/a:progress`, { leaseEpoch, message: 'slow' })
    await post(`${OWNER}/operations/a:retry`, { leaseEpoch, error: { message: 'no' }, notBeforeAt: 0 })
    await minutes(1)
    await post(`${OWNER}/operations/a:claim`, { claimant: { id: 'worker 2' } })
    await minutes(1)
    await post(`${OWNER}/operations/a:cancel`, { reason: 'enough' })
    const { status, body } = await get(`${OWNER}/operations/a/timeline`)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: 'a',
      isWhole: true,
      isOver: false,
      fromAt: zero,
      untilAt: at(8),
      queued: [
        { fromAt: zero, untilAt: at(1) },
        { fromAt: at(6), untilAt: at(7) },
      ],
      attempts: [
        { attempt: 1, fromAt: at(1), untilAt: at(6), ending: 'failed', claimant },
        { attempt: 2, fromAt: at(7), claimant: { id: 'worker 2' } },
      ],
      phases: [
        { phase: 'read', attempt: 1, fromAt: at(1), untilAt: at(2), ending: 'completed' },
        { phase: 'write', attempt: 1, fromAt: at(2), untilAt: at(6), ending: 'interrupted' },
      ],
      silences: [{ attempt: 1, fromAt: at(2), untilAt: at(6), ms: 4 * MINUTE, freshness: 'late' }],
      signs: [at(1), at(2), at(6)],
      steps: [
        { from: 'absent', to: 'provisioning', event: 'OperationRegistered', at: zero },
        { from: 'provisioning', to: 'running', event: 'OperationStarted', at: at(1) },
        { from: 'running', to: 'provisioning', event: 'AttemptFailed', at: at(6) },
        { from: 'provisioning', to: 'running', event: 'OperationStarted', at: at(7) },
      ],
      marks: [{ at: at(8), type: 'CancelRequested' }],
    })
    expect(body.attempts[1].untilAt).toBe(undefined)
  })

  test('a silence that goes on has no end, and grows from late to stale', async () => {
    const { post, get, minutes, clock } = await servedByHand()
    const { body } = await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true, policy: POLICY })
    await post(`${OWNER}/operations/a:progress`, { leaseEpoch: body.leaseEpoch })
    const heardAt = clock.now()
    const silences = async () => (await get(`${OWNER}/operations/a/timeline`)).body.silences
    await minutes(2)
    expect(await silences()).toEqual([])
    await minutes(1)
    expect(await silences()).toEqual([{ attempt: 1, fromAt: heardAt, ms: 3 * MINUTE, freshness: 'late' }])
    await minutes(2)
    expect(await silences()).toEqual([{ attempt: 1, fromAt: heardAt, ms: 5 * MINUTE, freshness: 'likely_stale' }])
  })

  test('is over where it ended, with its owner as well', async () => {
    const { post, get, minutes, clock } = await servedByHand()
    await post(`${OWNER}/operations`, { kind: 'k', id: 'a', claim: true, policy: POLICY })
    await minutes(1)
    await post(`${OWNER}:terminate`, { reason: 'closing' })
    const endedAt = clock.now()
    await minutes(60)
    expect((await get(`${OWNER}/operations/a/timeline`)).body).toMatchObject({
      isOver: true,
      untilAt: endedAt,
      attempts: [{ ending: 'terminated', untilAt: endedAt }],
      silences: [],
    })
  })
})

test('the machine is told with every state and every move, as it is', async () => {
  const { get } = await servedByHand()
  const { body } = await get('/v1/machine')
  expect(body.states).toHaveLength(10)
  expect(body.states).toContainEqual({ status: 'terminated', isTerminal: true, resultClass: 'failed' })
  expect(body.moves).toContainEqual({ from: 'absent', to: 'provisioning', event: 'OperationRegistered' })
  expect(body.moves).toContainEqual({
    from: 'running',
    to: 'completed',
    event: 'OperationCompleted',
    guard: 'phasesFinished',
  })
  expect(body.moves.filter(({ from }: { from: string }) => from === 'completed')).toEqual([
    { from: 'completed', to: 'completed', event: 'ContradictionRecorded' },
  ])
})
