/**
 * One operation's story: the read models say where its events stand, the log has them. What the read models no longer hold, or
 * never knew, is looked for in the log itself.
 */

import { livesTouchedBy } from '../authority/operation-life.ts'
import type { HistoryEntry } from '../authority/questions.ts'
import { decodeEvent } from '../event-store/event-codec.ts'
import type { EventReader } from '../event-store/event-store.ts'

/** Events of others that are read along rather than asked for anew. */
const READ_ALONG_MAX = 64

/** The events at these revisions, which are ascending. */
export async function eventsAt(
  reader: EventReader,
  stream: string,
  revisions: readonly number[],
  signal?: AbortSignal,
): Promise<readonly HistoryEntry[]> {
  const wanted = new Set(revisions)
  const entries: HistoryEntry[] = []
  for (const [from, to] of stretchesOf(revisions)) {
    const reading = signal === undefined ? {} : { signal }
    for await (const stored of reader.readStream(stream, { from, limit: to - from + 1, ...reading })) {
      if (!wanted.has(stored.revision)) continue
      const { event, metadata, revision } = decodeEvent(stored)
      entries.push({ revision, position: stored.position, event, metadata })
    }
  }
  return entries
}

export interface StoryWanted {
  readonly id: string
  /** Undefined for the newest life of the id. */
  readonly number: number | undefined
  readonly after: number
  readonly limit: number
}

export interface StoryInLog {
  readonly number: number
  readonly entries: readonly HistoryEntry[]
  readonly hasMore: boolean
}

/** The same from the log alone: its owner's stream is read to its end. Undefined where the operation never was. */
export async function storyInLog(
  reader: EventReader,
  stream: string,
  { id, number: wanted, after, limit }: StoryWanted,
  signal?: AbortSignal,
): Promise<StoryInLog | undefined> {
  let number: number | undefined
  let entries: HistoryEntry[] = []
  let hasMore = false
  for await (const stored of reader.readStream(stream, signal === undefined ? {} : { signal })) {
    const { event, metadata, revision } = decodeEvent(stored)
    const isBirth = event.type === 'OperationRegistered' && event.facts.id === id
    if (isBirth && (wanted === undefined || wanted === revision)) {
      number = revision
      entries = []
      hasMore = false
    }
    const isOfIt = number !== undefined && livesTouchedBy({ event, metadata, revision }).includes(number)
    if (!isOfIt || event.type === 'SignsOfLifeRecorded' || revision <= after) continue
    if (entries.length === limit) hasMore = true
    else entries.push({ revision, position: stored.position, event, metadata })
  }
  return number === undefined ? undefined : { number, entries, hasMore }
}

/** From and to, both inclusive. */
function stretchesOf(revisions: readonly number[]): readonly (readonly [from: number, to: number])[] {
  const stretches: [from: number, to: number][] = []
  for (const revision of revisions) {
    const last = stretches.at(-1)
    if (last !== undefined && revision - last[1] <= READ_ALONG_MAX) last[1] = revision
    else stretches.push([revision, revision])
  }
  return stretches
}
