/** What a worker claims after the truth was settled without it: kept and shown, while nothing of the truth changes. */
import type { CommandOf } from './commands.ts'
import { accept, type Decision, illegal, refuse, refuseIdempotent, truthOf } from './decision.ts'
import type { Operation, Tombstone } from './operation.ts'
import { ABSENT_FACTS, machineFactsOf } from './operation-facts.ts'
import { stepOf } from './operation-machine.ts'
import { isTerminal } from './status.ts'

/** On record at most so often per operation: each report needs an epoch of its own, and real lives have few. */
export const CONTRADICTIONS_MAX = 64

/**
 * Once per lease epoch of this operation (no epoch counts as one), wherever the operation stands. A report under the lease
 * that is open is no contradiction but a report; one from before this registration is about another life of the id.
 */
export function recordContradiction(
  target: Operation | Tombstone,
  command: CommandOf<'RecordContradiction'>,
  revision: number,
): Decision {
  const { id, number, status } = target
  const { claimed, epoch, result, error } = command
  const truth = truthOf(target, command.type)
  const present = 'registeredAt' in target
  const contradicts = claimed === 'completed' ? status !== 'completed' : status === 'completed'
  const isOpenLease = present && target.lease?.open === true && epoch === target.lease.epoch
  const isOfThisLife = epoch === undefined ? isTerminal(status) : epoch > number && epoch <= revision
  if (!contradicts || isOpenLease || !isOfThisLife) {
    const message = `a report of ${claimed} does not contradict operation ${id} (${status})`
    return refuse('contradiction_not_allowed', message, truth)
  }
  const recorded = present ? target.contradictions.map(({ leaseEpoch }) => leaseEpoch ?? null) : target.contradicted
  if (recorded.includes(epoch ?? null)) {
    return refuseIdempotent('already_requested', `that report about operation ${id} is on record`, truth)
  }
  if (recorded.length >= CONTRADICTIONS_MAX) {
    const message = `operation ${id} was contradicted ${recorded.length} times already`
    return refuse('contradiction_not_allowed', message, { ...truth, limit: CONTRADICTIONS_MAX })
  }
  const facts = { id, number, claimed, ...(epoch === undefined ? {} : { leaseEpoch: epoch }) }
  const content = { ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) }
  return stepOf(status, present ? machineFactsOf(target) : ABSENT_FACTS, 'ContradictionRecorded') === undefined
    ? illegal(target, command)
    : accept({ type: 'ContradictionRecorded', facts, content })
}
