/** An outcome that is held nowhere any more, from the one event that tells it. */
import { outcomeIn } from '../authority/evolve.ts'
import type { Outcome } from '../authority/operation.ts'
import { decodeEvent } from '../event-store/event-codec.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { RegistryStopped, stoppedBy } from './registry-loader.ts'

/** Throws RegistryStopped when that event tells none, and LogError. */
export async function outcomeAt(reader: EventReader, stream: string, revision: number): Promise<Outcome> {
  for await (const stored of reader.readStream(stream, { from: revision, limit: 1 })) {
    try {
      const outcome = outcomeIn(decodeEvent(stored).event)
      if (outcome !== undefined) return outcome
    } catch (error) {
      throw stoppedBy(stream, error)
    }
  }
  throw new RegistryStopped(stream, `revision ${revision} was to tell an outcome, and does not`)
}
