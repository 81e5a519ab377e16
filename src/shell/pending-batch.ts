/**
 * Decided, not yet acknowledged: the events of several commands that travel in one append, with the state after each, so
 * that an acknowledgement publishes them one by one and a refusal throws them away as if they had never been decided.
 */
import type { Effect } from '../authority/effects.ts'
import type { RecordedEvent } from '../authority/events.ts'
import type { RegistryState } from '../authority/registry.ts'
import type { NewEvent } from '../event-store/event-store.ts'
import type { Ticket } from './ticket.ts'

/** One event on its way. */
export interface PendingStep {
  readonly recorded: RecordedEvent
  readonly encoded: NewEvent
  readonly stateAfter: RegistryState
  readonly effects: readonly Effect[]
}

/** A command and its events. */
export interface BatchEntry {
  readonly ticket: Ticket
  readonly stateBefore: RegistryState
  readonly steps: readonly PendingStep[]
  readonly recorded: readonly RecordedEvent[]
}

export class PendingBatch {
  readonly entries: BatchEntry[] = []
  readonly events: NewEvent[] = []
  bytes = 0

  add(entry: BatchEntry, bytes: number): void {
    this.entries.push(entry)
    for (const { encoded } of entry.steps) this.events.push(encoded)
    this.bytes += bytes
  }

  /** Whether an append with these bytes more still is one append. */
  hasRoom(bytes: number, bytesMax: number): boolean {
    return this.events.length === 0 || this.bytes + bytes <= bytesMax
  }
}
