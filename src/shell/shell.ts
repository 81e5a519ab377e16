/**
 * The shell of the authority on one node: takes commands for any registry, answers reads from what is durable, and lets
 * those wait who want to know. It is the only holder of an appender.
 *
 *     send -> checked -> its registry's writer -> answer or refusal (values, never exceptions)
 *     reads -> the registry at or beyond the head of its stream
 */

import type { CommandResult } from '../authority/command-answer.ts'
import type { Outcome } from '../authority/operation.ts'
import type {
  CompletionPage,
  CompletionsRequest,
  HistoryEntry,
  OperationSnapshot,
  OutcomeTold,
  Refusable,
  RegistryOverview,
  WaitAnswer,
  WaitRequest,
  WaitStanding,
} from '../authority/questions.ts'
import type { RegistryState } from '../authority/registry.ts'
import type { PresentStatus } from '../authority/status.ts'
import type { WaitView } from '../authority/wait-view.ts'
import { randomSalts } from '../event-store/event-codec.ts'
import { cursorsStream, type RegistryName } from '../event-store/stream-names.ts'
import { CONSOLE_LOG } from '../runtime/warning-log.ts'
import { CommandDoor, type SenderOptions } from './command-door.ts'
import { type Collected, collect, completions, moveCursor } from './completions.ts'
import { readCursor } from './consumer-cursors.ts'
import { Contradictions } from './contradictions.ts'
import type { AbortCause } from './lease-signals.ts'
import { OPEN_FATES_MAX, OpenFates } from './open-fates.ts'
import { Registries } from './registries.ts'
import { RegistryNames } from './registry-names.ts'
import { history, list, overview, registryState, snapshot } from './registry-reads.ts'
import type { NodeParts, ShellParts } from './shell-parts.ts'
import { onLease, outcome, wait, waitStanding, watchOutcomes } from './waiting.ts'

export class Shell {
  readonly #parts: NodeParts
  readonly #contradictions: Contradictions
  readonly #door: CommandDoor
  #closing: Promise<void> | undefined

  constructor(parts: ShellParts) {
    const { store, settings, clock, snapshots, salts = randomSalts(), log = CONSOLE_LOG, onDeadline } = parts
    const fates = new OpenFates(clock, { max: OPEN_FATES_MAX, ms: settings.limits.commandMemory.ms })
    const hotParts = { store, settings, clock, salts, fates, snapshots, log, onDeadline }
    const registries = new Registries(hotParts, settings)
    this.#parts = { ...parts, salts, log, registries, fates }
    this.#contradictions = new Contradictions({ registries, clock, log })
    this.#door = new CommandDoor(this.#parts, new RegistryNames(settings.bounds), this.#contradictions)
  }

  /** Registries in memory, what they take there, by estimate, and how often one was loaded again soon after it was let go. */
  get hot(): { readonly registries: number; readonly bytes: number; readonly reloads: number } {
    const { size, bytes, reloads } = this.#parts.registries
    return { registries: size, bytes, reloads }
  }

  /** Checks, decides and stores a command. Answers when the answer is true for good; never rejects for a refusal. */
  send(name: RegistryName, command: unknown, options: SenderOptions = {}): Promise<CommandResult> {
    return new Promise((resolve) => this.#door.send(name, command, options, ({ result }) => resolve(result)))
  }

  /** The operation as it is held: active or retained. */
  snapshot(name: RegistryName, id: string): Promise<OperationSnapshot | undefined> {
    return snapshot(this.#parts, name, id)
  }

  /** Active and retained operations, oldest registration first. */
  list(name: RegistryName): Promise<readonly OperationSnapshot[]> {
    return list(this.#parts, name)
  }

  /** What a decision would be made on by now. A value: it never changes. */
  registryState(name: RegistryName): Promise<RegistryState> {
    return registryState(this.#parts, name)
  }

  overview(name: RegistryName): Promise<RegistryOverview> {
    return overview(this.#parts, name)
  }

  /**
   * The one outcome of an operation: at once when there is one, also when only a tombstone is left; else as soon as it ends.
   * Rejects with the signal's reason, or with ChannelClosed when the way to the answer is lost.
   */
  outcome(
    name: RegistryName,
    id: string,
    signal?: AbortSignal,
  ): Promise<Refusable<{ readonly outcome: Outcome; readonly status: PresentStatus }>> {
    return outcome(this.#parts, name, id, signal)
  }

  /**
   * Many outcomes of one owner, each told once by the place of its id: resolves when all that are known were told and all others are
   * watched, until the signal aborts. Rejects with ChannelClosed, RegistryStopped and LogError, and then tells
   * nothing more.
   */
  watchOutcomes(
    name: RegistryName,
    ids: readonly string[],
    tell: (place: number, told: OutcomeTold) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return watchOutcomes(this.#parts, name, ids, tell, signal)
  }

  /**
   * Waits for several operations. Aborting cancels the wait; losing this node does not: whoever comes back with its wait
   * id, to any node, gets the answer. Rejects with the signal's reason, or with ChannelClosed.
   */
  wait(name: RegistryName, request: WaitRequest, options: SenderOptions = {}): Promise<Refusable<WaitAnswer>> {
    return wait(this.#parts, this.#door, name, request, options)
  }

  /** How a wait stands, now or as soon as it ends; asking never cancels it. */
  waitStanding(name: RegistryName, wait: string | WaitView, signal?: AbortSignal): Promise<Refusable<WaitStanding>> {
    return waitStanding(this.#parts, name, wait, signal)
  }

  /** Entries of the completion feed above a sequence, with the watermark of the same moment; or a typed gap. */
  completions(name: RegistryName, request: CompletionsRequest): Promise<Refusable<CompletionPage>> {
    return completions(this.#parts, name, request)
  }

  /** How far a named consumer has read; 0 for one that is not known. */
  cursor(name: RegistryName, consumer: string): Promise<number> {
    return readCursor(this.#parts, cursorsStream(name), consumer)
  }

  /** Moves a named consumer's cursor forward; the value that counts afterwards. */
  moveCursor(
    name: RegistryName,
    consumer: string,
    sequence: number,
  ): Promise<Refusable<{ readonly sequence: number }>> {
    return moveCursor(this.#parts, name, consumer, sequence)
  }

  /** Retained terminal operations in completion order, once; asked again with the same command id, the same ones. */
  collect(name: RegistryName, options: SenderOptions = {}): Promise<Refusable<Collected>> {
    return collect(this.#parts, this.#door, name, options)
  }

  /** The story of the newest life of an id, oldest event first; empty when it is not known. */
  history(name: RegistryName, id: string): Promise<readonly HistoryEntry[]> {
    return history(this.#parts, name, id)
  }

  /** Tells the holder of a lease when it is lost or a cancel is asked, wherever that was decided. Returns the way to stop. */
  onLease(
    name: RegistryName,
    lease: { readonly id: string; readonly leaseEpoch: number },
    listener: (cause: AbortCause) => void,
  ): () => void {
    return onLease(this.#parts, name, lease, listener)
  }

  /** Refuses new commands, finishes what is under way, writes signs of life, tells all who wait. Twice is once. */
  close(): Promise<void> {
    this.#contradictions.close()
    this.#closing ??= this.#parts.registries.close()
    return this.#closing
  }
}
