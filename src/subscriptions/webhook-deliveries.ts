/**
 * Deliveries in their file: which are to be sent now, what came of each try, and the log of it for operators.
 *
 * Within one endpoint a delivery waits for those before it that are about the same operation; an event about many operations
 * waits for all before it in its stream, and all behind it wait for it. Other operations go on meanwhile.
 */
import { LANES, type WebhookDatabase } from './webhook-database.ts'
import { WebhookEndpoints } from './webhook-endpoints.ts'

export interface ReadyDelivery {
  readonly id: number
  readonly webhookId: string
  readonly type: string
  readonly body: string
  /** Made so far. */
  readonly tries: number
}

export interface WebhookAttempt {
  readonly at: number
  readonly durationMs: number
  /** What was answered; absent where nothing was. */
  readonly status: number | undefined
  readonly error: string | undefined
  /** The beginning of the answer's body. */
  readonly answer: string | undefined
}

export type AfterAttempt =
  | { readonly type: 'delivered' }
  | { readonly type: 'again'; readonly dueAt: number }
  | { readonly type: 'failed' }

export type DeliveryStanding = 'waiting' | 'delivered' | 'failed'

/** A delivery as operators see it. */
export interface WebhookDelivery {
  readonly id: number
  readonly endpoint: string
  readonly standing: DeliveryStanding
  readonly type: string
  /** Id of the operation. */
  readonly subject: string | undefined
  readonly position: string
  readonly webhookId: string
  readonly isReplay: boolean
  readonly createdAt: number
  readonly endedAt: number | undefined
  /** When it is tried next, at the earliest; of one that waits. */
  readonly dueAt: number | undefined
  readonly attempts: readonly WebhookAttempt[]
}

export interface DeliveriesQuery {
  readonly endpoint?: string | undefined
  readonly standing?: DeliveryStanding | undefined
  /** Id of an operation. */
  readonly operation?: string | undefined
  /** Those before this one, newest first. */
  readonly before?: number | undefined
  readonly limit: number
}

const READY = `
SELECT d.id, m.webhook_id AS webhookId, m.type, m.body, d.tries FROM deliveries d JOIN messages m ON m.id = d.message
WHERE d.endpoint = @endpoint AND d.standing = 'waiting' AND d.due_at <= @now
  AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.endpoint = d.endpoint AND e.standing = 'waiting'
    AND e.stream = d.stream AND e.lane = d.lane AND e.id < d.id)
  AND (d.lane = ${LANES.registry} OR NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.endpoint = d.endpoint
    AND e.standing = 'waiting' AND e.stream = d.stream AND e.lane = ${LANES.everything} AND e.id < d.id))
  AND (d.lane <> ${LANES.everything} OR NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.endpoint = d.endpoint
    AND e.standing = 'waiting' AND e.stream = d.stream AND e.lane <> ${LANES.registry} AND e.id < d.id))
ORDER BY d.due_at, d.id LIMIT @limit`

interface DeliveryRow extends Omit<WebhookDelivery, 'isReplay' | 'attempts' | 'subject' | 'endedAt' | 'dueAt'> {
  readonly subject: string | null
  readonly isReplay: number
  readonly endedAt: number | null
  readonly dueAt: number
}

interface AttemptRow {
  readonly at: number
  readonly durationMs: number
  readonly status: number | null
  readonly error: string | null
  readonly answer: string | null
}

export class WebhookDeliveries {
  readonly #database: WebhookDatabase
  readonly #endpoints: WebhookEndpoints

  constructor(database: WebhookDatabase) {
    this.#database = database
    this.#endpoints = new WebhookEndpoints(database)
  }

  /** To be sent now, those that are under way included, the one that has been due for longest first. */
  ready(endpoint: string, now: number, limit: number): readonly ReadyDelivery[] {
    return this.#database.connection.prepare(READY).all({ endpoint, now, limit }) as ReadyDelivery[] // as READY names them
  }

  /** When something that is not due yet will be. */
  nextDueAt(now: number): number | undefined {
    const at = this.#database.connection
      .prepare(
        `SELECT min(due_at) FROM endpoints p JOIN deliveries d ON d.endpoint = p.id
         WHERE p.standing = 'enabled' AND d.standing = 'waiting' AND d.due_at > ?`,
      )
      .pluck()
      .get(now)
    return at === null || at === undefined ? undefined : Number(at)
  }

  /** Writes down a try and what follows from it. One that is gone, its endpoint having been removed, is nothing. */
  record(id: number, endpoint: string, attempt: WebhookAttempt, after: AfterAttempt): void {
    const { connection } = this.#database
    const { at, durationMs, status = null, error = null, answer = null } = attempt
    const row = connection
      .prepare(
        `UPDATE deliveries SET tries = tries + 1 WHERE id = ? AND standing = 'waiting' RETURNING tries, stream, lane`,
      )
      .get(id) as { tries: number; stream: string; lane: number } | undefined // as RETURNING names them
    if (row === undefined) return
    connection
      .prepare('INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(id, row.tries, at, durationMs, status, error, answer)
    if (after.type === 'again') {
      // Those behind it need not be looked at before.
      connection
        .prepare(
          `UPDATE deliveries SET due_at = @dueAt WHERE endpoint = @endpoint AND standing = 'waiting' AND stream = @stream
           AND lane = @lane AND due_at < @dueAt`,
        )
        .run({ dueAt: after.dueAt, endpoint, stream: row.stream, lane: row.lane })
      return
    }
    connection
      .prepare('UPDATE deliveries SET standing = ?, ended_at = ? WHERE id = ?')
      .run(after.type, at + durationMs, id)
    this.#endpoints.noteWaiting(endpoint, -1)
  }

  /** Newest first. */
  list({ endpoint, standing, operation, before, limit }: DeliveriesQuery): readonly WebhookDelivery[] {
    const conditions: readonly (readonly [string, string | number | undefined])[] = [
      ['d.endpoint = ?', endpoint],
      ['d.standing = ?', standing],
      ['m.subject = ?', operation],
      ['d.id < ?', before],
    ]
    const given = conditions.filter(([, value]) => value !== undefined)
    const where = given.length === 0 ? '' : `WHERE ${given.map(([condition]) => condition).join(' AND ')}`
    const rows = this.#database.connection
      .prepare(
        `SELECT d.id, d.endpoint, d.standing, m.type, m.subject, CAST(m.position AS TEXT) AS position, m.webhook_id AS webhookId,
           d.is_replay AS isReplay, d.created_at AS createdAt, d.ended_at AS endedAt, d.due_at AS dueAt
         FROM deliveries d JOIN messages m ON m.id = d.message ${where} ORDER BY d.id DESC LIMIT ?`,
      )
      .all(...given.map(([, value]) => value), limit) as DeliveryRow[] // as it names them
    return rows.map((row) => this.#told(row))
  }

  /** Sends one that was sent before once more, whatever became of it. False where there is none. */
  again(id: number, now: number): boolean {
    return this.#database.transaction(() => {
      const endpoint = this.#database.connection
        .prepare(
          `INSERT INTO deliveries (endpoint, message, stream, lane, is_replay, standing, tries, due_at, created_at)
           SELECT endpoint, message, stream, lane, 1, 'waiting', 0, @now, @now FROM deliveries WHERE id = @id
           RETURNING endpoint`,
        )
        .pluck()
        .get({ id, now })
      if (endpoint === undefined) return false
      this.#endpoints.noteWaiting(String(endpoint), 1)
      return true
    })
  }

  /** Takes away what ended before then, so many at most; how many. */
  prune(endedBefore: number, limit: number): number {
    return this.#database.transaction(() => {
      const { connection } = this.#database
      const old = connection
        .prepare('SELECT id FROM deliveries WHERE ended_at < ? ORDER BY ended_at LIMIT ?')
        .pluck()
        .all(endedBefore, limit) as number[] // ids are integers
      const deleteAttempts = connection.prepare('DELETE FROM attempts WHERE delivery = ?')
      const deleteDelivery = connection.prepare('DELETE FROM deliveries WHERE id = ? RETURNING message').pluck()
      const deleteMessage = connection.prepare(
        'DELETE FROM messages WHERE id = @id AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = @id)',
      )
      for (const id of old) {
        deleteAttempts.run(id)
        deleteMessage.run({ id: deleteDelivery.get(id) })
      }
      return old.length
    })
  }

  #told({ isReplay, subject, endedAt, dueAt, ...row }: DeliveryRow): WebhookDelivery {
    const attempts = this.#database.connection
      .prepare(
        'SELECT at, duration_ms AS durationMs, status, error, answer FROM attempts WHERE delivery = ? ORDER BY attempt',
      )
      .all(row.id) as AttemptRow[] // as it names them
    return {
      ...row,
      subject: subject ?? undefined,
      isReplay: isReplay === 1,
      endedAt: endedAt ?? undefined,
      dueAt: row.standing === 'waiting' ? dueAt : undefined,
      attempts: attempts.map(({ at, durationMs, status, error, answer }) => ({
        at,
        durationMs,
        status: status ?? undefined,
        error: error ?? undefined,
        answer: answer ?? undefined,
      })),
    }
  }
}
