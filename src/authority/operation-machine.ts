/**
 * The legal moves of an operation's life: the only place where they stand. Transitions are labelled with events, guards
 * see nothing but facts folded from events, so that a replay of any history takes the same steps for ever. What else a
 * decision depends on (capacity, lease, due time) lives in decide.ts.
 *
 * XState's pure `transition` costs tens of microseconds, so the machine is asked once for every case that is met, and the
 * answers are looked up afterwards. Not for all of them at the start, since most threads and command lines meet a few. A test
 * proves table and machine equal over all cases.
 */
import { setup, transition } from 'xstate'
import type { LifecycleEvent } from './events.ts'
import { STATUSES, type Status } from './status.ts'

/** What the machine may know beside the status. */
export interface MachineFacts {
  /** The kind expects a peer, and in this attempt none was ready yet. */
  readonly peerAwaited: boolean
  readonly cancelRequested: boolean
  /** Every declared phase is completed. */
  readonly phasesFinished: boolean
}

/**
 * The labels of the transitions: the events of an operation by their names. A completion that a witness told of is a label
 * of its own, since it may happen where a worker's report may not.
 */
export const OPERATION_LABELS = [
  'OperationRegistered',
  'RegistrationJoined',
  'RegistrationRolledBack',
  'OperationStarted',
  'PeerBecameReady',
  'ProgressReported',
  'SignsOfLifeRecorded',
  'PhaseStarted',
  'PhaseCompleted',
  'PhaseFailed',
  'AttemptFailed',
  'AttemptLost',
  'CancelRequested',
  'RetireRequested',
  'OperationCompleted',
  'OperationCompletedByWitness',
  'OperationFailed',
  'OperationCancelled',
  'OperationAborted',
  'OperationRetired',
  'OwnerTerminated',
  'AttentionRaised',
  'AttentionCleared',
  'ContradictionRecorded',
] as const
export type OperationLabel = (typeof OPERATION_LABELS)[number]
const LABELS: ReadonlySet<string> = new Set(OPERATION_LABELS)

export const operationMachine = setup({
  types: {
    context: {} as MachineFacts,
    events: {} as { type: OperationLabel },
    input: {} as MachineFacts,
  },
  guards: {
    peerAwaited: ({ context }) => context.peerAwaited,
    cancelNotRequested: ({ context }) => !context.cancelRequested,
    phasesFinished: ({ context }) => context.phasesFinished,
  },
}).createMachine({
  id: 'operation',
  initial: 'absent',
  context: ({ input }) => input,
  states: {
    absent: { on: { OperationRegistered: 'provisioning' } },
    provisioning: {
      on: {
        RegistrationJoined: 'provisioning',
        SignsOfLifeRecorded: 'provisioning',
        AttentionRaised: 'provisioning',
        AttentionCleared: 'provisioning',
        ContradictionRecorded: 'provisioning',
        AttemptLost: { target: 'provisioning', guard: 'cancelNotRequested' },
        OperationCompletedByWitness: 'completed',
        OperationFailed: 'failed',
        OperationCancelled: 'cancelled',
        OwnerTerminated: 'terminated',
        RegistrationRolledBack: 'absent',
        OperationStarted: 'running',
        OperationAborted: 'aborted',
      },
    },
    running: {
      on: {
        RegistrationJoined: 'running',
        SignsOfLifeRecorded: 'running',
        AttentionRaised: 'running',
        AttentionCleared: 'running',
        ContradictionRecorded: 'running',
        AttemptLost: { target: 'provisioning', guard: 'cancelNotRequested' },
        OperationCompletedByWitness: 'completed',
        OperationFailed: 'failed',
        OperationCancelled: 'cancelled',
        OwnerTerminated: 'terminated',
        PeerBecameReady: { target: 'running', guard: 'peerAwaited' },
        ProgressReported: 'running',
        PhaseStarted: 'running',
        PhaseCompleted: 'running',
        PhaseFailed: 'running',
        CancelRequested: { target: 'running', guard: 'cancelNotRequested' },
        OperationCompleted: { target: 'completed', guard: 'phasesFinished' },
        OperationRetired: 'retired',
        AttemptFailed: { target: 'provisioning', guard: 'cancelNotRequested' },
        RetireRequested: 'retiring',
      },
    },
    retiring: {
      on: {
        RegistrationJoined: 'retiring',
        SignsOfLifeRecorded: 'retiring',
        AttentionRaised: 'retiring',
        AttentionCleared: 'retiring',
        ContradictionRecorded: 'retiring',
        AttemptLost: { target: 'provisioning', guard: 'cancelNotRequested' },
        OperationCompletedByWitness: 'completed',
        OperationFailed: 'failed',
        OperationCancelled: 'cancelled',
        OwnerTerminated: 'terminated',
        PeerBecameReady: { target: 'retiring', guard: 'peerAwaited' },
        ProgressReported: 'retiring',
        PhaseStarted: 'retiring',
        PhaseCompleted: 'retiring',
        PhaseFailed: 'retiring',
        CancelRequested: { target: 'retiring', guard: 'cancelNotRequested' },
        OperationCompleted: { target: 'completed', guard: 'phasesFinished' },
        OperationRetired: 'retired',
      },
    },
    completed: { on: { ContradictionRecorded: 'completed' } },
    failed: { on: { ContradictionRecorded: 'failed' } },
    aborted: { on: { ContradictionRecorded: 'aborted' } },
    cancelled: { on: { ContradictionRecorded: 'cancelled' } },
    retired: { on: { ContradictionRecorded: 'retired' } },
    terminated: { on: { ContradictionRecorded: 'terminated' } },
  },
})

/** The label of an event; undefined for an event that is no operation's (waits, limits, collection, retirement). */
export function labelOf(event: LifecycleEvent): OperationLabel | undefined {
  if (event.type === 'OperationCompleted' && event.facts.reconciliation !== undefined)
    return 'OperationCompletedByWitness'
  return LABELS.has(event.type) ? (event.type as OperationLabel) : undefined
}

/** The status after an event; undefined where the machine does not allow it. A look-up in the tabulated machine. */
export function stepOf(status: Status, facts: MachineFacts, label: OperationLabel): Status | undefined {
  const at = caseOf(status, facts)
  TABLE[at] ??= tabulated(status, facts)
  return TABLE[at][label]
}

/** The same, asked of XState, at XState's price: the truth that the table is made from. */
export function stepOfMachine(status: Status, facts: MachineFacts, label: OperationLabel): Status | undefined {
  const before = operationMachine.resolveState({ value: status, context: facts })
  if (!before.can({ type: label })) return undefined
  const [after] = transition(operationMachine, before, { type: label })
  return after.value as Status
}

export const MACHINE_FACTS: readonly MachineFacts[] = [false, true].flatMap((peerAwaited) =>
  [false, true].flatMap((cancelRequested) =>
    [false, true].map((phasesFinished) => ({ peerAwaited, cancelRequested, phasesFinished })),
  ),
)

type Row = Partial<Record<OperationLabel, Status>>

/** By case, each row made when it is first looked at; what is in it follows from the machine alone. */
const TABLE: Row[] = []

function tabulated(status: Status, facts: MachineFacts): Row {
  const row: Row = {}
  for (const label of OPERATION_LABELS) {
    const next = stepOfMachine(status, facts, label)
    if (next !== undefined) row[label] = next
  }
  return row
}

function caseOf(status: Status, facts: MachineFacts): number {
  const bits = (facts.peerAwaited ? 4 : 0) + (facts.cancelRequested ? 2 : 0) + (facts.phasesFinished ? 1 : 0)
  return STATUSES.indexOf(status) * MACHINE_FACTS.length + bits
}
