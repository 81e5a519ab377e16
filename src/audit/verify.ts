/**
 * Reads a whole log again and trusts nothing: revisions without gaps, every hash, every fold, and every event once more as
 * a legal step. What it can't see alone is said in its report: a cut tail and a whole log rewritten show only against heads
 * that were kept elsewhere.
 */
import { ContradictoryHistory, step } from '../authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../authority/registry.ts'
import { CodecError, decodeEvent, decodeLogEvent } from '../event-store/event-codec.ts'
import type { EventReader, StoredEvent } from '../event-store/event-store.ts'
import { type ChainPoint, chainFault } from '../event-store/hash-chain.ts'
import { type RegistryName, registryOfStream } from '../event-store/stream-names.ts'

export interface VerifyFault {
  readonly stream: string
  readonly revision: number
  /** chain_broken, content_changed, ..., invalid_event, contradictory_history, head_mismatch, position_not_ascending. */
  readonly code: string
  readonly message: string
}

export interface VerifiedStream {
  readonly stream: string
  readonly revision: number
  readonly hash: string
}

export interface VerifyReport {
  readonly events: number
  readonly heads: readonly VerifiedStream[]
  /** The first fault of each stream; what stands behind a fault is not judged. */
  readonly faults: readonly VerifyFault[]
  /** What a chain alone cannot see. */
  readonly blindSpot: string
}

export interface VerifyOptions {
  /** Heads that were kept elsewhere: each must still stand in the log. */
  readonly heads?: readonly VerifiedStream[]
  readonly signal?: AbortSignal
  /** Told every registry's state as it was folded again, without faults. */
  readonly onRegistry?: (name: RegistryName, state: RegistryState) => void
}

const BLIND_SPOT =
  'A chain alone cannot see a tail that was cut off or a log that was rewritten as a whole: keep heads elsewhere and give them back.'

/** Never throws for what it finds in the log; throws LogError when the log can't be read at all. */
export async function verifyLog(reader: EventReader, options: VerifyOptions = {}): Promise<VerifyReport> {
  const streams = new Map<string, StreamCheck>()
  const kept = new Map((options.heads ?? []).map((head) => [`${head.stream} ${head.revision}`, head]))
  let events = 0
  let position = -1n
  for await (const stored of reader.readAll({ signal: options.signal })) {
    events++
    let check = streams.get(stored.stream)
    if (check === undefined) {
      check = newCheck(stored.stream)
      streams.set(stored.stream, check)
    }
    if (check.fault === undefined) {
      check.fault = checkEvent(check, stored, position) ?? headFault(kept, stored)
      kept.delete(`${stored.stream} ${stored.revision}`)
    }
    position = stored.position
  }
  const faults = [...streams.values()].flatMap(({ fault }) => fault ?? [])
  for (const { stream, revision } of kept.values()) {
    faults.push({ stream, revision, code: 'head_missing', message: `${stream} ends before the kept head ${revision}` })
  }
  for (const { registry, state, fault } of streams.values()) {
    if (registry !== undefined && fault === undefined) options.onRegistry?.(registry, state)
  }
  const heads = [...streams.values()].flatMap(({ stream, point }) => (point === undefined ? [] : { stream, ...point }))
  return { events, heads, faults, blindSpot: BLIND_SPOT }
}

interface StreamCheck {
  readonly stream: string
  readonly registry: RegistryName | undefined
  point: ChainPoint | undefined
  state: RegistryState
  fault: VerifyFault | undefined
}

function newCheck(stream: string): StreamCheck {
  return { stream, registry: registryOfStream(stream), point: undefined, state: EMPTY_REGISTRY, fault: undefined }
}

function checkEvent(check: StreamCheck, stored: StoredEvent, before: bigint): VerifyFault | undefined {
  const { stream, revision } = stored
  if (stored.position <= before) {
    return {
      stream,
      revision,
      code: 'position_not_ascending',
      message: `position ${stored.position} follows ${before}`,
    }
  }
  const broken = chainFault(stored, check.point)
  if (broken !== undefined) return { stream, revision: broken.revision, code: broken.code, message: broken.message }
  check.point = { revision, hash: stored.hash }
  try {
    if (check.registry === undefined) decodeLogEvent(stored)
    else check.state = step(check.state, decodeEvent(stored)).state
    return undefined
  } catch (error) {
    if (error instanceof CodecError) return { stream, revision, code: error.code, message: error.message }
    if (error instanceof ContradictoryHistory) {
      return { stream, revision, code: 'contradictory_history', message: error.message }
    }
    throw error
  }
}

function headFault(kept: ReadonlyMap<string, VerifiedStream>, stored: StoredEvent): VerifyFault | undefined {
  const { stream, revision, hash } = stored
  const head = kept.get(`${stream} ${revision}`)
  if (head === undefined || head.hash === hash) return undefined
  const message = `the head kept elsewhere has hash ${head.hash}, the log has ${hash}`
  return { stream, revision, code: 'head_mismatch', message }
}
