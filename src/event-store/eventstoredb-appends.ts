/**
 * One append: sent once, with an exact expectation, and answered with what is certain.
 *
 *     success                    acknowledged
 *     WrongExpectedVersion       read from expected + 1:  our ids stand there -> acknowledged, others or none -> conflict
 *     server gave up waiting     the same, but what does not stand there may still come: unknown
 *     too large, deleted stream  refused
 *     everything else            unknown: also errors that look definite were followed by stored events
 *
 * A server compares ids only, and with an exact expectation it compares them with the stored stream, on every node and
 * after restarts: to send the very same again is always right.
 */
import type { AppendResult, ExpectedRevision, NewEvent } from './event-store.ts'
import { appendsSettled, sendAppend } from './eventstoredb-batches.ts'
import type { Connection } from './eventstoredb-connection.ts'
import { failureOf, messageOf } from './eventstoredb-errors.ts'
import { type EventToSend, eventToSend } from './eventstoredb-events.ts'
import type { Reads } from './eventstoredb-reads.ts'
import { nextRevision } from './exported-line.ts'

export interface AppendsOptions {
  readonly connection: Connection
  readonly reads: Reads
  readonly deadlineMs: number
}

/** The server takes 1 MiB of data in one append; what is around our texts must fit as well. */
const APPEND_BYTES_MAX = 960 * 1024
const IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024

export class Appends {
  readonly #options: AppendsOptions
  /** By the last event and the number of events: ids are hashes, so that these say which append it is. */
  readonly #inFlight = new Map<string, Promise<AppendResult>>()
  #bytes = 0

  constructor(options: AppendsOptions) {
    this.#options = options
  }

  /** At least one event. */
  append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    const key = `${events.at(-1)?.id} ${events.length}`
    // A server that is sent the same append twice at once may let the second wait for two seconds, and fail it.
    const same = this.#inFlight.get(key)
    if (same !== undefined) return same
    const appending = this.#append(stream, expected, events).finally(() => this.#inFlight.delete(key))
    this.#inFlight.set(key, appending)
    return appending
  }

  /** Once everything that was sent has its answer, or its deadline. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight.values())
  }

  async #append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    const toSend = events.map(eventToSend)
    const bytes = toSend.reduce((sum, { dataBytes, metadataBytes }) => sum + dataBytes + metadataBytes, 0)
    if (bytes > APPEND_BYTES_MAX) {
      const message = `One append holds up to ${APPEND_BYTES_MAX} bytes, and this one has ${bytes}.`
      return { type: 'refused', reason: 'too_large', message }
    }
    if (this.#bytes + bytes > IN_FLIGHT_BYTES_MAX) {
      const message = `More than ${IN_FLIGHT_BYTES_MAX} bytes are on their way to the server.`
      return { type: 'refused', reason: 'busy', message }
    }
    this.#bytes += bytes
    try {
      return await this.#send(stream, expected, events, toSend)
    } finally {
      this.#bytes -= bytes
    }
  }

  async #send(
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
    toSend: readonly EventToSend[],
  ): Promise<AppendResult> {
    const { connection, deadlineMs } = this.#options
    const { client } = connection
    const last = nextRevision(expected) + events.length - 1
    try {
      const { revision, position } = await sendAppend(client, stream, expected, toSend, deadlineMs)
      if (position !== undefined && revision === last) return { type: 'acknowledged', revision, position }
      return await this.#lookUp(stream, expected, events, undefined)
    } catch (error) {
      const failure = failureOf(error)
      switch (failure.type) {
        case 'conflict':
          return await this.#lookUp(stream, expected, events, failure.actual)
        case 'too_large': {
          const message = `The server takes up to ${failure.bytesMax} bytes in one append, see its option MaxAppendSize.`
          return { type: 'refused', reason: 'too_large', message }
        }
        case 'stream_deleted':
          return { type: 'refused', reason: 'damaged', message: `Somebody deleted the stream '${stream}' for good.` }
        case 'stuck':
          connection.replace(client, appendsSettled(client, deadlineMs))
          return { type: 'unknown', message: `Appending to '${stream}': ${failure.message}` }
        case 'timed_out':
          connection.replace(client, appendsSettled(client, deadlineMs))
          return await this.#lookUp(stream, expected, events, undefined)
        case 'access_denied':
          return { type: 'unknown', message: `Appending to '${stream}': the server refuses this user.` }
        case 'invalid_position':
        case 'stream_not_found':
        case 'reconnects':
          return { type: 'unknown', message: `Appending to '${stream}': ${messageOf(error)}` }
        default:
          return failure satisfies never
      }
    }
  }

  /** What stands where our events should: ours after an answer that was lost, or others'. */
  async #lookUp(
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
    actual: ExpectedRevision | undefined,
  ): Promise<AppendResult> {
    const next = nextRevision(expected)
    try {
      let found = 0
      for (let isLast = false; !isLast && found < events.length; ) {
        const page = await this.#options.reads.stream(stream, 'forwards', next + found, events.length - found)
        for (const stored of page.events) {
          if (stored.id !== events[found]?.id) return conflict(expected, actual ?? (await this.#head(stream)))
          found++
          if (found === events.length)
            return { type: 'acknowledged', revision: stored.revision, position: stored.position }
        }
        isLast = page.isLast
      }
      if (actual !== undefined && actual !== expected) return conflict(expected, actual)
      return {
        type: 'unknown',
        message: `Appending to '${stream}': what was sent does not stand there, and may still come.`,
      }
    } catch (error) {
      return { type: 'unknown', message: `Appending to '${stream}': ${messageOf(error)}` }
    }
  }

  async #head(stream: string): Promise<ExpectedRevision> {
    const { events } = await this.#options.reads.stream(stream, 'backwards', undefined, 1)
    return events[0]?.revision ?? 'no_stream'
  }
}

function conflict(expected: ExpectedRevision, actual: ExpectedRevision): AppendResult {
  return { type: 'refused', reason: 'conflict', expected, actual }
}
