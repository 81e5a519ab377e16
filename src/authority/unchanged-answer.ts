/** An answer without a decision: what clients can make of a refusal by themselves, so it stands apart from what decides. */
import type { CommandAnswer, Place } from './command-answer.ts'
import type { Rejection } from './rejections.ts'

/** An idempotent refusal as an answer: nothing changed, because what the sender wanted is so already or can no longer matter. */
export function answerUnchanged({ facts }: Rejection, place: Place): CommandAnswer {
  const { operationId, number, currentStatus, outcome, leaseEpoch, cancelRequested, nextHeartbeatBefore } = facts
  return {
    ...place,
    changed: false,
    ...(operationId === undefined ? {} : { operationId }),
    ...(number === undefined ? {} : { number }),
    ...(currentStatus === undefined ? {} : { status: currentStatus }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(typeof leaseEpoch === 'number' ? { leaseEpoch } : {}),
    ...(typeof cancelRequested === 'boolean' ? { cancelRequested } : {}),
    ...(typeof nextHeartbeatBefore === 'number' ? { nextHeartbeatBefore } : {}),
  }
}
