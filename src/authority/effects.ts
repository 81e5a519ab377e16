/**
 * What a fact asks the shell to do, derived from the event and the state before it on every node where the event becomes
 * known (lifecycle.md, section 8). An effect is data: it runs after the append was acknowledged, and may die with its process.
 */
import type { Deadline } from './deadlines.ts'
import type { DeadlineRule } from './events.ts'
import type { JsonValue } from './json-value.ts'
import type { Operation, Outcome } from './operation.ts'

export type Effect =
  /** When somebody must look: at an operation (`at` undefined: its deadline is gone), or at a wait. */
  | {
      readonly type: 'ScheduleDeadline'
      readonly number: number
      readonly id: string
      readonly rule?: DeadlineRule
      readonly at?: number
    }
  | { readonly type: 'ScheduleDeadline'; readonly waitId: string; readonly at: number }
  | { readonly type: 'ExposePeer'; readonly number: number; readonly id: string; readonly peer: JsonValue }
  /** Tell the worker that holds this lease: a cancel was asked, or its attempt is over. */
  | {
      readonly type: 'AbortAttempt'
      readonly number: number
      readonly id: string
      readonly leaseEpoch: number
      readonly cause: 'cancel_requested' | 'attempt_lost' | 'ended'
    }
  | {
      readonly type: 'NotifyWatchers'
      readonly number: number
      readonly id: string
      readonly sequence: number
      readonly revision: number
      readonly outcome: Outcome
    }
  /** The registration is gone: its watchers learn that there is nothing to watch. */
  | { readonly type: 'CloseWatchers'; readonly number: number; readonly id: string; readonly reason: 'rolled_back' }
  | { readonly type: 'SatisfyWait'; readonly waitId: string }
  | { readonly type: 'EndWait'; readonly waitId: string; readonly ending: 'expired' | 'cancelled' }
  /** A completion feed entry may be read; once per event. */
  | { readonly type: 'WakeFeed'; readonly watermark: number; readonly wakeOwner: boolean }
  | { readonly type: 'EvictRecord'; readonly number: number; readonly id: string }

/** That somebody must look at an operation at its deadline; without one, that nobody has to any longer. */
export function scheduleOf({ number, id }: Pick<Operation, 'number' | 'id'>, deadline: Deadline | undefined): Effect {
  return deadline === undefined
    ? { type: 'ScheduleDeadline', number, id }
    : { type: 'ScheduleDeadline', number, id, rule: deadline.rule, at: deadline.deadlineAt }
}
