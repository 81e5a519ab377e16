/** What operators ask and order of webhooks. It writes to the file; whoever follows and sends sees it within a moment. */
import { randomUUID } from 'node:crypto'
import { Lease, type LeaseTimes } from '../../projections/lease.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { REGISTRY_PREFIX } from '../event-store/stream-names.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { cursorAt, parseCursor } from './event-cursor.ts'
import { WebhookAddressing } from './webhook-addressing.ts'
import type { WebhookDatabase } from './webhook-database.ts'
import { type DeliveriesQuery, WebhookDeliveries, type WebhookDelivery } from './webhook-deliveries.ts'
import { checkedEndpoint, type WebhookEndpoint, type WebhookEndpointOptions } from './webhook-endpoint.ts'
import { WebhookEndpoints } from './webhook-endpoints.ts'
import { WebhookError } from './webhook-error.ts'
import { endOf } from './webhook-follower.ts'
import { type Addressed, WebhookOutbox } from './webhook-outbox.ts'
import type { WebhookAnswer, WebhookPost } from './webhook-post.ts'
import { webhookHeaders } from './webhook-sender.ts'
import type { WebhookSettings } from './webhook-settings.ts'
import { isSecret, newSecret } from './webhook-signature.ts'
import { WEBHOOK_LEASE } from './webhooks.ts'

export interface WebhookDeskParts {
  readonly database: WebhookDatabase
  readonly reader: EventReader
  readonly settings: WebhookSettings
  readonly post: WebhookPost
  readonly clock: Clock
  readonly log: WarningLog
}

export interface WebhookHealth {
  readonly endpoints: readonly WebhookEndpoint[]
  /** Some process of the machine follows the log and sends. */
  readonly isServed: boolean
  /** Why the log is not followed any further. */
  readonly stopped: string | undefined
  /** Up to here the log was looked at. */
  readonly position: bigint | undefined
}

/** Positions of the log: behind the one, up to and with the other. */
export interface ReplayRange {
  readonly after: bigint
  readonly through?: bigint | undefined
}

/** Deliveries of a replay that are put at once. */
const PORTION = 500
/** A secret that is replaced goes on signing beside the new one for as long as receivers need to change over. */
export const ROTATION_MS = 24 * 3_600_000

export class WebhookDesk {
  readonly #parts: WebhookDeskParts
  readonly #endpoints: WebhookEndpoints
  readonly #deliveries: WebhookDeliveries
  readonly #outbox: WebhookOutbox

  constructor(parts: WebhookDeskParts) {
    this.#parts = parts
    this.#endpoints = new WebhookEndpoints(parts.database)
    this.#deliveries = new WebhookDeliveries(parts.database)
    this.#outbox = new WebhookOutbox(parts.database)
  }

  health(): WebhookHealth {
    const { clock, database, settings } = this.#parts
    const times: LeaseTimes = { now: clock.now(), monotonicNow: clock.monotonicNow() }
    return {
      endpoints: this.#endpoints.all(),
      isServed: !new Lease(database, WEBHOOK_LEASE, '', settings.followLeaseMs).isFree(times),
      stopped: this.#outbox.stopped(),
      position: this.#position(),
    }
  }

  newSecret(): string {
    return newSecret()
  }

  /** It gets what happens from now on. Throws WebhookError. */
  async add(options: WebhookEndpointOptions): Promise<WebhookEndpoint> {
    const endpoint = checkedEndpoint(options)
    const { reader, clock, settings } = this.#parts
    const end = await endOf(reader, await reader.identity())
    this.#outbox.begin(end)
    this.#endpoints.add(endpoint, end, clock.now(), settings.webhookEndpointsMax)
    return this.#endpoints.get(endpoint.id)
  }

  /** With all of its deliveries. */
  remove(id: string): void {
    this.#endpoints.remove(id)
  }

  disable(id: string, reason: string): WebhookEndpoint {
    this.#endpoints.get(id)
    this.#endpoints.disable(id, reason, this.#position() ?? 0n, this.#parts.clock.now())
    return this.#endpoints.get(id)
  }

  /** What waits is sent again at once. Gives back how it was: behind `missedAfter` nothing was kept for it. */
  enable(id: string): WebhookEndpoint {
    const before = this.#endpoints.get(id)
    this.#endpoints.enable(id, this.#position() ?? 0n, this.#parts.clock.now())
    return before
  }

  /** A new secret; those before sign beside it for `keepMs` and are forgotten then. */
  rotate(id: string, secret: string = newSecret(), keepMs: number = ROTATION_MS): string {
    if (!isSecret(secret)) {
      throw new WebhookError('invalid_endpoint', 'secret: expected "whsec_" and 24 to 64 bytes in base64')
    }
    const now = this.#parts.clock.now()
    const { secrets, origin } = this.#endpoints.get(id)
    if (origin === 'options') {
      throw new WebhookError(
        'configured_elsewhere',
        `'${id}' stands in the options of a process: add the secret there.`,
      )
    }
    const kept = secrets
      .filter(({ until }) => until === undefined || until > now)
      .map((one) => ({ secret: one.secret, until: Math.min(one.until ?? Number.MAX_SAFE_INTEGER, now + keepMs) }))
    this.#endpoints.keepSecrets(id, [{ secret }, ...kept])
    return secret
  }

  deliveries(query: DeliveriesQuery): readonly WebhookDelivery[] {
    return this.#deliveries.list(query)
  }

  /** A message of its own, sent now and once; nothing is written down. */
  async test(id: string, signal: AbortSignal): Promise<WebhookAnswer> {
    const { reader, clock, settings, post } = this.#parts
    const { url, secrets, allowPrivateAddresses } = this.#endpoints.get(id)
    const { logId } = await reader.identity()
    const at = clock.now()
    const messageId = `test_${randomUUID()}`
    const body = JSON.stringify({
      specversion: '1.0',
      id: messageId,
      source: `/verdict/logs/${logId}`,
      type: 'verdict.webhook.test',
      time: new Date(at).toISOString(),
      datacontenttype: 'application/json',
      data: { endpoint: id },
    })
    const headers = webhookHeaders(secrets, { id: messageId, at, body })
    return post({ url, headers, body, timeoutMs: settings.webhookTimeoutMs, allowPrivateAddresses }, signal)
  }

  /** One delivery once more, as it was. Throws WebhookError `unknown_delivery`. */
  replay(delivery: number): void {
    if (this.#deliveries.again(delivery, this.#parts.clock.now())) return
    throw new WebhookError(
      'unknown_delivery',
      `There is no delivery ${delivery}: "verdict webhooks deliveries" tells those that are.`,
    )
  }

  /** The events of a range of the log that the endpoint wants, once more or for the first time; how many. */
  async replayRange(id: string, { after, through }: ReplayRange, signal: AbortSignal): Promise<number> {
    const { reader, clock, log, settings } = this.#parts
    const endpoint = this.#endpoints.get(id)
    const end = through ?? (await reader.end())
    const addressing = new WebhookAddressing(reader, await reader.identity(), log)
    let portion: Addressed[] = []
    let count = 0
    const put = () => {
      const { waiting } = this.#endpoints.get(id)
      if (waiting + portion.length > settings.webhookBacklogMax) {
        throw new WebhookError(
          'too_many',
          `${waiting} deliveries wait for '${id}', as many as may (webhookBacklogMax); ${count} events were put before.`,
        )
      }
      this.#outbox.putAgain(portion, clock.now())
      count += portion.length
      portion = []
    }
    for await (const stored of reader.readAll({ after, prefixes: [REGISTRY_PREFIX], signal })) {
      if (stored.position > end) break
      const addressed = await addressing.of(stored, [endpoint])
      if (addressed === undefined) continue
      portion.push(addressed)
      if (portion.length === PORTION) put()
    }
    put()
    return count
  }

  /** Follows the log from its end, or from a position, wherever it stood. */
  async resume(after?: bigint): Promise<void> {
    const { reader } = this.#parts
    const identity = await reader.identity()
    if (after === undefined) return this.#outbox.moveTo(await endOf(reader, identity))
    this.#outbox.moveTo(cursorAt(identity, after))
  }

  /** Twice is once. */
  close(): void {
    this.#parts.database.close()
  }

  #position(): bigint | undefined {
    return parseCursor(this.#outbox.cursor() ?? '')?.position
  }
}
