/**
 * How a worker on this node learns that its attempt is over or that a cancel was asked, wherever that was decided. Lease
 * epochs are unique in their registry, so an epoch is all that a worker has to listen for.
 */
import type { Effect } from '../authority/effects.ts'
import { leaseStanding } from '../authority/lease-standing.ts'
import type { RegistryState } from '../authority/registry.ts'

export type AbortCause = Extract<Effect, { type: 'AbortAttempt' }>['cause']
type Listener = (cause: AbortCause) => void

export class LeaseSignals {
  readonly #listeners = new Map<number, Set<Listener>>()

  get size(): number {
    return this.#listeners.size
  }

  /** Listens for the fate of a lease; what is so already is told at once. Returns the way to stop. */
  listen(state: RegistryState, id: string, epoch: number, listener: Listener): () => void {
    const standing = leaseStanding(state.operations.get(id), epoch)
    if (standing !== 'held') listener(standing)
    const listeners = this.#listeners.get(epoch) ?? new Set()
    listeners.add(listener)
    this.#listeners.set(epoch, listeners)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(epoch)
    }
  }

  abort(epoch: number, cause: AbortCause): void {
    for (const listener of this.#listeners.get(epoch) ?? []) {
      try {
        listener(cause)
      } catch (error) {
        // Its mistake is told to the process, not to those whose answers come after this one.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
