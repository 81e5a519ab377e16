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

type ToCaller =
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: SentError }
  | { readonly type: 'progress'; readonly id: number; readonly progress: unknown }
  /** Libraries of machine code are in: whoever ends a thread before ends the process. */
  | { readonly type: 'loaded' }
  /** What calls need is open; before, nothing was begun that would have to be ended in order. */
  | { readonly type: 'ready' }
  /** Not asked for. */
  | { readonly type: 'news'; readonly news: unknown }

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

/**
 * Answers calls that come over the port, once everything of machine code is loaded. Returns the ways to tell what nobody asked
 * for.
 */
export function answerCalls(
  port: MessagePort,
  callee: Callee,
): { readonly ready: () => void; readonly tell: (news: unknown) => void } {
  const running = new Map<number, AbortController>()
  say({ type: 'loaded' })
  port.on('message', async (message: ToCallee) => {
    if (message.type === 'abort') return running.get(message.id)?.abort()
    const { id, name, argument } = message
    const aborted = new AbortController()
    running.set(id, aborted)
    try {
      const call = callee[name]
      if (call === undefined) throw new Error(`there is no call '${name}'`)
      const onProgress = (progress: unknown) => say({ type: 'progress', id, progress })
      // The caller knows by the name what it takes.
      say({ type: 'answer', id, answer: await call(argument as never, { signal: aborted.signal, onProgress }) })
    } catch (error) {
      say({ type: 'failed', id, error: sentError(error) })
    } finally {
      running.delete(id)
    }
  })
  return { ready: () => say({ type: 'ready' }), tell: (news) => say({ type: 'news', news }) }

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
  #isReady = false
  #isLoaded = false
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

  /** It has begun what it is for: better told to close than ended as it is. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Throws what was thrown there, ReadSideError where the thread is gone, and the signal's reason at once. */
  call<T>(name: string, argument: unknown, options: CallOptions = {}): Promise<T> {
    const { signal, awaitsEnd = false, isBackground = false, onProgress } = options
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    return new Promise<T>((resolve, reject) => {
      signal?.throwIfAborted()
      const id = ++this.#lastId
      const abort = () => {
        this.#say({ type: 'abort', id })
        if (awaitsEnd) return
        settled()
        reject(signal?.reason)
      }
      const settled = () => {
        signal?.removeEventListener('abort', abort)
        this.#waiting.delete(id)
        if (!isBackground && --this.#awaited === 0 && this.#isLoaded) this.#worker.unref()
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
      this.#say({ type: 'call', id, name, argument })
    })
  }

  /** Twice is once. Node ends the whole process where a thread is ended while it loads a library of machine code: that is waited for. */
  async end(): Promise<void> {
    this.onGone = () => {}
    await this.#loaded.promise
    await this.#worker.terminate()
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
        // Before, it holds the process: leaving in the middle of it ends in a crash as well.
        if (this.#awaited === 0) this.#worker.unref()
        return
      case 'ready':
        this.#isReady = true
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
