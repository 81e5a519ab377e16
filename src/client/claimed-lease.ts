/** From the answer to a claim to the lease that it gave. */
import type { CommandAnswer } from '../authority/command-answer.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { Clock } from '../runtime/clock.ts'
import type { CommandSender } from './command-sender.ts'
import { type ClaimOptions, Lease } from './lease.ts'
import { OperationRejected } from './operation-errors.ts'

/** Throws OperationRejected where there is no lease to be had, also for an operation that is over. */
export async function claimLease(
  sender: CommandSender,
  clock: Clock,
  id: string,
  { claimant, ...options }: ClaimOptions,
): Promise<Lease> {
  const commandId = options.commandId ?? sender.newCommandId()
  const command = { type: 'ProvisioningSucceeded', id, claimant }
  const result = await sender.result(command, { ...options, commandId })
  const { number, leaseEpoch, nextHeartbeatBefore, cancelRequested } =
    result.type === 'answered' ? result.answer : heldAlready(result.rejection, commandId)
  if (number === undefined || leaseEpoch === undefined)
    throw new Error(`the claim of ${id} was answered without its lease`)
  const operation = await sender.door.snapshot(sender.registry, id)
  return new Lease(sender, {
    id,
    number,
    leaseEpoch,
    nextHeartbeatBefore: nextHeartbeatBefore ?? clock.now(),
    cancelRequested: cancelRequested ?? false,
    ...(operation?.number === number ? { operation } : {}),
  })
}

/** Claimed by the same claimant before: it is the same lease. */
function heldAlready(rejection: Rejection, commandId: string): Partial<CommandAnswer> {
  const { number, leaseEpoch, cancelRequested, nextHeartbeatBefore } = rejection.facts
  const isHeld = rejection.code === 'already_claimed' && rejection.idempotent === true && typeof leaseEpoch === 'number'
  if (!isHeld || number === undefined) throw new OperationRejected(rejection, commandId)
  return {
    number,
    leaseEpoch,
    cancelRequested: cancelRequested === true,
    ...(typeof nextHeartbeatBefore === 'number' ? { nextHeartbeatBefore } : {}),
  }
}
