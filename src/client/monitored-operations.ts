/**
 * Operations as monitors see them: of all owners of the workspace, found by filters, from the read models. What was answered here
 * before is in what is answered next; for what others did, `atLeast` takes the position that they were answered.
 */
import type {
  AsOf,
  Count,
  Facets,
  FilterQuestion,
  ListedOperation,
  OperationStory,
  OperationsAnswer,
  OperationsQuestion,
  OwnersQuestion,
  RatePoint,
  RatesQuestion,
  RegistryPage,
  StoryQuestion,
} from '../authority/monitoring.ts'
import type { OperationFilter, RegistryFilter } from '../authority/monitoring-filters.ts'
import type { OperationSnapshot } from '../authority/questions.ts'
import { answered, type CommandSender } from './command-sender.ts'
import type { VerdictDoor } from './door.ts'
import { type Moment, momentMs } from './durations.ts'
import { given } from './given-options.ts'
import { addressOf, idOf, type OperationAddress } from './operation-address.ts'
import { invalidInput } from './operation-errors.ts'
import type { AddressOptions } from './registration.ts'

/** Which operations: of one owner, of several (`owners`), of all owners of the workspace where none is named. */
export type OperationsWanted = OperationFilter & AddressOptions
export type OwnersWanted = RegistryFilter & Pick<AddressOptions, 'workspace'>

/** How current an answer is to be. */
export type ReadOptions = Pick<FilterQuestion, 'atLeast' | 'timeoutMs' | 'withLag'> & {
  readonly signal?: AbortSignal | undefined
}
export type ListOptions = ReadOptions & Omit<OperationsQuestion, 'filter'>
export type OwnersOptions = ReadOptions & Omit<OwnersQuestion, 'filter'>
export type StoryOptions = ReadOptions & Pick<StoryQuestion, 'number' | 'after' | 'limit'>
export type RatesOptions = ReadOptions &
  Pick<RatesQuestion, 'kinds' | 'step'> & {
    readonly workspace?: string
    readonly from: Moment
    readonly until: Moment
  }

/** A page of operations, to be iterated; each tells in a sentence (`explanation`) what is known and what happens next. */
export class OperationList implements Iterable<ListedOperation> {
  readonly operations: readonly ListedOperation[]
  /** For the page behind this one; undefined on the last one. */
  readonly nextPageToken: string | undefined
  /** How many have come before the first page since it was read. */
  readonly newer: number
  /** Of the log: everything up to it is in this page, and nothing behind it. */
  readonly position: bigint
  readonly facets: Facets | undefined
  readonly lag: AsOf['lag']

  constructor({ operations, nextPageToken, newer, position, facets, lag }: OperationsAnswer) {
    this.operations = operations
    this.nextPageToken = nextPageToken
    this.newer = newer
    this.position = position
    this.facets = facets
    this.lag = lag
  }

  get length(): number {
    return this.operations.length
  }

  [Symbol.iterator](): Iterator<ListedOperation> {
    return this.operations[Symbol.iterator]()
  }
}

/**
 * Every method throws OperationRejected (`invalid_command`, `bad_page_token`, `read_model_behind`, `not_served`) and the signal's
 * reason.
 */
export class MonitoredOperations {
  readonly #door: VerdictDoor
  readonly #senderOf: (address: AddressOptions) => CommandSender

  constructor(door: VerdictDoor, senderOf: (address: AddressOptions) => CommandSender) {
    this.#door = door
    this.#senderOf = senderOf
  }

  /** One page, newest activity first where no sort is named. */
  async list(filter: OperationsWanted = {}, options: ListOptions = {}): Promise<OperationList> {
    const { signal, ...asked } = given(options)
    const question = { filter: this.#filter(filter), ...asked }
    return new OperationList(answered(await this.#door.monitoring.operations(question, signal)))
  }

  /** All pages, one operation after the other. What changes its place meanwhile may be missed or met twice. */
  async *each(filter: OperationsWanted = {}, options: ListOptions = {}): AsyncGenerator<ListedOperation, void, void> {
    for (let pageToken = given(options).pageToken; ; ) {
      const page = await this.list(filter, { ...options, pageToken })
      yield* page
      pageToken = page.nextPageToken
      if (pageToken === undefined) return
    }
  }

  /** How many: exact up to a cap, then at least so many. */
  async count(filter: OperationsWanted = {}, options: ReadOptions = {}): Promise<Count & AsOf> {
    const { signal, ...asked } = given(options)
    return answered(await this.#door.monitoring.count({ filter: this.#filter(filter), ...asked }, signal))
  }

  /** How they are spread over statuses, kinds, reason codes, freshness and problem classes. */
  async facets(filter: OperationsWanted = {}, options: ReadOptions = {}): Promise<Facets & AsOf> {
    const { signal, ...asked } = given(options)
    return answered(await this.#door.monitoring.facets({ filter: this.#filter(filter), ...asked }, signal))
  }

  /** As its registry holds it; undefined when it is not there or no longer held: `story` tells of those. */
  get(address: OperationAddress): Promise<OperationSnapshot | undefined> {
    const { door, registry } = this.#senderOf(addressOf(address))
    return door.snapshot(registry, idOf(address))
  }

  /** What became of it, event by event, also long after lists and registry have let it go. Undefined where it never was. */
  async story(address: OperationAddress, options: StoryOptions = {}): Promise<OperationStory | undefined> {
    const { signal, ...asked } = given(options)
    const { workspace, owner } = this.#senderOf(addressOf(address)).registry
    const question = { workspace, owner, id: idOf(address), ...asked }
    return answered(await this.#door.monitoring.story(question, signal))
  }

  /** Summaries of owners: what is under way, retained, waited for; newest activity first where no sort is named. */
  async owners(filter: OwnersWanted = {}, options: OwnersOptions = {}): Promise<RegistryPage & AsOf> {
    const { signal, ...asked } = given(options)
    const { workspace, ...wanted } = given(filter, 'filter')
    const workspaces = [this.#senderOf({ workspace }).registry.workspace]
    return answered(await this.#door.monitoring.owners({ filter: { workspaces, ...wanted }, ...asked }, signal))
  }

  /** How much happened, by kind and step of time: transitions, queue waits, run times. */
  async rates(options: RatesOptions): Promise<{ readonly points: readonly RatePoint[] } & AsOf> {
    const { signal, workspace: named, from, until, ...asked } = given(options)
    const { workspace } = this.#senderOf({ workspace: named }).registry
    const span = { fromAt: momentMs(from, 'from'), untilAt: momentMs(until, 'until') }
    return answered(await this.#door.monitoring.rates({ workspaces: [workspace], ...span, ...asked }, signal))
  }

  #filter(filter: OperationsWanted): OperationFilter {
    const { workspace, owner, ...wanted } = given(filter, 'filter')
    if (owner !== undefined && wanted.owners !== undefined) {
      throw invalidInput('filter.owners', 'owner or owners, not both', wanted.owners)
    }
    const workspaces = [this.#senderOf({ workspace }).registry.workspace]
    return { workspaces, ...(owner === undefined ? {} : { owners: [owner] }), ...wanted }
  }
}
