/** Everything of one owner: its operations, its limits, its completions, its end. */

import type { CommandAnswer } from '../authority/command-answer.ts'
import type { Limits } from '../authority/events.ts'
import type { OperationFilter } from '../authority/monitoring-filters.ts'
import type { OperationSnapshot, RegistryOverview } from '../authority/questions.ts'
import type { FeedRow } from '../authority/registry.ts'
import { answered, type CallOptions, type CommandSender } from './command-sender.ts'
import { given } from './given-options.ts'
import type { ListOptions, MonitoredOperations, OperationList } from './monitored-operations.ts'
import { CompletionsDropped, type FeedGap } from './operation-errors.ts'

export interface CompletionsOptions {
  /** Sequence of the last one that was seen; 0, the default, for none. */
  readonly after?: number
  /** Aborting it throws its reason. */
  readonly signal?: AbortSignal
  /** False ends with the newest one; by default the next is waited for. */
  readonly follow?: boolean
  /** Told of completions that were dropped before they were read, and then reading goes on; without it they are thrown. */
  readonly onGap?: (gap: FeedGap) => void
}

export class OwnerOperations {
  readonly workspace: string
  readonly owner: string
  readonly #sender: CommandSender
  readonly #operations: MonitoredOperations

  constructor(sender: CommandSender, operations: MonitoredOperations) {
    this.#sender = sender
    this.#operations = operations
    this.workspace = sender.registry.workspace
    this.owner = sender.registry.owner
  }

  /** A page of its operations, as `operations.list` has them. */
  list(filter: Omit<OperationFilter, 'workspaces' | 'owners'> = {}, options: ListOptions = {}): Promise<OperationList> {
    const { workspace, owner } = this
    return this.#operations.list({ ...given(filter, 'filter'), workspace, owner }, options)
  }

  overview(): Promise<RegistryOverview> {
    return this.#sender.door.overview(this.#sender.registry)
  }

  /** Opens the registry with limits of its own; the first registration opens it with the default ones. */
  open(limits: Partial<Limits> = {}, options?: CallOptions): Promise<CommandAnswer> {
    return this.#sender.send({ type: 'OpenRegistry', limits }, options)
  }

  changeLimits(limits: Partial<Limits>, options?: CallOptions): Promise<CommandAnswer> {
    return this.#sender.send({ type: 'ChangeLimits', limits }, options)
  }

  /** Ends every active operation, in one event; the answer tells how many. */
  terminate(reason: string, options?: CallOptions): Promise<CommandAnswer> {
    return this.#sender.send({ type: 'TerminateOwner', reason }, options)
  }

  /** Terminates, and takes nothing more. */
  retire(reason: string, options?: CallOptions): Promise<CommandAnswer> {
    return this.#sender.send({ type: 'RetireOwner', reason }, options)
  }

  /** Retained terminal operations in completion order, once; the same command id gives the same ones again. */
  async collect(options: CallOptions = {}): Promise<readonly OperationSnapshot[]> {
    const { door, registry } = this.#sender
    return answered(await door.collect(registry, this.#sender.options(options))).operations
  }

  /** Each completion once and in order, for ever. Throws CompletionsDropped where retention was faster, unless `onGap` is given. */
  async *completions(options: CompletionsOptions = {}): AsyncGenerator<FeedRow, void, void> {
    const { signal, follow = true, onGap } = given(options)
    const { door, registry } = this.#sender
    for (let after = options.after ?? 0; ; ) {
      signal?.throwIfAborted()
      const request = { after, wait: follow, ...(signal === undefined ? {} : { signal }) }
      const page = answered(await door.completions(registry, request))
      if (page.type === 'gap') {
        if (onGap === undefined) throw new CompletionsDropped(page)
        onGap(page)
        after = page.droppedThrough
        continue
      }
      for (const row of page.entries) {
        yield row
        after = row.sequence
      }
      if (!follow && page.entries.length === 0) return
    }
  }

  /** How far the named consumer came; 0 before it ever moved. */
  cursor(name: string): Promise<number> {
    return this.#sender.door.cursor(this.#sender.registry, name)
  }

  /** Moves it forward; a lower sequence leaves it where it is. Returns where it stands. */
  async moveCursor(name: string, sequence: number): Promise<number> {
    return answered(await this.#sender.door.moveCursor(this.#sender.registry, name, sequence)).sequence
  }

  cancelWait(waitId: string, options?: CallOptions): Promise<CommandAnswer> {
    return this.#sender.send({ type: 'CancelWait', waitId }, options)
  }

  expireWait(waitId: string, options?: CallOptions): Promise<CommandAnswer> {
    return this.#sender.send({ type: 'ExpireWait', waitId }, options)
  }
}
