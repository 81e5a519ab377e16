/** A thread of `simulateSeeds`: takes the next seed until none is left. */
import { parentPort, workerData } from 'node:worker_threads'
import type { SeedsShared } from './seeds.ts'
import { simulate } from './simulation.ts'

const { from, seeds, next, planted, lastsMs } = workerData as SeedsShared // as it was started
for (let taken = Atomics.add(next, 0, 1); taken < seeds; taken = Atomics.add(next, 0, 1)) {
  const lasting = lastsMs === undefined ? {} : { lastsMs }
  parentPort?.postMessage(await simulate({ seed: from + taken, planted, ...lasting }))
}
