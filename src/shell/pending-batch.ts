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

/** A command whose events are steps[first .. first + count - 1]. */
export interface BatchEntry {
  readonly ticket: Ticket
  readonly stateBefore: RegistryState
  readonly first: number
  readonly count: number
}

export class PendingBatch {
  readonly steps: PendingStep[] = []
  readonly entries: BatchEntry[] = []
  bytes = 0

  add(ticket: Ticket, stateBefore: RegistryState, steps: readonly PendingStep[], bytes: number): void {
    this.entries.push({ ticket, stateBefore, first: this.steps.length, count: steps.length })
    this.steps.push(...steps)
    this.bytes += bytes
  }

  /** Whether an append with these bytes more still is one append. */
  hasRoom(bytes: number, bytesMax: number): boolean {
    return this.steps.length === 0 || this.bytes + bytes <= bytesMax
  }
}
