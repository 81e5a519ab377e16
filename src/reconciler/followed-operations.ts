/**
 * The active operations of a whole log in memory, folded one by one as their events come: candidates for a log that has no
 * read models beside it. Questions look at every row; there are few questions, and a row costs them less than a microsecond.
 */
import { type Deadline, earliestDeadline } from '../authority/deadlines.ts'
import type { RecordedEvent } from '../authority/events.ts'
import type { Operation } from '../authority/operation.ts'
import { lifeAfter, livesTouchedBy } from '../authority/operation-life.ts'
import { type ActiveStatus, isActive } from '../authority/status.ts'
import {
  type Candidate,
  type Candidates,
  compareCandidates,
  isWithin,
  type LogTimes,
  type OverdueWait,
  type Scope,
} from './candidates.ts'
import { FollowedWaits } from './followed-waits.ts'

export interface RegistryName {
  readonly workspace: string
  readonly owner: string
}

interface Row {
  readonly operation: Operation
  /** Undefined where nothing threatens it. */
  readonly deadline: Deadline | undefined
}

interface Registry {
  readonly name: RegistryName
  readonly rows: Map<number, Row>
  readonly waits: FollowedWaits
}

interface Waiter {
  readonly position: bigint
  readonly reached: () => void
}

export class FollowedOperations implements Candidates {
  readonly #registries = new Map<string, Registry>()
  readonly #parked = new Set<string>()
  readonly #listeners = new Set<(dueAt: number) => void>()
  #waiters: Waiter[] = []
  #position = -1n
  #newestAt = 0
  #live: LogTimes['live']
  #failure: unknown
  #hasBegun = false
  readonly #begin: (into: FollowedOperations) => void

  /** `begin` starts to give events; called once, when somebody first asks. */
  constructor(begin: (into: FollowedOperations) => void = () => {}) {
    this.#begin = begin
  }

  /** Streams that are left alone, because an event of theirs makes no sense: nobody in them is judged. */
  get parked(): readonly string[] {
    return [...this.#parked]
  }

  /** An event of a registry, in the order of the log. `arrivedAt`: this node's time, when it came as it was written. */
  apply(stream: string, name: RegistryName, recorded: RecordedEvent, arrivedAt?: number): void {
    const { at } = recorded.metadata
    this.#newestAt = Math.max(this.#newestAt, at)
    if (arrivedAt !== undefined) this.#live = { at, arrivedAt }
    if (this.#parked.has(stream)) return
    try {
      this.#fold(stream, name, recorded)
    } catch {
      this.park(stream)
    }
  }

  /** Leaves a stream alone from here on. */
  park(stream: string): void {
    this.#parked.add(stream)
    this.#registries.delete(stream)
  }

  /** Everything up to here was given. */
  caughtUp(position: bigint): void {
    if (position > this.#position) this.#position = position
    const waiting = this.#waiters
    this.#waiters = waiting.filter((one) => one.position > this.#position)
    for (const { position: wanted, reached } of waiting) if (wanted <= this.#position) reached()
  }

  /** Nothing more will come: whoever waits is told why. */
  fail(error: unknown): void {
    this.#failure = error
    for (const { reached } of this.#waiters.splice(0)) reached()
  }

  async reach(position: bigint): Promise<void> {
    if (!this.#hasBegun) {
      this.#hasBegun = true
      this.#begin(this)
    }
    if (this.#failure === undefined && this.#position < position)
      await new Promise<void>((resolve) => this.#waiters.push({ position, reached: resolve }))
    if (this.#failure !== undefined) throw this.#failure
  }

  async suspects(until: number, scope: Scope, limit: number, after?: Candidate): Promise<readonly Candidate[]> {
    return this.#candidates(
      scope,
      limit,
      after,
      ({ deadlineAt, lateAt = deadlineAt }) => Math.min(deadlineAt, lateAt) <= until,
    )
  }

  async recovered(until: number, scope: Scope, limit: number): Promise<readonly Candidate[]> {
    return this.#candidates(
      scope,
      limit,
      undefined,
      ({ deadlineAt }, { attention }) => deadlineAt > until && attention.some(({ raised }) => raised),
    )
  }

  async earliestDue(after: number): Promise<number | undefined> {
    let earliest = Number.POSITIVE_INFINITY
    for (const { rows, waits } of this.#registries.values()) {
      earliest = Math.min(earliest, waits.earliestDue(after))
      for (const { deadline } of rows.values()) {
        if (deadline !== undefined && deadline.deadlineAt > after) earliest = Math.min(earliest, deadline.deadlineAt)
      }
    }
    return earliest === Number.POSITIVE_INFINITY ? undefined : earliest
  }

  async activeByKind(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>()
    for (const { rows } of this.#registries.values()) {
      for (const { operation } of rows.values()) counts.set(operation.kind, (counts.get(operation.kind) ?? 0) + 1)
    }
    return counts
  }

  async overdueWaits(until: number, scope: Scope, limit: number): Promise<readonly OverdueWait[]> {
    const overdue: OverdueWait[] = []
    for (const { name, waits } of this.#registries.values()) {
      if (isWithin(scope, name)) for (const wait of waits.overdue(until)) overdue.push({ ...name, ...wait })
    }
    return overdue.sort((one, other) => one.deadlineAt - other.deadlineAt).slice(0, limit)
  }

  async logTimes(): Promise<LogTimes> {
    return { newestAt: this.#newestAt, ...(this.#live === undefined ? {} : { live: this.#live }) }
  }

  onDeadline(listener: (dueAt: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #fold(stream: string, name: RegistryName, recorded: RecordedEvent): void {
    const registry = this.#registry(stream, name)
    const { rows, waits } = registry
    for (const number of livesTouchedBy(recorded)) {
      const before = rows.get(number)
      // One that ended lives on in nobody's memory here; only a contradiction may still come.
      if (before === undefined && recorded.event.type !== 'OperationRegistered') continue
      const after = lifeAfter(before?.operation, recorded, number)
      if (after !== undefined && isActive(after.status)) this.#put(rows, before, after)
      else {
        rows.delete(number)
        waits.ended(number)
      }
    }
    const { event } = recorded
    if (event.type === 'WaitBegan') {
      const { waitId, mode, numbers, deadlineAt } = event.facts
      waits.began(
        waitId,
        mode,
        numbers.filter((number) => rows.has(number)),
        deadlineAt,
      )
      this.#tell(deadlineAt)
    } else if (event.type === 'WaitExpired' || event.type === 'WaitCancelled') waits.over(event.facts.waitId)
  }

  #registry(stream: string, name: RegistryName): Registry {
    let registry = this.#registries.get(stream)
    if (registry === undefined) {
      registry = { name, rows: new Map(), waits: new FollowedWaits() }
      this.#registries.set(stream, registry)
    }
    return registry
  }

  #put(rows: Map<number, Row>, before: Row | undefined, after: Operation): void {
    // What people wrote is not judged, and would take the most room.
    const operation = before === undefined ? withoutContent(after) : after
    const deadline = earliestDeadline(operation)
    rows.set(operation.number, { operation, deadline })
    if (deadline !== undefined && deadline.deadlineAt !== before?.deadline?.deadlineAt) this.#tell(deadline.deadlineAt)
  }

  #tell(dueAt: number): void {
    for (const listener of this.#listeners) listener(dueAt)
  }

  #candidates(
    scope: Scope,
    limit: number,
    after: Candidate | undefined,
    wanted: (deadline: Deadline, operation: Operation) => boolean,
  ): readonly Candidate[] {
    const found: Candidate[] = []
    for (const { name, rows } of this.#registries.values()) {
      for (const { operation, deadline } of rows.values()) {
        if (deadline === undefined || !wanted(deadline, operation)) continue
        if (!isWithin(scope, { ...name, kind: operation.kind })) continue
        const candidate = candidateOf(name, operation, deadline)
        if (after === undefined || compareCandidates(after, candidate) < 0) found.push(candidate)
      }
    }
    return found.sort(compareCandidates).slice(0, limit)
  }
}

function withoutContent({ input: _input, labels: _labels, ...operation }: Operation): Operation {
  return operation
}

function candidateOf({ workspace, owner }: RegistryName, operation: Operation, deadline: Deadline): Candidate {
  const { id, number, kind, status, attempt, policy, lastRevision, lastSignAt, cancel, attention } = operation
  return {
    workspace,
    owner,
    id,
    number,
    kind,
    // Rows are of active operations only.
    status: status as ActiveStatus,
    attempt,
    policy,
    deadline,
    lastRevision,
    ...(lastSignAt === undefined ? {} : { lastSignAt }),
    isCancelRequested: cancel !== undefined,
    attention,
  }
}
