/**
 * What is to be delivered, put into the file together with the place in the log behind which it stands: each event once for each
 * endpoint that wants it, whatever is killed in between.
 */
import type { WebhookDatabase } from './webhook-database.ts'
import { WebhookEndpoints } from './webhook-endpoints.ts'

/** An event as it is sent. */
export interface WebhookMessage {
  /** The same for every try, replays included. */
  readonly webhookId: string
  readonly position: bigint
  readonly type: string
  readonly subject: string | undefined
  readonly stream: string
  /** An operation's number, or one of LANES. */
  readonly lane: number
  readonly body: string
}

export interface Addressed {
  readonly message: WebhookMessage
  /** Ids of endpoints. */
  readonly to: readonly string[]
}

export interface OutboxBatch {
  readonly addressed: readonly Addressed[]
  /** Cursors (event-cursor.ts): it is only put behind the one, and moves it to the other. */
  readonly from: string
  readonly to: string
  /** Of the last event that was looked at. */
  readonly through: bigint
  /** `changes()` of the endpoints by which it was addressed. */
  readonly endpointChanges: number
}

export interface OutboxBounds {
  /** Deliveries that may wait for one endpoint; one that has more is disabled. */
  readonly backlogMax: number
}

export type PutAnswer =
  | { readonly type: 'put' }
  /** Endpoints came, went or changed since it was addressed: address it anew. */
  | { readonly type: 'endpoints_changed' }
  /** Somebody else has moved the place. */
  | { readonly type: 'moved'; readonly cursor: string | undefined }

export class WebhookOutbox {
  readonly #database: WebhookDatabase
  readonly #endpoints: WebhookEndpoints

  constructor(database: WebhookDatabase) {
    this.#database = database
    this.#endpoints = new WebhookEndpoints(database)
  }

  cursor(): string | undefined {
    return this.#column<string>('cursor')
  }

  /** Why the log is not followed any further, as a sentence. */
  stopped(): string | undefined {
    return this.#column<string>('stopped')
  }

  stop(why: string): void {
    this.#database.connection.prepare('UPDATE outbox SET stopped = ?').run(why)
  }

  /** Where there is no place yet, it is this one. */
  begin(cursor: string): void {
    this.#database.connection.prepare('UPDATE outbox SET cursor = coalesce(cursor, ?)').run(cursor)
  }

  /** Goes on behind this place, wherever it stood. */
  moveTo(cursor: string): void {
    this.#database.connection.prepare('UPDATE outbox SET cursor = ?, stopped = NULL').run(cursor)
  }

  put({ addressed, from, to, through, endpointChanges }: OutboxBatch, now: number, bounds: OutboxBounds): PutAnswer {
    return this.#database.transaction((): PutAnswer => {
      const cursor = this.cursor()
      if (cursor !== from) return { type: 'moved', cursor }
      if (this.#endpoints.changes() !== endpointChanges) return { type: 'endpoints_changed' }
      this.#insert(addressed, now, false)
      this.#database.connection.prepare('UPDATE outbox SET cursor = ?, stopped = NULL').run(to)
      this.#disableOverfull(through, now, bounds)
      return { type: 'put' }
    })
  }

  /** Once more, beside what was put before; the place stays. */
  putAgain(addressed: readonly Addressed[], now: number): void {
    this.#database.transaction(() => this.#insert(addressed, now, true))
  }

  #insert(addressed: readonly Addressed[], now: number, isReplay: boolean): void {
    const { connection } = this.#database
    const insertMessage = connection.prepare(
      'INSERT INTO messages (webhook_id, position, type, subject, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    )
    const findMessage = connection.prepare('SELECT id FROM messages WHERE webhook_id = ?').pluck()
    const insertDelivery = connection.prepare(
      `INSERT INTO deliveries (endpoint, message, stream, lane, is_replay, standing, tries, due_at, created_at)
       VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?, ?)`,
    )
    const added = new Map<string, number>()
    for (const { message, to } of addressed) {
      if (to.length === 0) continue
      const { webhookId, position, type, subject, stream, lane, body } = message
      insertMessage.run(webhookId, position, type, subject ?? null, body)
      const id = findMessage.get(webhookId)
      for (const endpoint of to) {
        insertDelivery.run(endpoint, id, stream, lane, isReplay ? 1 : 0, now, now)
        added.set(endpoint, (added.get(endpoint) ?? 0) + 1)
      }
    }
    for (const [endpoint, count] of added) this.#endpoints.noteWaiting(endpoint, count)
  }

  #disableOverfull(through: bigint, now: number, { backlogMax }: OutboxBounds): void {
    const overfull = this.#database.connection
      .prepare(`SELECT id FROM endpoints WHERE waiting > ? AND standing = 'enabled'`)
      .pluck()
      .all(backlogMax) as string[] // ids are texts
    for (const id of overfull) {
      const reason = `more than ${backlogMax} deliveries wait for it (webhookBacklogMax)`
      this.#endpoints.disable(id, reason, through, now)
    }
  }

  #column<T>(name: 'cursor' | 'stopped'): T | undefined {
    const value = this.#database.connection.prepare(`SELECT ${name} FROM outbox`).pluck().get()
    return value === null ? undefined : (value as T) // the columns are texts or null
  }
}
