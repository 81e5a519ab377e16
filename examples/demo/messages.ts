/** What the processes of the demo tell each other. */
import type { ListedOperation, OperationSnapshot, Outcome, RegistryOverview } from '../../src/index.ts'

export type FromHolder =
  | { readonly type: 'ready' }
  | { readonly type: 'view'; readonly operations: readonly ListedOperation[] }
  | { readonly type: 'said'; readonly text: string }
  /** The wait for the group is on record. */
  | { readonly type: 'waiting' }
  | {
      readonly type: 'done'
      readonly group: readonly Outcome[]
      readonly operations: readonly OperationSnapshot[]
      readonly overview: RegistryOverview
    }

export type ToHolder = { readonly type: 'go' } | { readonly type: 'cancel'; readonly id: string }
