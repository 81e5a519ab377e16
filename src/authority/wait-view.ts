/** A wait as the sender of its command is told: plain data, whatever the registry keeps it in. */
import type { WaitMode } from './events.ts'
import { type EndedWait, type Wait, winnerOf } from './registry.ts'

export type WaitEnding = EndedWait['ending']

export interface WaitView {
  readonly waitId: string
  readonly mode: WaitMode
  readonly runId?: string
  /** In the order asked. */
  readonly members: readonly MemberView[]
  /** Epoch ms. */
  readonly deadlineAt: number
  /** Absent while it goes on. */
  readonly ending?: WaitEnding
  /** Id of the member that ended first, for a satisfied wait for any. */
  readonly winner?: string
}

export interface MemberView {
  readonly id: string
  readonly number: number
  /** The revision at which it ended; absent while it has not. */
  readonly terminalRevision?: number
}

export function waitView(wait: Wait | EndedWait): WaitView {
  const { waitId, mode, runId, deadlineAt, reached } = wait
  const ending = 'ending' in wait ? wait.ending : undefined
  const first = mode === 'any' && ending === 'satisfied' ? winnerOf(wait) : undefined
  const winner = wait.members.find(({ number }) => number === first)?.id
  return {
    waitId,
    mode,
    ...(runId === undefined ? {} : { runId }),
    members: wait.members.map(({ id, number }) => {
      const terminalRevision = reached.get(number)
      return terminalRevision === undefined ? { id, number } : { id, number, terminalRevision }
    }),
    deadlineAt,
    ...(ending === undefined ? {} : { ending }),
    ...(winner === undefined ? {} : { winner }),
  }
}
