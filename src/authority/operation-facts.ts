/** What the machine may know of an operation: folded facts, nothing else. */
import type { Operation } from './operation.ts'
import type { MachineFacts } from './operation-machine.ts'

export function machineFactsOf(operation: Operation): MachineFacts {
  return {
    peerAwaited: operation.kindFacts.expectsPeer && operation.peer === undefined,
    cancelRequested: operation.cancel !== undefined,
    phasesFinished: operation.phases.every(({ status }) => status === 'completed'),
  }
}

/** Of what is not there yet; and of a tombstone, which has forgotten its facts: no move of either depends on them. */
export const ABSENT_FACTS: MachineFacts = { peerAwaited: false, cancelRequested: false, phasesFinished: true }
