/**
 * A registry in memory: its writer, and all who listen to it on this node. Effects end here: they resolve watchers and
 * waits, wake feed readers, reach workers and set timers. Nothing here is a source of truth; all of it may die with the
 * process.
 */

import { answerFromState, nextHeartbeatBefore } from '../authority/command-answer.ts'
import type { Command, StampedCommand } from '../authority/commands.ts'
import { decide } from '../authority/decide.ts'
import type { Effect } from '../authority/effects.ts'
import type { Operation, Outcome } from '../authority/operation.ts'
import type { EndedWait, RegistryState } from '../authority/registry.ts'
import { ChannelClosed } from '../runtime/channel-closed.ts'
import { sleep } from '../runtime/clock.ts'
import { type AddressedCommand, addressCommand, stampCommand } from './command-stamp.ts'
import type { OwnCommand } from './decision-queue.ts'
import { HeldProgress, type HeldReport } from './held-progress.ts'
import { LeaseSignals } from './lease-signals.ts'
import { RegistryWriter, type WriterParts, type WriterSettings } from './registry-writer.ts'
import { SignsOfLife } from './signs-of-life.ts'
import { type NodeRefusal, nodeRejection, outcomeUnknown } from './store-refusals.ts'
import { type Sender, type Settle, type Settlement, SHELL } from './ticket.ts'
import { Waiters } from './waiters.ts'

export interface HotSettings extends WriterSettings {
  /** 0 stores each report of progress. */
  readonly progressCoalesceMs: number
  /** Reports of an attempt that are stored at once before any is held. */
  readonly progressStoredAtOnce: number
}

export interface HotParts extends Omit<WriterParts, 'runEffect' | 'before' | 'settings' | 'onMoved' | 'onFailed'> {
  readonly settings: HotSettings
  /** Its size may have changed. */
  readonly onMoved: (registry: HotRegistry) => void
  /** Told each deadline as it comes to be known. */
  readonly onDeadline: ((dueAt: number) => void) | undefined
}

/** What a watcher is told. */
export interface Notice {
  readonly id: string
  readonly number: number
  readonly outcome: Outcome
  readonly sequence: number
  readonly revision: number
}

const FEED = 'feed'
const NOTHING: readonly OwnCommand[] = []
const EXPIRY_RETRY_MS = 1_000
const CANNOT_HEAR: NodeRefusal = {
  code: 'store_unavailable',
  message: "signs of life can't be written at the moment",
  isRetryable: true,
}

export class HotRegistry {
  readonly writer: RegistryWriter
  readonly watchers = new Waiters<number, Notice>()
  readonly waits = new Waiters<string, EndedWait>()
  readonly feed = new Waiters<typeof FEED, number>()
  readonly leases = new LeaseSignals()
  readonly stream: string
  readonly #parts: HotParts
  readonly #signs: SignsOfLife
  readonly #progress: HeldProgress
  readonly #expiries = new Map<string, () => void>()
  #holds = 0
  #isClosing = false

  constructor(parts: HotParts) {
    this.#parts = parts
    this.stream = parts.stream
    const { clock, settings } = parts
    this.#signs = new SignsOfLife(clock, async (command) => (await this.#own(command)).result.type === 'answered')
    this.#signs.onDue = (dueBefore) => void this.#signs.flush(this.writer.durable.state, dueBefore)
    this.#progress = new HeldProgress(clock, settings.progressCoalesceMs, settings.progressStoredAtOnce, (held) =>
      this.#writeHeld(held),
    )
    this.writer = new RegistryWriter({
      ...parts,
      runEffect: (effect, state) => this.#run(effect, state),
      before: (command, pending) => this.#before(command, pending),
      onMoved: () => parts.onMoved(this),
      onFailed: () => this.#failed(),
    })
    void this.writer.loaded.then(() => this.#scheduleExpiries())
  }

  /** Whether somebody on this node would miss it. */
  get isNeeded(): boolean {
    // What nobody knows the fate of goes on being sent, though nobody waits for it any more.
    if (this.#holds > 0 || !this.writer.isIdle || this.writer.isUnresolved) return true
    const listeners = this.watchers.size + this.waits.size + this.feed.size + this.leases.size
    return listeners > 0 || this.#signs.size > 0 || this.#progress.size > 0
  }

  /** Keeps it in memory for as long as somebody is at work with it. */
  async hold<T>(use: () => Promise<T>): Promise<T> {
    this.#holds++
    try {
      return await use()
    } finally {
      this.#holds--
    }
  }

  /** Decides a command, and settles it when the answer is true for good. */
  submit(addressed: AddressedCommand, sender: Sender, settle: Settle): void {
    const { command } = addressed
    if (command.type === 'RecordHeartbeat' || command.type === 'ReportProgress') {
      const heard = this.#hear(command, addressed, sender)
      if (heard !== undefined) {
        settle(heard)
        return
      }
    }
    this.writer.submit(addressed, sender, settle)
  }

  /** Resolves with the wait as soon as it is over. */
  async waitEnded(waitId: string, signal?: AbortSignal): Promise<EndedWait | undefined> {
    const { state } = this.writer.durable
    const ended = state.endedWaits.get(waitId)
    if (ended !== undefined) return ended
    return state.waits.has(waitId) ? this.waits.next(waitId, signal) : undefined
  }

  /** The watermark, as soon as the feed has a row above a sequence. */
  async feedBeyond(sequence: number, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const newest = this.writer.durable.state.feed
      const last = newest.size === 0 ? 0 : (newest.at(newest.next - 1)?.sequence ?? 0)
      if (last > sequence) return
      await this.feed.next(FEED, signal)
    }
  }

  /** Writes what was heard, finishes what is under way, tells everybody who still waits. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.writer.loaded
    for (const held of this.#progress.take()) this.#writeHeld(held)
    if (!this.writer.isUnresolved) await this.#signs.flush(this.writer.durable.state)
    this.#stopTimers()
    this.writer.close()
    await this.writer.idle()
    this.#closeChannels('shutdown')
  }

  #failed(): void {
    this.#stopTimers()
    this.#closeChannels('registry_stopped')
  }

  #stopTimers(): void {
    this.#isClosing = true
    this.#signs.stop()
    this.#progress.stop()
    for (const stop of this.#expiries.values()) stop()
    this.#expiries.clear()
  }

  #closeChannels(reason: 'shutdown' | 'registry_stopped'): void {
    const error = new ChannelClosed(reason)
    this.watchers.closeAll(error)
    this.waits.closeAll(error)
    this.feed.closeAll(error)
  }

  #scheduleExpiries(): void {
    if (this.#isClosing) return
    for (const { waitId, deadlineAt } of this.writer.durable.state.waits.values()) this.#expireAt(waitId, deadlineAt)
  }

  /** A heartbeat, or progress that may be held, answered as heard: on the state that is followed, without a write. */
  #hear(
    command: Extract<Command, { type: 'RecordHeartbeat' | 'ReportProgress' }>,
    addressed: AddressedCommand,
    sender: Sender,
  ): Settlement | undefined {
    const { durable } = this.writer
    const operation = durable.state.operations.get(command.id)
    if (operation === undefined || this.#isClosing) return undefined
    if (command.type === 'ReportProgress' && !this.#mayHold(operation)) return undefined
    const stamped = this.#acceptable(addressed, durable.state)
    if (stamped === undefined) return undefined
    if (this.writer.isUnresolved || this.#signs.isFailing) return this.#cannotHear(addressed)
    if (command.type === 'RecordHeartbeat') this.#signs.hear(operation, stamped.at)
    else this.#progress.hold(operation.id, command, addressed, sender)
    const place = { revision: durable.state.revision, position: durable.position }
    const answer = answerFromState(operation, durable.state, place)
    const expected = nextHeartbeatBefore(operation, stamped.at)
    return { result: { type: 'answered', answer: { ...answer, changed: true, nextHeartbeatBefore: expected } } }
  }

  /** Undefined where it is to be decided by the writer, which also knows what to do with a decision that throws. */
  #acceptable(addressed: AddressedCommand, state: RegistryState): StampedCommand | undefined {
    try {
      const stamped = stampCommand(addressed, state, this.#parts.settings)
      return 'resolved' in stamped && decide(state, stamped).type === 'accepted' ? stamped : undefined
    } catch {
      return undefined
    }
  }

  /** Reports on their way count as well: a worker that waits for no answer floods the log no more than one that does. */
  #mayHold({ id, number }: Operation): boolean {
    const operation = this.writer.pendingState.operations.get(id)
    return operation?.number === number && this.#progress.mayHold(operation)
  }

  #cannotHear({ command, commandId }: AddressedCommand): Settlement {
    const { state, position } = this.writer.durable
    const told = this.writer.mayBeStored(commandId) ? outcomeUnknown(CANNOT_HEAR.message) : CANNOT_HEAR
    const rejection = nodeRejection(command, told)
    return { result: { type: 'refused', rejection, place: { revision: state.revision, position } } }
  }

  /** What was answered as heard is not lost by a log that is full or busy for a while. */
  #writeHeld(held: HeldReport): void {
    const { addressed, sender, settle } = this.#ownReport(held)
    this.writer.submit(addressed, sender, settle)
  }

  #ownReport(held: HeldReport): OwnCommand {
    const settle: Settle = ({ result }) => {
      if (result.type === 'refused' && result.rejection.facts.retryable === true) this.#progress.putBack(held)
    }
    return { ...held, settle }
  }

  /** What was only heard must stand in the log before a verdict is spoken, or before a worker's last word. */
  #before(command: Command, pending: RegistryState): readonly OwnCommand[] {
    switch (command.type) {
      case 'RecordHeartbeat':
      case 'ReportProgress':
      case 'RecordSigns':
      case 'RegisterOperation':
        return NOTHING
      case 'ReconcileOperation':
        return [...this.#takeHeld(command.id), ...this.#signs.commands(pending).map((signs) => this.#ownSigns(signs))]
      case 'TerminateOwner':
      case 'RetireOwner':
        return this.#takeHeld()
      default:
        return 'id' in command ? this.#takeHeld(command.id) : NOTHING
    }
  }

  #takeHeld(id?: string): readonly OwnCommand[] {
    return this.#progress.size === 0 ? NOTHING : this.#progress.take(id).map((held) => this.#ownReport(held))
  }

  /** They stay heard until they are durable, so nothing is to be done when they are refused. */
  #ownSigns(signs: Command): OwnCommand {
    return { addressed: this.#address(signs), sender: SHELL, settle: () => {} }
  }

  #run(effect: Effect, state: RegistryState): void {
    switch (effect.type) {
      case 'NotifyWatchers': {
        const { id, number, outcome, sequence, revision } = effect
        this.watchers.tell(number, { id, number, outcome, sequence, revision })
        return
      }
      case 'CloseWatchers':
        this.watchers.close(effect.number, new ChannelClosed(effect.reason))
        return
      case 'SatisfyWait':
      case 'EndWait': {
        this.#expiries.get(effect.waitId)?.()
        this.#expiries.delete(effect.waitId)
        const ended = state.endedWaits.get(effect.waitId)
        if (ended !== undefined) this.waits.tell(effect.waitId, ended)
        return
      }
      case 'WakeFeed':
        this.feed.tell(FEED, effect.watermark)
        return
      case 'AbortAttempt':
        this.leases.abort(effect.leaseEpoch, effect.cause)
        return
      case 'ScheduleDeadline':
        if (effect.at !== undefined) this.#parts.onDeadline?.(effect.at)
        if ('waitId' in effect) this.#expireAt(effect.waitId, effect.at)
        return
      case 'ExposePeer':
      case 'EvictRecord':
        // The state itself shows the peer and has let the record go; nobody on this node holds a copy of either.
        return
      default:
        effect satisfies never
    }
  }

  #expireAt(waitId: string, deadlineAt: number): void {
    const { clock } = this.#parts
    if (this.#isClosing) return
    this.#expiries.get(waitId)?.()
    this.#expiries.set(
      waitId,
      clock.after(deadlineAt - clock.now(), () => void this.#expire(waitId, deadlineAt)),
    )
  }

  /** A timer may fire early (a clock that was stepped, a very long wait): then it is set again. */
  async #expire(waitId: string, deadlineAt: number): Promise<void> {
    const { clock } = this.#parts
    if (this.#isClosing) return
    const { result } = await this.#own({ type: 'ExpireWait', waitId })
    const isOver = result.type === 'answered' || result.rejection.code === 'wait_not_active'
    if (isOver || this.#isClosing || !this.writer.durable.state.waits.has(waitId)) return
    await sleep(clock, EXPIRY_RETRY_MS)
    this.#expireAt(waitId, deadlineAt)
  }

  #own(command: Command): Promise<Settlement> {
    return new Promise((resolve) => this.writer.submit(this.#address(command), SHELL, resolve))
  }

  #address(command: Command): AddressedCommand {
    return addressCommand(command, undefined, this.#parts.settings)
  }
}
