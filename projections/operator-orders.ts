/**
 * What operators want done with parked streams. Whoever follows does it; whoever asks may be another process, so an order is
 * a row that is gone when it is done.
 */
import type { Generation, ParkedStream, ReadDatabase } from './read-database.ts'

export interface Order {
  readonly projection: string
  readonly stream: string
  /** `discard` leaves the event out for good at which the stream was parked. */
  readonly wanted: 'retry' | 'discard'
  readonly reason: string
}

export class OperatorOrders {
  readonly #database: ReadDatabase

  constructor(database: ReadDatabase) {
    this.#database = database
  }

  give({ projection, stream, wanted, reason }: Order): void {
    this.#database.connection
      .prepare('INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)')
      .run(projection, stream, wanted, reason)
  }

  /** Not done yet. */
  open(): readonly Order[] {
    return this.#database.connection.prepare('SELECT * FROM orders').all() as readonly Order[]
  }

  done({ projection, stream }: Pick<Order, 'projection' | 'stream'>): void {
    this.#database.connection.prepare('DELETE FROM orders WHERE projection = ? AND stream = ?').run(projection, stream)
  }

  /** Keeps on record which event was left out, and why, for as long as the generation stands. */
  discarded(of: Generation, { stream, revision, error }: ParkedStream, reason: string, at: number): void {
    this.#database.connection
      .prepare('INSERT OR REPLACE INTO discarded VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(of.projection, of.generation, stream, revision, error, reason, at)
  }

  discardedOf({ projection, generation }: Pick<Generation, 'projection' | 'generation'>): readonly DiscardedEvent[] {
    return this.#database.connection
      .prepare(
        `SELECT stream, revision, error, reason, discarded_at AS discardedAt FROM discarded
         WHERE projection = ? AND generation = ? ORDER BY discarded_at`,
      )
      .all(projection, generation) as readonly DiscardedEvent[]
  }
}

export interface DiscardedEvent {
  readonly stream: string
  readonly revision: number
  readonly error: string
  readonly reason: string
  readonly discardedAt: number
}
