/**
 * Whatever happens to clocks, nodes and workers: nobody is failed with less than staleAfter of real silence that could have
 * been heard, and nobody who is gone outlives its deadline by more than a sweep and its grace.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { OperationSnapshot } from '../../src/authority/questions.ts'
import { OWNER, openRig, POLICY, type Rig, SILENCE_MS } from './support/rig.ts'

const STEP_MS = 5_000
/** A sweep, a look of the hearing, and the step in which time is moved here. */
const SLACK_MS = 15_000 + 5_000 + STEP_MS

type Happening =
  | { readonly type: 'live'; readonly steps: number }
  | { readonly type: 'sleep'; readonly ms: number }
  | { readonly type: 'ahead'; readonly ms: number }
  | { readonly type: 'die'; readonly worker: number }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('live' as const), steps: fc.integer({ min: 1, max: 12 }) }) },
  fc.record({ type: fc.constant('sleep' as const), ms: fc.integer({ min: 0, max: 600_000 }) }),
  fc.record({ type: fc.constant('ahead' as const), ms: fc.integer({ min: 0, max: 600_000 }) }),
  { weight: 2, arbitrary: fc.record({ type: fc.constant('die' as const), worker: fc.integer({ min: 0, max: 5 }) }) },
)

interface Worker {
  readonly id: string
  readonly leaseEpoch: number
  isAlive: boolean
  /** Time in which it could have been heard since it last was. */
  silentMs: number
}

test('B2: who fails was silent for staleAfter at least, and who is gone fails in time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 40 }), async (happenings) => {
      const rig = await openRig()
      rig.node.reconciler.start()
      const workers: Worker[] = []
      for (let i = 0; i < 6; i++) {
        workers.push({ id: `w-${i}`, leaseEpoch: await rig.running(`w-${i}`), isAlive: true, silentMs: 0 })
      }
      for (const one of happenings) {
        if (one.type === 'die') (workers[one.worker] as Worker).isAlive = false
        else if (one.type === 'ahead') rig.clock.step(one.ms)
        else if (one.type === 'sleep') rig.clock.sleep(one.ms)
        else await live(rig, workers, one.steps)
      }
      const graceMs = 2 * POLICY.heartbeatIntervalMs
      await live(rig, workers, Math.ceil((SILENCE_MS + graceMs + SLACK_MS) / STEP_MS))
      for (const { id, isAlive } of workers) {
        expect([id, (await snapshot(rig, id)).status]).toEqual([id, isAlive ? 'running' : 'failed'])
      }
      await rig.node.door.close()
    }),
    { numRuns: 15 },
  )
}, 120_000)

async function live(rig: Rig, workers: readonly Worker[], steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) {
    for (const worker of workers) {
      if (worker.isAlive) {
        await rig.send({ type: 'RecordHeartbeat', id: worker.id, leaseEpoch: worker.leaseEpoch })
        worker.silentMs = 0
      }
    }
    await rig.pass(STEP_MS, STEP_MS)
    for (const worker of workers) {
      if (!worker.isAlive) worker.silentMs += STEP_MS
      const { status } = await snapshot(rig, worker.id)
      if (status === 'failed') expect(worker.silentMs).toBeGreaterThanOrEqual(POLICY.staleAfterMs)
    }
  }
}

async function snapshot(rig: Rig, id: string): Promise<OperationSnapshot> {
  const found = await rig.node.door.snapshot(OWNER, id)
  if (found === undefined) throw new Error(`there is no operation ${id}`)
  return found
}
