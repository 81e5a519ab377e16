/**
 * What silence is worth nothing: the time in which nobody could be heard, because the authority was down, paused, or its
 * clock jumped over it. Deadlines move by it and by two heartbeat intervals, so that whoever lives can speak again; never by
 * more, so that a server which is restarted every day still comes to its verdicts.
 */
import { type Deadline, type DeadlineFacts, earliestDeadline } from './deadlines.ts'
import { DEFAULT_POLICY, type Policy } from './lifecycle-policy.ts'

/** A stretch of the wall clock, epoch ms. */
export interface UnheardTime {
  readonly from: number
  readonly to: number
}

const HEARTBEATS = 2

/** By how much a deadline moves: whole ms, 0 where the silence was heard from its beginning. */
export function graceMsOf(
  unheard: readonly UnheardTime[],
  deadline: Deadline,
  policy: Policy | null,
  now: number,
): number {
  return graceMsSince(unheard, silentSinceAt(deadline, policy), heartbeatMs(policy), now)
}

/** The same for whoever has stored what it follows from beside the deadline. */
export function graceMsSince(
  unheard: readonly UnheardTime[],
  silentSince: number,
  heartbeat: number,
  now: number,
): number {
  let overlapMs = 0
  for (const { from, to } of unheard) overlapMs += Math.max(0, Math.min(to, now) - Math.max(from, silentSince))
  return overlapMs === 0 ? 0 : Math.ceil(overlapMs) + HEARTBEATS * heartbeat
}

/** Since when time that was not heard counts for a deadline. */
export function silentSinceAt({ rule, sinceAt }: Deadline, policy: Policy | null): number {
  // The clock of a cancel runs from the request; its deadline knows only where it ends.
  return rule === 'cancel' ? sinceAt - (policy ?? DEFAULT_POLICY).cancelGraceMs : sinceAt
}

export function heartbeatMs(policy: Policy | null): number {
  return (policy ?? DEFAULT_POLICY).heartbeatIntervalMs
}

/** The same for whoever has the facts: 0 where nothing threatens. */
export function graceMsFor(facts: DeadlineFacts, unheard: readonly UnheardTime[], now: number): number {
  const deadline = unheard.length === 0 ? undefined : earliestDeadline(facts)
  return deadline === undefined ? 0 : graceMsOf(unheard, deadline, facts.policy, now)
}

/** With one stretch more, in order, overlaps joined; the oldest is forgotten where there are too many. */
export function withUnheard(unheard: readonly UnheardTime[], time: UnheardTime): readonly UnheardTime[] {
  const joined: UnheardTime[] = []
  for (const one of [...unheard, time].sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1)
    if (last !== undefined && one.from <= last.to)
      joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, one.to) }
    else joined.push(one)
  }
  return joined.slice(-UNHEARD_MAX)
}

/** What a clock that was set back has yet to live through was not unheard. */
export function unheardBefore(unheard: readonly UnheardTime[], now: number): readonly UnheardTime[] {
  return unheard.filter(({ from }) => from < now).map(({ from, to }) => ({ from, to: Math.min(to, now) }))
}

const UNHEARD_MAX = 256
