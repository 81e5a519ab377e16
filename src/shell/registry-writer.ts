/**
 * The one writer of a registry in this process. Commands are decided, in order of arrival, on the pending state: what is
 * durable and what is on its way. One append is under way at a time; what is decided meanwhile shares the next one.
 *
 *     submit -> decide on pending -> batch -> append -> acknowledged: publish, effects, answer
 *                     |                          |----> conflict:     forget what is pending, read on, decide again
 *                     |                          '----> unknown:      the very same events again, nothing else meanwhile
 *                     '-> no events: withheld until what it rests on is durable and no newer head was there
 *
 * Durable before visible: nothing that rests on the pending state leaves this file before its append was acknowledged.
 */
import { answerFromEvents, answerFromState, type Place } from '../authority/command-answer.ts'
import type { RegistryState, RememberedCommand } from '../authority/registry.ts'
import { waitView } from '../authority/wait-view.ts'
import type { SaltSource } from '../event-store/event-codec.ts'
import { type EventAppender, type EventStore, type ExpectedRevision, LogError } from '../event-store/event-store.ts'
import type { SnapshotCache } from '../event-store/snapshot-cache.ts'
import { type Clock, pause } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { AppendInFlight, type Fate } from './append-in-flight.ts'
import type { AddressedCommand, StampSettings } from './command-stamp.ts'
import { type Before, DecisionQueue } from './decision-queue.ts'
import { FollowedState, type RunEffect } from './followed-state.ts'
import { HeadReader } from './head-reader.ts'
import type { OpenFates } from './open-fates.ts'
import { OpenTickets } from './open-tickets.ts'
import type { PendingBatch } from './pending-batch.ts'
import { type AppendBounds, PendingSide } from './pending-side.ts'
import { failureOf, type LoadedRegistry, loadRegistry, RegistryStopped } from './registry-loader.ts'
import { rememberedAnswer } from './remembered-answer.ts'
import {
  contention,
  INTERNAL_ERROR,
  NOT_STORED,
  OVERLOADED,
  outcomeUnknown,
  refusedByLog,
  SHUTTING_DOWN,
  unreadable,
} from './store-refusals.ts'
import type { Eventless, Sender, Settle, Ticket } from './ticket.ts'
import { WithheldAnswers } from './withheld-answers.ts'

export interface WriterSettings extends StampSettings, AppendBounds {
  readonly commandsQueuedMax: number
  readonly conflictsMax: number
  /** After so long an append without an answer, or with an unknown one, its callers are told; it goes on being resolved. */
  readonly unknownWaitMs: number
}

export interface WriterParts {
  readonly store: EventStore
  readonly stream: string
  readonly settings: WriterSettings
  readonly clock: Clock
  readonly salts: SaltSource
  /** Shared by all writers of a node. */
  readonly fates: OpenFates
  readonly snapshots: SnapshotCache | undefined
  readonly log: WarningLog
  /** Called for each effect after its event is durable, in order. Must not throw. */
  readonly runEffect: RunEffect
  readonly before: Before
  /** More is durable, whoever wrote it. */
  readonly onMoved: () => void
  /** The registry can't be read: everybody was told, and this writer does nothing any more. */
  readonly onFailed: () => void
}

/** What is being done, beside deciding. In every mode but `ready` commands wait in the queue. */
type Mode = 'loading' | 'ready' | 'catching_up' | 'unresolved' | 'failed'

const CONFLICTS_BEFORE_TURN = 2
const CONFLICT_JITTER_MS = 8

export class RegistryWriter {
  /** Loaded, or failed; never rejects. */
  readonly loaded: Promise<void>
  readonly #parts: WriterParts
  readonly #heads: HeadReader
  readonly #followed: FollowedState
  readonly #tickets: OpenTickets
  readonly #pending: PendingSide
  readonly #withheld: WithheldAnswers
  readonly #inFlight: AppendInFlight
  readonly #queue: DecisionQueue
  #mode: Mode = 'loading'
  #arrivals = 0
  #conflictsInARow = 0
  /** The newest revision that others are known to have written. */
  #foreignRevision = -1
  #eventsFolded = 0
  #isSendScheduled = false
  /** Everybody was told that the append in flight is overdue; nobody waits for it any more. */
  #hasGivenUp = false
  #isClosing = false
  #failure: RegistryStopped | LogError | undefined
  #catchingUp: Promise<boolean> | undefined

  constructor(parts: WriterParts) {
    this.#parts = parts
    const { store, stream, settings, clock, salts, fates, runEffect } = parts
    this.#heads = new HeadReader(store, stream)
    this.#followed = new FollowedState(store, stream, runEffect)
    this.#tickets = new OpenTickets({
      durable: () => this.durable,
      mayBeStored: (commandId) => this.mayBeStored(commandId),
      onUnknown: (commandId) => fates.opened(stream, commandId),
      onTold: (commandId) => fates.closed(stream, commandId),
    })
    this.#pending = new PendingSide(stream, salts, settings)
    this.#inFlight = new AppendInFlight({
      store,
      stream,
      clock,
      unknownWaitMs: settings.unknownWaitMs,
      fraction: () => this.#fraction(),
      settled: (batch, fate) => this.#settled(batch, fate),
      unknown: () => this.#unresolved(),
      overdue: () => this.#giveUpWaiting(),
    })
    this.#withheld = new WithheldAnswers({
      heads: this.#heads,
      durable: () => this.durable,
      answer: (ticket, decision, state, place) => this.#answerWithoutEvents(ticket, decision, state, place),
      decideAgain: (ticket, headRevision) => {
        this.#foreignRevision = Math.max(this.#foreignRevision, headRevision)
        this.#decideAgain([ticket])
      },
      cannotTell: (ticket, error) => this.#cannotTell(ticket, error),
    })
    this.#queue = new DecisionQueue({
      tickets: this.#tickets,
      pending: this.#pending,
      withheld: this.#withheld,
      settings,
      before: parts.before,
      isOpen: () => this.#mode === 'ready',
      onAccepted: () => this.#scheduleSend(),
      onFault: (ticket, error) => this.#faulted(ticket, error),
    })
    this.loaded = this.#load()
  }

  get durable(): LoadedRegistry {
    return this.#followed.durable
  }

  /** Durable and on its way: for estimates only, nothing of it may leave the shell. */
  get pendingState(): RegistryState {
    return this.#pending.state
  }

  /** What it takes in memory, by estimate. */
  get bytes(): number {
    return this.#followed.bytes.total(this.durable.state)
  }

  /** Events that loading had to fold because no snapshot held them. */
  get eventsFolded(): number {
    return this.#eventsFolded
  }

  /** Why nothing is decided and nothing is read here any more. */
  get failure(): RegistryStopped | LogError | undefined {
    return this.#failure
  }

  /** Nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#tickets.count === 0
  }

  /** The log does not say what became of the last append: nothing is decided, and signs of life can't be written. */
  get isUnresolved(): boolean {
    return this.#mode === 'unresolved'
  }

  /** Whether a sending of this command is stored, on its way, or of unknown fate: whoever sends it again learns no less. */
  mayBeStored(commandId: string): boolean {
    const isInFlight = this.#inFlight.batch?.entries.some(({ ticket }) => ticket.addressed.commandId === commandId)
    if (isInFlight || this.durable.state.commands.has(commandId)) return true
    return this.#parts.fates.isOpen(this.#parts.stream, commandId)
  }

  /** Decides a command and settles it when the answer is true for good. */
  submit(addressed: AddressedCommand, sender: Sender, settle: Settle): void {
    const ticket = this.#tickets.open(addressed, sender, this.#arrivals++, settle)
    if (this.#tickets.count > this.#parts.settings.commandsQueuedMax) this.#tickets.refuse(ticket, OVERLOADED)
    else if (this.#isClosing) this.#tickets.refuse(ticket, SHUTTING_DOWN)
    else if (this.#failure !== undefined) this.#tickets.refuse(ticket, unreadable(this.#failure))
    else if (this.#mode === 'ready') this.#queue.decide(ticket)
    else this.#enqueue([ticket])
  }

  /** Somebody else appended up to this revision. */
  advanced(revision: number): void {
    this.#foreignRevision = Math.max(this.#foreignRevision, revision)
    this.#followForeign()
  }

  /**
   * Ends when the durable state is at or beyond the head of the stream as of this call; at once while nobody knows what
   * became of an append. Throws RegistryStopped and LogError.
   */
  async current(): Promise<void> {
    await this.loaded
    this.#throwFailure()
    const head = await this.#heads.revision()
    this.#throwFailure()
    if (head <= this.#followed.revision || this.#mode === 'unresolved') return
    const reached = this.#followed.reached(head)
    this.advanced(head)
    await reached
  }

  /** Ends when every command so far has its answer. */
  idle(): Promise<void> {
    return this.#tickets.idle()
  }

  /** After this every command is refused; what is under way goes on to its end, which is near. */
  close(): void {
    this.#isClosing = true
    if (this.#mode === 'unresolved') {
      this.#inFlight.abandon()
      this.#giveUpWaiting()
    }
  }

  async #load(): Promise<void> {
    const { store, stream, snapshots } = this.#parts
    try {
      const { loaded, eventsFolded } = await loadRegistry(store, stream, snapshots)
      this.#eventsFolded = eventsFolded
      this.#followed.begin(loaded)
      this.#pending.reset(loaded)
    } catch (error) {
      this.#fail(failureOf(stream, error))
      return
    }
    this.#resume()
  }

  /** Back to deciding: what others wrote meanwhile first, then what waits, in order of arrival. */
  #resume(): void {
    this.#mode = 'ready'
    this.#hasGivenUp = false
    if (!this.#followForeign()) this.#queue.decideAll()
  }

  #enqueue(tickets: readonly Ticket[]): void {
    if (!this.#hasGivenUp) this.#queue.add(tickets)
    else for (const ticket of tickets) this.#tickets.refuse(ticket, NOT_STORED)
  }

  #decideAgain(tickets: readonly Ticket[]): void {
    this.#enqueue(tickets)
    if (this.#mode === 'ready' && !this.#followForeign()) this.#queue.decideAll()
  }

  /** Commands that are issued together travel together: the append leaves when the caller's turn is over. */
  #scheduleSend(when: (send: () => void) => void = queueMicrotask): void {
    if (this.#inFlight.batch !== undefined || this.#isSendScheduled) return
    this.#isSendScheduled = true
    when(this.#send)
  }

  /** An assumption of ours broke while this one was decided: nothing of it is stored, and others are decided as ever. */
  #faulted(ticket: Ticket, error: unknown): void {
    const { stream, log } = this.#parts
    const { command, commandId } = ticket.addressed
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error)
    log.warn({ stream, command: command.type, commandId, error: told }, 'a command could not be decided: a defect')
    this.#tickets.refuse(ticket, INTERNAL_ERROR)
  }

  readonly #send = (): void => {
    this.#isSendScheduled = false
    if (this.#inFlight.batch !== undefined) return
    const batch = this.#pending.shift()
    if (batch !== undefined) void this.#inFlight.send(batch, this.#expected())
  }

  #settled(batch: PendingBatch, fate: Fate): void {
    if (fate.type === 'acknowledged') this.#acknowledged(batch, fate.position)
    else if (fate.reason === 'conflict') void this.#conflicted(batch)
    else this.#refused(batch, fate.reason, fate.message)
  }

  #acknowledged({ entries }: PendingBatch, position: bigint): void {
    this.#conflictsInARow = 0
    for (const { ticket, stateBefore, steps, recorded } of entries) {
      for (const { recorded: event, encoded, stateAfter, effects } of steps) {
        const loaded = { state: stateAfter, hash: encoded.hash, position }
        this.#followed.publish(event, encoded.content.length, loaded, effects)
      }
      const { state } = this.durable
      const place = { revision: state.revision, position }
      const answer = answerFromEvents(ticket.addressed.command, recorded, state, place)
      this.#tickets.settle(ticket, { result: { type: 'answered', answer }, stateBefore })
    }
    this.#inFlight.clear()
    if (this.#hasGivenUp) this.#pending.reset(this.durable)
    this.#moved()
    if (this.#mode === 'unresolved') this.#resume()
    else this.#followForeign()
    // Whoever was just answered has a turn first: most go on with their next command, and else it would always miss the
    // append that waits, and make one of its own.
    if (!this.#pending.isEmpty) this.#scheduleSend(setImmediate)
  }

  /** Certainly not stored, and no conflict: its callers are told, what was decided on top of it is decided again. */
  #refused({ entries }: PendingBatch, reason: Parameters<typeof refusedByLog>[0], message: string): void {
    this.#notStored(entries)
    const undone = this.#undo()
    for (const { ticket } of entries) this.#tickets.refuse(ticket, refusedByLog(reason, message))
    if (this.#mode === 'unresolved') {
      this.#mode = 'ready'
      this.#hasGivenUp = false
    }
    this.#decideAgain(undone)
  }

  /** What some of them were told, that nobody knows, is so no more. */
  #notStored(entries: PendingBatch['entries']): void {
    const { fates, stream } = this.#parts
    this.#inFlight.clear()
    for (const { ticket } of entries) if (ticket.isSettled) fates.closed(stream, ticket.addressed.commandId)
  }

  async #conflicted({ entries }: PendingBatch): Promise<void> {
    const { store, clock, settings } = this.#parts
    this.#notStored(entries)
    this.#mode = 'catching_up'
    this.#hasGivenUp = false
    this.#conflictsInARow++
    const beaten = entries.map(({ ticket }) => ticket)
    for (const ticket of beaten) ticket.conflicts++
    for (const ticket of [...beaten, ...this.#undo()]) {
      if (ticket.conflicts >= settings.conflictsMax) this.#tickets.refuse(ticket, contention(settings.conflictsMax))
      if (!ticket.isSettled) this.#queue.add([ticket])
    }
    if (store.turn !== undefined && this.#conflictsInARow > CONFLICTS_BEFORE_TURN) {
      await this.#takeTurn(store.turn.bind(store))
      return
    }
    await pause(clock, this.#fraction() * CONFLICT_JITTER_MS * Math.min(16, 2 ** this.#conflictsInARow))
    await this.#catchUpAndResume()
  }

  /** With the write lock held nobody comes between reading on and appending. */
  async #takeTurn(turn: NonNullable<EventStore['turn']>): Promise<void> {
    let hasSent = false
    try {
      await turn((appender) => this.#useTurn(appender, () => (hasSent = true)))
    } catch {
      // Without its turn the writer goes on as it would where there are none.
    }
    if (!hasSent && this.#mode === 'catching_up') await this.#catchUpAndResume()
  }

  async #useTurn(appender: Pick<EventAppender, 'append'>, sent: () => void): Promise<void> {
    if (!(await this.#catchUp())) return
    this.#mode = 'ready'
    this.#queue.decideAll()
    const batch = this.#pending.shift()
    if (batch === undefined) return
    sent()
    const expected = this.#expected()
    this.#inFlight.take(batch, expected, await this.#inFlight.sendBy(appender, batch, expected))
  }

  #unresolved(): void {
    this.#mode = 'unresolved'
    this.#followed.letReadersGo()
    if (this.#isClosing) this.#inFlight.abandon()
  }

  /** Its callers learn that nobody knows; whoever was decided on top of it was never sent. */
  #giveUpWaiting(): void {
    this.#unresolved()
    this.#hasGivenUp = true
    const unknown = outcomeUnknown(this.#inFlight.unknownBecause)
    for (const { ticket } of this.#inFlight.batch?.entries ?? []) this.#tickets.refuse(ticket, unknown)
    this.#enqueue([...this.#undo(), ...this.#queue.takeAll()])
  }

  /** The log can't be asked whether the decision is true for good; a repetition of what is on its way may be stored soon. */
  #cannotTell(ticket: Ticket, error: unknown): void {
    const refusal = unreadable(failureOf(this.#parts.stream, error))
    const isRepeated = ticket.withheld?.decision.type === 'remembered'
    this.#tickets.refuse(ticket, isRepeated ? outcomeUnknown(refusal.message) : refusal)
  }

  #answerWithoutEvents(ticket: Ticket, decision: Eventless, state: RegistryState, place: Place): void {
    switch (decision.type) {
      case 'rejected':
        this.#tickets.reject(ticket, decision.rejection, place)
        return
      case 'remembered':
        void this.#answerRemembered(ticket, decision.remembered, state)
        return
      case 'unchanged': {
        const { command } = ticket.addressed
        const operation = 'id' in command && command.id !== undefined ? state.operations.get(command.id) : undefined
        const answer = answerFromState(operation, state, place)
        const waiting = decision.wait === undefined ? {} : { wait: waitView(decision.wait) }
        this.#tickets.settle(ticket, { result: { type: 'answered', answer: { ...answer, ...waiting } } })
        return
      }
      default:
        decision satisfies never
    }
  }

  async #answerRemembered(ticket: Ticket, remembered: RememberedCommand, state: RegistryState): Promise<void> {
    const { store, stream } = this.#parts
    const { command } = ticket.addressed
    try {
      const answer = await rememberedAnswer(store, stream, command, remembered, state)
      this.#tickets.settle(ticket, { result: { type: 'answered', answer } })
    } catch (error) {
      const failure = failureOf(stream, error)
      this.#tickets.refuse(ticket, unreadable(failure))
      if (failure instanceof RegistryStopped) this.#fail(failure)
    }
  }

  /** Everything that rests on the pending state, undone. What is in flight stays with whoever handles it. */
  #undo(): Ticket[] {
    return [...this.#pending.reset(this.durable), ...this.#withheld.takeUnfounded()]
  }

  /** Reads on when others wrote and nothing of ours is under way. Tells whether it began to. */
  #followForeign(): boolean {
    if (this.#mode !== 'ready' || this.#inFlight.batch !== undefined) return false
    if (this.#foreignRevision <= this.#followed.revision) return false
    this.#mode = 'catching_up'
    this.#queue.add(this.#undo())
    void this.#catchUpAndResume()
    return true
  }

  async #catchUpAndResume(): Promise<void> {
    if ((await this.#catchUp()) && this.#mode === 'catching_up') this.#resume()
  }

  /** Folds what others appended, with its effects. False when the registry failed. Only in the mode of this name. */
  #catchUp(): Promise<boolean> {
    this.#catchingUp ??= this.#readOn().finally(() => {
      this.#catchingUp = undefined
    })
    return this.#catchingUp
  }

  async #readOn(): Promise<boolean> {
    const target = this.#foreignRevision
    try {
      await this.#followed.readOn()
      if (this.#followed.revision < target)
        throw new LogError('log_unavailable', `revision ${target} can't be read yet`)
    } catch (error) {
      const failure = failureOf(this.#parts.stream, error)
      if (failure instanceof RegistryStopped) {
        this.#fail(failure)
        return false
      }
      for (const ticket of this.#queue.takeAll()) this.#tickets.refuse(ticket, unreadable(failure))
      this.#followed.failReaders(failure)
      this.#foreignRevision = -1
    }
    if (this.#failure !== undefined) return false
    this.#pending.reset(this.durable)
    this.#moved()
    return true
  }

  #moved(): void {
    this.#followed.published()
    this.#withheld.release()
    this.#parts.onMoved()
  }

  #fail(failure: RegistryStopped | LogError): void {
    if (this.#failure !== undefined) return
    this.#failure = failure
    this.#mode = 'failed'
    const unknown = outcomeUnknown(this.#inFlight.unknownBecause)
    for (const { ticket } of this.#inFlight.batch?.entries ?? []) this.#tickets.refuse(ticket, unknown)
    this.#inFlight.clear()
    for (const ticket of [...this.#undo(), ...this.#withheld.takeAll(), ...this.#queue.takeAll()]) {
      this.#tickets.refuse(ticket, unreadable(failure))
    }
    this.#followed.failReaders(failure)
    this.#parts.onFailed()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #expected(): ExpectedRevision {
    const { revision } = this.#followed
    return revision === -1 ? 'no_stream' : revision
  }

  #fraction(): number {
    const byte = new Uint8Array(1)
    this.#parts.settings.random(byte)
    return (byte[0] as number) / 256
  }
}
