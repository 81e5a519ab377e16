/**
 * A worker's late report was refused and claims another end than the true one: that goes on record, and changes nothing
 * (lifecycle.md, section 4). Operators never contradict.
 */
import type { Command, CommandOf } from '../authority/commands.ts'
import type { Rejection } from '../authority/rejections.ts'

/** The command that records it; undefined where nothing is contradicted. */
export function contradictionIn(
  command: Command,
  { code, facts }: Rejection,
): CommandOf<'RecordContradiction'> | undefined {
  if (code !== 'already_terminal' && code !== 'stale_lease') return undefined
  if (command.type !== 'CompleteOperation' && command.type !== 'FailOperation') return undefined
  const isCompleted = facts.currentStatus === 'completed'
  const epoch = command.leaseEpoch === undefined ? {} : { epoch: command.leaseEpoch }
  const report = { type: 'RecordContradiction', id: command.id, ...epoch } as const
  if (command.type === 'CompleteOperation') {
    const result = command.result === undefined ? {} : { result: command.result }
    return isCompleted ? undefined : { ...report, claimed: 'completed', ...result }
  }
  if (command.asOperator === true || !isCompleted) return undefined
  return { ...report, claimed: 'failed', error: command.error }
}
