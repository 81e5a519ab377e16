/** Which endpoints want an event, and the event as it is sent to them. */
import type { LifecycleEvent } from '../authority/events.ts'
import type { EventReader, LogIdentity, StoredEvent } from '../event-store/event-store.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { LiveEntries, type LiveEntry } from './live-entry.ts'
import { LANES } from './webhook-database.ts'
import { type WebhookEndpoint, wantsType } from './webhook-endpoint.ts'
import type { Addressed, WebhookMessage } from './webhook-outbox.ts'

export class WebhookAddressing {
  readonly #entries: LiveEntries
  readonly #identity: LogIdentity

  constructor(reader: EventReader, identity: LogIdentity, log: WarningLog) {
    this.#entries = new LiveEntries(reader, identity, log)
    this.#identity = identity
  }

  /** Undefined for what nobody wants. Reads the log where an endpoint asks for a kind and the event tells but a number. */
  async of(stored: StoredEvent, endpoints: readonly WebhookEndpoint[]): Promise<Addressed | undefined> {
    if (endpoints.length === 0) return undefined
    const entry = this.#entries.of(stored)
    if (entry === undefined) return undefined
    const to: string[] = []
    for (const endpoint of endpoints) {
      if (await wants(endpoint, entry)) to.push(endpoint.id)
    }
    return to.length === 0 ? undefined : { message: this.#message(stored, entry), to }
  }

  #message({ stream, revision, position }: StoredEvent, entry: LiveEntry): WebhookMessage {
    const { logId, timeline } = this.#identity
    return {
      webhookId: `evt_${logId}_${timeline}_${position}`,
      position,
      type: entry.live.type,
      subject: entry.live.subject,
      stream,
      lane: laneOf(entry.event, revision),
      body: entry.text,
    }
  }
}

/** Whether an event is one that the endpoint asks for, wherever it stands. */
export async function wants({ filter }: WebhookEndpoint, entry: LiveEntry): Promise<boolean> {
  const { workspace, owner, kind } = filter
  if (workspace !== undefined && entry.workspace !== workspace) return false
  if (owner !== undefined && entry.owner !== owner) return false
  if (!wantsType(filter, entry.live.type)) return false
  return kind === undefined || (await entry.births()).some((birth) => birth.kind === kind)
}

function laneOf(event: LifecycleEvent, revision: number): number {
  switch (event.type) {
    case 'OperationRegistered':
      return revision
    case 'OwnerTerminated':
    case 'SignsOfLifeRecorded':
      return LANES.everything
    default:
      return 'number' in event.facts ? event.facts.number : LANES.registry
  }
}
