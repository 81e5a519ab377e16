/**
 * The writer thread of the embedded log: the only place where this process writes to the file, so that a flush to disk
 * never blocks the host. It needs no event loop: it sleeps until the host signals a message or the next look at what
 * others committed is due.
 *
 *                 +-- batch --> one commit --> answers --> (checkpoint, when it is due)
 *     asleep -----+-- turn  --> the write lock, held until the turn's append, its end or its time
 *                 +-- due   --> others' commits told; checkpoint, when it was quiet
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type PackedAnswers, packAnswers, unpackAppends } from './append-packing.ts'
import { LogError, type LogErrorCode } from './event-store.ts'
import { CheckpointPace } from './sqlite-checkpoint-pace.ts'
import { SqliteCommits, type WriterHealth } from './sqlite-commits.ts'
import { asLogError } from './sqlite-file.ts'

export interface WriterOptions {
  readonly path: string
  /** One Int32: counts the messages sent to the thread, which sleeps on it. */
  readonly signal: SharedArrayBuffer
  /** How long the write lock is waited for, and how long a turn may hold it. */
  readonly lockWaitMs: number
  /** How often others' commits are looked for. */
  readonly pollMs: number
}

export type ToWriter =
  | { readonly type: 'append'; readonly batch: ArrayBuffer }
  | { readonly type: 'turn' }
  | { readonly type: 'turn_end' }
  | { readonly type: 'close' }

export type FromWriter =
  | { readonly type: 'opened' }
  /** It was not: the thread ends. An error of SQLite would not come through as what it is. */
  | { readonly type: 'not_opened'; readonly code: LogErrorCode; readonly message: string }
  | ({ readonly type: 'answers'; readonly flushMs: number | undefined } & PackedAnswers)
  /** The write lock is held, or was not to be had; the turn goes on either way. */
  | { readonly type: 'turn' }
  /** Others appended; without advances they are too many to tell. */
  | { readonly type: 'advanced'; readonly advances?: readonly (readonly [stream: string, revision: number])[] }
  | { readonly type: 'health'; readonly health: WriterHealth }

function run(port: MessagePort, { path, signal: shared, lockWaitMs, pollMs }: WriterOptions): void {
  const signal = new Int32Array(shared)
  const opened = open()
  if (opened === undefined) return
  const commits: SqliteCommits = opened
  const pace = new CheckpointPace()
  let nextLookAt = 0
  let turnEndsAt = Number.POSITIVE_INFINITY

  say({ type: 'opened' })
  for (let isOpen = true; isOpen; ) {
    const seen = Atomics.load(signal, 0)
    for (let sent = receiveMessageOnPort(port); sent && isOpen; sent = receiveMessageOnPort(port)) {
      isOpen = handle(sent.message as ToWriter) // the adapter has the other end
      if (performance.now() >= nextLookAt) look()
    }
    if (!isOpen) break
    look()
    Atomics.wait(signal, 0, seen, pollMs)
  }
  // The thread ends by itself: to end it from outside, in the middle of its module, has ended processes.
  commits.close()

  function open(): SqliteCommits | undefined {
    try {
      return new SqliteCommits({
        path,
        lockWaitMs,
        onHealth: (health) => say({ type: 'health', health }),
        onOthers: ({ advances }) => say(advances ? { type: 'advanced', advances } : { type: 'advanced' }),
      })
    } catch (thrown) {
      const error = asLogError(thrown, path)
      if (!(error instanceof LogError)) throw error
      say({ type: 'not_opened', code: error.code, message: error.message })
      return undefined
    }
  }

  function handle(message: ToWriter): boolean {
    switch (message.type) {
      case 'append': {
        const answers = packAnswers(commits.commit(unpackAppends(message.batch)))
        say({ type: 'answers', flushMs: commits.flushMs, ...answers }, answers.answers)
        turnEndsAt = Number.POSITIVE_INFINITY
        const now = performance.now()
        pace.wrote(message.batch.byteLength, now)
        if (pace.isDue(now)) checkpoint(now)
        return true
      }
      case 'turn':
        if (commits.lock()) turnEndsAt = performance.now() + lockWaitMs
        say({ type: 'turn' })
        return true
      case 'turn_end':
        endTurn()
        return true
      case 'close':
        return false
      default:
        message satisfies never
        return true
    }
  }

  function look(): void {
    const now = performance.now()
    nextLookAt = now + pollMs
    if (now >= turnEndsAt) endTurn()
    commits.look()
    if (pace.isRemainderDue(now)) checkpoint(now)
  }

  function endTurn(): void {
    turnEndsAt = Number.POSITIVE_INFINITY
    commits.unlock()
  }

  function checkpoint(now: number): void {
    commits.checkpoint()
    pace.made(now, performance.now())
  }

  function say(message: FromWriter, transferred?: ArrayBuffer): void {
    port.postMessage(message, transferred ? [transferred] : [])
  }
}

if (parentPort) run(parentPort, workerData as WriterOptions) // the adapter gives exactly these
