/**
 * What a peer is to the bench. Each keeps operations in its own way; here they all do the same three things with one: it is
 * registered, started and completed, each step acknowledged as durable before the next one, with 300-byte payloads.
 *
 *     runner --fork--> peer-main: one peer, its server and its load, fresh in each repetition
 */
export interface Peer {
  /** Of servers as they answer when they are asked. */
  readonly versions: Readonly<Record<string, string>>
  readonly settings: Readonly<Record<string, string>>
  /** A lane whose operations resolve when the last step was acknowledged. */
  w1Lane(inFlight: number): Promise<Lane<void>>
  /**
   * A lane whose operations take `workMs` and are waited for from the moment the peer lets one wait. Each resolves with the
   * milliseconds from where the work hands over its result to where the waiter has it.
   */
  waitLane(inFlight: number, workMs: number): Promise<Lane<number>>
  /** Ends its server too; what it had stored is gone. */
  stop(): Promise<void>
}

/** A queue of its own in the peer, for so many operations at once. */
export interface Lane<T> {
  operation(): Promise<T>
  /** How many have ended in this lane, as the peer says when it is asked. */
  endedCount(): Promise<number>
  close(): Promise<void>
}

/** 300 bytes, as in W1: once going in, once coming out. */
export const PAYLOAD = { text: 'x'.repeat(280) }
