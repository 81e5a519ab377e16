/** The reconciler of a node for those who look at it and tell it something from outside. */

import type { ReconcilerPort } from '../http/reconciler-port.ts'
import type { EmbeddedNode } from './embedded-node.ts'
import type { NodeStanding } from './node-standing.ts'

export function reconcilerOf({ reconciler, reconcile }: EmbeddedNode, standing: NodeStanding): ReconcilerPort {
  return {
    async standing() {
      await reconciler.readOrders()
      const { modes, breakers, releases, held, unheard, clock, lastPass, lastFailure } = reconciler.status
      return {
        ...standing.reconciler(),
        clock: { ...clock },
        ...(lastPass === undefined ? {} : { lastPass: { ...lastPass } }),
        ...(lastFailure === undefined ? {} : { lastFailure: { ...lastFailure } }),
        modes: Object.entries(modes).map(([kind, { mode, order }]) => ({
          kind,
          mode,
          ...(order === undefined ? {} : { order: { ...order } }),
        })),
        breakers: breakers.map((breaker) => ({
          ...breaker,
          held: held.filter(({ kind }) => kind === breaker.kind).map((operation) => ({ ...operation })),
        })),
        releases: Object.entries(releases).map(([kind, order]) => ({ kind, order: { ...order } })),
        unheard: unheard.map((stretch) => ({ ...stretch })),
      }
    },
    setMode: (...order) => reconciler.changeMode(...order),
    release: async (...order) => void (await reconciler.release(...order)),
    run: async (request, onBehalfOf) => {
      const { operations, ...counts } = await reconcile({ ...given(request), onBehalfOf })
      return { ...counts, operations: operations.map((operation) => ({ ...operation })) }
    },
  }
}

/** What is not said is left out. */
function given<T extends object>(request: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const said = Object.entries(request).filter(([, value]) => value !== undefined)
  return Object.fromEntries(said) as ReturnType<typeof given<T>>
}
