import { describe, expect, test } from 'vitest'
import { OWNER, openRig, POLICY, SILENCE_MS } from './support/rig.ts'

const NOTHING = {
  candidates: 0,
  reconciled: 0,
  retried: 0,
  cancelled: 0,
  alive: 0,
  skipped: 0,
  outdated: 0,
  observed: 0,
  heldByBreaker: 0,
  refused: 0,
  attentionRaised: 0,
  attentionCleared: 0,
  waitsExpired: 0,
}

describe('a pass', () => {
  test('ends who is dead by its reason, touches nobody else, and the second one appends nothing', async () => {
    const rig = await openRig()
    const epoch = await rig.running('silent')
    await rig.running('retried', { policy: { ...POLICY, retry: { maxAttempts: 2 } } })
    await rig.running('done')
    await rig.send({ type: 'CompleteOperation', id: 'done', leaseEpoch: (await rig.get('done')).lease?.epoch })
    await rig.running('cancelled')
    await rig.send({ type: 'RequestCancel', id: 'cancelled', reason: 'enough' })
    await rig.running('winding-down', { policy: { ...POLICY, retireTimeoutMs: 60_000 } })
    await rig.send({ type: 'RequestRetire', id: 'winding-down' })
    await rig.register('queued', { policy: { ...POLICY, provisioningTimeoutMs: 70_000 } })
    await rig.register('patient')
    await rig.clock.advance(SILENCE_MS - 1)
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 3, reconciled: 2, cancelled: 1 })
    await rig.clock.advance(1)
    const lively = await rig.running('lively')
    const report = await rig.node.reconcile()
    expect(report).toMatchObject({ ...NOTHING, candidates: 2, reconciled: 1, retried: 1 })
    expect(report.operations).toEqual([
      { ...OWNER, id: 'silent', kind: 'export', rule: 'sign', finding: 'reconciled', reasonCode: 'run.stale_running' },
      { ...OWNER, id: 'retried', kind: 'export', rule: 'sign', finding: 'retried', reasonCode: 'run.stale_running' },
    ])
    const silent = await rig.get('silent')
    expect(silent).toMatchObject({
      status: 'failed',
      judgement: { freshness: 'reconciled' },
      problemClass: 'terminal_follow_up',
      outcome: {
        reasonCode: 'run.stale_running',
        error: { code: 'run.stale_running' },
        reconciliation: {
          reasonCode: 'run.stale_running',
          evidence: { rule: 'sign', attempt: 1, judgedAt: rig.clock.now(), graceMs: 0 },
        },
      },
    })
    expect(await rig.get('retried')).toMatchObject({ status: 'provisioning', attempt: 2 })
    expect(await rig.get('cancelled')).toMatchObject({
      status: 'cancelled',
      outcome: { reason: 'enough', reconciliation: { reasonCode: 'run.cancel_ignored' } },
    })
    expect((await rig.get('winding-down')).outcome).toMatchObject({
      status: 'failed',
      reasonCode: 'run.stale_retiring',
    })
    expect((await rig.get('queued')).outcome).toMatchObject({ status: 'failed', reasonCode: 'run.stale_queued' })
    expect((await rig.get('patient')).status).toBe('provisioning')
    expect(await rig.get('done')).toMatchObject({ status: 'completed', judgement: { freshness: 'terminal' } })
    expect(await rig.get('lively')).toMatchObject({ status: 'running', lease: { epoch: lively } })
    const stored = await rig.types()
    expect(await rig.node.reconcile()).toMatchObject(NOTHING)
    expect(await rig.types()).toEqual(stored)
    expect(epoch).toBeGreaterThan(0)
  })

  test('honours kinds, owners, workspaces and its limit, and changes nothing when it is dry', async () => {
    const rig = await openRig()
    const other = { workspace: 'default', owner: 'other' }
    const elsewhere = { workspace: 'elsewhere', owner: 'acme' }
    await rig.running('a')
    await rig.running('b', { kind: 'import' })
    await rig.running('c', {}, other)
    await rig.running('d', {}, elsewhere)
    await rig.clock.advance(SILENCE_MS)
    const ids = async (request: Parameters<typeof rig.node.reconcile>[0]) => {
      const report = await rig.node.reconcile({ ...request, dryRun: true })
      expect(report).toMatchObject({ dryRun: true, reconciled: report.candidates - report.skipped })
      return report.operations.filter(({ finding }) => finding === 'reconciled').map(({ id }) => id)
    }
    expect(await ids({})).toEqual(['a', 'b', 'c', 'd'])
    expect(await ids({ kinds: ['import'] })).toEqual(['b'])
    expect(await ids({ owners: ['acme'] })).toEqual(['a', 'b', 'd'])
    expect(await ids({ workspaces: ['elsewhere'] })).toEqual(['d'])
    expect(await ids({ kinds: ['export'], owners: ['acme'], workspaces: ['default'] })).toEqual(['a'])
    expect(await ids({ limit: 3 })).toEqual(['a', 'b', 'c'])
    expect((await rig.get('a')).status).toBe('running')
    expect(await rig.node.reconcile({ limit: 1 })).toMatchObject({ candidates: 4, reconciled: 1, skipped: 3 })
    expect((await rig.get('a')).status).toBe('failed')
    expect((await rig.get('b')).status).toBe('running')
  })

  test('loses to a heartbeat or a completion that comes between its look and its command', async () => {
    const rig = await openRig({
      reconciler: {
        witnesses: {
          // Asked between the look and the command: the moment that matters.
          witnessed: async ({ id }) => {
            const leaseEpoch = epochs.get(id)
            if (id === 'beats') await rig.send({ type: 'RecordHeartbeat', id, leaseEpoch })
            if (id === 'completes') await rig.send({ type: 'CompleteOperation', id, leaseEpoch, result: 1 })
            return { answer: 'unknown' }
          },
        },
      },
    })
    const epochs = new Map<string, number>()
    for (const id of ['beats', 'completes', 'silent']) epochs.set(id, await rig.running(id, { kind: 'witnessed' }))
    await rig.clock.advance(SILENCE_MS)
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 3, reconciled: 1, outdated: 2 })
    expect(await rig.get('beats')).toMatchObject({ status: 'running', judgement: { freshness: 'fresh' } })
    expect((await rig.get('completes')).outcome).toMatchObject({ status: 'completed', result: 1 })
    expect((await rig.get('silent')).status).toBe('failed')
    expect(await rig.node.reconcile()).toMatchObject(NOTHING)
  })

  test('asks the witness of a kind, records its sign of life and bridges what it saw', async () => {
    const answers = new Map<string, unknown>([
      ['active', { answer: 'active' }],
      ['waiting', { answer: 'waiting' }],
      ['completed', { answer: 'completed', result: { rows: 3 } }],
      ['failed', { answer: 'failed', error: { message: 'out of disk', code: 'disk' } }],
      ['absent', { answer: 'absent' }],
    ])
    const witness = async ({ id }: { readonly id: string }) => {
      if (id === 'broken') throw new Error('no connection')
      return id === 'hanging' ? await new Promise<never>(() => {}) : (answers.get(id) as never)
    }
    const rig = await openRig({ reconciler: { witnesses: { export: witness } } })
    for (const id of ['active', 'completed', 'failed', 'absent', 'broken', 'hanging']) await rig.running(id)
    await rig.register('waiting', { policy: { ...POLICY, provisioningTimeoutMs: SILENCE_MS } })
    await rig.clock.advance(SILENCE_MS)
    const passing = rig.node.reconcile()
    await rig.advance(1_999)
    await rig.advance(1)
    expect(await passing).toMatchObject({ ...NOTHING, candidates: 7, alive: 2, reconciled: 5 })
    const reason = async (id: string) => (await rig.get(id)).outcome
    expect(await rig.get('active')).toMatchObject({ status: 'running', judgement: { freshness: 'fresh' } })
    expect(await rig.get('waiting')).toMatchObject({ status: 'provisioning', judgement: { freshness: 'fresh' } })
    expect(await reason('completed')).toMatchObject({ status: 'completed', result: { rows: 3 } })
    expect(await reason('failed')).toMatchObject({
      reasonCode: 'run.queue_failure_bridge',
      error: { message: 'out of disk', code: 'disk' },
    })
    expect(await reason('absent')).toMatchObject({ reasonCode: 'run.never_enqueued' })
    expect(await reason('broken')).toMatchObject({ reasonCode: 'run.stale_running' })
    expect(await reason('hanging')).toMatchObject({
      reasonCode: 'run.stale_running',
      reconciliation: { evidence: { rule: 'sign', witness: 'unknown' } },
    })
    expect(await rig.node.reconcile()).toMatchObject(NOTHING)
  })

  test('raises attention once for who is stale and stays so, and clears it when it is heard again', async () => {
    const rig = await openRig()
    const leaseEpoch = await rig.running('a', { policy: { ...POLICY, reconcileDelayMs: 60_000 } })
    const before = await rig.types()
    await rig.clock.advance(SILENCE_MS)
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 1, skipped: 1, attentionRaised: 1 })
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 1, skipped: 1 })
    await rig.send({ type: 'ReportProgress', id: 'a', leaseEpoch })
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, attentionCleared: 1 })
    expect(await rig.node.reconcile()).toMatchObject(NOTHING)
    expect((await rig.types()).slice(before.length)).toEqual([
      'AttentionRaised',
      'ProgressReported',
      'AttentionCleared',
    ])
    expect((await rig.get('a')).status).toBe('running')
  })

  test('ends waits whose deadline passed while nobody held them', async () => {
    const rig = await openRig()
    await rig.register('a')
    await rig.register('b')
    const deadlineAt = rig.clock.now() + 1_000
    for (const [waitId, mode] of [
      ['w-all', 'BeginWaitAll'],
      ['w-any', 'BeginWaitAny'],
    ]) {
      await rig.send({ type: mode, waitId, ids: ['a', 'b'], deadlineAt })
    }
    await rig.send({ type: 'AbortProvisioning', id: 'a' })
    // By its own timer the registry would end it as well; a step of the wall clock leaves that asleep.
    rig.clock.step(1_000)
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, waitsExpired: 1 })
    expect((await rig.types()).at(-1)).toBe('WaitExpired')
    expect(await rig.node.reconcile()).toMatchObject(NOTHING)
  })
})

describe('the mode of a kind', () => {
  test('is enforced, observed or off, and can be changed at any time', async () => {
    const rig = await openRig({ reconciler: { modes: { export: 'observe', import: 'off' } } })
    await rig.running('a')
    await rig.running('b', { kind: 'import' })
    const stored = await rig.types()
    await rig.clock.advance(SILENCE_MS)
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 2, observed: 1, skipped: 1 })
    expect(await rig.types()).toEqual(stored)
    expect(rig.node.reconciler.modeOf('export')).toBe('observe')
    await rig.node.reconciler.changeMode('export', 'enforce', { reason: 'it was right' })
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 2, reconciled: 1, skipped: 1 })
    await rig.node.reconciler.changeMode('export', 'off', { reason: 'moving house' })
    await rig.node.reconciler.changeMode('import', 'enforce', { reason: 'as always' })
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 1, reconciled: 1 })
  })
})

describe('the breaker', () => {
  test('holds when too much of a kind seems dead at once, says so, and waits for a release with a reason', async () => {
    const rig = await openRig()
    for (let i = 0; i < 21; i++) await rig.running(`dead-${i}`)
    for (let i = 0; i < 20; i++) await rig.running(`few-${i}`, { kind: 'few' })
    await rig.running('cancelled')
    await rig.send({ type: 'RequestCancel', id: 'cancelled', deadlineAt: rig.clock.now() })
    await rig.clock.advance(SILENCE_MS)
    expect(await rig.node.reconcile({ dryRun: true })).toMatchObject({
      reconciled: 20,
      cancelled: 1,
      heldByBreaker: 21,
    })
    expect(rig.warnings).toEqual([])
    const held = { ...NOTHING, candidates: 42, reconciled: 20, cancelled: 1, heldByBreaker: 21, attentionRaised: 21 }
    expect(await rig.node.reconcile()).toMatchObject(held)
    expect(rig.warnings.map(({ facts }) => facts)).toEqual([
      { code: 'reconciler_breaker_open', kind: 'export', suspects: 21, active: 22 },
    ])
    expect(rig.node.reconciler.status.breakers).toEqual([
      { kind: 'export', openedAt: rig.clock.now(), suspects: 21, active: 22 },
    ])
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 21, heldByBreaker: 21 })
    await rig.running('later')
    expect(await rig.node.reconciler.release('import', { reason: 'wrong kind' })).toBe(false)
    expect(await rig.node.reconciler.release('export', { reason: 'the machine burnt down' })).toBe(true)
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 21, reconciled: 21 })
    expect(rig.node.reconciler.status.breakers).toEqual([])
    expect((await rig.get('later')).status).toBe('running')
  })

  test('counts those that fall silent together though their deadlines are spread', async () => {
    const rig = await openRig()
    for (let i = 0; i < 30; i++) {
      await rig.running(`a-${i}`)
      await rig.clock.advance(500)
    }
    await rig.clock.advance(SILENCE_MS - 15_000)
    expect(await rig.node.reconcile()).toMatchObject({
      ...NOTHING,
      candidates: 1,
      heldByBreaker: 1,
      attentionRaised: 1,
    })
    expect(rig.node.reconciler.status.breakers).toMatchObject([{ kind: 'export', suspects: 30, active: 30 }])
  })

  test('lets a quarter of a large kind go', async () => {
    const rig = await openRig()
    for (let i = 0; i < 25; i++) await rig.running(`dead-${i}`)
    for (let i = 0; i < 75; i++) await rig.register(`queued-${i}`)
    await rig.clock.advance(SILENCE_MS)
    expect(await rig.node.reconcile()).toMatchObject({ ...NOTHING, candidates: 25, reconciled: 25 })
  })
})
