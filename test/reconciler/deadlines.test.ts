/** Deadlines are met when they come, not when a sweep finds them: here a sweep comes once a day. */
import { describe, expect, test } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { startServer } from '../support/eventstoredb-rig.ts'
import { OWNER, openRig, POLICY, type Rig, SILENCE_MS, testLog } from './support/rig.ts'

const SECOND = 1_000
const SETTINGS = { reconcileSweepMs: 86_400_000 }
const AT_ONCE = { initialMs: 0, factor: 1, maxMs: 0, jitter: 0 }

const LASTING: readonly (readonly [string, () => Promise<string>])[] = [
  ['in a file', async () => testLog()],
  ['on a server', async () => (await startServer()).url],
]
const IN_MEMORY: readonly [string, () => Promise<undefined>] = ['in memory', async () => undefined]

describe('a deadline', () => {
  test.each([IN_MEMORY, ...LASTING])(
    'ends its operation when it comes, whatever its rule, and not before, with a log %s',
    async (_where, place) => {
      const rig = await openRig({ settings: SETTINGS }, await place())
      rig.node.reconciler.start()
      await rig.advance(2 * SECOND)
      const begunAt = rig.clock.now()
      await rig.register('queued', { policy: { ...POLICY, provisioningTimeoutMs: 10 * SECOND } })
      const notBeforeAt = begunAt + 20 * SECOND
      await rig.register('scheduled', { notBeforeAt, policy: { ...POLICY, provisioningTimeoutMs: 10 * SECOND } })
      await rig.running('cancelled')
      await rig.send({ type: 'RequestCancel', id: 'cancelled', deadlineAt: begunAt + 40 * SECOND })
      await rig.running('winding-down', { policy: { ...POLICY, retireTimeoutMs: 50 * SECOND } })
      await rig.send({ type: 'RequestRetire', id: 'winding-down' })
      await rig.running('running-long', { policy: { ...POLICY, maxRuntimeMs: 60 * SECOND } })
      const policy = { ...POLICY, provisioningTimeoutMs: 10 * SECOND, retry: { maxAttempts: 2, backoff: AT_ONCE } }
      await rig.running('silent', { policy })
      const due = [
        ['queued', 10 * SECOND, 'failed', 'run.stale_queued'],
        ['scheduled', 30 * SECOND, 'failed', 'run.stale_queued'],
        ['cancelled', 40 * SECOND, 'cancelled', undefined],
        ['winding-down', 50 * SECOND, 'failed', 'run.stale_retiring'],
        ['running-long', 60 * SECOND, 'failed', 'run.deadline_exceeded'],
        // Its next attempt is nobody's: that ends as well.
        ['silent', SILENCE_MS + 10 * SECOND, 'failed', 'run.stale_queued'],
      ] as const
      for (const [id, ms, status, reasonCode] of due) {
        await rig.advance(begunAt + ms - 1 - rig.clock.now())
        expect([id, (await rig.get(id)).status]).toEqual([
          id,
          id === 'running-long' || id === 'cancelled' ? 'running' : expect.stringMatching(/provisioning|retiring/),
        ])
        await rig.advance(1)
        const { outcome, completedAt } = await rig.get(id)
        expect({ id, ...outcome, completedAt }).toMatchObject({ id, status, completedAt: begunAt + ms })
        if (outcome?.status === 'failed') expect(outcome.reasonCode).toBe(reasonCode)
      }
      expect((await rig.node.door.overview(OWNER)).active).toBe(0)
    },
  )

  test.each(LASTING)(
    'that another process came to know is met as well, with a log %s',
    async (_where, place) => {
      const clock = new HandMovedClock()
      const location = await place()
      const first = await openRig({ clock, settings: SETTINGS }, location)
      await first.register('a', { policy: { ...POLICY, provisioningTimeoutMs: 60 * SECOND } })
      await first.register('b', { policy: { ...POLICY, provisioningTimeoutMs: 90 * SECOND } })
      await first.send({ type: 'BeginWaitAll', waitId: 'w', ids: ['a', 'b'], deadlineAt: clock.now() + 75 * SECOND })
      const begunAt = clock.now()
      await first.node.door.close()
      const second = await openRig({ clock, settings: SETTINGS }, location)
      second.node.reconciler.start()
      const statuses = async (rig: Rig) => [(await rig.get('a')).status, (await rig.get('b')).status]
      await second.advance(60 * SECOND - 1)
      expect(second.node.reconciler.status.lastPass).toMatchObject({ reconciled: 0, at: begunAt + SECOND })
      await second.advance(1)
      expect(await statuses(second)).toEqual(['failed', 'provisioning'])
      await second.advance(15 * SECOND)
      expect((await second.types()).at(-1)).toBe('WaitExpired')
      await second.advance(15 * SECOND)
      expect(await statuses(second)).toEqual(['failed', 'failed'])
    },
    120_000,
  )
})
