/**
 * The rows of the list and what is told with them. A page is asked for when the address changes; after that its rows stay where they
 * are, and what happens is written into them:
 *
 *     event of the stream --\
 *     a deadline passes     --> refresh, one at a time, a second apart --> the page again, and of the rows that it has no more
 *     ten seconds went by  --/                                             those that moved, by their ids
 *
 * What has come since stands behind "12 newer" until somebody asks for it. Rows, counts and lag are of one answer, and so of one
 * position; every question names the position of the newest event that was seen, so that nothing goes back in time.
 */
import { effect, type Signal, signal, untracked } from '@preact/signals'
import type { Facets, ListedOperation, MonitoringLag, OperationsAnswer } from '../../authority/monitoring.ts'
import { ApiProblem, get, type OnWire, type Query, Unreachable } from '../api.ts'
import { serverNow } from '../clock.ts'
import { type LiveEvent, listen, liveState } from '../live.ts'
import { filterOf } from './list-query.ts'

export interface Row {
  readonly key: string
  readonly operation: ListedOperation
  /** `left`: the filter does not leave it any more. `gone`: no list has it any more. */
  readonly standing: 'listed' | 'left' | 'gone'
}

export interface AsOf {
  readonly position: string
  readonly lag: MonitoringLag | undefined
  /** By the server's clock. */
  readonly readAt: number
}

export const PAGE_SIZE = 50

/** Between the end of one refresh and the next. */
const REFRESH_GAP_MS = 1_000
/** What happens together is asked for together. */
const GATHERED_MS = 100
/** Signs of life are no events, and freshness is a matter of time. */
const LOOK_MS = 10_000
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]

export class ListStore {
  readonly rows: Signal<readonly Row[]> = signal([])
  readonly facets: Signal<Facets | undefined> = signal(undefined)
  readonly asOf: Signal<AsOf | undefined> = signal(undefined)
  readonly nextPageToken: Signal<string | undefined> = signal(undefined)
  /** What stands before or between the rows now and is not shown; `isCapped` when there may be more. */
  readonly newer: Signal<{ readonly count: number; readonly isCapped: boolean }> = signal({ count: 0, isCapped: false })
  /** Why the newest question was not answered; the rows are as they were. */
  readonly failure: Signal<unknown> = signal(undefined)
  /** The rows are those of another address, or none. */
  readonly isLoading = signal(true)

  #params = new URLSearchParams()
  #shown: string | undefined
  /** When the spans of the address are counted from. */
  #openedAt = 0
  #asked = new AbortController()
  #timer: ReturnType<typeof setTimeout> | undefined
  #isAsking = false
  /** Something happened while it was asking. */
  #isStale = false
  /** The next refresh has its time, because something happened. */
  #isDue = false
  /** When the newest question was answered or not, ms by a clock that nobody sets. */
  #askedUntil = 0
  #failures = 0
  #position: bigint | undefined
  readonly #touched = new Set<string>()

  /** When the spans of this page are counted from. */
  get openedAt(): number {
    return this.#openedAt
  }

  /** Shows what the address says, and keeps it up to date until the returned function is called. */
  show(params: URLSearchParams): () => void {
    const address = params.toString()
    const isSame = address === this.#shown && this.asOf.peek() !== undefined
    this.#params = params
    this.#shown = address
    if (isSame) this.#refreshSoon(0)
    else {
      this.failure.value = undefined
      void this.#load()
    }
    const stopListening = listen({
      event: (event) => this.#take(event),
      resync: (isOtherLog) => {
        // A question that waits for a position of before may wait for what never comes.
        this.#asked.abort()
        this.#isAsking = false
        this.#position = undefined
        if (isOtherLog) void this.#load()
        else this.#refreshSoon(0)
      },
    })
    const stopWatching = effect(() => {
      const isMoving = liveState.value !== 'paused'
      untracked(() => (isMoving ? this.#lookLater() : this.#rest()))
    })
    const look = () => {
      if (!document.hidden) this.#refreshSoon(0)
    }
    document.addEventListener('visibilitychange', look)
    return () => {
      stopListening()
      stopWatching()
      document.removeEventListener('visibilitychange', look)
      this.#rest()
      this.#asked.abort()
      this.#isAsking = false
    }
  }

  /** Nothing of it is for whoever looks next. */
  forget(): void {
    this.#shown = undefined
    this.rows.value = []
    this.facets.value = undefined
    this.asOf.value = undefined
    this.#position = undefined
  }

  /** The page as it is now, with what has come in its place. */
  async reload(): Promise<void> {
    await this.#load()
  }

  #take({ id, workspace, owner, subject }: LiveEvent): void {
    const position = BigInt(id)
    if (this.#position === undefined || position > this.#position) this.#position = position
    const { workspaces, owners } = this.#filter()
    if (isElsewhere(workspaces, workspace) || isElsewhere(owners, owner)) return
    // What is about no operation may be about all of an owner's.
    if (subject === undefined) for (const row of this.rows.peek()) this.#touched.add(lifeOf(row.operation))
    else this.#touched.add(lifeOf({ workspace, owner, id: subject }))
    this.#refreshSoon(GATHERED_MS)
  }

  #filter(): Query {
    return filterOf(this.#params, this.#openedAt)
  }

  #query(): Query {
    return {
      ...this.#filter(),
      sort: this.#params.get('sort') ?? undefined,
      pageToken: this.#params.get('page') ?? undefined,
      pageSize: PAGE_SIZE,
      withFacets: true,
      withLag: true,
    }
  }

  async #load(): Promise<void> {
    this.isLoading.value = true
    this.#openedAt = serverNow()
    await this.#ask(async (ask) => {
      const answer = await ask(this.#query())
      this.rows.value = answer.operations.map(rowOf)
      this.#touched.clear()
      this.#settle(answer)
      this.newer.value = { count: answer.newer, isCapped: false }
      this.isLoading.value = false
    })
  }

  async #refresh(): Promise<void> {
    if (this.isLoading.peek()) return this.#load()
    await this.#ask(async (ask) => {
      const touched = new Set(this.#touched)
      const page = await ask(this.#query())
      const found = new Map(page.operations.map((operation) => [keyOf(operation), operation]))
      // Where nothing stands, nothing moves under anybody's eyes.
      const rows = this.rows.peek().length === 0 ? page.operations.map(rowOf) : this.rows.peek()
      const moved = rows.filter(
        ({ key, operation, standing }) =>
          !found.has(key) && standing !== 'gone' && (touched.has(lifeOf(operation)) || isUnderWay(operation)),
      )
      const others = await this.#movedNow(ask, moved, page.position)
      this.rows.value = rows.map((row) => patched(row, found.get(row.key), others.get(row.key)))
      for (const one of touched) this.#touched.delete(one)
      this.#settle(page)
      const shown = new Set(rows.map(({ key }) => key))
      const count = page.operations.filter((operation) => !shown.has(keyOf(operation))).length
      this.newer.value = this.#params.has('page')
        ? { count: page.newer, isCapped: false }
        : { count, isCapped: count === PAGE_SIZE }
    })
  }

  /** How those stand that the page has no more, and whether the filter leaves them still. */
  async #movedNow(ask: Ask, moved: readonly Row[], position: string): Promise<ReadonlyMap<string, Moved>> {
    if (moved.length === 0) return new Map()
    const some = (name: 'id' | 'workspace' | 'owner') => [...new Set(moved.map(({ operation }) => operation[name]))]
    const by = { ids: some('id'), workspaces: some('workspace'), owners: some('owner') }
    // Lives of one id stand beside each other: there may be more of them than rows.
    const asked = { pageSize: 4 * PAGE_SIZE, atLeast: position }
    const filter = this.#filter()
    const isFiltered = Object.keys(filter).length > 0
    const { operations } = await ask({ ...by, ...asked })
    const left = isFiltered ? (await ask({ ...by, ...filter, ids: by.ids, ...asked })).operations : operations
    const leftKeys = new Set(left.map(keyOf))
    const known = new Map(operations.map((operation) => [keyOf(operation), operation]))
    return new Map(
      moved.map(({ key }): [string, Moved] => {
        const operation = known.get(key)
        if (operation === undefined) return [key, { standing: 'gone' }]
        return [key, { operation, standing: leftKeys.has(key) ? 'listed' : 'left' }]
      }),
    )
  }

  #settle({ facets, position, lag, nextPageToken }: Answer): void {
    this.facets.value = facets
    this.asOf.value = { position, lag, readAt: serverNow() }
    this.nextPageToken.value = nextPageToken
    const reached = BigInt(position)
    if (this.#position === undefined || reached > this.#position) this.#position = reached
  }

  /** One question at a time; a new address puts an end to that of the old one. */
  async #ask(asking: (ask: Ask) => Promise<void>): Promise<void> {
    this.#asked.abort()
    const asked = new AbortController()
    this.#asked = asked
    this.#isAsking = true
    this.#isStale = false
    this.#rest()
    const { signal } = asked
    const ask: Ask = async (query) => {
      const answer = await get<Answer>('/v1/operations', { atLeast: this.#position?.toString(), ...query }, { signal })
      signal.throwIfAborted()
      return answer
    }
    try {
      await asking(ask)
      this.failure.value = undefined
      this.#failures = 0
    } catch (error) {
      if (signal.aborted) return
      this.failure.value = error
      this.#failures++
    }
    this.#isAsking = false
    this.#askedUntil = performance.now()
    if (liveState.peek() === 'paused') return
    if (this.failure.peek() !== undefined) this.#retryLater()
    else if (this.#isStale) this.#refreshSoon(GATHERED_MS)
    else this.#lookLater()
  }

  /** At once for 0; else not within a second of the last one. */
  #refreshSoon(delayMs: number): void {
    if (liveState.peek() === 'paused' || document.hidden) return
    if (this.#isAsking) {
      this.#isStale = true
      return
    }
    // What waits for its turn already is not put off by what comes meanwhile.
    if (this.#isDue && delayMs > 0) return
    this.#rest()
    this.#isDue = true
    const gapMs = delayMs === 0 ? 0 : this.#askedUntil + REFRESH_GAP_MS - performance.now()
    this.#timer = setTimeout(() => void this.#refresh(), Math.max(delayMs, gapMs))
  }

  /** When the next deadline of a row passes, or after a while. */
  #lookLater(): void {
    if (this.#isAsking || this.#isDue) return
    const now = serverNow()
    const dues = this.rows
      .peek()
      .map(({ operation }) => operation.judgement.deadlineAt)
      .filter((at) => at !== undefined && at > now)
    const inMs = Math.min(LOOK_MS, ...dues.map((at = 0) => at - now + GATHERED_MS))
    clearTimeout(this.#timer)
    this.#timer = setTimeout(
      () => {
        if (!document.hidden) void this.#refresh()
      },
      Math.max(inMs, REFRESH_GAP_MS),
    )
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#isDue = false
  }

  #retryLater(): void {
    const error = this.failure.peek()
    const isWorthIt = error instanceof Unreachable || (error instanceof ApiProblem && error.problem.retryable)
    if (!isWorthIt) return
    const told = error instanceof ApiProblem ? error.retryAfterMs : undefined
    const waitMs = told ?? RETRY_MS[Math.min(this.#failures, RETRY_MS.length) - 1] ?? LOOK_MS
    this.#timer = setTimeout(() => void this.#refresh(), waitMs)
  }
}

type Answer = OnWire<OperationsAnswer>
type Ask = (query: Query) => Promise<Answer>

interface Moved {
  readonly operation?: ListedOperation
  readonly standing: Row['standing']
}

function rowOf(operation: ListedOperation): Row {
  return { key: keyOf(operation), operation, standing: 'listed' }
}

function patched(row: Row, found: ListedOperation | undefined, moved: Moved | undefined): Row {
  if (found !== undefined) return { ...row, operation: found, standing: 'listed' }
  if (moved === undefined) return row
  return { ...row, operation: moved.operation ?? row.operation, standing: moved.standing }
}

function isUnderWay({ completedAt }: ListedOperation): boolean {
  return completedAt === undefined
}

/** One life of an id. */
export function keyOf({ workspace, owner, number }: ListedOperation): string {
  return JSON.stringify([workspace, owner, number])
}

/** What events name: any life of an id. */
function lifeOf({ workspace, owner, id }: { readonly workspace: string; readonly owner: string; readonly id: string }) {
  return JSON.stringify([workspace, owner, id])
}

function isElsewhere(asked: Query[string], met: string): boolean {
  return Array.isArray(asked) && !asked.includes(met)
}
