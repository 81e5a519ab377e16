/**
 * What is decided and not yet durable: the state behind the last decision, and the batches in which the events leave. A
 * base with an overlay: the states share what stayed the same, so undoing means forgetting.
 *
 *     durable --batch in flight--> . --batch--> . --batch that still takes commands--> pending state
 */
import type { StampedCommand } from '../authority/commands.ts'
import type { LifecycleEvent, RecordedEvent } from '../authority/events.ts'
import { RULESET } from '../authority/events.ts'
import { step } from '../authority/evolve.ts'
import type { RegistryState } from '../authority/registry.ts'
import { encodeEvents, type SaltSource } from '../event-store/event-codec.ts'
import type { NewEvent } from '../event-store/event-store.ts'
import { PendingBatch, type PendingStep } from './pending-batch.ts'
import { type LoadedRegistry, UNOPENED } from './registry-loader.ts'
import type { Sender, Ticket } from './ticket.ts'

export interface AppendBounds {
  /** Bytes of one append; a wider batch is cut into several appends, a command never. */
  readonly appendBytesMax: number
  /** Bytes of an append that terminates an owner: one event names every operation that it ends. */
  readonly terminationBytesMax: number
}

/** Events of one command that are more than one append takes: nothing of them is pending. */
export interface TooLarge {
  readonly bytes: number
  readonly bytesMax: number
}

export class PendingSide {
  readonly #stream: string
  readonly #salts: SaltSource
  readonly #bounds: AppendBounds
  #state: RegistryState = UNOPENED.state
  #hash: string = UNOPENED.hash
  /** In the order in which they are to be sent. The last one still takes commands. */
  #batches: PendingBatch[] = []

  constructor(stream: string, salts: SaltSource, bounds: AppendBounds) {
    this.#stream = stream
    this.#salts = salts
    this.#bounds = bounds
  }

  get state(): RegistryState {
    return this.#state
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0
  }

  /** Events of an accepted command, behind everything that is pending: all of them, or none where they are too large or this throws. */
  add(ticket: Ticket, stamped: StampedCommand, events: readonly LifecycleEvent[]): TooLarge | undefined {
    const stateBefore = this.#state
    const recorded = recordedEvents(stateBefore.revision, stamped, ticket.sender, events)
    const encoded = encodeEvents({
      stream: this.#stream,
      expectedNextRevision: stateBefore.revision + 1,
      previousHash: this.#hash,
      events: recorded,
      salts: this.#salts,
    })
    const steps: PendingStep[] = []
    let state = stateBefore
    let hash = this.#hash
    let bytes = 0
    for (let i = 0; i < recorded.length; i++) {
      const one = recorded[i] as RecordedEvent
      const stored = encoded[i] as NewEvent
      const after = step(state, one)
      state = after.state
      bytes += Buffer.byteLength(stored.body) + Buffer.byteLength(stored.content)
      steps.push({ recorded: one, encoded: stored, stateAfter: state, effects: after.effects })
      hash = stored.hash
    }
    const isTermination = events.some(({ type }) => type === 'OwnerTerminated')
    const { appendBytesMax, terminationBytesMax } = this.#bounds
    const bytesMax = isTermination ? Math.max(appendBytesMax, terminationBytesMax) : appendBytesMax
    if (bytes > bytesMax) return { bytes, bytesMax }
    this.#state = state
    this.#hash = hash
    let batch = this.#batches[this.#batches.length - 1]
    if (batch === undefined || !batch.hasRoom(bytes, appendBytesMax)) {
      batch = new PendingBatch()
      this.#batches.push(batch)
    }
    batch.add({ ticket, stateBefore, steps, recorded }, bytes)
    return undefined
  }

  /** The batch to send next. */
  shift(): PendingBatch | undefined {
    return this.#batches.shift()
  }

  /** Begins anew behind what is durable; gives back whose decisions were undone, in order of decision. */
  reset({ state, hash }: LoadedRegistry): Ticket[] {
    const undone = this.#batches.flatMap(({ entries }) => entries.map(({ ticket }) => ticket))
    this.#batches = []
    this.#state = state
    this.#hash = hash
    return undone
  }
}

function recordedEvents(
  revision: number,
  { command, commandId, digest, at }: StampedCommand,
  { actor, onBehalfOf, correlationId, causationId, traceparent }: Sender,
  events: readonly LifecycleEvent[],
): readonly RecordedEvent[] {
  const count = events.length
  return events.map((event, index) => {
    const metadata = {
      commandId,
      commandType: command.type,
      commandDigest: digest,
      index,
      count,
      at,
      actor,
      ...(onBehalfOf === undefined ? undefined : { onBehalfOf }),
      ...(correlationId === undefined ? undefined : { correlationId }),
      ...(causationId === undefined ? undefined : { causationId }),
      ...(traceparent === undefined ? undefined : { traceparent }),
      ruleset: RULESET,
    }
    return { revision: revision + 1 + index, event, metadata }
  })
}
