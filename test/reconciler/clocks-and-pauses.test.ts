/**
 * Time that goes wrong: clocks that are set, processes that are paused, servers that are away. Whoever lives is never ended
 * by mistake, whoever is gone is ended in the end.
 */
import { mkdirSync, rmdirSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { startServer } from '../support/eventstoredb-rig.ts'
import { openRig, POLICY, type Rig, SILENCE_MS, testLog } from './support/rig.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const SWEEP_MS = 15_000
/** What a deadline may be exceeded by: the sweep, and a look of the hearing. */
const SLACK_MS = SWEEP_MS + 5_000

/** Told to a worker whose operation was ended or given to another. */
const ENDED: ReadonlySet<string> = new Set(['already_terminal', 'stale_lease', 'illegal_transition'])

/** A worker that is alive: it speaks every ten seconds, whatever the wall clock says; a node that is away is not told. */
class Worker {
  readonly #rig: () => Rig | undefined
  readonly #id: string
  readonly #leaseEpoch: number
  isRefused = false

  constructor(rig: () => Rig | undefined, id: string, leaseEpoch: number) {
    this.#rig = rig
    this.#id = id
    this.#leaseEpoch = leaseEpoch
  }

  async beat(): Promise<void> {
    const result = await this.#rig()?.node.door.send(
      { workspace: 'default', owner: 'acme' },
      { type: 'RecordHeartbeat', id: this.#id, leaseEpoch: this.#leaseEpoch },
    )
    if (result?.type === 'refused' && ENDED.has(result.rejection.code)) this.isRefused = true
  }
}

/** Lets time pass in which the workers speak every ten seconds. */
async function live(rig: Rig, workers: readonly Worker[], ms: number, everyMs = 10_000): Promise<void> {
  for (let passed = 0; passed < ms; passed += everyMs) {
    for (const worker of workers) await worker.beat()
    await rig.pass(Math.min(everyMs, ms - passed), everyMs / 2)
  }
}

async function openLiving(): Promise<{ readonly rig: Rig; readonly alive: Worker }> {
  const rig = await openRig()
  rig.node.reconciler.start()
  const alive = new Worker(() => rig, 'alive', await rig.running('alive'))
  await rig.running('gone')
  await live(rig, [alive], 20_000)
  return { rig, alive }
}

async function statuses(rig: Rig) {
  return { alive: (await rig.get('alive')).status, gone: (await rig.get('gone')).status }
}

describe('a wall clock', () => {
  test.each([
    ['an hour', HOUR],
    ['a day', DAY],
  ])('that jumps %s ahead ends nobody by mistake, and who is gone in the end', async (_what, jumpMs) => {
    const { rig, alive } = await openLiving()
    rig.clock.step(jumpMs)
    await rig.pass(1_000)
    await live(rig, [alive], SILENCE_MS - 30_000)
    expect(await statuses(rig)).toEqual({ alive: 'running', gone: 'running' })
    // What is shown is judged with the same grace.
    expect((await rig.get('alive')).judgement.freshness).toBe('fresh')
    await live(rig, [alive], 20_000 + 2 * POLICY.heartbeatIntervalMs + SLACK_MS)
    expect(await statuses(rig)).toEqual({ alive: 'running', gone: 'failed' })
    const { outcome } = await rig.get('gone')
    const evidence = outcome?.status === 'failed' ? outcome.reconciliation?.evidence : undefined
    expect(evidence?.graceMs).toBeGreaterThanOrEqual(jumpMs)
    expect(evidence?.graceMs).toBeLessThanOrEqual(jumpMs + 2 * POLICY.heartbeatIntervalMs + 5_000)
    await live(rig, [alive], 5 * MINUTE)
    expect(alive.isRefused).toBe(false)
  })

  test.each([
    ['an hour', HOUR, 10_000],
    // Nobody is judged meanwhile, so it may speak less often.
    ['a day', DAY, 5 * MINUTE],
  ])(
    'that is set back %s judges nobody until it has caught up, says so, and then ends who is gone',
    async (_what, backMs, everyMs) => {
      const { rig, alive } = await openLiving()
      rig.clock.step(-backMs)
      await live(rig, [alive], 5 * MINUTE)
      expect(await statuses(rig)).toEqual({ alive: 'running', gone: 'running' })
      expect(rig.node.reconciler.status.clock).toMatchObject({ type: 'behind' })
      expect(await rig.node.reconcile()).toMatchObject({ abstained: 'clock_behind', candidates: 0 })
      expect(rig.warnings.map(({ message }) => message)).toEqual([
        "this node's clock is not that of the log: nobody is judged",
      ])
      await live(rig, [alive], backMs - 15 * MINUTE, everyMs)
      expect(await statuses(rig)).toEqual({ alive: 'running', gone: 'running' })
      await live(rig, [alive], 10 * MINUTE + SILENCE_MS + SLACK_MS)
      expect(await statuses(rig)).toEqual({ alive: 'running', gone: 'failed' })
      expect(rig.node.reconciler.status.clock).toEqual({ type: 'agrees' })
      expect(alive.isRefused).toBe(false)
    },
  )

  test('that is set ahead a day and back again ends nobody by mistake', async () => {
    const { rig, alive } = await openLiving()
    rig.clock.step(DAY)
    await live(rig, [alive], MINUTE)
    rig.clock.step(-DAY)
    await live(rig, [alive], 10 * MINUTE)
    expect((await rig.get('alive')).status).toBe('running')
    expect(alive.isRefused).toBe(false)
  })

  test.each([
    ['an hour', HOUR],
    ['a day', DAY],
  ])('may have stood still for %s, as in a machine that slept', async (_what, sleptMs) => {
    const { rig, alive } = await openLiving()
    // Nothing runs meanwhile: timers fire once, late, and both clocks are further.
    rig.clock.sleep(sleptMs)
    await rig.pass(1_000)
    expect(await statuses(rig)).toEqual({ alive: 'running', gone: 'running' })
    await live(rig, [alive], SILENCE_MS + 2 * POLICY.heartbeatIntervalMs + SLACK_MS)
    expect(await statuses(rig)).toEqual({ alive: 'running', gone: 'failed' })
    expect(alive.isRefused).toBe(false)
  })
})

describe('the clock of a node', () => {
  test('that is far ahead of another one’s, as its events tell, judges nobody and says so', async () => {
    const location = testLog()
    const here = await openRig({}, location)
    await here.running('gone')
    await here.pass(SILENCE_MS, SILENCE_MS)
    const there = await openRig({ clock: new HandMovedClock(here.clock.now() - MINUTE) }, location)
    await there.register('another')
    await vi.waitFor(async () => {
      expect(await here.node.reconcile({ dryRun: true })).toMatchObject({ abstained: 'clock_apart' })
    })
    expect(await here.node.reconcile()).toMatchObject({ abstained: 'clock_apart' })
    expect(here.node.reconciler.status.clock).toEqual({ type: 'apart', byMs: MINUTE })
    expect(here.warnings.map(({ message }) => message)).toEqual([
      "this node's clock is not that of the log: nobody is judged",
    ])
    expect((await here.get('gone')).status).toBe('running')
    // Nobody else is heard of for a while: what was heard then says nothing of now.
    await here.advance(MINUTE + 1_000)
    expect(await here.node.reconcile()).toMatchObject({ reconciled: 1 })
  })

  test('is not doubted because of its own events, however late they come', async () => {
    const here = await openRig({}, testLog())
    for (let i = 0; i < 3; i++) {
      const registering = here.register(`a-${i}`)
      here.clock.step(MINUTE)
      await registering
      expect(await here.node.reconcile()).not.toHaveProperty('abstained')
    }
  })
})

describe('read models that can not be had', () => {
  test('leave everybody unjudged, which is said once, until they can', async () => {
    const location = testLog()
    // So long a pass waits for rows that do not come.
    const first = await openRig({ settings: { questionTimeoutMs: 1_000 } }, location)
    await first.register('gone', { policy: { ...POLICY, provisioningTimeoutMs: 1 } })
    mkdirSync(`${location}-views`)
    await first.advance(1_000)
    expect(await first.node.reconcile()).toMatchObject({ abstained: 'rows_behind', candidates: 0 })
    expect(first.node.reconciler.status.lastPass).toMatchObject({ abstained: 'rows_behind' })
    expect((await first.get('gone')).status).toBe('provisioning')
    rmdirSync(`${location}-views`)
    await vi.waitFor(async () => expect(await first.node.reconcile()).toMatchObject({ reconciled: 1 }), {
      timeout: 25_000,
    })
    const message = 'the rows of the reconciler are behind the log: nobody is judged'
    expect(first.warnings.filter((one) => one.message === message)).toHaveLength(1)
  }, 60_000)
})

describe('a restart', () => {
  test.each([
    ['a file', async () => testLog()],
    ['a server', async () => (await startServer()).url],
  ])(
    'after a long outage grants the time that was not heard and two heartbeats, and no more (%s)',
    async (_log, begin) => {
      const clock = new HandMovedClock()
      const location = await begin()
      const first = await openRig({ clock }, location)
      first.node.reconciler.start()
      const epoch = await first.running('alive')
      await first.running('gone')
      await first.pass(10_000)
      await first.node.door.close()
      clock.step(DAY)
      const second = await openRig({ clock }, location)
      second.node.reconciler.start()
      const alive = new Worker(() => second, 'alive', epoch)
      await second.pass(5_000)
      expect(await statuses(second)).toEqual({ alive: 'running', gone: 'running' })
      expect((await second.get('gone')).judgement.freshness).toBe('fresh')
      const leftMs = SILENCE_MS - 10_000 + 2 * POLICY.heartbeatIntervalMs - 5_000
      await live(second, [alive], leftMs - 5_000)
      expect(await statuses(second)).toEqual({ alive: 'running', gone: 'running' })
      await live(second, [alive], 5_000 + SLACK_MS)
      expect(await statuses(second)).toEqual({ alive: 'running', gone: 'failed' })
      expect(alive.isRefused).toBe(false)
    },
    120_000,
  )

  test('every staleAfter/2 for a day still ends who is gone, one after the other, and nobody else', async () => {
    const clock = new HandMovedClock()
    const location = testLog()
    let rig: Rig | undefined = await openRig({ clock, settings: LONG_SETTINGS }, location)
    const alive = new Worker(() => rig, 'alive', await rig.running('alive', { policy: LONG }))
    let ended = 0
    let goneSince = clock.now()
    await rig.running('gone-0', { policy: LONG })
    for (let cycle = 0; cycle < DAY / (LONG.staleAfterMs / 2); cycle++) {
      rig ??= await openRig({ clock, settings: LONG_SETTINGS }, location)
      rig.node.reconciler.start()
      for (let beats = 0; beats < 5; beats++) {
        await alive.beat()
        await rig.pass(LONG.heartbeatIntervalMs, LONG.heartbeatIntervalMs)
      }
      if ((await rig.get(`gone-${ended}`)).status === 'failed') {
        expect(clock.now() - goneSince).toBeGreaterThan(LONG.staleAfterMs)
        // Another one, that dies as well.
        ended++
        goneSince = clock.now()
        await rig.running(`gone-${ended}`, { policy: LONG })
      }
      await rig.node.door.close()
      rig = undefined
      // Away for a sixth of the time.
      clock.sleep(LONG.heartbeatIntervalMs)
    }
    // 5 hours of silence, one away, two heartbeats of 20 minutes: seen at the end of a cycle of two hours.
    expect(ended).toBe(DAY / (8 * HOUR))
    const last = await openRig({ clock, settings: LONG_SETTINGS }, location)
    expect((await last.get('alive')).status).toBe('running')
    expect(alive.isRefused).toBe(false)
  }, 120_000)
})

/** Four hours of silence are allowed; a heartbeat comes every twenty minutes. */
const LONG = {
  ...POLICY,
  startGraceMs: 4 * HOUR,
  heartbeatIntervalMs: 20 * MINUTE,
  lateAfterMs: 2 * HOUR,
  staleAfterMs: 4 * HOUR,
}

/** Often enough for such policies: by what is meant for seconds, the day would be 14,000 looks of the reconciler and the hearing. */
const LONG_SETTINGS = { reconcileSweepMs: MINUTE, aliveMarkMs: MINUTE }

describe('5,000 workers cut off at once', () => {
  test('are held by the breaker, whole, and come back; those that do not are released', async () => {
    const rig = await openRig()
    rig.node.reconciler.start()
    const epochs: number[] = []
    for (let i = 0; i < 5_000; i += 250) {
      const ids = Array.from({ length: 250 }, (_, at) => `w-${i + at}`)
      epochs.push(...(await Promise.all(ids.map((id) => rig.running(id)))))
      // Cut off at the same moment, they were heard of at different ones.
      await rig.pass(500, 500)
    }
    await rig.pass(SILENCE_MS + SLACK_MS, 5_000)
    expect(rig.node.reconciler.status.breakers).toMatchObject([{ kind: 'export', active: 5_000 }])
    expect(rig.warnings.map(({ facts }) => facts.code)).toEqual(['reconciler_breaker_open'])
    const overview = await rig.node.door.overview({ workspace: 'default', owner: 'acme' })
    expect(overview.active).toBe(5_000)
    // The network is whole again: all but ten come back.
    await Promise.all(
      epochs.slice(10).map((leaseEpoch, i) => rig.send({ type: 'RecordHeartbeat', id: `w-${i + 10}`, leaseEpoch })),
    )
    await rig.pass(15_000, 5_000)
    expect(await rig.node.reconciler.release('export', { reason: 'the switch was replaced' })).toBe(true)
    await rig.pass(2_000)
    expect((await rig.node.door.overview({ workspace: 'default', owner: 'acme' })).active).toBe(4_990)
    const stored = (await rig.types()).length
    expect(await rig.node.reconcile()).toMatchObject({ candidates: 0, attentionRaised: 0, attentionCleared: 0 })
    expect((await rig.types()).length).toBe(stored)
  }, 120_000)
})
