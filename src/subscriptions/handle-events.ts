/**
 * A consumer with a checkpoint store of its own: it is handed the events of all registries in the order of the log, in batches, and
 * after each batch the place behind it.
 *
 *     load --> is it this log's? --> batch --> handle --> save --> next batch ...
 *                                      ^          |
 *                                      '- waits --'  fails: again, event by event, ever more seldom; then stop or skip
 *
 * Every event comes at least once: after a crash between `handle` and `save` the batch comes again. Who stores the checkpoint of a
 * batch in one transaction with the effects of it has each effect once.
 */
import type { Checkpoint } from '../../projections/checkpoint.ts'
import type { ProjectedEvent } from '../../projections/projection.ts'
import type { LogItem } from '../../projections/projector.ts'
import { type EventReader, LogError } from '../event-store/event-store.ts'
import { type Clock, SYSTEM_CLOCK, sleep } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { logBatches } from './log-batches.ts'
import { retryDelayMs } from './retry-delay.ts'
import { differenceToLog } from './start-check.ts'

export interface EventHandlerOptions {
  /** In messages; the place is kept by the checkpoint store alone. */
  readonly name: string
  /** Works through a batch. What it throws brings the events again. */
  handle(batch: EventBatch): Promise<void> | void
  readonly checkpoints: CheckpointStore
  /** Ends it in order: the batch under way is finished. */
  readonly signal?: AbortSignal | undefined
  /** Where to begin without a checkpoint. Default: the beginning of the log. */
  readonly from?: 'beginning' | 'end'
  /** Default 500. */
  readonly batchEventsMax?: number
  /** An event is tried so often before it counts as poison; between tries it waits, doubling up to the maximum. */
  readonly retry?: { readonly triesMax?: number; readonly firstMs?: number; readonly maxMs?: number }
  /** An event that can't be read, or that the handler fails at for good: stop (EventHandlerStopped) or leave it out. Default: stop. */
  readonly onPoison?: 'stop' | 'skip'
  /** An event of a version that this one does not know. Default: stop. */
  readonly unknownEvents?: 'stop' | 'skip'
  /** Told of failures, and of events that are left out. Default: nobody. */
  readonly log?: WarningLog
  readonly clock?: Clock
}

export interface CheckpointStore {
  /** What was saved last, undefined in the beginning. */
  load(): Promise<Checkpoint | undefined> | Checkpoint | undefined
  /** After `handle`; leave it out where `handle` stores the checkpoint of the batch together with its effects. */
  save?(checkpoint: Checkpoint): Promise<void> | void
}

export interface EventBatch {
  readonly events: readonly ProjectedEvent[]
  /** What is stored before the batch, undefined before the first: for a compare-and-set against a second consumer of this name. */
  readonly before: Checkpoint | undefined
  /** The place behind the batch, to be stored together with its effects. */
  readonly checkpoint: Checkpoint
  readonly signal: AbortSignal
}

/** The consumer can't go on, for a reason that does not pass by itself. */
export class EventHandlerStopped extends Error {
  override readonly name = 'EventHandlerStopped'
  readonly code: 'poison_event' | 'unknown_event' | 'log_replaced' | 'bad_checkpoint'
  /** Of the event; of the checkpoint where the log was replaced; 0 for what is none. */
  readonly position: bigint

  constructor(code: EventHandlerStopped['code'], position: bigint, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.position = position
  }
}

const BATCH_EVENTS_MAX = 500
const BATCH_BYTES_MAX = 4 * 1024 * 1024
const TRIES_MAX = 8
const RETRY_FIRST_MS = 100
const RETRY_MS_MAX = 30_000
/** What is wrong with the log for good. */
const LOG_ERRORS_FOR_GOOD: ReadonlySet<string> = new Set(['log_damaged', 'log_newer', 'log_unusable', 'log_closed'])

/**
 * Hands events to the handler until the signal aborts; then it resolves. Throws EventHandlerStopped, LogError for a log that is
 * damaged or closed, and what the checkpoint store throws. A log that is away is waited for.
 */
export async function handleEventsOf(reader: EventReader, options: EventHandlerOptions): Promise<void> {
  await new EventHandling(reader, options).run()
}

class EventHandling {
  readonly #reader: EventReader
  readonly #options: EventHandlerOptions
  readonly #signal: AbortSignal
  readonly #clock: Clock
  #place: Checkpoint | undefined
  /** What its checkpoint store has: behind the place while only other events came. */
  #stored: Checkpoint | undefined

  constructor(reader: EventReader, options: EventHandlerOptions) {
    this.#reader = reader
    this.#options = options
    this.#signal = options.signal ?? new AbortController().signal
    this.#clock = options.clock ?? SYSTEM_CLOCK
  }

  async run(): Promise<void> {
    this.#stored = checkedCheckpoint(await this.#options.checkpoints.load(), this.#options.name)
    this.#place = this.#stored
    for (let tries = 0; !this.#signal.aborted; tries++) {
      try {
        await this.#follow(() => {
          tries = 0
        })
      } catch (error) {
        if (this.#signal.aborted) return
        if (!(error instanceof LogError) || LOG_ERRORS_FOR_GOOD.has(error.code)) throw error
        this.#warn(error, 'the log can not be followed; it is tried again')
        await this.#rest(tries)
      }
    }
  }

  async #follow(onBatch: () => void): Promise<void> {
    const { batchEventsMax: eventsMax = BATCH_EVENTS_MAX } = this.#options
    const start = await this.#start()
    this.#place = start
    const reading = { after: start.position, eventsMax, bytesMax: BATCH_BYTES_MAX, signal: this.#signal }
    for await (const { items, last } of logBatches(this.#reader, reading)) {
      if (last === undefined) continue
      onBatch()
      const { logId, timeline } = start
      await this.#work(items, { logId, timeline, ...last })
      if (this.#signal.aborted) return
    }
  }

  /** The checkpoint, if it is this log's. */
  async #start(): Promise<Checkpoint> {
    const { name, from = 'beginning' } = this.#options
    const identity = await this.#reader.identity()
    if (this.#place !== undefined) {
      const difference = await differenceToLog(this.#reader, identity, name, this.#place)
      if (difference === undefined) return this.#place
      const message = `${difference} The log was replaced: clear the checkpoint, and what was made of the old events.`
      throw new EventHandlerStopped('log_replaced', this.#place.position, message)
    }
    if (from === 'beginning') return { ...identity, position: 0n, hash: '' }
    const position = await this.#reader.end()
    return { ...identity, position, hash: (await this.#reader.at(position))?.hash ?? '' }
  }

  /** A batch as one; event by event where it failed, so that one that can't be handled is found. */
  async #work(items: readonly LogItem[], checkpoint: Checkpoint): Promise<void> {
    const events = items.flatMap((item) => (item.type === 'event' ? [item.event] : []))
    if (events.length === items.length) {
      if (events.length === 0) return await this.#settle(checkpoint)
      const failure = await this.#tried(events, checkpoint)
      if (failure === undefined || this.#signal.aborted) return
      this.#warn(failure.error, `'${this.#options.name}' failed at ${events.length} events; they are tried one by one`)
    }
    for (const item of items) {
      await this.#single(item, checkpoint)
      if (this.#signal.aborted) return
    }
    await this.#settle(checkpoint)
  }

  async #single(item: LogItem, { logId, timeline }: Checkpoint): Promise<void> {
    const { name, retry = {}, unknownEvents = 'stop' } = this.#options
    const { position, stream, revision } = item.type === 'event' ? item.event : item
    const hash = (await this.#reader.at(position))?.hash ?? ''
    const checkpoint = { logId, timeline, position, hash }
    const at = `revision ${revision} of '${stream}' (position ${position})`
    if (item.type === 'undecodable') {
      if (!item.isUnknownType) return await this.#leaveOut(checkpoint, `'${name}' can't read ${at}: ${item.message}`)
      if (unknownEvents === 'skip') return await this.#settle(checkpoint)
      throw new EventHandlerStopped('unknown_event', position, `'${name}' stopped at ${at}: ${item.message}`)
    }
    const { triesMax = TRIES_MAX } = retry
    for (let tries = 0; ; tries++) {
      const failure = await this.#tried([item.event], checkpoint)
      if (failure === undefined || this.#signal.aborted) return
      const told = `'${name}' failed at ${at}, ${tries + 1} times: ${messageOf(failure.error)}`
      if (tries + 1 >= triesMax) return await this.#leaveOut(checkpoint, told, failure.error)
      this.#warn(failure.error, told)
      await this.#rest(tries)
      if (this.#signal.aborted) return
    }
  }

  async #tried(
    events: readonly ProjectedEvent[],
    checkpoint: Checkpoint,
  ): Promise<{ readonly error: unknown } | undefined> {
    try {
      await this.#options.handle({ events, before: this.#stored, checkpoint, signal: this.#signal })
    } catch (error) {
      return { error }
    }
    this.#stored = checkpoint
    await this.#settle(checkpoint)
    return undefined
  }

  async #leaveOut(checkpoint: Checkpoint, message: string, cause?: unknown): Promise<void> {
    const { onPoison = 'stop' } = this.#options
    if (onPoison === 'stop') throw new EventHandlerStopped('poison_event', checkpoint.position, message, { cause })
    this.#warn(cause, `${message} It is left out.`)
    await this.#settle(checkpoint)
  }

  async #settle(checkpoint: Checkpoint): Promise<void> {
    if (this.#place !== undefined && checkpoint.position <= this.#place.position) return
    this.#place = checkpoint
    if (this.#options.checkpoints.save === undefined) return
    await this.#options.checkpoints.save(checkpoint)
    this.#stored = checkpoint
  }

  #rest(tries: number): Promise<void> {
    const { firstMs = RETRY_FIRST_MS, maxMs = RETRY_MS_MAX } = this.#options.retry ?? {}
    const delayMs = retryDelayMs(tries, firstMs, maxMs, Math.random())
    return sleep(this.#clock, delayMs, this.#signal).catch(() => {})
  }

  #warn(error: unknown, message: string): void {
    this.#options.log?.warn({ consumer: this.#options.name, error: messageOf(error) }, message)
  }
}

/** What comes back from a store is easily something else than what went in: a text where a bigint was. */
function checkedCheckpoint(given: unknown, name: string): Checkpoint | undefined {
  if (given === undefined) return undefined
  const { logId, timeline, position, hash } = (given ?? {}) as Partial<Checkpoint> // looked at below
  const isCheckpoint =
    typeof logId === 'string' &&
    typeof timeline === 'number' &&
    typeof position === 'bigint' &&
    typeof hash === 'string'
  if (isCheckpoint) return { logId, timeline, position, hash }
  const found = Object.entries({ logId, timeline, position, hash }).map(([field, value]) => `${field}: ${typeof value}`)
  const message =
    `The checkpoint store of '${name}' gave no checkpoint: expected { logId: string, timeline: number, position: bigint, hash: string }, ` +
    `or undefined for none, got ${given === null ? 'null' : `{ ${found.join(', ')} }`}.`
  throw new EventHandlerStopped('bad_checkpoint', 0n, message)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
