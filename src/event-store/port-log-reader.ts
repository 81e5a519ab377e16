/**
 * A log in another thread, read over a port: for logs that live in the memory of one thread only.
 *
 *     reader here -> question -> port -> answer of the reader there
 *     follow here -> pages, woken by what the other side tells of appends
 */
import { once } from 'node:events'
import type { MessagePort } from 'node:worker_threads'
import {
  type EventReader,
  type Head,
  LogError,
  type LogErrorCode,
  type LogHealth,
  type LogIdentity,
  type LogReader,
  type ReadStreamOptions,
  type StoredEvent,
} from './event-store.ts'
import { AppendWakes, followPages, type LogPage } from './follow.ts'

type Question =
  | { readonly type: 'identity' }
  | { readonly type: 'head'; readonly stream: string }
  | { readonly type: 'end' }
  | { readonly type: 'at'; readonly position: bigint }
  | { readonly type: 'page'; readonly after: bigint; readonly prefixes: readonly string[] | undefined }
  | { readonly type: 'stream'; readonly stream: string; readonly options: Omit<ReadStreamOptions, 'signal'> }

type FromReader = { readonly id: number; readonly question: Question }
type FromLog =
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly code: LogErrorCode; readonly message: string }
  | { readonly type: 'appended' }

const PAGE_EVENTS = 512

/** Answers for the log at the other end of a port. Returns what to call when it was appended to, and the way to stop. */
export function serveLog(log: EventReader, port: MessagePort): { appended(): void; stop(): void } {
  const stopWatching = log.watch(() => tell({ type: 'appended' }))
  port.on('message', async ({ id, question }: FromReader) => {
    try {
      tell({ type: 'answer', id, answer: await answerOf(log, question) })
    } catch (error) {
      const code = error instanceof LogError ? error.code : 'log_unavailable'
      tell({ type: 'failed', id, code, message: error instanceof Error ? error.message : String(error) })
    }
  })
  // Serving keeps no process alive.
  port.unref()
  return {
    appended: () => tell({ type: 'appended' }),
    stop() {
      stopWatching()
      port.close()
    },
  }

  function tell(message: FromLog): void {
    port.postMessage(message)
  }
}

async function answerOf(log: EventReader, question: Question): Promise<unknown> {
  switch (question.type) {
    case 'identity':
      return log.identity()
    case 'head':
      return log.head(question.stream)
    case 'end':
      return log.end()
    case 'at':
      return log.at(question.position)
    case 'stream':
      return collected(log.readStream(question.stream, question.options))
    case 'page': {
      const { after, prefixes } = question
      // What is appended while the page is read stands behind this.
      const end = await log.end()
      const events = await collected(log.readAll({ after, prefixes, limit: PAGE_EVENTS }))
      const last = events.at(-1)?.position ?? after
      const isLast = events.length < PAGE_EVENTS
      const through = isLast && end > last ? end : last
      return { events, through, isLast } satisfies LogPage
    }
    default:
      return question satisfies never
  }
}

export function openPortLogReader(port: MessagePort): LogReader {
  const wakes = new AppendWakes()
  const listeners = new Set<() => void>()
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>()
  let health: LogHealth = { status: 'ok' }
  let lastId = 0
  port.on('message', (message: FromLog) => {
    switch (message.type) {
      case 'appended':
        wakes.wake()
        for (const listener of listeners) listener()
        return
      case 'answer':
        waiting.get(message.id)?.resolve(message.answer)
        waiting.delete(message.id)
        return
      case 'failed':
        waiting.get(message.id)?.reject(new LogError(message.code, message.message))
        waiting.delete(message.id)
        return
      default:
        message satisfies never
    }
  })
  port.on('close', () => {
    health = { status: 'closed', message: CLOSED, since: Date.now() }
    wakes.end()
    for (const { reject } of waiting.values()) reject(new LogError('log_closed', CLOSED))
    waiting.clear()
  })

  // Answers are what the log at the other end gave to exactly this question.
  return {
    identity: () => ask({ type: 'identity' }) as Promise<LogIdentity>,
    head: (stream) => ask({ type: 'head', stream }) as Promise<Head | undefined>,
    end: () => ask({ type: 'end' }) as Promise<bigint>,
    at: (position) => ask({ type: 'at', position }) as Promise<StoredEvent | undefined>,
    async *readStream(stream, { signal, ...options } = {}) {
      const { direction = 'forwards', limit = Number.POSITIVE_INFINITY } = options
      const step = direction === 'forwards' ? 1 : -1
      let from = options.from
      for (let given = 0; given < limit; ) {
        signal?.throwIfAborted()
        const most = Math.min(PAGE_EVENTS, limit - given)
        const page = (await ask({
          type: 'stream',
          stream,
          options: { direction, limit: most, ...(from === undefined ? {} : { from }) },
        })) as StoredEvent[]
        for (const event of page) {
          yield event
          signal?.throwIfAborted()
          given++
        }
        const last = page.at(-1)
        if (last === undefined || page.length < most || (step === -1 && last.revision === 0)) return
        from = last.revision + step
      }
    },
    async *readAll({ after = 0n, prefixes, limit = Number.POSITIVE_INFINITY, signal } = {}) {
      let given = 0
      for (let at = after; ; ) {
        signal?.throwIfAborted()
        const page = await readPage(at, prefixes)
        for (const event of page.events) {
          if (given === limit) return
          given++
          yield event
          signal?.throwIfAborted()
        }
        if (page.isLast) return
        at = page.through
      }
    },
    follow: (options = {}) => ({
      [Symbol.asyncIterator]() {
        const items = followPages((after) => readPage(after, options.prefixes), wakes, options)[Symbol.asyncIterator]()
        return {
          async next() {
            try {
              return await items.next()
            } catch (error) {
              // Closing ends it, also while a page is on its way.
              if (health.status === 'closed') return { done: true, value: undefined }
              throw error
            }
          },
          async return() {
            await items.return?.()
            return { done: true, value: undefined }
          },
        }
      },
    }),
    watch(listener) {
      const own = () => listener({ type: 'unsure' })
      listeners.add(own)
      return () => listeners.delete(own)
    },
    health: () => health,
    async close() {
      if (health.status === 'closed') return
      const closed = once(port, 'close')
      port.close()
      await closed
    },
  }

  function readPage(after: bigint, prefixes: readonly string[] | undefined): Promise<LogPage> {
    return ask({ type: 'page', after, prefixes }) as Promise<LogPage>
  }

  function ask(question: Question): Promise<unknown> {
    if (health.status === 'closed') return Promise.reject(new LogError('log_closed', CLOSED))
    const id = ++lastId
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      port.postMessage({ id, question } satisfies FromReader)
    })
  }
}

async function collected(events: AsyncIterable<StoredEvent>): Promise<readonly StoredEvent[]> {
  const all: StoredEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

const CLOSED = 'The log is closed.'
