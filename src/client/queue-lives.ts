/** Which of the lives of a job is the one that counts now. */

import type { OperationSnapshot, RegistryAddress } from '../authority/questions.ts'
import { isTerminal } from '../authority/status.ts'
import { LIVES_MAX } from './queue-claim.ts'
import { operationIdOf, type QueueJob } from './queue-job.ts'
import type { BridgeParts } from './queue-verdict.ts'

/** Lives that have ended may be let go, oldest first; so many in a row that are not held mean that there are no more. */
const GAP_MAX = 8

export interface JobLife {
  readonly life: number
  readonly operation: OperationSnapshot
}

/** The last life of the job that is still held, the active one if there is one; undefined where none is. */
export async function lastLifeOf(
  { verdict }: BridgeParts,
  address: RegistryAddress,
  job: QueueJob,
): Promise<JobLife | undefined> {
  let last: JobLife | undefined
  for (let life = 1, missing = 0; life <= LIVES_MAX && missing < GAP_MAX; life++) {
    const operation = await verdict.operation({ ...address, id: operationIdOf(job, life) }).snapshot()
    if (operation === undefined) {
      // There is no life after one that never was.
      if (last !== undefined) return last
      missing++
      continue
    }
    last = { life, operation }
    if (!isTerminal(operation.status)) return last
  }
  return last
}
