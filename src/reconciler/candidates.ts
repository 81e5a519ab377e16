/**
 * Who may have to be judged: what the reconciler asks the read side, as plain rows. A row may lag behind the log; whatever
 * happened since wins when the command is decided.
 */
import type { Deadline } from '../authority/deadlines.ts'
import type { DeadlineRule } from '../authority/events.ts'
import type { Policy } from '../authority/lifecycle-policy.ts'
import type { Operation } from '../authority/operation.ts'
import type { ActiveStatus } from '../authority/status.ts'

/** An active operation with what its facts say of its earliest deadline. */
export interface Candidate {
  readonly workspace: string
  readonly owner: string
  readonly id: string
  readonly number: number
  readonly kind: string
  readonly status: ActiveStatus
  readonly attempt: number
  readonly policy: Policy | null
  readonly deadline: Deadline
  readonly lastRevision: number
  readonly lastSignAt?: number
  readonly isCancelRequested: boolean
  readonly attention: Operation['attention']
}

/** Whom a question is about; what is not named is not restricted. */
export interface Scope {
  readonly kinds?: readonly string[]
  readonly owners?: readonly string[]
  readonly workspaces?: readonly string[]
}

/** A wait that nobody ended although its deadline has passed. */
export interface OverdueWait {
  readonly workspace: string
  readonly owner: string
  readonly waitId: string
  readonly deadlineAt: number
}

export interface LogTimes {
  /** The newest `at` that any event bears. */
  readonly newestAt: number
  /** Of the last event that arrived as it was written: its `at`, and this node's time when it came. */
  readonly live?: { readonly at: number; readonly arrivedAt: number }
}

export interface Candidates {
  /** Ends when the rows rest on everything up to this position; rejects when that takes too long. */
  reach(position: bigint): Promise<void>
  /** Late or due by then, earliest deadline first; page after page, `after` being the last of the page before. */
  suspects(until: number, scope: Scope, limit: number, after?: Candidate): Promise<readonly Candidate[]>
  /** Under attention, though no deadline has passed by then. */
  recovered(until: number, scope: Scope, limit: number): Promise<readonly Candidate[]>
  /** The first deadline behind this time, of operations and waits. */
  earliestDue(after: number): Promise<number | undefined>
  activeByKind(): Promise<ReadonlyMap<string, number>>
  overdueWaits(until: number, scope: Scope, limit: number): Promise<readonly OverdueWait[]>
  logTimes(): Promise<LogTimes>
  /** Calls the listener with each deadline as it comes to be known. Returns the way to stop. */
  onDeadline(listener: (dueAt: number) => void): () => void
}

/** The order of suspects: deadline, then place, so that pages neither repeat nor leave out. */
export function compareCandidates(one: Candidate, other: Candidate): number {
  return (
    one.deadline.deadlineAt - other.deadline.deadlineAt ||
    compareTexts(one.workspace, other.workspace) ||
    compareTexts(one.owner, other.owner) ||
    one.number - other.number
  )
}

/** A row without a kind, such as a wait, lies in no scope that names kinds. */
export function isWithin(
  { kinds, owners, workspaces }: Scope,
  { workspace, owner, kind }: { readonly workspace: string; readonly owner: string; readonly kind?: string },
): boolean {
  return (
    (workspaces === undefined || workspaces.includes(workspace)) &&
    (owners === undefined || owners.includes(owner)) &&
    (kinds === undefined || (kind !== undefined && kinds.includes(kind)))
  )
}

/** Whether this attempt was brought to attention under this rule before. */
export function wasRaised({ attention }: Candidate, rule: DeadlineRule): boolean {
  return attention.some((one) => one.rule === rule)
}

function compareTexts(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
