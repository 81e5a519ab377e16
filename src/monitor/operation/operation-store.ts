/**
 * One operation as its page knows it. Parts are asked for on their own, so that one which can't be told takes no other with it.
 *
 *     opened -> all parts asked -> shown
 *     event of this operation (live.ts), a deadline passed, an action done -> asked again: one pass at a time, a second apart
 *     something failed -> asked again after a while; what was known stays
 */
import { effect, signal, untracked } from '@preact/signals'
import type { MachineDescription } from '../../authority/machine-description.ts'
import type { OperationsAnswer } from '../../authority/monitoring.ts'
import type { OperationTimeline } from '../../authority/timeline.ts'
import { ApiProblem, get, type OnWire } from '../api.ts'
import { now } from '../clock.ts'
import { type LiveEvent, listen } from '../live.ts'
import { askFor, part } from './part.ts'
import {
  type OperationPlace,
  operationPath,
  type ToldOperation,
  type ToldOutlook,
  type ToldStory,
} from './told-operation.ts'

/** Events of one page of the table. */
export const STORY_PAGE = 200
/** Passes are so far apart at least. */
const GAP_MS = 1_000
/** After a pass of which something failed. */
const RETRY_MS = 5_000
/** New operations that try this one again. */
const RETRIES_MAX = 20

export class OperationStore {
  readonly place: OperationPlace
  /** Undefined value: neither its registry nor the read models hold this life of it. */
  readonly operation = part<ToldOperation | undefined>()
  readonly outlook = part<ToldOutlook>()
  readonly timeline = part<OperationTimeline>()
  readonly story = part<ToldStory>()
  /** Operations that try it again. */
  readonly retries = part<readonly ToldOperation[]>()
  readonly machine = part<MachineDescription>()
  /** Older pages of the story are being read. */
  readonly isReadingOn = signal(false)
  readonly #over = new AbortController()
  readonly #stop: (() => void)[]
  #timer: ReturnType<typeof setTimeout> | undefined
  #dueAt = Number.POSITIVE_INFINITY
  #isPassing = false
  #isAskedAgain = false
  #endedAt = 0
  /** The last deadline that was seen passing, and the newest position that an event told. */
  #passedDeadlineAt: number | undefined
  #position = 0n

  constructor(place: OperationPlace) {
    this.place = place
    this.#stop = [
      listen({ event: (event) => this.#happened(event), resync: () => this.refresh() }),
      effect(() => this.#watchDeadline(now.value)),
    ]
    this.refresh()
  }

  close(): void {
    for (const stop of this.#stop) stop()
    clearTimeout(this.#timer)
    this.#over.abort()
  }

  /** Soon; once, however often it is asked meanwhile. */
  refresh(): void {
    if (this.#isPassing) this.#isAskedAgain = true
    else this.#passIn(Math.max(0, this.#endedAt + GAP_MS - Date.now()))
  }

  /** The next page of the story, behind the last entry that is shown. */
  async readOn(): Promise<void> {
    if (this.isReadingOn.peek()) return
    this.isReadingOn.value = true
    try {
      await this.#readStory(this.#over.signal)
    } catch {
      // The page was left.
    } finally {
      this.isReadingOn.value = false
    }
  }

  #happened({ workspace, owner, subject, data, id }: LiveEvent): void {
    if (workspace !== this.place.workspace || owner !== this.place.owner) return
    const retryOf = data.retryOf as { readonly id?: unknown } | undefined // where there is one, as the API describes it
    // What is about no single operation (signs of life, waits, the owner's end) may be about this one.
    const concerns = subject === undefined || subject === this.place.id || retryOf?.id === this.place.id
    if (!concerns) return
    const position = BigInt(id)
    if (position > this.#position) this.#position = position
    this.refresh()
  }

  /** A deadline that passes changes what may be done: the server is asked for it once. */
  #watchDeadline(time: number): void {
    const { value } = this.outlook.value
    if (value?.earliest === undefined || value.verdict !== undefined) return
    const deadlineAt = value.earliest.deadlineAt + value.graceMs
    if (time < deadlineAt || this.#passedDeadlineAt === deadlineAt) return
    this.#passedDeadlineAt = deadlineAt
    untracked(() => this.refresh())
  }

  #passIn(ms: number): void {
    const dueAt = Date.now() + ms
    if (this.#over.signal.aborted || this.#dueAt <= dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = dueAt
    this.#timer = setTimeout(() => void this.#pass(), ms)
  }

  async #pass(): Promise<void> {
    const { signal: over } = this.#over
    this.#dueAt = Number.POSITIVE_INFINITY
    this.#isPassing = true
    this.#isAskedAgain = false
    try {
      await Promise.all([
        askFor(this.operation, over, () => this.#asked(over)),
        askFor(this.outlook, over, () => this.#get<ToldOutlook>('/outlook', over)),
        askFor(this.timeline, over, () => this.#get<OperationTimeline>('/timeline', over)),
        this.machine.peek().value === undefined &&
          askFor(this.machine, over, () => get<MachineDescription>('/v1/machine', {}, { signal: over })),
        this.#isAtEnd && this.#readStory(over),
        askFor(this.retries, over, () => this.#triedAgain(over)),
      ])
    } catch {
      return // the page was left
    } finally {
      this.#isPassing = false
      this.#endedAt = Date.now()
    }
    if (this.#isAskedAgain) this.#passIn(GAP_MS)
    else if (this.#failed) this.#passIn(RETRY_MS)
  }

  /** Something that may be told later was not told now. */
  get #failed(): boolean {
    const parts = [this.operation, this.outlook, this.timeline, this.story, this.retries, this.machine]
    return parts.some((one) => {
      const { error } = one.peek()
      return error !== undefined && !(error instanceof ApiProblem && [400, 401, 403, 404].includes(error.status))
    })
  }

  get #isAtEnd(): boolean {
    return this.story.peek().value?.hasMore !== true
  }

  #get<T>(path: string, over: AbortSignal): Promise<T> {
    const { number } = this.place
    return get<T>(`${operationPath(this.place)}${path}`, number === undefined ? {} : { number }, { signal: over })
  }

  async #asked(over: AbortSignal): Promise<ToldOperation | undefined> {
    const { number } = this.place
    try {
      const told = await get<ToldOperation>(operationPath(this.place), {}, { signal: over })
      return number === undefined || told.number === number ? told : undefined
    } catch (error) {
      if (error instanceof ApiProblem && error.code === 'not_found') return undefined
      throw error
    }
  }

  #readStory(over: AbortSignal): Promise<void> {
    return askFor(this.story, over, async () => {
      const { value: known } = this.story.peek()
      const after = known?.entries.at(-1)?.revision
      const told = await get<ToldStory>(
        `${operationPath(this.place)}/story`,
        {
          limit: STORY_PAGE,
          number: this.place.number ?? known?.number,
          after,
          atLeast: this.#position === 0n ? undefined : String(this.#position),
        },
        { signal: over },
      )
      // Whoever reads pages twice at once keeps what came first.
      const before = this.story.peek().value
      if (before === undefined || before.number !== told.number) return told
      const last = before.entries.at(-1)?.revision ?? -1
      const isNew = ({ revision }: { readonly revision: number }) => revision > last
      return {
        ...told,
        entries: [...before.entries, ...told.entries.filter(isNew)],
        steps: [...before.steps, ...told.steps.filter(isNew)],
      }
    })
  }

  async #triedAgain(over: AbortSignal): Promise<readonly ToldOperation[]> {
    const { workspace, owner, id } = this.place
    const query = { workspaces: workspace, owners: owner, retryOf: id, pageSize: RETRIES_MAX }
    const page = await get<OnWire<OperationsAnswer>>('/v1/operations', query, { signal: over })
    const { number } = this.place
    return page.operations.filter(({ retryOf }) => number === undefined || retryOf?.number === number)
  }
}
