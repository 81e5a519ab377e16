/** What the routes stand on: a door, the questions of the read side, settings, and the end of the server as a signal. */
import type { RegistryAddress } from '../authority/questions.ts'
import type { ServedDoor } from '../client/door.ts'
import type { Logger } from '../runtime/logger.ts'
import type { LiveEvents } from '../subscriptions/live-events.ts'
import type { WireAdminEvents } from '../wire/admin-wire.ts'
import type { Authentication } from './authentication.ts'
import type { DeniedActions } from './denied-actions.ts'
import type { EventStreams } from './event-streams.ts'
import type { KnownOwners } from './known-owners.ts'
import type { LongPolls } from './long-polls.ts'
import type { WaitedOutcomes } from './outcome-stream.ts'
import type { ReconcilerPort } from './reconciler-port.ts'
import type { SessionSettings } from './sessions.ts'

export interface HttpSettings extends SessionSettings {
  readonly httpBodyBytesMax: number
  readonly httpHeaderBytesMax: number
  readonly httpBatchCommandsMax: number
  readonly httpWaitSecondsMax: number
  readonly httpWaitsMax: number
  readonly httpOutcomesMax: number
  readonly httpOutcomesWaitedMax: number
  readonly httpRequestTimeoutMs: number
  readonly httpConnectionsMax: number
  readonly httpRequestsPerMinuteMax: number
  readonly httpStreamsMax: number
  readonly httpStreamPingMs: number
  readonly httpStreamSlowMs: number
  readonly httpDrainMs: number
}

export interface Host {
  readonly door: ServedDoor
  readonly settings: HttpSettings
  readonly polls: LongPolls
  readonly events: LiveEvents
  readonly reconciler: ReconcilerPort
  /** Events of the admin stream behind a revision, oldest first; given a signal, as soon as there is one, or when it aborts. */
  readonly adminEvents: (after: number, limit: number, over: AbortSignal | undefined) => Promise<WireAdminEvents>
  readonly denials: Pick<DeniedActions, 'note'>
  readonly streams: EventStreams
  readonly outcomes: WaitedOutcomes
  readonly owners: KnownOwners
  readonly authentication: Authentication
  readonly log: Logger
  readonly version: string
  readonly now: () => number
  /**
   * Owners with an operation of this id, newest first, in these workspaces (undefined: all); asked of the index once it has
   * reached the end of the log as of now, within a bound.
   */
  readonly locate: (id: string, workspaces: readonly string[] | undefined) => Promise<readonly RegistryAddress[]>
}
