/** Whether a checkpoint is one of the log at hand: whoever goes on from another log's place mixes two histories. */
import type { Generation } from '../../projections/read-database.ts'
import type { EventReader, LogIdentity } from '../event-store/event-store.ts'

export type StartCheck =
  | { readonly type: 'same' }
  /** Rows of a log that has nothing to do with this one: of no use to anybody here. */
  | { readonly type: 'other_log' }
  /** The log was replaced by another state of itself. The message is a sentence with the way out. */
  | { readonly type: 'log_replaced'; readonly message: string }

export async function checkStart(
  reader: EventReader,
  { logId, timeline }: LogIdentity,
  { projection, checkpoint }: Generation,
): Promise<StartCheck> {
  if (checkpoint.logId !== logId) return { type: 'other_log' }
  const what = await differenceOf()
  return what === undefined ? { type: 'same' } : { type: 'log_replaced', message: `${what} ${wayOut(projection)}` }

  async function differenceOf(): Promise<string | undefined> {
    const { position, hash } = checkpoint
    if (checkpoint.timeline !== timeline) {
      return `'${projection}' has followed timeline ${checkpoint.timeline} of the log, and this is timeline ${timeline}.`
    }
    if (position === 0n) return undefined
    const event = await reader.at(position)
    if (event === undefined)
      return `'${projection}' stands at position ${position}, where the log has no event any more.`
    if (event.hash !== hash)
      return `'${projection}' stands at position ${position}, where the log has another event now.`
    return undefined
  }
}

function wayOut(projection: string): string {
  return `The log was replaced (log_replaced): build it anew with "verdict projections rebuild ${projection}".`
}
