/**
 * How far named consumers have read an owner's completions: a small stream beside the registry's. The highest value of a
 * name counts, so a late or repeated move changes nothing (lifecycle.md, section 5).
 */
import type { Rejection } from '../authority/rejections.ts'
import { decodeLogEvent, encodeEvents, type SaltSource } from '../event-store/event-codec.ts'
import type { EventStore } from '../event-store/event-store.ts'
import { GENESIS_HASH } from '../event-store/hash-chain.ts'
import { logEventMetadata } from '../event-store/log-events.ts'
import type { Clock } from '../runtime/clock.ts'
import { type RandomSource, uuidV7 } from '../runtime/ids.ts'
import { appendResolved } from './resolved-append.ts'

export interface CursorParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly random: RandomSource
  readonly salts: SaltSource
  readonly namesMax: number
  readonly conflictsMax: number
  readonly unknownWaitMs: number
}

interface Cursors {
  readonly byName: ReadonlyMap<string, number>
  readonly revision: number
  readonly hash: string
}

export async function readCursor({ store }: Pick<CursorParts, 'store'>, stream: string, name: string): Promise<number> {
  return (await readCursors(store, stream)).byName.get(name) ?? 0
}

/** The value that counts afterwards. Moves back are answered with the value that stands. */
export async function moveCursor(
  parts: CursorParts,
  stream: string,
  name: string,
  sequence: number,
  watermark: number,
): Promise<number | Rejection> {
  if (sequence > watermark) {
    const message = `cursor ${name} can't move to ${sequence}: the newest completion is ${watermark}`
    return { code: 'cursor_ahead', message, facts: { name, sequence, watermark } }
  }
  for (let tries = 0; tries < parts.conflictsMax; tries++) {
    const { byName, revision, hash } = await readCursors(parts.store, stream)
    const stands = byName.get(name)
    if (stands !== undefined && stands >= sequence) return stands
    if (stands === undefined && byName.size >= parts.namesMax) {
      const message = `an owner has at most ${parts.namesMax} named cursors`
      return { code: 'too_many_cursors', message, facts: { name, limit: parts.namesMax } }
    }
    const at = Math.floor(parts.clock.now())
    const metadata = logEventMetadata('MoveCursor', uuidV7(at, parts.random), at)
    const event = { event: { type: 'CursorMoved', facts: { name, sequence }, content: {} }, metadata } as const
    const encoded = encodeEvents({
      stream,
      expectedNextRevision: revision + 1,
      previousHash: hash,
      events: [event],
      salts: parts.salts,
    })
    const result = await appendResolved(parts, stream, revision, encoded)
    if (result.type === 'acknowledged') return sequence
    if (result.type === 'unknown') {
      return { code: 'outcome_unknown', message: result.message, facts: { name, sequence, retryable: true } }
    }
    if (result.reason !== 'conflict') {
      return { code: 'store_unavailable', message: result.message, facts: { name, sequence, retryable: true } }
    }
  }
  const message = `cursor ${name} lost ${parts.conflictsMax} races: try again`
  return { code: 'contention', message, facts: { name, sequence, retryable: true } }
}

async function readCursors(store: EventStore, stream: string): Promise<Cursors> {
  const byName = new Map<string, number>()
  let revision = -1
  let hash = GENESIS_HASH
  for await (const stored of store.readStream(stream)) {
    revision = stored.revision
    hash = stored.hash
    const { event } = decodeLogEvent(stored)
    if (event.type !== 'CursorMoved') continue
    const { name, sequence } = event.facts
    byName.set(name, Math.max(sequence, byName.get(name) ?? 0))
  }
  return { byName, revision, hash }
}
