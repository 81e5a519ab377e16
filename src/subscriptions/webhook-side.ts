/** The webhooks of a node as its main thread has them: one thread that follows and sends, started again when it ends. */
import type { Worker } from 'node:worker_threads'
import type { WarningLog } from '../runtime/warning-log.ts'
import { retryDelayMs } from './retry-delay.ts'
import { ThreadCaller } from './thread-calls.ts'
import type { LogPlace } from './thread-data.ts'
import type { CheckedEndpoint } from './webhook-endpoint.ts'
import type { WebhookSettings } from './webhook-settings.ts'

/** What the thread is started with. */
export interface WebhookThreadData {
  readonly path: string
  readonly log: LogPlace
  readonly endpoints: readonly CheckedEndpoint[]
  readonly settings: WebhookSettings
  readonly holder: string
}

/** What it tells without being asked. */
export interface WebhookNews {
  readonly type: 'warning'
  readonly facts: Readonly<Record<string, unknown>>
  readonly message: string
}

export interface WebhookSideParts extends Omit<WebhookThreadData, 'log'> {
  readonly log: WarningLog
  readonly drainMs: number
  readonly startThread: (data: WebhookThreadData) => Worker
  readonly placeOfLog: () => { readonly place: LogPlace; release(): void }
}

const RESTART_MS = 250
const RESTART_MS_MAX = 30_000
/** Beyond what it may take to send what is due. */
const CLOSE_TIMEOUT_MS = 5_000

export class WebhookSide {
  readonly #parts: WebhookSideParts
  #thread: { readonly caller: ThreadCaller; release(): void } | undefined
  #closing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #restarts = 0

  constructor(parts: WebhookSideParts) {
    this.#parts = parts
  }

  start(): void {
    if (this.#closing !== undefined || this.#thread !== undefined) return
    const { path, endpoints, settings, holder, log, startThread, placeOfLog } = this.#parts
    const { place, release } = placeOfLog()
    const caller = new ThreadCaller(startThread({ path, log: place, endpoints, settings, holder }))
    caller.onNews = (news) => {
      const { facts, message } = news as WebhookNews // as the thread tells it
      log.warn(facts, message)
    }
    caller.onGone = ({ message }) => {
      this.#thread = undefined
      release()
      if (this.#closing !== undefined) return
      log.warn({ message }, 'the thread of the webhooks ended; it is started again')
      const delayMs = retryDelayMs(this.#restarts++, RESTART_MS, RESTART_MS_MAX, Math.random())
      this.#timer = setTimeout(() => this.start(), delayMs).unref()
    }
    this.#thread = { caller, release }
  }

  /** Sends what is due, for a while; what is left is sent by whoever is next. Twice is once. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#thread === undefined) return
    const { caller, release } = this.#thread
    const { drainMs } = this.#parts
    await caller.end({ drainMs }, drainMs + CLOSE_TIMEOUT_MS)
    release()
  }
}
