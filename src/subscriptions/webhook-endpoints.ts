/** The endpoints in their file: configured by options and by command, with how it goes with each. */
import { parseCursor } from './event-cursor.ts'
import type { WebhookDatabase } from './webhook-database.ts'
import type { CheckedEndpoint, EndpointSecret, WebhookEndpoint, WebhookFilter } from './webhook-endpoint.ts'
import { WebhookError } from './webhook-error.ts'

interface EndpointRow {
  readonly id: string
  readonly url: string
  readonly secrets: string
  readonly filter: string
  readonly allowPrivate: number
  readonly origin: WebhookEndpoint['origin']
  readonly after: string
  readonly standing: WebhookEndpoint['standing']
  readonly reason: string | null
  readonly since: number
  readonly missedAfter: string | null
  readonly failingSince: number | null
  readonly lastSuccessAt: number | null
  readonly lastFailure: string | null
  readonly waiting: number
}

const SELECT = `
SELECT id, url, secrets, filter, allow_private AS allowPrivate, origin, CAST(after AS TEXT) AS after, standing, reason, since,
  CAST(missed_after AS TEXT) AS missedAfter, failing_since AS failingSince, last_success_at AS lastSuccessAt,
  last_failure AS lastFailure, waiting
FROM endpoints`

const BY_OPTIONS = 'its options say so'

export class WebhookEndpoints {
  readonly #database: WebhookDatabase

  constructor(database: WebhookDatabase) {
    this.#database = database
  }

  all(): readonly WebhookEndpoint[] {
    const rows = this.#database.connection.prepare(`${SELECT} ORDER BY id`).all() as EndpointRow[] // as SELECT names them
    return rows.map(endpointOf)
  }

  /** Throws WebhookError `unknown_endpoint`. */
  get(id: string): WebhookEndpoint {
    const row = this.#database.connection.prepare(`${SELECT} WHERE id = ?`).get(id) as EndpointRow | undefined
    if (row !== undefined) return endpointOf(row)
    const ids = this.all().map((one) => one.id)
    const known = ids.length === 0 ? 'there is none' : `there are: ${ids.join(', ')}`
    throw new WebhookError('unknown_endpoint', `There is no endpoint '${id}'; ${known}.`)
  }

  areNone(): boolean {
    return this.#database.connection.prepare('SELECT 1 FROM endpoints LIMIT 1').get() === undefined
  }

  /** Counts up whenever it changes who gets which events. */
  changes(): number {
    return Number(this.#database.connection.prepare('SELECT endpoint_changes FROM outbox').pluck().get())
  }

  /** For what comes behind the end of the log. Throws WebhookError `invalid_endpoint` where the id is taken, `too_many`. */
  add(endpoint: CheckedEndpoint, end: string, now: number, endpointsMax: number): void {
    this.#database.transaction(() => {
      const ids = this.all().map(({ id }) => id)
      if (ids.includes(endpoint.id)) {
        throw new WebhookError('invalid_endpoint', `There is an endpoint '${endpoint.id}' already: remove it first.`)
      }
      if (ids.length >= endpointsMax) {
        throw new WebhookError(
          'too_many',
          `There are ${ids.length} endpoints, as many as may be (webhookEndpointsMax).`,
        )
      }
      this.#beginAt(end)
      this.#insert(endpoint, 'command', positionOf(end), now)
    })
  }

  /**
   * Makes those that options name as they name them, new ones for what comes behind the end of the log; those that came by
   * options before and are named no more go.
   */
  applyOptions(endpoints: readonly CheckedEndpoint[], end: string, now: number): void {
    const after = positionOf(end)
    this.#database.transaction(() => {
      this.#beginAt(end)
      const before = new Map(this.all().map((one) => [one.id, one]))
      for (const { id, origin } of before.values()) {
        if (origin === 'options' && !endpoints.some((one) => one.id === id)) this.#delete(id)
      }
      for (const endpoint of endpoints) {
        const known = before.get(endpoint.id)
        if (known === undefined) this.#insert(endpoint, 'options', after, now)
        else this.#change(known, endpoint, after, now)
      }
    })
  }

  /** Its deliveries go with it. Throws WebhookError `unknown_endpoint`, `configured_elsewhere`. */
  remove(id: string): void {
    this.#database.transaction(() => {
      if (this.get(id).origin === 'options') {
        throw new WebhookError(
          'configured_elsewhere',
          `'${id}' stands in the options of a process: take it out there, or disable it.`,
        )
      }
      this.#delete(id)
    })
  }

  /** Nothing is sent and nothing is kept for it from `position` on, until it is enabled; what waits stays. */
  disable(id: string, reason: string, position: bigint, now: number): void {
    this.#database.transaction(() => {
      this.#database.connection
        .prepare(
          `UPDATE endpoints SET standing = 'disabled', reason = ?, since = ?, missed_after = coalesce(missed_after, ?)
           WHERE id = ? AND standing = 'enabled'`,
        )
        .run(reason, now, position, id)
      this.#changed()
    })
  }

  /** What waits is sent again, and what comes from `position` on. */
  enable(id: string, position: bigint, now: number): void {
    this.#database.transaction(() => {
      this.#database.connection
        .prepare(
          `UPDATE endpoints SET standing = 'enabled', reason = NULL, since = ?, failing_since = NULL, missed_after = NULL,
             after = max(after, ?) WHERE id = ? AND standing = 'disabled'`,
        )
        .run(now, position, id)
      this.#database.connection
        .prepare(`UPDATE deliveries SET due_at = min(due_at, ?) WHERE endpoint = ? AND standing = 'waiting'`)
        .run(now, id)
      this.#changed()
    })
  }

  keepSecrets(id: string, secrets: readonly EndpointSecret[]): void {
    this.#database.connection.prepare('UPDATE endpoints SET secrets = ? WHERE id = ?').run(JSON.stringify(secrets), id)
  }

  noteSuccess(id: string, now: number): void {
    this.#database.connection
      .prepare('UPDATE endpoints SET failing_since = NULL, last_success_at = ? WHERE id = ?')
      .run(now, id)
  }

  /** Since when it has been failing without a success. */
  noteFailure(id: string, message: string, now: number): number {
    const since = this.#database.connection
      .prepare(
        `UPDATE endpoints SET failing_since = coalesce(failing_since, ?), last_failure = ? WHERE id = ?
         RETURNING failing_since`,
      )
      .pluck()
      .get(now, message, id)
    return since === undefined ? now : Number(since)
  }

  noteWaiting(id: string, difference: number): void {
    this.#database.connection.prepare('UPDATE endpoints SET waiting = waiting + ? WHERE id = ?').run(difference, id)
  }

  #insert(endpoint: CheckedEndpoint, origin: WebhookEndpoint['origin'], after: bigint, now: number): void {
    const { id, url, secrets, allowPrivateAddresses, disabled } = endpoint
    this.#database.connection
      .prepare('INSERT INTO endpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, 0)')
      .run(
        id,
        url,
        JSON.stringify(secrets.map((secret) => ({ secret }))),
        JSON.stringify(filterOf(endpoint)),
        allowPrivateAddresses ? 1 : 0,
        origin,
        after,
        disabled ? 'disabled' : 'enabled',
        disabled ? BY_OPTIONS : null,
        now,
        disabled ? after : null,
      )
    this.#changed()
  }

  #change(known: WebhookEndpoint, endpoint: CheckedEndpoint, position: bigint, now: number): void {
    const { id, url, secrets, allowPrivateAddresses, disabled } = endpoint
    this.#database.connection
      .prepare(
        `UPDATE endpoints SET url = ?, secrets = ?, filter = ?, allow_private = ?, origin = 'options' WHERE id = ?`,
      )
      .run(
        url,
        JSON.stringify(secrets.map((secret) => ({ secret }))),
        JSON.stringify(filterOf(endpoint)),
        allowPrivateAddresses ? 1 : 0,
        id,
      )
    if (disabled) this.disable(id, BY_OPTIONS, position, now)
    else if (known.reason === BY_OPTIONS) this.enable(id, position, now)
    this.#changed()
  }

  #delete(id: string): void {
    const { connection } = this.#database
    connection.prepare('DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE endpoint = ?)').run(id)
    connection.prepare('DELETE FROM deliveries WHERE endpoint = ?').run(id)
    connection.prepare('DELETE FROM endpoints WHERE id = ?').run(id)
    this.#changed()
  }

  /** Where nobody wanted anything, the log was not followed, and what it holds is for nobody. */
  #beginAt(end: string): void {
    if (this.areNone()) this.#database.connection.prepare('UPDATE outbox SET cursor = ?, stopped = NULL').run(end)
  }

  #changed(): void {
    this.#database.connection.prepare('UPDATE outbox SET endpoint_changes = endpoint_changes + 1').run()
  }
}

function positionOf(cursor: string): bigint {
  return parseCursor(cursor)?.position ?? 0n
}

function filterOf({ types, workspace, owner, kind }: CheckedEndpoint): WebhookFilter {
  return { types, workspace, owner, kind }
}

function endpointOf(row: EndpointRow): WebhookEndpoint {
  const { id, url, origin, standing, since, waiting } = row
  return {
    id,
    url,
    // Written by this file alone.
    secrets: JSON.parse(row.secrets) as EndpointSecret[],
    filter: JSON.parse(row.filter) as WebhookFilter,
    allowPrivateAddresses: row.allowPrivate === 1,
    origin,
    after: BigInt(row.after),
    standing,
    reason: row.reason ?? undefined,
    since,
    missedAfter: row.missedAfter === null ? undefined : BigInt(row.missedAfter),
    failingSince: row.failingSince ?? undefined,
    lastSuccessAt: row.lastSuccessAt ?? undefined,
    lastFailure: row.lastFailure ?? undefined,
    waiting,
  }
}
