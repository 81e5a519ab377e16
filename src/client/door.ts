/**
 * What a door offers to those who use Verdict: commands in, answers and refusals out, as values. Embedding has one that
 * calls the shell in process, a server's client one that speaks HTTP; everything above (verdict.ts) is the same for both.
 */
import type { CommandAnswer, CommandResult } from '../authority/command-answer.ts'
import type { Command } from '../authority/commands.ts'
import type { Outcome } from '../authority/operation.ts'
import type { OperationOutlook } from '../authority/outlook.ts'
import type {
  CompletionPage,
  CompletionsRequest,
  EventsRequest,
  EventsResync,
  HistoryEntry,
  LiveEvent,
  OperationSnapshot,
  OutcomeTold,
  Refusable,
  RegistryAddress,
  RegistryOverview,
  WaitAnswer,
  WaitRequest,
  WaitStanding,
} from '../authority/questions.ts'
import type { PresentStatus } from '../authority/status.ts'
import type { OperationTimeline } from '../authority/timeline.ts'
import type { WaitView } from '../authority/wait-view.ts'
import type { MonitoringDoor } from './monitoring-door.ts'

export interface SendOptions {
  /** 1-128 bytes; the same id and the same command have one effect and one answer. Minted where none is given. */
  readonly commandId?: string
  readonly actor?: string
  /** For whom the actor says he acts: stored and shown beside him, never in his place. */
  readonly onBehalfOf?: string
  readonly correlationId?: string
  readonly causationId?: string
  readonly traceparent?: string
}

export interface VerdictDoor {
  /** Checks, decides and stores a command. Answers when the answer is true for good. Never rejects for a refusal. */
  send(
    registry: RegistryAddress,
    command: Command | Readonly<Record<string, unknown>>,
    options?: SendOptions,
  ): Promise<CommandResult>
  /** Undefined for an operation that is not there or no longer held; see `outcome` for those that were evicted. */
  snapshot(registry: RegistryAddress, id: string): Promise<OperationSnapshot | undefined>
  overview(registry: RegistryAddress): Promise<RegistryOverview>
  /** The one outcome, as soon as there is one; at once when it is known, evicted operations included. */
  outcome(
    registry: RegistryAddress,
    id: string,
    signal?: AbortSignal,
  ): Promise<Refusable<{ readonly outcome: Outcome; readonly status: PresentStatus }>>
  wait(registry: RegistryAddress, request: WaitRequest, options?: SendOptions): Promise<Refusable<WaitAnswer>>
  completions(registry: RegistryAddress, request: CompletionsRequest): Promise<Refusable<CompletionPage>>
  /** The named consumer's cursor: 0 before it was ever moved. */
  cursor(registry: RegistryAddress, name: string): Promise<number>
  /** Moves it forward; a lower value leaves it where it is. */
  moveCursor(
    registry: RegistryAddress,
    name: string,
    sequence: number,
  ): Promise<Refusable<{ readonly sequence: number }>>
  /** Retained terminal operations in completion order, once; the same command id gives the same list again. */
  collect(
    registry: RegistryAddress,
    options?: SendOptions,
  ): Promise<Refusable<{ readonly operations: readonly OperationSnapshot[]; readonly answer: CommandAnswer }>>
  /** The events of an operation, oldest first; of the newest life of its id. */
  history(registry: RegistryAddress, id: string): Promise<readonly HistoryEntry[]>
  /** Calls the listener when the lease is lost or a cancel is asked; at once when it is so already. Returns the way to stop. */
  onLease(
    registry: RegistryAddress,
    lease: { readonly id: string; readonly leaseEpoch: number },
    listener: (cause: LeaseCause) => void,
  ): () => void
  /** History, then live, until the signal aborts; after a refusal or a resync nothing comes. */
  events(request: EventsRequest, signal: AbortSignal): AsyncIterable<EventsAnswer>
  /** Questions over all owners, answered from read models. */
  readonly monitoring: MonitoringDoor
  close(): Promise<void>
}

/** A node's own door, which a server offers to others: they come back to waits that go on without them. */
export interface ServedDoor extends VerdictDoor {
  /**
   * Many outcomes of one owner, each told once by the place of its id: resolves when all that are known were told and all others are
   * watched, until the signal aborts. Rejects where the owner's history can't be had, and then tells nothing more.
   */
  watchOutcomes(
    registry: RegistryAddress,
    ids: readonly string[],
    tell: (place: number, told: OutcomeTold) => void,
    signal: AbortSignal,
  ): Promise<void>
  /**
   * How a wait stands: at once when it has ended or there is no signal, else when it ends or the signal aborts. Asking never
   * cancels it. By its id, or as its beginning was answered: one that was satisfied then is stored nowhere.
   */
  waitStanding(
    registry: RegistryAddress,
    wait: string | WaitView,
    signal?: AbortSignal,
  ): Promise<Refusable<WaitStanding>>
  /** What is ahead of an operation; undefined for one that the log does not know. `number` names an earlier life of the id. */
  outlook(registry: RegistryAddress, id: string, number?: number): Promise<OperationOutlook | undefined>
  /** Its life in time, read from the log; undefined for one that the log does not know. */
  timeline(registry: RegistryAddress, id: string, number?: number): Promise<OperationTimeline | undefined>
}

export type EventsAnswer =
  | {
      readonly type: 'events'
      readonly events: readonly LiveEvent[]
      /** Nothing more stood in the log when the reading began. */
      readonly isCaughtUp: boolean
    }
  | EventsResync
  | (Refusable<never> & { readonly type: 'refused' })

export type LeaseCause = 'cancel_requested' | 'attempt_lost' | 'ended'
