/** Phases: parts of the work with results of their own, so that a partial retry repeats only what is not finished. */
import type { CommandOf } from './commands.ts'
import { type Decision, refuse, truthOf } from './decision.ts'
import type { LifecycleEvent } from './events.ts'
import type { Operation, Phase } from './operation.ts'

/** Of an operation whose kind declares none: it names them as it starts them. */
export const PHASES_MAX = 64

/** Phases go in order, one at a time; a failed or interrupted one may be started again. */
export function proposePhase(
  operation: Operation,
  command: CommandOf<'StartPhase' | 'CompletePhase' | 'FailPhase'>,
): LifecycleEvent | Decision {
  const { id, number, attempt, phases, kindFacts } = operation
  const { phase: name } = command
  const truth = { ...truthOf(operation, command.type), phase: name }
  const index = phases.findIndex((phase) => phase.name === name)
  const isNew = index === -1 && kindFacts.phases === null && command.type === 'StartPhase'
  if (index === -1 && !(isNew && phases.length < PHASES_MAX)) {
    const why = isNew ? `takes at most ${PHASES_MAX} phases` : `has no phase ${name}`
    const limit = isNew ? { limit: PHASES_MAX } : { phases: phases.map((phase) => phase.name) }
    return refuse('unknown_phase', `operation ${id} ${why}`, { ...truth, ...limit })
  }
  const before = isNew ? phases : phases.slice(0, index)
  const inOrder = before.every(({ status }) => status === 'completed')
  if (!inOrder || !mayFollow(phases[index], command.type)) {
    const facts = { ...truth, ...(isNew ? {} : { phaseStatus: phases[index]?.status }) }
    return refuse('phase_out_of_order', `${command.type} of phase ${name} of operation ${id} is out of order`, facts)
  }
  const facts = { id, number, phase: name, attempt }
  if (command.type === 'StartPhase') return { type: 'PhaseStarted', facts, content: {} }
  return command.type === 'CompletePhase'
    ? { type: 'PhaseCompleted', facts, content: { result: command.result ?? null } }
    : { type: 'PhaseFailed', facts, content: { error: command.error } }
}

function mayFollow(phase: Phase | undefined, command: 'StartPhase' | 'CompletePhase' | 'FailPhase'): boolean {
  if (command === 'StartPhase')
    return phase === undefined || (phase.status !== 'started' && phase.status !== 'completed')
  return phase?.status === 'started'
}
