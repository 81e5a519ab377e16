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
  /** chain_broken, content_changed, ..., invalid_event, contradictory_history, head_mismatch, head_missing, position_not_ascending. */
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
  /** The last event of each stream; of a stream with a fault the last one whose chain holds. */
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
  /** Told the state, as it was folded again, of every registry without a fault. */
  readonly onRegistry?: (name: RegistryName, state: RegistryState) => void
}

const BLIND_SPOT =
  'A chain alone cannot see a tail that was cut off or a log that was rewritten as a whole: keep heads elsewhere and give them back.'

/** Never throws for what it finds in the log; throws LogError when the log can't be read at all. */
export async function verifyLog(reader: EventReader, options: VerifyOptions = {}): Promise<VerifyReport> {
  const streams = new Map<string, StreamCheck>()
  const kept = Map.groupBy(options.heads ?? [], ({ stream }) => stream)
  let events = 0
  let position = -1n
  for await (const stored of reader.readAll({ signal: options.signal })) {
    events++
    let check = streams.get(stored.stream)
    if (check === undefined) {
      check = newCheck(stored.stream)
      streams.set(stored.stream, check)
    }
    check.fault ??= checkEvent(check, stored, position) ?? headMismatch(kept.get(stored.stream), stored)
    position = stored.position
  }
  for (const [stream, keptHeads] of kept) {
    const check = streams.get(stream) ?? newCheck(stream)
    streams.set(stream, check)
    check.fault ??= headMissing(keptHeads, check.point)
  }
  const faults = [...streams.values()].flatMap(({ fault }) => fault ?? [])
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

function headMismatch(kept: readonly VerifiedStream[] | undefined, stored: StoredEvent): VerifyFault | undefined {
  const { stream, revision, hash } = stored
  const head = kept?.find((each) => each.revision === revision && each.hash !== hash)
  if (head === undefined) return undefined
  const message = `the head kept elsewhere has hash ${head.hash}, the log has ${hash}`
  return { stream, revision, code: 'head_mismatch', message }
}

/** The lowest head that the stream, to its end without a fault, does not reach. */
function headMissing(kept: readonly VerifiedStream[], end: ChainPoint | undefined): VerifyFault | undefined {
  const [head] = kept
    .filter(({ revision }) => revision > (end?.revision ?? -1))
    .sort((one, other) => one.revision - other.revision)
  if (head === undefined) return undefined
  const { stream, revision } = head
  return { stream, revision, code: 'head_missing', message: `${stream} ends before the kept head ${revision}` }
}
