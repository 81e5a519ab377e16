/**
 * Freshness as conditions of SQL: what `judgeDeadline` says, put as comparisons of the stored deadline, with the grace that
 * `graceMsSince` gives each row. Tests hold the two together. What has ended is told by facts that the indexes hold; nothing
 * but that of operations under way has to be looked at in the rows.
 */
import type { Freshness, ProblemClass } from '../src/authority/freshness.ts'
import { graceMsSince, type UnheardTime, unheardBefore } from '../src/authority/grace.ts'
import { ACTIVE_STATUSES } from '../src/authority/status.ts'
import { allOf, anyOf, type Condition } from './condition.ts'
import type { SqlValue } from './projection.ts'
import type { ReadSession } from './read-session.ts'

/** When a question is asked, epoch ms, and in which stretches of time nobody could be heard. */
export interface Moment {
  readonly now: number
  readonly unheard: readonly UnheardTime[]
}

export interface DeadlineConditions {
  /** The moment has come that this column tells; so has every one that the index gives up to `now`. */
  isPast(column: 'deadline_at' | 'late_at'): Condition
  isAhead(column: 'deadline_at' | 'late_at'): Condition
  /** When it becomes likely stale, grace included. */
  readonly dueAt: string
}

const GRACE_MS = 'grace_ms(o.silent_since_at, o.heartbeat_ms)'

export function deadlineConditions(session: ReadSession, { now, unheard }: Moment): DeadlineConditions {
  const lost = unheardBefore(unheard, now)
  const compared = (sql: string, parameters: readonly SqlValue[]) => ({ sql, parameters })
  if (lost.length === 0) {
    return {
      isPast: (column) => compared(`o.${column} <= ?`, [now]),
      isAhead: (column) => compared(`o.${column} > ?`, [now]),
      dueAt: 'o.deadline_at',
    }
  }
  session.define('grace_ms', (silentSince, heartbeat) =>
    graceMsSince(lost, Number(silentSince), Number(heartbeat), now),
  )
  return {
    // Grace only adds: what lies ahead without it is not asked for its grace.
    isPast: (column) => compared(`(o.${column} <= ? AND o.${column} + ${GRACE_MS} <= ?)`, [now, now]),
    isAhead: (column) => compared(`(o.${column} > ? OR o.${column} + ${GRACE_MS} > ?)`, [now, now]),
    dueAt: `o.deadline_at + ${GRACE_MS}`,
  }
}

const ACTIVE = `(${ACTIVE_STATUSES.map((status) => `'${status}'`).join(', ')})`
export const IS_ACTIVE: Condition = { sql: `o.status IN ${ACTIVE}`, parameters: [] }
export const IS_OVER: Condition = { sql: `o.status NOT IN ${ACTIVE}`, parameters: [] }

export function freshnessIs(freshness: Freshness, { isPast, isAhead }: DeadlineConditions): Condition {
  switch (freshness) {
    case 'likely_stale':
      return allOf([IS_ACTIVE, isPast('deadline_at')])
    case 'late':
      return allOf([IS_ACTIVE, isPast('late_at'), isAhead('deadline_at')])
    case 'fresh':
      return allOf([
        IS_ACTIVE,
        anyOf([
          { sql: '(o.deadline_at IS NULL AND o.has_policy = 1)', parameters: [] },
          allOf([isAhead('deadline_at'), anyOf([{ sql: 'o.late_at IS NULL', parameters: [] }, isAhead('late_at')])]),
        ]),
      ])
    case 'no_policy':
      return allOf([IS_ACTIVE, { sql: 'o.deadline_at IS NULL AND o.has_policy = 0', parameters: [] }])
    case 'reconciled':
      return allOf([IS_OVER, { sql: 'o.is_reconciled = 1', parameters: [] }])
    case 'terminal':
      return allOf([IS_OVER, { sql: 'o.is_reconciled = 0', parameters: [] }])
    default:
      return freshness satisfies never
  }
}

export function problemClassIs(problem: ProblemClass, deadlines: DeadlineConditions): Condition {
  const isFollowUp = (flag: 0 | 1) => ({ sql: `o.needs_follow_up = ${flag}`, parameters: [] })
  const isNotStale = anyOf([
    IS_OVER,
    { sql: 'o.deadline_at IS NULL', parameters: [] },
    deadlines.isAhead('deadline_at'),
  ])
  switch (problem) {
    case 'active_attention':
      return freshnessIs('likely_stale', deadlines)
    case 'terminal_follow_up':
      return allOf([isFollowUp(1), isNotStale])
    case 'none':
      return allOf([isFollowUp(0), isNotStale])
    default:
      return problem satisfies never
  }
}
