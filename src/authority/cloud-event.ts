/**
 * An event as the world outside is told of it: in the envelope of CloudEvents 1.0 (https://cloudevents.io), the same in the
 * feed, in streams, in webhooks and in exports. Stored names: consumers keep these types and fields.
 */
import { EVENT_SCHEMAS, type EventMetadata, type EventType, type LifecycleEvent } from './events.ts'
import type { JsonValue } from './json-value.ts'
import { utcText } from './utc-text.ts'

export interface CloudEvent {
  readonly specversion: '1.0'
  /** The position in the log. */
  readonly id: string
  /** The log. */
  readonly source: string
  /** The prefix, and the name of the event: `verdict.operation.completed`. */
  readonly type: string
  /** Id of the operation; absent for what is about none or about many. */
  readonly subject?: string
  /** RFC 3339, UTC. */
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

/** An event and where it stands. */
export interface PlacedEvent {
  readonly logId: string
  readonly position: bigint
  readonly workspace: string
  readonly owner: string
  readonly revision: number
  readonly event: LifecycleEvent
  readonly metadata: EventMetadata
}

/** Before the names of events in types, where no other is set. */
export const CLOUD_EVENT_PREFIX = 'verdict'

/** Of the greatest revision. */
const SEQUENCE_DIGITS = 16

export function cloudEventOf(placed: PlacedEvent, prefix: string = CLOUD_EVENT_PREFIX): CloudEvent {
  const { logId, position, workspace, owner, revision, event, metadata } = placed
  const { at, actor, onBehalfOf, commandId, correlationId, causationId, traceparent } = metadata
  return {
    specversion: '1.0',
    id: String(position),
    source: `/verdict/logs/${logId}`,
    type: cloudEventTypeOf(event.type, prefix),
    ...('id' in event.facts ? { subject: event.facts.id } : {}),
    time: utcText(at),
    datacontenttype: 'application/json',
    data: dataOf(event),
    sequence: String(revision).padStart(SEQUENCE_DIGITS, '0'),
    workspace,
    owner,
    actor,
    ...(onBehalfOf === undefined ? {} : { onbehalfof: onBehalfOf }),
    commandid: commandId,
    ...(correlationId === undefined ? {} : { correlationid: correlationId }),
    ...(causationId === undefined ? {} : { causationid: causationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
  }
}

/** `OperationCompleted` -> `verdict.operation.completed`, `PeerBecameReady` -> `verdict.peer.became_ready`. */
export function cloudEventTypeOf(type: EventType, prefix: string = CLOUD_EVENT_PREFIX): string {
  return `${prefix}.${NAMES[type]}`
}

const NAMES = Object.fromEntries(
  Object.keys(EVENT_SCHEMAS).map((type) => [
    type,
    type
      .replace(/(?<=.)[A-Z]/, '.$&')
      .replace(/(?<=[a-z])[A-Z]/g, '_$&')
      .toLowerCase(),
  ]),
) as Readonly<Record<EventType, string>> // the keys are exactly those of the table

/** Every type that there is, under the prefix that stands where no other is set. */
export const CLOUD_EVENT_TYPES: ReadonlySet<string> = new Set(
  Object.values(NAMES).map((name) => `${CLOUD_EVENT_PREFIX}.${name}`),
)

/** Facts and content together, as they are stored; never the key of a registry's digests. */
function dataOf(event: LifecycleEvent): CloudEvent['data'] {
  const told = event.type === 'RegistryOpened' ? event.facts : { ...event.facts, ...event.content }
  // Both passed their schemas, which take nothing but JSON.
  return told as unknown as CloudEvent['data']
}
