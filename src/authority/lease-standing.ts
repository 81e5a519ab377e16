/** How a lease stands, as its holder has to know: it goes on, it is to stop, or it is no lease any more. */
import type { OperationView } from './operation-view.ts'

export type LeaseStanding = 'held' | 'cancel_requested' | 'attempt_lost' | 'ended'

/** Of the operation of its id as it is now, which may be a later life of it; undefined where there is none any more. */
export function leaseStanding(
  operation:
    | (Pick<OperationView, 'number'> & {
        readonly lease?: { readonly epoch: number; readonly open: boolean }
        readonly cancel?: unknown
      })
    | undefined,
  epoch: number,
): LeaseStanding {
  if (operation === undefined) return 'ended'
  const { lease, number, cancel } = operation
  if (lease?.open === true && lease.epoch === epoch) return cancel === undefined ? 'held' : 'cancel_requested'
  // Whoever comes late may find a later life of the id: the life that this lease belonged to has ended.
  return lease?.epoch === epoch || epoch < number ? 'ended' : 'attempt_lost'
}
