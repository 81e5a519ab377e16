import type { ServedDoor } from '../client/door.ts'
import type { EventStore } from '../event-store/event-store.ts'
import type { PassRequest } from '../reconciler/pass.ts'
import type { PassReport } from '../reconciler/pass-report.ts'
import type { Reconciler } from '../reconciler/reconciler.ts'
import type { AdminStream } from '../shell/admin-stream.ts'
import type { Shell } from '../shell/shell.ts'
import type { LiveEvents } from '../subscriptions/live-events.ts'
import type { ReadSide } from '../subscriptions/read-side.ts'
import type { WebhookDesk } from '../subscriptions/webhook-desk.ts'

/** A node over a log: the door, and the log under it for those who replay and verify. */
export interface EmbeddedNode {
  readonly door: ServedDoor
  readonly store: EventStore
  /** What is on record of operators and keys. */
  readonly admin: AdminStream
  /** Not started: it passes when it is asked to, or from its start on. */
  readonly reconciler: Reconciler
  /** One pass now; the process stays for its end. */
  readonly reconcile: (request?: PassRequest) => Promise<PassReport>
  /** The events of the log, for whoever wants to be told of them. */
  readonly events: LiveEvents
  /** A question at or behind what callers of this node were told. */
  readonly ask: ReadSide['ask']
  /** Read models, health, rebuilds. Nothing of it runs before it is first asked, or told to start. */
  readonly readSide: ReadSide
  /** Endpoints of webhooks, deliveries, replays: for operators. */
  readonly webhooks: (path?: string) => WebhookDesk
  /** Registries in memory, their bytes by estimate, and how often one was loaded again soon after it was let go to make room. */
  readonly hot: () => Shell['hot']
  /** Tells how long each append took until it was acknowledged. */
  readonly onAppend: (listener: (ms: number) => void) => void
  /** Tells how long each flush to disk took, where the log flushes by itself. */
  readonly onFlush: (listener: (ms: number) => void) => void
}
