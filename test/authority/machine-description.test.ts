import { expect, test } from 'vitest'
import { MACHINE_DESCRIPTION } from '../../src/authority/machine-description.ts'

/** Section 4 of the law: every move, and what must hold for it. */
const MOVES = `
absent --OperationRegistered--> provisioning
provisioning --RegistrationJoined--> provisioning
provisioning --RegistrationRolledBack--> absent
provisioning --OperationStarted--> running
provisioning --SignsOfLifeRecorded--> provisioning
provisioning --AttemptLost [cancelNotRequested]--> provisioning
provisioning --OperationCompletedByWitness--> completed
provisioning --OperationFailed--> failed
provisioning --OperationCancelled--> cancelled
provisioning --OperationAborted--> aborted
provisioning --OwnerTerminated--> terminated
provisioning --AttentionRaised--> provisioning
provisioning --AttentionCleared--> provisioning
provisioning --ContradictionRecorded--> provisioning
running --RegistrationJoined--> running
running --PeerBecameReady [peerAwaited]--> running
running --ProgressReported--> running
running --SignsOfLifeRecorded--> running
running --PhaseStarted--> running
running --PhaseCompleted--> running
running --PhaseFailed--> running
running --AttemptFailed [cancelNotRequested]--> provisioning
running --AttemptLost [cancelNotRequested]--> provisioning
running --CancelRequested [cancelNotRequested]--> running
running --RetireRequested--> retiring
running --OperationCompleted [phasesFinished]--> completed
running --OperationCompletedByWitness--> completed
running --OperationFailed--> failed
running --OperationCancelled--> cancelled
running --OperationRetired--> retired
running --OwnerTerminated--> terminated
running --AttentionRaised--> running
running --AttentionCleared--> running
running --ContradictionRecorded--> running
retiring --RegistrationJoined--> retiring
retiring --PeerBecameReady [peerAwaited]--> retiring
retiring --ProgressReported--> retiring
retiring --SignsOfLifeRecorded--> retiring
retiring --PhaseStarted--> retiring
retiring --PhaseCompleted--> retiring
retiring --PhaseFailed--> retiring
retiring --AttemptLost [cancelNotRequested]--> provisioning
retiring --CancelRequested [cancelNotRequested]--> retiring
retiring --OperationCompleted [phasesFinished]--> completed
retiring --OperationCompletedByWitness--> completed
retiring --OperationFailed--> failed
retiring --OperationCancelled--> cancelled
retiring --OperationRetired--> retired
retiring --OwnerTerminated--> terminated
retiring --AttentionRaised--> retiring
retiring --AttentionCleared--> retiring
retiring --ContradictionRecorded--> retiring
completed --ContradictionRecorded--> completed
failed --ContradictionRecorded--> failed
aborted --ContradictionRecorded--> aborted
cancelled --ContradictionRecorded--> cancelled
retired --ContradictionRecorded--> retired
terminated --ContradictionRecorded--> terminated
`

test('A3: the machine is described by its states, and by every move with what must hold for it', () => {
  const moves = MOVES.trim()
    .split('\n')
    .map((line) => {
      const [, from, event, , guard, to] = /^(\w+) --(\w+)( \[(\w+)\])?--> (\w+)$/.exec(line) ?? []
      return guard === undefined ? { from, to, event } : { from, to, event, guard }
    })
  expect(MACHINE_DESCRIPTION).toStrictEqual({
    states: [
      { status: 'absent', isTerminal: false },
      { status: 'provisioning', isTerminal: false, resultClass: 'running' },
      { status: 'running', isTerminal: false, resultClass: 'running' },
      { status: 'retiring', isTerminal: false, resultClass: 'running' },
      { status: 'completed', isTerminal: true, resultClass: 'completed' },
      { status: 'failed', isTerminal: true, resultClass: 'failed' },
      { status: 'aborted', isTerminal: true, resultClass: 'cancelled' },
      { status: 'cancelled', isTerminal: true, resultClass: 'cancelled' },
      { status: 'retired', isTerminal: true, resultClass: 'cancelled' },
      { status: 'terminated', isTerminal: true, resultClass: 'failed' },
    ],
    moves,
  })
})
