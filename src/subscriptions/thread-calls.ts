/**
 * Calls from one thread to another over a port: a name and arguments there, an answer or an error back, progress meanwhile,
 * and a way to give up.
 */
import type { MessagePort, Worker } from 'node:worker_threads'
import { QuestionError } from '../../projections/question-error.ts'
import { ReadSideError } from './read-side-error.ts'

type ToCallee =
  | { readonly type: 'call'; readonly id: number; readonly name: string; readonly argument: unknown }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'end'; readonly argument: unknown }

type ToCaller =
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: SentError }
  | { readonly type: 'progress'; readonly id: number; readonly progress: unknown }
  /** Libraries of machine code are in: whoever ends a thread before ends the process. */
  | { readonly type: 'loaded' }
  /** Not asked for. */
  | { readonly type: 'news'; readonly news: unknown }

/** Questions look at the rows once more, a rebuild takes back what it began, an import is over. */
const END_MS_MAX = 5_000

interface SentError {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
  readonly position: bigint | undefined
  readonly atLeast: bigint | undefined
}

export interface CallContext {
  readonly signal: AbortSignal
  readonly onProgress: (progress: unknown) => void
}

/** By name. What they take and give must survive cloning. */
export type Callee = Readonly<Record<string, (argument: never, context: CallContext) => unknown>>

/** What is left open by a module that somebody named (a timer, a connection) keeps a thread that was told to end no longer. */
const LEFT_OPEN_MS_MAX = 250

export interface CallsOfThread {
  /** What nobody asked for. */
  tell(news: unknown): void
}

/**
 * Answers calls that come over the port of this thread, once everything of machine code is loaded. When it is told to end, calls
 * are aborted, `close` is called, and as soon as the last call has settled nothing is left that would keep the thread: it ends
 * by itself. So it never ends in the middle of an import, where ending it from outside has ended processes
 * (nodejs/node#53238).
 */
export function answerCalls(
  port: MessagePort,
  callee: Callee,
  close: (argument: never) => Promise<void>,
): CallsOfThread {
  const aborting = new Map<number, AbortController>()
  const settling = new Set<Promise<void>>()
  say({ type: 'loaded' })
  port.on('message', (message: ToCallee) => {
    switch (message.type) {
      case 'call': {
        const answered = answer(message).finally(() => settling.delete(answered))
        settling.add(answered)
        return
      }
      case 'abort':
        aborting.get(message.id)?.abort()
        return
      case 'end':
        void end(message.argument)
        return
      default:
        message satisfies never
    }
  })
  return { tell: (news) => say({ type: 'news', news }) }

  async function answer({ id, name, argument }: Extract<ToCallee, { type: 'call' }>): Promise<void> {
    const aborted = new AbortController()
    aborting.set(id, aborted)
    try {
      const call = callee[name]
      if (call === undefined) throw new Error(`there is no call '${name}'`)
      const onProgress = (progress: unknown) => say({ type: 'progress', id, progress })
      // The caller knows by the name what it takes.
      say({ type: 'answer', id, answer: await call(argument as never, { signal: aborted.signal, onProgress }) })
    } catch (error) {
      say({ type: 'failed', id, error: sentError(error) })
    } finally {
      aborting.delete(id)
    }
  }

  async function end(argument: unknown): Promise<void> {
    for (const aborted of aborting.values()) aborted.abort()
    // What could not be opened, and is told to every call, needs no closing.
    await close(argument as never).catch(() => {})
    await Promise.all(settling)
    port.close()
    setTimeout(() => process.exit(), LEFT_OPEN_MS_MAX).unref()
  }

  function say(message: ToCaller): void {
    port.postMessage(message)
  }
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Given up only when the callee says so: what it began is gone by then. */
  readonly awaitsEnd?: boolean
  /** Nobody waits for it: the process may end meanwhile. */
  readonly isBackground?: boolean | undefined
  readonly onProgress?: ((progress: never) => void) | undefined
}

interface Waiting {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
  readonly onProgress: ((progress: never) => void) | undefined
}

/** The other end. An idle thread keeps no process alive; one that is asked does. */
export class ThreadCaller {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  #awaited = 0
  #gone: ReadSideError | undefined
  #isLoaded = false
  #ending: Promise<void> | undefined
  readonly #loaded = Promise.withResolvers<void>()
  onNews: (news: unknown) => void = () => {}
  /** The thread ended by itself. */
  onGone: (error: ReadSideError) => void = () => {}

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (message: ToCaller) => this.#hear(message))
    worker.on('error', (error) => this.#lose(error instanceof Error ? error.message : String(error)))
    worker.on('exit', () => this.#lose('it ended'))
  }

  /** Throws what was thrown there, ReadSideError where the thread is gone, and the signal's reason at once. */
  call<T>(name: string, argument: unknown, options: CallOptions = {}): Promise<T> {
    const { signal, awaitsEnd = false, isBackground = false, onProgress } = options
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    return new Promise<T>((resolve, reject) => {
      signal?.throwIfAborted()
      const id = ++this.#lastId
      // First: what can't be sent is thrown, and nobody waits for its answer.
      this.#say({ type: 'call', id, name, argument })
      const abort = () => {
        this.#say({ type: 'abort', id })
        if (awaitsEnd) return
        settled()
        reject(signal?.reason)
      }
      const settled = () => {
        signal?.removeEventListener('abort', abort)
        this.#waiting.delete(id)
        if (!isBackground && --this.#awaited === 0) this.#rest()
      }
      if (!isBackground && this.#awaited++ === 0) this.#worker.ref()
      this.#waiting.set(id, {
        // What the callee of this name answers.
        resolve: (answer) => {
          settled()
          resolve(answer as T)
        },
        reject: (error) => {
          settled()
          reject(signal?.aborted ? signal.reason : error)
        },
        onProgress,
      })
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /**
   * Tells the thread to end, and waits until it has. One that is not done with after so long is ended as it is, which harms
   * nothing that is stored. The time counts from when everything of machine code is loaded: in the middle of that, Node ends
   * the whole process. Twice is once.
   */
  end(argument?: unknown, withinMs = END_MS_MAX): Promise<void> {
    this.#ending ??= this.#end(argument, withinMs)
    return this.#ending
  }

  async #end(argument: unknown, withinMs: number): Promise<void> {
    this.onGone = () => {}
    if (this.#gone !== undefined) return
    const ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()))
    this.#worker.ref()
    this.#say({ type: 'end', argument })
    await this.#loaded.promise
    const late = setTimeout(() => this.#worker.terminate(), withinMs)
    await ended
    clearTimeout(late)
  }

  #rest(): void {
    // Before, it holds the process: leaving in the middle of loading ends in a crash as well.
    if (this.#awaited === 0 && this.#isLoaded && this.#ending === undefined) this.#worker.unref()
  }

  #say(message: ToCallee): void {
    this.#worker.postMessage(message)
  }

  #hear(message: ToCaller): void {
    switch (message.type) {
      case 'answer':
        this.#waiting.get(message.id)?.resolve(message.answer)
        return
      case 'failed':
        this.#waiting.get(message.id)?.reject(receivedError(message.error))
        return
      case 'progress':
        this.#waiting.get(message.id)?.onProgress?.(message.progress as never) // as the callee tells it
        return
      case 'loaded':
        this.#isLoaded = true
        this.#loaded.resolve()
        this.#rest()
        return
      case 'news':
        this.onNews(message.news)
        return
      default:
        message satisfies never
    }
  }

  #lose(why: string): void {
    if (this.#gone !== undefined) return
    this.#loaded.resolve()
    this.#gone = new ReadSideError('read_side_failed', `The thread is gone: ${why}.`)
    for (const { reject } of [...this.#waiting.values()]) reject(this.#gone)
    this.onGone(this.#gone)
  }
}

function sentError(error: unknown): SentError {
  if (!(error instanceof Error)) {
    return { name: 'Error', message: String(error), code: undefined, position: undefined, atLeast: undefined }
  }
  const code = 'code' in error ? String(error.code) : undefined
  const { position, atLeast } = error instanceof ReadSideError ? error : {}
  return { name: error.name, message: error.message, code, position, atLeast }
}

function receivedError({ name, message, code, position, atLeast }: SentError): Error {
  if (name === 'QuestionError') return new QuestionError(code ?? '', message)
  return new ReadSideError(code ?? 'read_side_failed', message, { position, atLeast })
}
