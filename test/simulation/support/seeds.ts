/** Many seeds over several threads: a seed's story is its own, whichever thread tells it. */
import { Worker } from 'node:worker_threads'
import type { PlantedFault } from './planted-fault.ts'
import type { SimulationReport } from './simulation.ts'

export interface SeedsAsked {
  readonly from: number
  readonly seeds: number
  /** How long the storm of each lasts, in ms of its own time. */
  readonly lastsMs?: number | undefined
  readonly planted?: PlantedFault | undefined
}

/** What a thread is given; `next` counts the seeds that were taken. */
export interface SeedsShared extends SeedsAsked {
  readonly next: Int32Array
}

/** Every report, in the order in which they are done. Throws what a simulation threw. */
export async function simulateSeeds(
  asked: SeedsAsked,
  threads: number,
  onReport: (report: SimulationReport) => void,
): Promise<void> {
  const shared: SeedsShared = { ...asked, next: new Int32Array(new SharedArrayBuffer(4)) }
  const workers = Array.from({ length: Math.min(threads, asked.seeds) }, () => {
    return new Worker(new URL('./seeds-thread.ts', import.meta.url), { workerData: shared })
  })
  try {
    await Promise.all(
      workers.map((worker) => {
        return new Promise<void>((resolve, reject) => {
          worker.on('message', onReport)
          worker.once('error', reject)
          worker.once('exit', () => resolve())
        })
      }),
    )
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}
