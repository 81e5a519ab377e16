/** Whether this node's clock may judge: one that is behind the log, or apart from another node's, judges nobody. */

import type { UnheardTime } from '../authority/grace.ts'

export interface LogTimes {
  /** The newest `at` that any event bears. */
  readonly newestAt: number
  /** Of an event of another node that arrived as it was written: its `at`, and this node's time when it came. */
  readonly live?: { readonly at: number; readonly arrivedAt: number } | undefined
}

export type ClockStanding =
  | { readonly type: 'agrees' }
  /** Behind the newest time that is stored. */
  | { readonly type: 'behind'; readonly byMs: number }
  /** Far from the time of an event that arrived just as it was written. */
  | { readonly type: 'apart'; readonly byMs: number }

/** After so long without another such event, one that arrived late is no witness against this clock any more. */
const APART_FOR_MS = 60_000

/** An old last event means nothing: nobody may have had anything to say. */
export function clockStanding(
  { newestAt, live }: LogTimes,
  now: number,
  unheard: readonly UnheardTime[],
  skewMaxMs: number,
): ClockStanding {
  if (newestAt - now > skewMaxMs) return { type: 'behind', byMs: newestAt - now }
  if (live === undefined || now - live.arrivedAt > APART_FOR_MS) return { type: 'agrees' }
  const byMs = live.arrivedAt - live.at
  // It waited for a node that was paused, or whose clock was set: that is known, and has its grace.
  const isExplained = unheard.some(({ from, to }) => from < live.arrivedAt && to > live.at)
  return byMs > skewMaxMs && !isExplained ? { type: 'apart', byMs } : { type: 'agrees' }
}
