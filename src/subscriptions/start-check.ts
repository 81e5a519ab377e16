/** Whether a checkpoint is one of the log at hand: whoever goes on from another log's place mixes two histories. */
import type { Checkpoint } from '../../projections/checkpoint.ts'
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
  identity: LogIdentity,
  { projection, checkpoint }: Generation,
): Promise<StartCheck> {
  if (checkpoint.logId !== identity.logId) return { type: 'other_log' }
  const message = await whyOfAnotherLog(reader, { projection, checkpoint })
  return message === undefined ? { type: 'same' } : { type: 'log_replaced', message }
}

/** Why rows are none of this log, with the way out; undefined where they are. */
export async function whyOfAnotherLog(
  reader: EventReader,
  { projection, checkpoint }: Pick<Generation, 'projection' | 'checkpoint'>,
): Promise<string | undefined> {
  const difference = await differenceToLog(reader, await reader.identity(), projection, checkpoint)
  return difference && `${difference} ${wayOut(projection)}`
}

/** Why a checkpoint is none of this log, as a sentence about who has it; undefined where it is one. */
export async function differenceToLog(
  reader: EventReader,
  { logId, timeline }: LogIdentity,
  who: string,
  { logId: itsLogId, timeline: itsTimeline, position, hash }: Checkpoint,
): Promise<string | undefined> {
  if (itsLogId !== logId) return `'${who}' has followed another log, ${itsLogId}, and this is ${logId}.`
  if (itsTimeline !== timeline) {
    return `'${who}' has followed timeline ${itsTimeline} of the log, and this is timeline ${timeline}.`
  }
  if (position === 0n) return undefined
  const event = await reader.at(position)
  if (event === undefined) return `'${who}' stands at position ${position}, where the log has no event any more.`
  if (event.hash !== hash) return `'${who}' stands at position ${position}, where the log has another event now.`
  return undefined
}

function wayOut(projection: string): string {
  return `The log was replaced (log_replaced): build it anew with "verdict projections rebuild ${projection}".`
}
