/**
 * The contract of the log: what every adapter promises and every reader and writer may rely on. The log knows streams,
 * revisions, positions and bytes; it does not know what an operation is, and it does not know its readers.
 *
 * The same contract suite (`verdict/testing`) runs against every adapter, fault cases included.
 */

/** Event 0 of the stream `admin` in every log; written with `no_stream`, the loser reads. */
export interface LogIdentity {
  readonly logId: string
  /** Raised by a restore: a cursor, checkpoint or token of another timeline is never silently used. */
  readonly timeline: number
}

/** What is appended: texts that come back byte for byte. `body` and `content` as hash-chain.ts defines them. */
export interface NewEvent {
  /** The first 16 bytes of `hash` as a UUIDv8: the same id means the same bytes. */
  readonly id: string
  /** SHA-256 in hex over the previous event's hash and the body. */
  readonly hash: string
  readonly type: string
  readonly body: string
  readonly content: string
}

export interface StoredEvent extends NewEvent {
  readonly stream: string
  /** From 0, gap-free in its stream; a stream ends before 2^53. */
  readonly revision: number
  /** Strictly increasing over the log in commit order, never reused. */
  readonly position: bigint
}

export interface Head {
  readonly revision: number
  readonly position: bigint
  readonly hash: string
}

/** The revision that the stream's last event must have, or that there is none. There is no `any`. */
export type ExpectedRevision = number | 'no_stream'

/** Why a log certainly did not store an append, other than a conflict. All but `too_large` may pass by themselves. */
export type RefusalReason = 'full' | 'too_large' | 'read_only' | 'busy' | 'closed' | 'damaged' | 'unavailable'

export type AppendResult =
  /** Durable. `revision` and `position` are those of the last event of the append. */
  | { readonly type: 'acknowledged'; readonly revision: number; readonly position: bigint }
  /** Certainly not stored: the stream's last revision is `actual`. */
  | {
      readonly type: 'refused'
      readonly reason: 'conflict'
      readonly expected: ExpectedRevision
      readonly actual: ExpectedRevision
    }
  /** Certainly not stored, for another reason. `message` is a sentence for people. */
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly message: string }
  /** Nobody can say. Send the very same events again until they are acknowledged or others stand in their place. */
  | { readonly type: 'unknown'; readonly message: string }

export interface ReadStreamOptions {
  readonly direction?: 'forwards' | 'backwards'
  /** Inclusive. Default: the first event forwards, the last one backwards. */
  readonly from?: number
  /** Events at most; default without bound. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface ReadAllOptions {
  /** Exclusive; default from the beginning. */
  readonly after?: bigint
  /** Only streams whose name begins with one of these. */
  readonly prefixes?: readonly string[]
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface FollowOptions {
  /** Exclusive; default from the beginning. */
  readonly after?: bigint
  readonly prefixes?: readonly string[]
  readonly signal?: AbortSignal
}

export type FollowItem =
  | { readonly type: 'event'; readonly event: StoredEvent }
  /** Everything up to here was given; may come many times, always in order with the events. */
  | { readonly type: 'caught_up'; readonly position: bigint }

/** That somebody else (another process, another node) appended. */
export type Advance =
  | { readonly type: 'appended'; readonly stream: string; readonly revision: number }
  /** A notice may have been missed: read the heads you care for. */
  | { readonly type: 'unsure' }

export interface EventReader {
  identity(): Promise<LogIdentity>
  /** Ends without events where the stream is not there. Throws LogError; releases everything when left early. */
  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<StoredEvent>
  /** The last event of the stream as the leader knows it; undefined where the stream is not there. */
  head(stream: string): Promise<Head | undefined>
  /** Everything that is acknowledged by now stands at or before this position; 0 in a log without events. */
  end(): Promise<bigint>
  readAll(options?: ReadAllOptions): AsyncIterable<StoredEvent>
  /** The event at exactly this position; undefined where none stands there, also beyond the end. */
  at(position: bigint): Promise<StoredEvent | undefined>
  /** History, then live: each event once, in order, until the signal aborts or the iteration is left. */
  follow(options?: FollowOptions): AsyncIterable<FollowItem>
  /**
   * Calls the listener after others' appends, soon, at least once, in order per stream; never needed for one's own.
   * Returns the way to stop it, which may be called twice.
   */
  watch(listener: (advance: Advance) => void): () => void
  health(): LogHealth
}

/** What a follower needs of a log, and the way to let it go. */
export interface LogReader extends EventReader {
  /** Ends every reader. Twice is once. */
  close(): Promise<void>
}

export interface EventAppender {
  /**
   * All of the events or none, behind exactly the expected revision. The same events with the same old expectation are
   * acknowledged again with their first revision and position, and nothing is stored twice. Never throws for what the log
   * answers; throws for a misuse (no events, a closed contract).
   */
  append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult>
  /**
   * Holds the right to write while `fn` reads on, decides and appends, so that a writer that lost twice does not starve.
   * Only stores shared by several processes of one machine have it.
   */
  turn?<T>(fn: (appender: Pick<EventAppender, 'append'>) => Promise<T>): Promise<T>
}

export interface EventStore extends EventReader, EventAppender {
  /** Calls the listener with how long each flush to disk took, in ms. Only stores that flush by themselves have it. */
  onFlush?(listener: (ms: number) => void): void
  /** Finishes what was sent, ends every reader, releases the files. Twice is once. */
  close(): Promise<void>
}

export type LogHealth =
  | { readonly status: 'ok' }
  | {
      readonly status: 'read_only' | 'unavailable' | 'damaged' | 'closed'
      readonly message: string
      readonly since: number
    }

export type LogErrorCode =
  /** The file is not a log of ours, or its bytes contradict themselves. Never replaced by an empty one. */
  | 'log_damaged'
  /** Written by a newer version. */
  | 'log_newer'
  /** Somebody holds it longer than the lock wait. */
  | 'log_locked'
  /** The place refuses: no rights, a network file system, not a directory. */
  | 'log_unusable'
  /** There is none, and it was not to be begun. */
  | 'log_missing'
  | 'log_closed'
  | 'log_unavailable'
  | 'log_replaced'

/** What a log throws from opening and from reading; the message is a sentence with the way out. */
export class LogError extends Error {
  override readonly name = 'LogError'
  readonly code: LogErrorCode

  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
