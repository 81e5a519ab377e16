/**
 * An event as the world outside is told of it: in the envelope of CloudEvents 1.0 (https://cloudevents.io), the same in the
 * feed, in streams, in webhooks and in exports. Stored names: consumers keep these types and fields.
 */
import { EVENT_SCHEMAS, type EventMetadata, type EventType, type LifecycleEvent } from './events.ts'
import type { JsonValue } from './json-value.ts'

export interface CloudEvent {
  readonly specversion: '1.0'
  /** The position in the log. */
  readonly id: string
  /** The log. */
  readonly source: string
  /** The name of the event: `verdict.operation.completed`. */
  readonly type: string
  /** The operation; absent for what is about none or about many. */
  readonly subject?: string
  /** RFC 3339. */
  readonly time: string
  readonly datacontenttype: 'application/json'
  readonly data: Readonly<Record<string, JsonValue>>
  /** The revision in the stream of the registry, padded so that texts sort like numbers. */
  readonly sequence: string
  readonly workspace: string
  readonly owner: string
  readonly actor: string
  readonly commandid: string
  readonly correlationid?: string
  readonly causationid?: string
  /** W3C Trace Context. */
  readonly traceparent?: string
}

export interface PlacedEvent {
  readonly logId: string
  readonly position: bigint
  readonly workspace: string
  readonly owner: string
  readonly revision: number
  readonly event: LifecycleEvent
  readonly metadata: EventMetadata
  /** RFC 3339: `metadata.at` as the world outside writes it. */
  readonly time: string
}

/** No domain is needed for it, and nobody else's is used. */
export const CLOUD_EVENT_PREFIX = 'verdict.'

/** Of the greatest revision. */
const SEQUENCE_DIGITS = 16

export function cloudEventOf(placed: PlacedEvent): CloudEvent {
  const { logId, position, workspace, owner, revision, event, metadata, time } = placed
  const { actor, commandId, correlationId, causationId, traceparent } = metadata
  return {
    specversion: '1.0',
    id: String(position),
    source: `/verdict/logs/${logId}`,
    type: cloudEventTypeOf(event.type),
    ...('id' in event.facts ? { subject: event.facts.id } : {}),
    time,
    datacontenttype: 'application/json',
    data: dataOf(event),
    sequence: String(revision).padStart(SEQUENCE_DIGITS, '0'),
    workspace,
    owner,
    actor,
    commandid: commandId,
    ...(correlationId === undefined ? {} : { correlationid: correlationId }),
    ...(causationId === undefined ? {} : { causationid: causationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  }
}

export function cloudEventTypeOf(type: EventType): string {
  return TYPES[type]
}

/** Facts and content together, as they are stored; never the key of a registry's digests. */
function dataOf(event: LifecycleEvent): CloudEvent['data'] {
  const { facts } = event
  // Both passed their schemas, which take nothing but JSON.
  if (event.type === 'RegistryOpened') return facts as unknown as CloudEvent['data']
  return { ...facts, ...event.content } as unknown as CloudEvent['data']
}

/** OperationCompleted -> verdict.operation.completed */
const TYPES = Object.fromEntries(
  Object.keys(EVENT_SCHEMAS).map((type) => [
    type,
    `${CLOUD_EVENT_PREFIX}${type
      .replace(/(?<=.)[A-Z]/, '.$&')
      .replace(/(?<=[a-z])[A-Z]/g, '_$&')
      .toLowerCase()}`,
  ]),
) as Readonly<Record<EventType, string>>

export const CLOUD_EVENT_TYPES: ReadonlySet<string> = new Set(Object.values(TYPES))
