/** What the routes ask of the reconciler of their node. */
import type { OrderedBy, ReconcilerMode } from '../shell/reconciler-orders.ts'
import type { RunRequest, WirePassReport, WireReconciler } from '../wire/reconciler-wire.ts'

export interface ReconcilerPort {
  /** By what is on record by now. */
  readonly standing: () => Promise<WireReconciler>
  /** On record when it returns. */
  readonly setMode: (kind: string, mode: ReconcilerMode, by: OrderedBy) => Promise<void>
  readonly release: (kind: string, by: OrderedBy) => Promise<void>
  /** What it sends, it sends on behalf of somebody. */
  readonly run: (request: RunRequest, onBehalfOf: string) => Promise<WirePassReport>
}
