/** The machine as those are told it who draw it: its states and its moves, read off the machine itself. */
import { MACHINE_FACTS, OPERATION_LABELS, type OperationLabel, operationMachine, stepOf } from './operation-machine.ts'
import { isTerminal, type ResultClass, resultClassOf, STATUSES, type Status } from './status.ts'

export interface MachineState {
  readonly status: Status
  readonly isTerminal: boolean
  /** What people meet first; `absent` has none. */
  readonly resultClass?: ResultClass
}

export interface MachineMove {
  readonly from: Status
  readonly to: Status
  readonly event: OperationLabel
  /** The name of what must hold for it. */
  readonly guard?: string
}

export interface MachineDescription {
  readonly states: readonly MachineState[]
  /** Those that leave a state as it is included. */
  readonly moves: readonly MachineMove[]
}

export const MACHINE_DESCRIPTION: MachineDescription = {
  states: STATUSES.map((status) => ({
    status,
    isTerminal: isTerminal(status),
    ...(status === 'absent' ? {} : { resultClass: resultClassOf(status) }),
  })),
  moves: STATUSES.flatMap((from) =>
    OPERATION_LABELS.flatMap((event) => {
      const guard = guardOf(from, event)
      return [...targetsOf(from, event)].map((to) => ({ from, to, event, ...(guard === undefined ? {} : { guard }) }))
    }),
  ),
}

/** Where an event leads to, whatever holds. */
function targetsOf(from: Status, event: OperationLabel): ReadonlySet<Status> {
  return new Set(MACHINE_FACTS.map((facts) => stepOf(from, facts, event)).filter((to) => to !== undefined))
}

function guardOf(from: Status, event: OperationLabel): string | undefined {
  // The machine has a state for each status; its transitions are an object by label.
  const state = operationMachine.config.states?.[from] as { on?: Readonly<Record<string, unknown>> } | undefined
  const move = state?.on?.[event]
  return typeof move === 'object' && move !== null && 'guard' in move ? String(move.guard) : undefined
}
