/**
 * The shell of the authority on one node: takes commands for any registry, answers reads from what is durable, and lets
 * those wait who want to know. It is the only holder of an appender.
 *
 *     send -> checked -> its registry's writer -> answer or refusal (values, never exceptions)
 *     reads -> the registry at or beyond the head of its stream
 */
import { type Bounds, isPrintable, utf8Length } from '../authority/bounds.ts'
import type { CommandAnswer, CommandResult } from '../authority/command-answer.ts'
import { type Command, parseCommand } from '../authority/commands.ts'
import type { EventMetadata, LifecycleEvent, Limits } from '../authority/events.ts'
import { fold, outcomeIn } from '../authority/evolve.ts'
import type { Operation, Outcome, Tombstone } from '../authority/operation.ts'
import { type OperationView, viewOf } from '../authority/operation-view.ts'
import {
  EMPTY_REGISTRY,
  type EndedWait,
  type FeedRow,
  feedPlaceAfter,
  type RegistryState,
  type Wait,
  winnerOf,
} from '../authority/registry.ts'
import type { Rejection } from '../authority/rejections.ts'
import { isTerminal, type PresentStatus } from '../authority/status.ts'
import { decodeEvent, randomSalts, type SaltSource } from '../event-store/event-codec.ts'
import type { EventStore } from '../event-store/event-store.ts'
import type { SnapshotCache } from '../event-store/snapshot-cache.ts'
import { cursorsStream, type RegistryName, registryStream } from '../event-store/stream-names.ts'
import { ChannelClosed } from '../runtime/channel-closed.ts'
import type { Clock } from '../runtime/clock.ts'
import type { RandomSource } from '../runtime/ids.ts'
import { addressCommand } from './command-stamp.ts'
import { moveCursor, readCursor } from './consumer-cursors.ts'
import type { HotRegistry, HotSettings } from './hot-registry.ts'
import type { AbortCause } from './lease-signals.ts'
import { Registries, type RegistriesSettings } from './registries.ts'
import type { Sender } from './ticket.ts'

export interface ShellSettings extends HotSettings, RegistriesSettings {
  readonly bounds: Bounds
  readonly cursorNamesMax: number
}

export interface ShellParts {
  readonly store: EventStore
  readonly settings: ShellSettings
  readonly clock: Clock
  readonly random: RandomSource
  readonly snapshots?: SnapshotCache
  readonly salts?: SaltSource
}

export type Refusable<T> =
  | { readonly type: 'answered'; readonly answer: T }
  | { readonly type: 'refused'; readonly rejection: Rejection }

export interface OperationSnapshot extends OperationView, RegistryName {
  readonly watchers: number
}

export interface WaitMember {
  readonly id: string
  readonly number: number
  readonly outcome?: Outcome
}

export interface WaitAnswer {
  readonly waitId: string
  readonly mode: Wait['mode']
  readonly ending: EndedWait['ending']
  readonly members: readonly WaitMember[]
  readonly winner?: string
}

export interface WaitRequest {
  readonly mode: Wait['mode']
  readonly ids: readonly string[]
  readonly waitId?: string
  readonly runId?: string
  readonly deadlineAt?: number
  readonly signal?: AbortSignal
}

export type CompletionPage =
  | { readonly type: 'entries'; readonly entries: readonly FeedRow[]; readonly watermark: number }
  | {
      readonly type: 'gap'
      readonly requestedAfter: number
      readonly droppedThrough: number
      readonly watermark: number
    }

export interface RegistryOverview extends RegistryName {
  readonly registryId?: string
  readonly limits: Limits
  readonly retired: boolean
  readonly active: number
  readonly retained: number
  readonly waits: number
  readonly watermark: number
  readonly revision: number
}

export interface HistoryEntry {
  readonly revision: number
  readonly position: bigint
  readonly event: LifecycleEvent
  readonly metadata: EventMetadata
}

interface SenderOptions extends Partial<Sender> {
  readonly commandId?: string
}

const COMPLETIONS_PER_PAGE = 1_000
const NO_PLACE = { revision: -1, position: 0n }

export class Shell {
  readonly #parts: ShellParts
  readonly #salts: SaltSource
  readonly #registries: Registries
  #closing: Promise<void> | undefined

  constructor(parts: ShellParts) {
    this.#parts = parts
    this.#salts = parts.salts ?? randomSalts()
    const { store, settings, clock, snapshots } = parts
    this.#registries = new Registries({ store, settings, clock, salts: this.#salts, snapshots }, settings)
  }

  /** Checks, decides and stores a command. Answers when the answer is true for good; never rejects for a refusal. */
  async send(name: RegistryName, command: unknown, options: SenderOptions = {}): Promise<CommandResult> {
    const parsed = this.#parse(name, command, options)
    if ('rejection' in parsed) return { type: 'refused', rejection: parsed.rejection, place: NO_PLACE }
    const registry = await this.#registries.get(registryStream(name))
    if (registry === undefined) return shuttingDown(parsed.command)
    return (await this.#submit(registry, parsed.command, options)).result
  }

  /** The operation as it is held: active or retained. */
  async snapshot(name: RegistryName, id: string): Promise<OperationSnapshot | undefined> {
    const registry = await this.#registry(name)
    const { state } = await registry.writer.current()
    const operation = state.operations.get(id)
    return operation === undefined ? undefined : this.#snapshotOf(name, registry, operation)
  }

  /** Active and retained operations, oldest registration first. */
  async list(name: RegistryName): Promise<readonly OperationSnapshot[]> {
    const registry = await this.#registry(name)
    const { state } = await registry.writer.current()
    const operations = [...state.operations.values()].sort((a, b) => a.number - b.number)
    return operations.map((operation) => this.#snapshotOf(name, registry, operation))
  }

  async overview(name: RegistryName): Promise<RegistryOverview> {
    const registry = await this.#registry(name)
    const { state } = await registry.writer.current()
    const { registryId, limits, retired, activeCount, retained, waits, sequence, revision } = state
    return {
      workspace: name.workspace,
      owner: name.owner,
      limits,
      retired: retired !== undefined,
      active: activeCount,
      retained: retained.size,
      waits: waits.size,
      watermark: sequence,
      revision,
      ...(registryId === undefined ? {} : { registryId }),
    }
  }

  /**
   * The one outcome of an operation: at once when there is one, also when only a tombstone is left; else as soon as it ends.
   * Rejects with the signal's reason, or with ChannelClosed when the way to the answer is lost.
   */
  async outcome(
    name: RegistryName,
    id: string,
    signal?: AbortSignal,
  ): Promise<Refusable<{ readonly outcome: Outcome; readonly status: PresentStatus }>> {
    signal?.throwIfAborted()
    const registry = await this.#registry(name)
    const { state } = await registry.writer.current()
    const target = state.operations.get(id) ?? state.tombstones.get(id)
    if (target === undefined) return { type: 'refused', rejection: notFound(id) }
    const outcome = isTerminal(target.status)
      ? await this.#outcomeOf(name, target)
      : (await registry.watchers.next(target.number, signal)).outcome
    return { type: 'answered', answer: { outcome, status: outcome.status } }
  }

  /**
   * Waits for several operations. Aborting cancels the wait; losing this node does not: whoever comes back with its wait
   * id, to any node, gets the answer. Rejects with the signal's reason, or with ChannelClosed.
   */
  async wait(name: RegistryName, request: WaitRequest, options: SenderOptions = {}): Promise<Refusable<WaitAnswer>> {
    const { mode, ids, waitId, runId, deadlineAt, signal } = request
    signal?.throwIfAborted()
    const type = mode === 'all' ? 'BeginWaitAll' : 'BeginWaitAny'
    const result = await this.send(name, { type, waitId, runId, ids, deadlineAt }, options)
    if (result.type === 'refused') return result
    const { wait } = result.answer
    if (wait === undefined) throw new Error(`${type} was answered without its wait`)
    const ended = 'ending' in wait ? wait : await this.#waitEnded(name, wait, signal)
    return { type: 'answered', answer: await this.#waitAnswer(name, ended) }
  }

  /** Entries of the completion feed above a sequence, with the watermark of the same moment; or a typed gap. */
  async completions(
    name: RegistryName,
    request: {
      readonly after: number
      readonly limit?: number
      readonly wait?: boolean
      readonly signal?: AbortSignal
    },
  ): Promise<Refusable<CompletionPage>> {
    const { after, limit = COMPLETIONS_PER_PAGE, wait = false, signal } = request
    const registry = await this.#registry(name)
    let { state } = await registry.writer.current()
    if (after > state.sequence) {
      const message = `there is no completion ${after}: the newest one is ${state.sequence}`
      return {
        type: 'refused',
        rejection: { code: 'cursor_ahead', message, facts: { after, watermark: state.sequence } },
      }
    }
    if (wait && after >= state.feedDroppedThrough) {
      await registry.feedBeyond(after, signal)
      state = registry.writer.durable.state
    }
    return { type: 'answered', answer: completionPage(state, after, Math.min(limit, COMPLETIONS_PER_PAGE)) }
  }

  async cursor(name: RegistryName, consumer: string): Promise<number> {
    return readCursor(this.#parts, cursorsStream(name), consumer)
  }

  /** Moves a named consumer's cursor forward; the value that counts afterwards. */
  async moveCursor(
    name: RegistryName,
    consumer: string,
    sequence: number,
  ): Promise<Refusable<{ readonly sequence: number }>> {
    const { bounds, cursorNamesMax, conflictsMax, unknownWaitMs } = this.#parts.settings
    const bad = nameFault('name', consumer, bounds) ?? sequenceFault(sequence)
    if (bad) return { type: 'refused', rejection: bad }
    const registry = await this.#registry(name)
    const { state } = await registry.writer.current()
    const { store, clock, random } = this.#parts
    const parts = { store, clock, random, salts: this.#salts, namesMax: cursorNamesMax, conflictsMax, unknownWaitMs }
    const moved = await moveCursor(parts, cursorsStream(name), consumer, sequence, state.sequence)
    return typeof moved === 'number'
      ? { type: 'answered', answer: { sequence: moved } }
      : { type: 'refused', rejection: moved }
  }

  /** Retained terminal operations in completion order, once; asked again with the same command id, the same ones. */
  async collect(
    name: RegistryName,
    options: SenderOptions = {},
  ): Promise<Refusable<{ readonly operations: readonly OperationSnapshot[]; readonly answer: CommandAnswer }>> {
    const parsed = this.#parse(name, { type: 'CollectCompleted' }, options)
    if ('rejection' in parsed) return { type: 'refused', rejection: parsed.rejection }
    const registry = await this.#registry(name)
    const { result, stateBefore } = await this.#submit(registry, parsed.command, options)
    if (result.type === 'refused') return result
    const { answer } = result
    if (answer.collected === undefined) return { type: 'answered', answer: { operations: [], answer } }
    const before = stateBefore ?? (await this.#stateAt(name, answer.revision - 1))
    const operations = [...before.retained]
      .map((id) => before.operations.get(id))
      .filter((operation) => operation !== undefined)
      .map((operation) => this.#snapshotOf(name, registry, operation))
    return { type: 'answered', answer: { operations, answer } }
  }

  /** The story of the newest life of an id, oldest event first; empty when it is not known. */
  async history(name: RegistryName, id: string): Promise<readonly HistoryEntry[]> {
    const registry = await this.#registry(name)
    const { state } = await registry.writer.current()
    const target = state.operations.get(id) ?? state.tombstones.get(id)
    if (target === undefined) return []
    const entries: HistoryEntry[] = []
    for await (const stored of this.#parts.store.readStream(registryStream(name), { from: target.number })) {
      const { event, metadata, revision } = decodeEvent(stored)
      if (concerns(event, revision, target.number))
        entries.push({ revision, position: stored.position, event, metadata })
    }
    return entries
  }

  /** Tells the holder of a lease when it is lost or a cancel is asked, wherever that was decided. Returns the way to stop. */
  onLease(
    name: RegistryName,
    { id, leaseEpoch }: { readonly id: string; readonly leaseEpoch: number },
    listener: (cause: AbortCause) => void,
  ): () => void {
    let stop: (() => void) | undefined
    let isStopped = false
    void this.#registry(name).then(
      (registry) => {
        if (isStopped) return
        stop = registry.leases.listen(registry.writer.durable.state, id, leaseEpoch, listener)
      },
      () => listener('attempt_lost'),
    )
    return () => {
      isStopped = true
      stop?.()
    }
  }

  /** Refuses new commands, finishes what is under way, writes signs of life, tells all who wait. Twice is once. */
  close(): Promise<void> {
    this.#closing ??= this.#registries.close()
    return this.#closing
  }

  #parse(
    name: RegistryName,
    command: unknown,
    { commandId }: SenderOptions,
  ): { readonly command: Command } | { readonly rejection: Rejection } {
    const { bounds } = this.#parts.settings
    const fault =
      nameFault('workspace', name.workspace, bounds) ??
      nameFault('owner', name.owner, bounds) ??
      (commandId === undefined ? undefined : nameFault('commandId', commandId, bounds))
    return fault === undefined ? parseCommand(command, bounds) : { rejection: fault }
  }

  async #submit(registry: HotRegistry, command: Command, options: SenderOptions) {
    const { commandId, actor = 'anonymous', correlationId, causationId, traceparent } = options
    const addressed = addressCommand(command, commandId, this.#parts.settings)
    const settlement = await registry.submit(addressed, {
      actor,
      ...(correlationId === undefined ? {} : { correlationId }),
      ...(causationId === undefined ? {} : { causationId }),
      ...(traceparent === undefined ? {} : { traceparent }),
    })
    const { result } = settlement
    if (result.type === 'answered') return settlement
    return { ...settlement, result: { ...result, rejection: await this.#withOutcome(registry, result.rejection) } }
  }

  /** A refusal tells the outcome, also of an operation of which only a tombstone is left. */
  async #withOutcome(registry: HotRegistry, rejection: Rejection): Promise<Rejection> {
    const { terminalRevision, outcome } = rejection.facts
    if (terminalRevision === undefined || outcome !== undefined) return rejection
    const told = await this.#outcomeAt(registry.stream, terminalRevision)
    return { ...rejection, facts: { ...rejection.facts, outcome: told } }
  }

  async #registry(name: RegistryName): Promise<HotRegistry> {
    const registry = await this.#registries.get(registryStream(name))
    if (registry === undefined) throw new ChannelClosed('shutdown')
    if (registry.writer.stopped !== undefined) throw registry.writer.stopped
    return registry
  }

  #snapshotOf({ workspace, owner }: RegistryName, registry: HotRegistry, operation: Operation): OperationSnapshot {
    const view = viewOf(operation, this.#parts.clock.now(), 0)
    return { ...view, workspace, owner, watchers: registry.watchers.count(operation.number) }
  }

  async #outcomeOf(name: RegistryName, target: Operation | Tombstone): Promise<Outcome> {
    if ('registeredAt' in target && target.outcome !== undefined) return target.outcome
    return this.#outcomeAt(registryStream(name), target.terminalRevision as number)
  }

  async #outcomeAt(stream: string, revision: number): Promise<Outcome> {
    for await (const stored of this.#parts.store.readStream(stream, { from: revision, limit: 1 })) {
      const outcome = outcomeIn(decodeEvent(stored).event)
      if (outcome !== undefined) return outcome
    }
    throw new Error(`revision ${revision} of ${stream} was to tell an outcome, and does not`)
  }

  async #waitEnded(name: RegistryName, { waitId }: Wait, signal: AbortSignal | undefined): Promise<EndedWait> {
    const registry = await this.#registry(name)
    try {
      const ended = await registry.waitEnded(waitId, signal)
      if (ended === undefined) throw new Error(`wait ${waitId} was begun and is not known any longer`)
      return ended
    } catch (error) {
      if (signal?.aborted) await this.send(name, { type: 'CancelWait', waitId })
      throw error
    }
  }

  async #waitAnswer(name: RegistryName, wait: EndedWait): Promise<WaitAnswer> {
    const { waitId, mode, ending } = wait
    const registry = await this.#registry(name)
    const { operations } = registry.writer.durable.state
    const members: WaitMember[] = []
    for (const { id, number } of wait.members) {
      const revision = wait.reached.get(number)
      const held = operations.get(id)
      const known = held?.number === number ? held.outcome : undefined
      const outcome = known ?? (revision === undefined ? undefined : await this.#outcomeAt(registry.stream, revision))
      members.push(outcome === undefined ? { id, number } : { id, number, outcome })
    }
    const first = mode === 'any' && ending === 'satisfied' ? winnerOf(wait) : undefined
    const winner = wait.members.find(({ number }) => number === first)?.id
    return { waitId, mode, ending, members, ...(winner === undefined ? {} : { winner }) }
  }

  async #stateAt(name: RegistryName, revision: number): Promise<RegistryState> {
    let state = EMPTY_REGISTRY
    const stream = registryStream(name)
    for await (const stored of this.#parts.store.readStream(stream, { limit: revision + 1 })) {
      state = fold(state, [decodeEvent(stored)])
    }
    return state
  }
}

function completionPage(state: RegistryState, after: number, limit: number): CompletionPage {
  const { feed, feedDroppedThrough: droppedThrough, sequence: watermark } = state
  if (after < droppedThrough) return { type: 'gap', requestedAfter: after, droppedThrough, watermark }
  const entries: FeedRow[] = []
  for (const row of feed.from(feedPlaceAfter(feed, after))) {
    if (entries.length === limit) break
    entries.push(row)
  }
  return { type: 'entries', entries, watermark }
}

/** Whether an event is part of one operation's story. */
function concerns(event: LifecycleEvent, revision: number, number: number): boolean {
  switch (event.type) {
    case 'OperationRegistered':
      return revision === number
    case 'OwnerTerminated': {
      let named = 0
      return event.facts.numbers.some((difference) => {
        named += difference
        return named === number
      })
    }
    case 'SignsOfLifeRecorded':
      return event.facts.signs.some(([signed]) => signed === number)
    case 'WaitBegan':
      return event.facts.numbers.includes(number)
    default:
      return 'number' in event.facts && event.facts.number === number
  }
}

function nameFault(path: string, value: unknown, bounds: Bounds): Rejection | undefined {
  const expected = `1 to ${bounds.nameBytesMax} bytes of printable text`
  const isName =
    typeof value === 'string' && value !== '' && utf8Length(value) <= bounds.nameBytesMax && isPrintable(value)
  if (isName) return undefined
  const got = typeof value === 'string' ? `${utf8Length(value)} bytes` : typeof value
  return {
    code: 'invalid_command',
    message: `${path}: expected ${expected}, got ${got}`,
    facts: { path, expected, got },
  }
}

function sequenceFault(sequence: number): Rejection | undefined {
  if (Number.isSafeInteger(sequence) && sequence >= 0) return undefined
  const facts = { path: 'sequence', expected: 'a sequence from 0', got: String(sequence) }
  return { code: 'invalid_command', message: `sequence: expected ${facts.expected}, got ${facts.got}`, facts }
}

function notFound(id: string): Rejection {
  return { code: 'not_found', message: `there is no operation ${id}`, facts: { operationId: id } }
}

function shuttingDown(command: Command): CommandResult {
  const message = `${command.type} refused: this node is shutting down`
  const facts = { command: command.type, ...('id' in command ? { operationId: command.id } : {}) }
  return { type: 'refused', rejection: { code: 'shutting_down', message, facts }, place: NO_PLACE }
}
