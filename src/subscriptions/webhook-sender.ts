/**
 * From the outbox to the endpoints: each has places of its own, so that a slow one holds up nobody else.
 *
 *     due -> signed -> POST -> 2xx: delivered
 *                          '-> anything else: again by the schedule, and at its end failed
 *                          '-> 410, or failing for days: the endpoint is disabled
 */
import type { Clock } from '../runtime/clock.ts'
import { Periodic } from '../runtime/periodic.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { parseCursor } from './event-cursor.ts'
import type { WebhookDatabase } from './webhook-database.ts'
import { type AfterAttempt, type ReadyDelivery, type WebhookAttempt, WebhookDeliveries } from './webhook-deliveries.ts'
import type { EndpointSecret, WebhookEndpoint } from './webhook-endpoint.ts'
import { WebhookEndpoints } from './webhook-endpoints.ts'
import { WebhookOutbox } from './webhook-outbox.ts'
import type { WebhookAnswer, WebhookPost } from './webhook-post.ts'
import type { WebhookSettings } from './webhook-settings.ts'
import { signatureHeaders } from './webhook-signature.ts'

export interface WebhookSenderParts {
  readonly database: WebhookDatabase
  readonly post: WebhookPost
  readonly settings: WebhookSettings
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly log: WarningLog
  /** The file can't be written: nothing is sent any more by this sender. */
  readonly onFailure: (error: unknown) => void
}

/** Looked at again at the latest. */
const REST_MS_MAX = 60_000
/** Added to each delay of the schedule at most, so that many do not come back at once. */
const JITTER_SHARE = 0.2
const HTTP_GONE = 410
const SERVER_ASKS_TO_WAIT: ReadonlySet<number> = new Set([429, 503])

export class WebhookSender {
  readonly #parts: WebhookSenderParts
  readonly #deliveries: WebhookDeliveries
  readonly #endpoints: WebhookEndpoints
  readonly #outbox: WebhookOutbox
  readonly #stopping = new AbortController()
  readonly #underWay = new Map<number, Promise<void>>()
  readonly #places = new Map<string, number>()
  readonly #duty: Periodic

  constructor(parts: WebhookSenderParts) {
    this.#parts = parts
    this.#deliveries = new WebhookDeliveries(parts.database)
    this.#endpoints = new WebhookEndpoints(parts.database)
    this.#outbox = new WebhookOutbox(parts.database)
    this.#duty = new Periodic({
      clock: parts.clock,
      pass: async () => this.#fill(),
      intervalMinMs: 0,
      intervalMaxMs: REST_MS_MAX,
      onError: (error) => this.#fail(error),
    })
  }

  start(): void {
    this.#duty.start()
  }

  /** Something may be due. */
  wake(): void {
    this.#duty.wakeWithin(0)
  }

  /** Nothing is under way, and nothing is due. */
  isIdle(): boolean {
    const now = this.#parts.clock.now()
    const enabled = this.#endpoints.all().filter(({ standing }) => standing === 'enabled')
    return this.#underWay.size === 0 && enabled.every(({ id }) => this.#deliveries.ready(id, now, 1).length === 0)
  }

  /** What is under way is broken off, and sent again by whoever sends next. Twice is once. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#duty.stop()
    await Promise.all(this.#underWay.values())
  }

  /** Begins what is due and has a place; tells in how many ms something will be. */
  #fill(): number {
    const { clock, settings } = this.#parts
    const now = clock.now()
    for (const endpoint of this.#endpoints.all()) {
      if (endpoint.standing === 'disabled') continue
      const taken = this.#places.get(endpoint.id) ?? 0
      const free = settings.webhookInFlightMax - taken
      if (free <= 0) continue
      const ready = this.#deliveries.ready(endpoint.id, now, settings.webhookInFlightMax + taken)
      for (const delivery of ready.filter(({ id }) => !this.#underWay.has(id)).slice(0, free)) {
        this.#begin(endpoint, delivery)
      }
    }
    const dueAt = this.#deliveries.nextDueAt(now)
    return dueAt === undefined ? REST_MS_MAX : Math.max(0, dueAt - now)
  }

  #begin(endpoint: WebhookEndpoint, delivery: ReadyDelivery): void {
    this.#places.set(endpoint.id, (this.#places.get(endpoint.id) ?? 0) + 1)
    const sending = this.#send(endpoint, delivery)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#underWay.delete(delivery.id)
        this.#places.set(endpoint.id, (this.#places.get(endpoint.id) ?? 1) - 1)
        this.wake()
      })
    this.#underWay.set(delivery.id, sending)
  }

  async #send(endpoint: WebhookEndpoint, delivery: ReadyDelivery): Promise<void> {
    const { clock, settings, post } = this.#parts
    const { signal } = this.#stopping
    const at = clock.now()
    const begun = clock.monotonicNow()
    const { webhookId: id, body } = delivery
    const request = {
      url: endpoint.url,
      headers: webhookHeaders(endpoint.secrets, { id, at, body }),
      body,
      timeoutMs: settings.webhookTimeoutMs,
      allowPrivateAddresses: endpoint.allowPrivateAddresses,
    }
    const answer = await post(request, signal)
    if (signal.aborted) return
    this.#record(endpoint, delivery, answer, { at, durationMs: Math.round(clock.monotonicNow() - begun) })
  }

  #record(
    endpoint: WebhookEndpoint,
    { id, tries }: ReadyDelivery,
    answer: WebhookAnswer,
    { at, durationMs }: Pick<WebhookAttempt, 'at' | 'durationMs'>,
  ): void {
    const { database, clock } = this.#parts
    const now = clock.now()
    const status = answer.type === 'answered' ? answer.status : undefined
    const failure = failureOf(answer)
    const text = answer.type === 'answered' && answer.text !== '' ? answer.text : undefined
    const attempt = { at, durationMs, status, error: failure, answer: text }
    database.transaction(() => {
      this.#deliveries.record(id, endpoint.id, attempt, this.#after(answer, tries, now))
      if (failure === undefined) return this.#endpoints.noteSuccess(endpoint.id, now)
      const failingSince = this.#endpoints.noteFailure(endpoint.id, failure, now)
      const why = this.#whyDisabled(status, failingSince, now)
      if (why !== undefined) this.#disable(endpoint, why, now)
    })
  }

  #after(answer: WebhookAnswer, tries: number, now: number): AfterAttempt {
    const { webhookRetryScheduleMs: schedule } = this.#parts.settings
    if (failureOf(answer) === undefined) return { type: 'delivered' }
    const delayMs = schedule[tries + 1]
    const isGone = answer.type === 'answered' && answer.status === HTTP_GONE
    if (delayMs === undefined || isGone) return { type: 'failed' }
    const jittered = delayMs * (1 + JITTER_SHARE * this.#parts.random())
    return {
      type: 'again',
      dueAt: Math.ceil(now + Math.max(jittered, askedDelayMs(answer, now, Math.max(...schedule)))),
    }
  }

  #whyDisabled(status: number | undefined, failingSince: number, now: number): string | undefined {
    const { webhookDisableAfterMs } = this.#parts.settings
    if (status === HTTP_GONE) return 'it answered 410 Gone'
    if (now - failingSince < webhookDisableAfterMs) return undefined
    return `nothing was delivered since ${new Date(failingSince).toISOString()} (webhookDisableAfterMs)`
  }

  #disable({ id, url }: WebhookEndpoint, reason: string, now: number): void {
    const position = parseCursor(this.#outbox.cursor() ?? '')?.position ?? 0n
    this.#endpoints.disable(id, reason, position, now)
    const { host } = new URL(url)
    this.#parts.log.warn({ endpoint: id, host, reason }, 'an endpoint of webhooks was disabled')
  }

  #fail(error: unknown): void {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    this.#parts.onFailure(error)
  }
}

/** With a signature for each secret that is still good. */
export function webhookHeaders(
  secrets: readonly EndpointSecret[],
  message: { readonly id: string; readonly at: number; readonly body: string },
): Readonly<Record<string, string>> {
  const good = secrets.filter(({ until }) => until === undefined || message.at < until).map(({ secret }) => secret)
  return {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'user-agent': 'verdict-webhooks',
    ...signatureHeaders(good, message),
  }
}

/** Undefined for a delivery. */
export function failureOf(answer: WebhookAnswer): string | undefined {
  if (answer.type === 'failed') return answer.message
  const { status } = answer
  if (status >= 200 && status < 300) return undefined
  return `answered ${status}${status >= 300 && status < 400 ? ': redirects are not followed' : ''}`
}

/** What a busy server asks for, within the longest delay of the schedule. */
function askedDelayMs(answer: WebhookAnswer, now: number, maxMs: number): number {
  if (answer.type !== 'answered' || !SERVER_ASKS_TO_WAIT.has(answer.status) || answer.retryAfter === undefined) return 0
  const { retryAfter } = answer
  const ms = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - now
  return Number.isNaN(ms) ? 0 : Math.min(maxMs, Math.max(0, ms))
}
