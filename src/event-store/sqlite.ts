/**
 * The embedded log in one SQLite file (`better-sqlite3`, write-ahead log, flushed at every commit). Several processes of
 * one machine may open the same file.
 *
 *     append --> queue --> batch --> writer thread: one commit for all --> answers --> callers, followers
 *     read, head, follow <-- a read-only connection of this thread, a page at a time
 *     watch, follow      <-- writer thread: what others committed
 *
 * While a commit runs, what arrives waits and shares the next one, whichever streams it is for (group commit). A second
 * batch is on its way while the first is committed, so that the thread never idles. The queue is the only thing here that
 * grows: it is bounded in bytes, and beyond it an append is refused as `busy`.
 */
import { randomUUID } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { type AppendToPack, packAppends, unpackAnswers } from './append-packing.ts'
import { randomSalts } from './event-codec.ts'
import {
  type Advance,
  type AppendResult,
  type EventAppender,
  type EventStore,
  type ExpectedRevision,
  type FollowItem,
  type FollowOptions,
  type Head,
  LogError,
  type LogHealth,
  type LogIdentity,
  type NewEvent,
  type ReadAllOptions,
  type ReadStreamOptions,
  type StoredEvent,
} from './event-store.ts'
import { assertAppendable } from './exported-line.ts'
import { AppendWakes } from './follow.ts'
import { logOpened } from './log-identity.ts'
import { asLogError, prepareFile } from './sqlite-file.ts'
import { CLOSED, openSqliteReads, retryWhileLocked, type SqliteReads } from './sqlite-reads.ts'
import type { FromWriter, ToWriter, WriterOptions } from './sqlite-writer.ts'
import { ADMIN_STREAM } from './stream-names.ts'

export interface SqliteStoreOptions {
  /** Created when nothing has this name; its directory must be there, on a local disk. */
  readonly path: string
  /** How long a lock of another process is waited for (never blocking the host), before `busy` or `log_locked`. */
  readonly lockWaitMs?: number
  /** How soon others' commits are noticed, at the latest. */
  readonly pollMs?: number
  readonly now?: () => number
  readonly newLogId?: () => string
  /** Of its writer thread; default that of this process. */
  readonly threadEnvironment?: NodeJS.ProcessEnv | undefined
}

/** Throws LogError for a place or a file that can't be a log of ours; never replaces what is there. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<EventStore> {
  const { path, lockWaitMs = 2_000, pollMs = 20, now = Date.now, newLogId = randomUUID } = options
  const first = () => ({
    stream: ADMIN_STREAM,
    events: logOpened({ logId: newLogId(), timeline: 1 }, now(), randomSalts()),
  })
  await retryWhileLocked(path, lockWaitMs, () => prepareFile(path, first))
  const signal = new SharedArrayBuffer(4)
  const writer = await startWriter({ path, signal, lockWaitMs, pollMs }, options.threadEnvironment)
  try {
    const wakes = new AppendWakes()
    let foundDamage = (_message: string) => {}
    const reads = await openSqliteReads({ path, lockWaitMs, wakes, onDamage: (message) => foundDamage(message) })
    const store = new SqliteStore({ path, lockWaitMs, now, writer, signal, wakes, reads })
    foundDamage = (message) => store.foundDamage(message)
    return store
  } catch (error) {
    writer.say({ type: 'close' })
    await writer.ended
    throw asLogError(error, path)
  }
}

/** Batches on their way to the thread: one that it commits, and one that it finds when it is done. */
const BATCHES_IN_FLIGHT_MAX = 2
/** Measured with 32 and 128 callers: 16 keeps both sides busy, and a commit is still shared. */
const ANSWERS_PER_TURN = 16
const BATCH_BYTES_MAX = 4 * 1024 * 1024
const BATCH_APPENDS_MAX = 4_096
const QUEUE_BYTES_MAX = 64 * 1024 * 1024
/** An append beyond this would stop all others for too long, and SQLite has a limit of its own. */
const APPEND_BYTES_MAX = 16 * 1024 * 1024
/** Hash, punctuation and stream name around the two texts of an event. */
const EVENT_BYTES_AROUND = 256

interface PendingAppend extends AppendToPack {
  readonly bytes: number
  readonly resolve: (result: AppendResult) => void
}

interface OpenParts {
  readonly path: string
  readonly lockWaitMs: number
  readonly now: () => number
  readonly writer: WriterThread
  readonly signal: SharedArrayBuffer
  readonly wakes: AppendWakes
  readonly reads: SqliteReads
}

class SqliteStore implements EventStore {
  readonly #parts: OpenParts
  readonly #listeners = new Set<(advance: Advance) => void>()
  readonly #flushListeners = new Set<(ms: number) => void>()
  #health: LogHealth = { status: 'ok' }
  #closing: Promise<void> | undefined

  #queue: PendingAppend[] = []
  /** Answers that their callers were not told yet, in order. */
  #answers: { readonly pending: PendingAppend; readonly result: AppendResult }[] = []
  #isAnswerDue = false
  #queuedBytes = 0
  readonly #inFlight: (readonly PendingAppend[])[] = []
  #isFlushDue = false
  #onIdle: (() => void) | undefined
  #isWriterGone = false
  /** Streams of appends that the thread took with it. */
  readonly #inDoubt = new Set<string>()

  #turns: Promise<unknown> = Promise.resolve()
  /** The queue is held back while a turn has the right to write. */
  #isTurn = false
  #onTurn: (() => void) | undefined

  constructor(parts: OpenParts) {
    this.#parts = parts
    parts.writer.listen(
      (message) => this.#hear(message),
      (problem) => this.#loseWriter(`The writer thread of the log ended${problem}.`),
    )
    // An idle log keeps no process alive; an append that was not answered does.
    parts.writer.worker.unref()
  }

  append(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): Promise<AppendResult> {
    return this.#enqueue(stream, expected, events, (pending) => {
      this.#queue.push(pending)
      this.#queuedBytes += pending.bytes
      if (this.#isFlushDue) return
      this.#isFlushDue = true
      // While the thread works there is time to collect what this turn of the event loop still brings.
      if (this.#inFlight.length === 0) queueMicrotask(this.#flush)
      else setImmediate(this.#flush)
    })
  }

  turn<T>(fn: (appender: Pick<EventAppender, 'append'>) => Promise<T>): Promise<T> {
    const mine = this.#turns.then(() => this.#takeTurn(fn))
    this.#turns = mine.catch(() => undefined)
    return mine
  }

  async identity(): Promise<LogIdentity> {
    return this.#parts.reads.identity
  }

  head(stream: string): Promise<Head | undefined> {
    return this.#parts.reads.head(stream)
  }

  end(): Promise<bigint> {
    return this.#parts.reads.end()
  }

  at(position: bigint): Promise<StoredEvent | undefined> {
    return this.#parts.reads.at(position)
  }

  readStream(stream: string, options?: ReadStreamOptions): AsyncIterable<StoredEvent> {
    return this.#parts.reads.readStream(stream, options)
  }

  readAll(options?: ReadAllOptions): AsyncIterable<StoredEvent> {
    return this.#parts.reads.readAll(options)
  }

  follow(options?: FollowOptions): AsyncIterable<FollowItem> {
    return this.#parts.reads.follow(options)
  }

  onFlush(listener: (ms: number) => void): void {
    this.#flushListeners.add(listener)
  }

  watch(listener: (advance: Advance) => void): () => void {
    const own = (advance: Advance) => listener(advance)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  health(): LogHealth {
    return this.#health
  }

  /** For `health`: what reading found. */
  foundDamage(message: string): void {
    this.#health = { status: 'damaged', message, since: this.#parts.now() }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #enqueue(
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
    enqueue: (pending: PendingAppend) => void,
  ): Promise<AppendResult> {
    assertAppendable(stream, expected, events)
    let bytes = 0
    for (const { body, content } of events) bytes += body.length + content.length + EVENT_BYTES_AROUND
    const refused = this.#refusal(stream, bytes)
    if (refused) return Promise.resolve(refused)
    return new Promise((resolve) => enqueue({ stream, expected, events, bytes, resolve }))
  }

  #refusal(stream: string, bytes: number): AppendResult | undefined {
    if (this.#closing) return { type: 'refused', reason: 'closed', message: CLOSED }
    if (this.#isWriterGone) {
      const message = 'The writer thread of the log ended; open it again.'
      // It may be one that is sent again: "not stored" would be a guess.
      if (this.#inDoubt.has(stream)) return { type: 'unknown', message }
      return { type: 'refused', reason: 'unavailable', message }
    }
    if (bytes > APPEND_BYTES_MAX) {
      const message = `One append holds up to ${APPEND_BYTES_MAX} bytes, and this one has about ${bytes}.`
      return { type: 'refused', reason: 'too_large', message }
    }
    if (this.#queuedBytes + bytes <= QUEUE_BYTES_MAX) return undefined
    const message = `More than ${QUEUE_BYTES_MAX} bytes wait to be written to the log.`
    return { type: 'refused', reason: 'busy', message }
  }

  readonly #flush = () => {
    this.#isFlushDue = false
    while (!this.#isTurn && this.#queue.length > 0 && this.#inFlight.length < BATCHES_IN_FLIGHT_MAX) {
      let bytes = 0
      let count = 0
      for (const pending of this.#queue) {
        if (count === BATCH_APPENDS_MAX || (count > 0 && bytes + pending.bytes > BATCH_BYTES_MAX)) break
        bytes += pending.bytes
        count++
      }
      const batch = count === this.#queue.length ? this.#queue : this.#queue.slice(0, count)
      this.#queue = count === this.#queue.length ? [] : this.#queue.slice(count)
      this.#queuedBytes -= bytes
      this.#send(batch)
    }
  }

  #send(batch: readonly PendingAppend[]): void {
    if (this.#inFlight.length === 0) this.#parts.writer.worker.ref()
    this.#inFlight.push(batch)
    const packed = packAppends(batch)
    this.#parts.writer.say({ type: 'append', batch: packed }, packed)
  }

  #hear(message: FromWriter): void {
    switch (message.type) {
      case 'answers': {
        const { flushMs } = message
        if (flushMs !== undefined) for (const listener of this.#flushListeners) listener(flushMs)
        const batch = this.#inFlight.shift() ?? []
        unpackAnswers(
          message,
          (index) => batch[index]?.expected ?? 'no_stream',
          (index, result) => {
            const pending = batch[index]
            if (pending !== undefined) this.#answers.push({ pending, result })
          },
        )
        if (!this.#isAnswerDue) this.#answer()
        return
      }
      case 'turn':
        this.#onTurn?.()
        return
      case 'advanced':
        this.#parts.wakes.wake()
        for (const listener of this.#listeners) {
          if (message.advances === undefined) listener({ type: 'unsure' })
          else for (const [stream, revision] of message.advances) listener({ type: 'appended', stream, revision })
        }
        return
      case 'health':
        if (this.#closing) return
        this.#health =
          message.health.status === 'ok' ? { status: 'ok' } : { ...message.health, since: this.#parts.now() }
        return
      case 'opened':
      case 'not_opened':
        return
      default:
        message satisfies never
    }
  }

  /**
   * Some callers a turn of the loop: what the first ones send next is on its way to the thread while the others are still
   * told. All at once would let the thread and its callers work in turns instead of side by side.
   */
  readonly #answer = () => {
    this.#isAnswerDue = false
    let isStored = false
    for (const { pending, result } of this.#answers.splice(0, ANSWERS_PER_TURN)) {
      isStored ||= result.type === 'acknowledged'
      pending.resolve(result)
    }
    if (isStored) this.#parts.wakes.wake()
    if (this.#answers.length > 0) {
      this.#isAnswerDue = true
      setImmediate(this.#answer)
    }
    if (this.#queue.length > 0 && !this.#isFlushDue) this.#flush()
    this.#rest()
  }

  /** Nothing to do any more, or not now. */
  #rest(): void {
    if (this.#inFlight.length > 0 || this.#answers.length > 0) return
    this.#parts.writer.worker.unref()
    if (this.#queue.length === 0) this.#onIdle?.()
  }

  #loseWriter(message: string): void {
    if (this.#isWriterGone) return
    this.#isWriterGone = true
    if (!this.#closing) this.#health = { status: 'unavailable', message, since: this.#parts.now() }
    for (const { stream, resolve } of this.#inFlight.splice(0).flat()) {
      this.#inDoubt.add(stream)
      resolve({ type: 'unknown', message })
    }
    for (const { resolve } of this.#queue.splice(0)) resolve({ type: 'refused', reason: 'unavailable', message })
    this.#queuedBytes = 0
    this.#onTurn?.()
    this.#onIdle?.()
  }

  async #takeTurn<T>(fn: (appender: Pick<EventAppender, 'append'>) => Promise<T>): Promise<T> {
    this.#parts.reads.assertOpen()
    this.#isTurn = true
    const letOthersGoOn = () => {
      this.#isTurn = false
      this.#flush()
    }
    // The thread gives the lock back after this time as well.
    const timer = setTimeout(letOthersGoOn, this.#parts.lockWaitMs)
    try {
      const taken = new Promise<void>((resolve) => {
        this.#onTurn = resolve
      })
      this.#parts.writer.worker.ref()
      if (this.#isWriterGone) this.#onTurn?.()
      else this.#parts.writer.say({ type: 'turn' })
      await taken
      return await fn({
        append: (stream, expected, events) =>
          this.#enqueue(stream, expected, events, (pending) => {
            this.#send([pending])
            letOthersGoOn()
          }),
      })
    } finally {
      this.#onTurn = undefined
      clearTimeout(timer)
      if (!this.#isWriterGone) this.#parts.writer.say({ type: 'turn_end' })
      letOthersGoOn()
      this.#rest()
    }
  }

  async #close(): Promise<void> {
    this.#health = { status: 'closed', message: CLOSED, since: this.#parts.now() }
    this.#parts.reads.leave()
    this.#listeners.clear()
    await this.#turns
    if (this.#inFlight.length + this.#queue.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    // First this one: the last connection cuts the write-ahead log, and a read-only one can't.
    this.#parts.reads.close()
    const { writer } = this.#parts
    writer.worker.ref()
    writer.say({ type: 'close' })
    await writer.ended
  }
}

interface WriterThread {
  readonly worker: Worker
  say(message: ToWriter, transferred?: ArrayBuffer): void
  /** By itself, when it was told to close; or because it failed. */
  readonly ended: Promise<void>
  /** Gives what it said since it was opened, nothing left out; `onGone` when it ends, with the reason where there is one. */
  listen(hear: (message: FromWriter) => void, onGone: (problem: string) => void): void
}

async function startWriter(workerData: WriterOptions, env: NodeJS.ProcessEnv | undefined): Promise<WriterThread> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./sqlite-writer.${extension}`, import.meta.url), {
    workerData,
    name: 'log-writer',
    execArgv: [],
    env,
  })
  // Listened to without a gap from here on: a message that nobody listens for is lost, and an error ends the process.
  const unheard: FromWriter[] = []
  let hear = (message: FromWriter) => {
    unheard.push(message)
  }
  let gone: string | undefined
  let onGone = (_problem: string) => {}
  worker.on('message', (message: FromWriter) => hear(message))
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const signal = new Int32Array(workerData.signal)
  await new Promise<void>((resolve, reject) => {
    const end = (problem: string) => {
      gone ??= problem
      onGone(gone)
      reject(new LogError('log_unavailable', `The writer thread of '${workerData.path}' ended${gone}.`))
    }
    worker.on('error', (error) => end(`: ${error instanceof Error ? error.message : String(error)}`))
    worker.on('exit', () => end(''))
    const keep = hear
    hear = (message) => {
      if (message.type === 'opened') resolve()
      else if (message.type === 'not_opened') reject(new LogError(message.code, message.message))
      else keep(message)
    }
  })
  return {
    worker,
    say(message, transferred) {
      worker.postMessage(message, transferred ? [transferred] : [])
      Atomics.add(signal, 0, 1)
      Atomics.notify(signal, 0)
    },
    ended,
    listen(hearNow, onGoneNow) {
      hear = hearNow
      onGone = onGoneNow
      for (const message of unheard.splice(0)) hear(message)
      if (gone !== undefined) onGone(gone)
    },
  }
}
