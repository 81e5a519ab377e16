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

import { answerFromEvents, answerFromState, type CommandResult, type Place } from '../authority/command-answer.ts'
import type { StampedCommand } from '../authority/commands.ts'
import { decide } from '../authority/decide.ts'
import type { Decision } from '../authority/decision.ts'
import type { Effect } from '../authority/effects.ts'
import type { LifecycleEvent, RecordedEvent } from '../authority/events.ts'
import { RULESET } from '../authority/events.ts'
import { step } from '../authority/evolve.ts'
import type { RegistryState, RememberedCommand } from '../authority/registry.ts'
import type { Rejection, RejectionCode } from '../authority/rejections.ts'
import { decodeEvent, encodeEvents, type SaltSource } from '../event-store/event-codec.ts'
import { type AppendResult, type EventStore, type ExpectedRevision, LogError } from '../event-store/event-store.ts'
import type { SnapshotCache } from '../event-store/snapshot-cache.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { type AddressedCommand, type StampSettings, stampCommand } from './command-stamp.ts'
import { HeadReader } from './head-reader.ts'
import { PendingBatch, type PendingStep } from './pending-batch.ts'
import {
  decodeChained,
  type LoadedRegistry,
  loadRegistry,
  RegistryStopped,
  readOn,
  UNOPENED,
} from './registry-loader.ts'
import { type Sender, type Settlement, Ticket } from './ticket.ts'

export interface WriterSettings extends StampSettings {
  readonly appendBytesMax: number
  readonly commandsQueuedMax: number
  readonly conflictsMax: number
  /** After so long an unknown append its callers are told so; it goes on being resolved. */
  readonly unknownWaitMs: number
}

export interface WriterParts {
  readonly store: EventStore
  readonly stream: string
  readonly settings: WriterSettings
  readonly clock: Clock
  readonly salts: SaltSource
  readonly snapshots: SnapshotCache | undefined
  /** Called for each effect after its event is durable, in order. Must not throw. */
  readonly runEffect: (effect: Effect, state: RegistryState) => void
  /** Commands of the shell that must stand in the log before this one is decided. */
  readonly before: (command: AddressedCommand['command'], state: RegistryState) => readonly OwnCommand[]
}

export interface OwnCommand {
  readonly addressed: AddressedCommand
  readonly sender: Sender
}

/** What is being done, beside deciding. In every mode but `ready` commands wait in the queue. */
type Mode = 'loading' | 'ready' | 'catching_up' | 'unresolved' | 'stopped'

const RESEND_MS_FIRST = 50
const RESEND_MS_MAX = 2_000
const CONFLICTS_BEFORE_TURN = 2
const CONFLICT_JITTER_MS = 8

export class RegistryWriter {
  readonly #parts: WriterParts
  readonly #heads: HeadReader
  #mode: Mode = 'loading'
  #durable: LoadedRegistry = UNOPENED
  #pending: Pick<LoadedRegistry, 'state' | 'hash'> = UNOPENED
  /** Arrived, not decided. */
  #queue: Ticket[] = []
  /** Decided, in the order in which they are to be sent. The last one still takes commands. */
  #batches: PendingBatch[] = []
  #inFlight: PendingBatch | undefined
  /** Decided without events. */
  #withheld = new Set<Ticket>()
  #outstanding = 0
  #arrivals = 0
  #conflictsInARow = 0
  #sendScheduled = false
  /** The newest revision that others are known to have written. */
  #foreignRevision = -1
  #gaveUpWaiting = false
  #isClosing = false
  #stop: RegistryStopped | undefined
  #idleWaiters: (() => void)[] = []
  readonly #loaded: Promise<void>

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#heads = new HeadReader(parts.store, parts.stream)
    this.#loaded = this.#load()
  }

  /** Loaded, or stopped; never rejects. */
  get loaded(): Promise<void> {
    return this.#loaded
  }

  get durable(): LoadedRegistry {
    return this.#durable
  }

  /** What it takes in memory, by estimate. */
  get bytes(): number {
    return stateBytes(this.#durable.state)
  }

  get stopped(): RegistryStopped | undefined {
    return this.#stop
  }

  /** Nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#outstanding === 0
  }

  /** The log does not say what became of the last append: nothing is decided, and signs of life can't be written. */
  get isUnresolved(): boolean {
    return this.#mode === 'unresolved'
  }

  /** Decides a command and answers when the answer is true for good. Never rejects. */
  submit(addressed: AddressedCommand, sender: Sender): Promise<Settlement> {
    const ticket = new Ticket(addressed, sender, this.#arrivals++)
    this.#outstanding++
    if (this.#outstanding > this.#parts.settings.commandsQueuedMax) {
      this.#refuse(ticket, 'overloaded', 'too many commands wait for this registry: try again')
    } else if (this.#isClosing) this.#refuse(ticket, 'shutting_down', 'this node is shutting down')
    else if (this.#mode === 'ready') this.#decide(ticket)
    else if (this.#stop !== undefined) this.#refuse(ticket, 'registry_stopped', this.#stop.message)
    else if (this.#gaveUpWaiting) this.#refuse(ticket, 'store_unavailable', UNRESOLVED)
    else this.#queue.push(ticket)
    return ticket.settled
  }

  /** Somebody else appended up to this revision. */
  advanced(revision: number): void {
    this.#foreignRevision = Math.max(this.#foreignRevision, revision)
    this.#followForeign()
  }

  /** The durable state, at or beyond the head of the stream as of this call. Throws RegistryStopped and LogError. */
  async current(): Promise<LoadedRegistry> {
    await this.#loaded
    const head = await this.#heads.revision()
    if (head > this.#durable.state.revision) {
      this.advanced(head)
      await this.#reached(head)
    }
    if (this.#stop) throw this.#stop
    return this.#durable
  }

  /** Ends when every command so far has its answer. */
  async idle(): Promise<void> {
    if (this.#outstanding === 0) return
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }

  /** After this every command is refused; what is under way goes on to its end. */
  close(): void {
    this.#isClosing = true
    if (this.#mode === 'unresolved') this.#giveUpWaiting()
  }

  async #load(): Promise<void> {
    const { store, stream, snapshots } = this.#parts
    try {
      this.#durable = await loadRegistry(store, stream, snapshots)
      this.#pending = this.#durable
      this.#resume()
    } catch (error) {
      this.#stopFor(error)
    }
  }

  /** Back to deciding: what others wrote meanwhile first, then what waits, in order of arrival. */
  #resume(): void {
    if (this.#mode === 'stopped') return
    this.#mode = 'ready'
    this.#wakeReaders()
    if (this.#followForeign()) return
    const waiting = this.#queue.sort((a, b) => a.order - b.order)
    this.#queue = []
    for (const ticket of waiting) {
      if (this.#mode === 'ready') this.#decide(ticket)
      else this.#queue.push(ticket)
    }
  }

  #decide(ticket: Ticket): void {
    for (const own of this.#parts.before(ticket.addressed.command, this.#pending.state)) {
      this.#outstanding++
      this.#decideAlone(new Ticket(own.addressed, own.sender, ticket.order))
    }
    this.#decideAlone(ticket)
  }

  #decideAlone(ticket: Ticket): void {
    const { state } = this.#pending
    const stamped = stampCommand(ticket.addressed, state, this.#parts.settings)
    if (!('resolved' in stamped)) {
      this.#settleRefused(ticket, stamped)
      return
    }
    const decision = decide(state, stamped)
    if (decision.type === 'accepted') this.#take(ticket, stamped, decision.events)
    else this.#withhold(ticket, decision)
  }

  #take(ticket: Ticket, stamped: StampedCommand, events: readonly LifecycleEvent[]): void {
    const stateBefore = this.#pending.state
    const recorded = recordedEvents(stateBefore.revision, stamped, ticket.sender, events)
    const encoded = encodeEvents({
      stream: this.#parts.stream,
      expectedNextRevision: stateBefore.revision + 1,
      previousHash: this.#pending.hash,
      events: recorded,
      salts: this.#parts.salts,
    })
    let state = stateBefore
    let bytes = 0
    const steps: PendingStep[] = []
    for (let i = 0; i < recorded.length; i++) {
      const one = recorded[i] as RecordedEvent
      const stored = encoded[i] as PendingStep['encoded']
      const after = step(state, one)
      state = after.state
      bytes += stored.body.length + stored.content.length
      steps.push({ recorded: one, encoded: stored, stateAfter: state, effects: after.effects })
    }
    this.#pending = { state, hash: (encoded.at(-1) as PendingStep['encoded']).hash }
    let batch = this.#batches.at(-1)
    if (batch === undefined || !batch.hasRoom(bytes, this.#parts.settings.appendBytesMax)) {
      batch = new PendingBatch()
      this.#batches.push(batch)
    }
    batch.add(ticket, stateBefore, steps, bytes)
    this.#scheduleSend()
  }

  /** Commands that are issued together travel together: the append leaves when the caller's turn is over. */
  #scheduleSend(): void {
    if (this.#inFlight !== undefined || this.#sendScheduled) return
    this.#sendScheduled = true
    queueMicrotask(() => {
      this.#sendScheduled = false
      void this.#send()
    })
  }

  async #send(): Promise<void> {
    const batch = this.#batches.shift()
    if (batch === undefined || this.#inFlight !== undefined) {
      if (batch !== undefined) this.#batches.unshift(batch)
      return
    }
    this.#inFlight = batch
    this.#settleAppend(batch, await this.#append(batch))
  }

  async #append(batch: PendingBatch): Promise<AppendResult> {
    const { store, stream } = this.#parts
    try {
      return await store.append(
        stream,
        expectedRevision(this.#durable.state),
        batch.steps.map(({ encoded }) => encoded),
      )
    } catch (error) {
      return { type: 'unknown', message: messageOf(error) }
    }
  }

  #settleAppend(batch: PendingBatch, result: AppendResult): void {
    if (result.type === 'acknowledged') this.#acknowledged(batch, result.position)
    else if (result.type === 'unknown') void this.#resolveUnknown(batch)
    else if (result.reason === 'conflict') void this.#conflicted(batch)
    else this.#refused(batch, result.reason, result.message)
  }

  #acknowledged(batch: PendingBatch, position: bigint): void {
    this.#inFlight = undefined
    this.#conflictsInARow = 0
    let entry = 0
    for (let i = 0; i < batch.steps.length; i++) {
      const { stateAfter, encoded, effects } = batch.steps[i] as PendingStep
      this.#durable = { state: stateAfter, hash: encoded.hash, position }
      for (const effect of effects) this.#parts.runEffect(effect, stateAfter)
      const next = batch.entries[entry]
      if (next === undefined || next.first + next.count - 1 > i) continue
      entry++
      const { ticket, stateBefore, first, count } = next
      const recorded = batch.steps.slice(first, first + count).map((one) => one.recorded)
      const place = { revision: stateAfter.revision, position }
      const answer = answerFromEvents(ticket.addressed.command, recorded, stateAfter, place)
      this.#settle(ticket, { result: { type: 'answered', answer }, stateBefore })
    }
    this.#releaseWithheld()
    this.#wakeReaders()
    if (this.#mode === 'unresolved') {
      this.#gaveUpWaiting = false
      this.#mode = 'ready'
      this.#resume()
    }
    if (this.#batches.length > 0) this.#scheduleSend()
    else this.#followForeign()
  }

  /** Certainly not stored, and no conflict: its callers are told, what was decided on top of it is decided again. */
  #refused(batch: PendingBatch, reason: string, message: string): void {
    this.#inFlight = undefined
    const { code, retryable } = REFUSALS[reason] ?? { code: 'store_unavailable', retryable: true }
    for (const { ticket } of batch.entries) this.#refuse(ticket, code, message, { retryable })
    this.#decideAgain(this.#forgetPending())
  }

  async #conflicted(batch: PendingBatch): Promise<void> {
    const { conflictsMax } = this.#parts.settings
    const undone = [...batch.entries.map(({ ticket }) => ticket), ...this.#forgetPending()]
    this.#inFlight = undefined
    this.#conflictsInARow++
    for (const { ticket } of batch.entries) ticket.conflicts++
    const lost = undone.filter(({ conflicts }) => conflicts >= conflictsMax)
    for (const ticket of lost) {
      this.#refuse(ticket, 'contention', `lost ${conflictsMax} races for the next revision: try again`, {
        retryable: true,
      })
    }
    this.#queue.push(...undone.filter(({ isSettled }) => !isSettled))
    this.#mode = 'catching_up'
    const { store, clock } = this.#parts
    if (store.turn !== undefined && this.#conflictsInARow > CONFLICTS_BEFORE_TURN) {
      await this.#takeTurn(store.turn.bind(store))
      return
    }
    await sleep(clock, jitter(CONFLICT_JITTER_MS * Math.min(16, 2 ** this.#conflictsInARow)))
    if (await this.#catchUp()) this.#resume()
  }

  /** With the write lock held nobody comes between reading on and appending. */
  async #takeTurn(turn: NonNullable<EventStore['turn']>): Promise<void> {
    let batch: PendingBatch | undefined
    let result: AppendResult | undefined
    try {
      result = await turn(async (appender) => {
        if (!(await this.#catchUp())) return undefined
        this.#resume()
        batch = this.#batches.shift()
        if (batch === undefined) return undefined
        this.#inFlight = batch
        const events = batch.steps.map(({ encoded }) => encoded)
        return await appender.append(this.#parts.stream, expectedRevision(this.#durable.state), events)
      })
    } catch (error) {
      result = { type: 'unknown', message: messageOf(error) }
    }
    if (batch !== undefined && result !== undefined) this.#settleAppend(batch, result)
    else if (this.#mode === 'catching_up' && (await this.#catchUp())) this.#resume()
  }

  /** The very same events again, with back-off, until they are acknowledged or others stand in their place. */
  async #resolveUnknown(batch: PendingBatch): Promise<void> {
    const { clock, settings } = this.#parts
    this.#mode = 'unresolved'
    const stopWaiting = clock.after(settings.unknownWaitMs, () => this.#giveUpWaiting())
    for (let waitMs = RESEND_MS_FIRST; ; waitMs = Math.min(RESEND_MS_MAX, waitMs * 2)) {
      await sleep(clock, waitMs / 2 + jitter(waitMs / 2))
      const result = await this.#append(batch)
      const isResolved = result.type === 'acknowledged' || (result.type === 'refused' && result.reason === 'conflict')
      const isOver = this.#isClosing && !isResolved
      if (isOver) this.#giveUpWaiting()
      if (!isResolved && !isOver) continue
      stopWaiting()
      if (isResolved) {
        if (result.type !== 'acknowledged') this.#gaveUpWaiting = false
        this.#settleAppend(batch, result)
      }
      return
    }
  }

  /** Its callers learn that nobody knows; whoever was decided on top of it was never sent. */
  #giveUpWaiting(): void {
    this.#gaveUpWaiting = true
    const facts = { retryable: true }
    for (const { ticket } of this.#inFlight?.entries ?? []) {
      const message = 'nobody knows yet whether this command was stored: send it again under the same command id'
      this.#refuse(ticket, 'outcome_unknown', message, facts)
    }
    const after = this.#inFlight?.steps.at(-1)
    const undone = [...this.#forgetPending(), ...this.#queue]
    this.#queue = []
    if (after !== undefined) this.#pending = { state: after.stateAfter, hash: after.encoded.hash }
    for (const ticket of undone) this.#refuse(ticket, 'store_unavailable', UNRESOLVED, facts)
  }

  /** A decision without events is true once its state is durable and a head read after its arrival was not beyond it. */
  #withhold(ticket: Ticket, decision: Exclude<Decision, { type: 'accepted' }>): void {
    ticket.withheld = { decision, revision: this.#pending.state.revision }
    this.#withheld.add(ticket)
    if (decision.type === 'remembered' || ticket.headRevision !== undefined) {
      this.#release(ticket)
      return
    }
    this.#heads.revision().then(
      (head) => {
        ticket.headRevision = head
        this.#release(ticket)
      },
      (error: unknown) => {
        if (this.#withheld.delete(ticket))
          this.#refuse(ticket, 'store_unavailable', messageOf(error), { retryable: true })
      },
    )
  }

  #releaseWithheld(): void {
    for (const ticket of this.#withheld) this.#release(ticket)
  }

  #release(ticket: Ticket): void {
    const { withheld, headRevision } = ticket
    if (withheld === undefined || !this.#withheld.has(ticket)) return
    const { decision, revision } = withheld
    if (revision > this.#durable.state.revision) return
    if (decision.type === 'remembered') {
      this.#withheld.delete(ticket)
      void this.#answerRemembered(ticket, decision.remembered)
      return
    }
    if (headRevision === undefined) return
    this.#withheld.delete(ticket)
    if (headRevision <= revision) this.#answerWithoutEvents(ticket, decision)
    else {
      this.#foreignRevision = Math.max(this.#foreignRevision, headRevision)
      this.#decideAgain([ticket])
    }
  }

  #answerWithoutEvents(ticket: Ticket, decision: Exclude<Decision, { type: 'accepted' | 'remembered' }>): void {
    if (decision.type === 'rejected') {
      this.#settleRefused(ticket, decision.rejection)
      return
    }
    const { command } = ticket.addressed
    const id = 'id' in command ? command.id : undefined
    const operation = id === undefined ? undefined : this.#durable.state.operations.get(id)
    const answer = answerFromState(operation, this.#durable.state, this.#place())
    const waiting = decision.wait === undefined ? {} : { wait: decision.wait }
    this.#settle(ticket, { result: { type: 'answered', answer: { ...answer, ...waiting } } })
  }

  async #answerRemembered(ticket: Ticket, { revision, count }: RememberedCommand): Promise<void> {
    const { store, stream } = this.#parts
    try {
      const recorded: RecordedEvent[] = []
      let position = 0n
      for await (const stored of store.readStream(stream, { from: revision, limit: count })) {
        recorded.push(decodeEvent(stored))
        position = stored.position
      }
      const place = { revision: revision + count - 1, position }
      const answer = answerFromEvents(ticket.addressed.command, recorded, this.#durable.state, place)
      this.#settle(ticket, { result: { type: 'answered', answer } })
    } catch (error) {
      this.#refuse(ticket, 'store_unavailable', messageOf(error), { retryable: true })
    }
  }

  /** All that rests on the pending state, undone. What is in flight stays with whoever handles it. */
  #forgetPending(): Ticket[] {
    const undone = this.#batches.flatMap(({ entries }) => entries.map(({ ticket }) => ticket))
    for (const ticket of this.#withheld) {
      if ((ticket.withheld?.revision ?? -1) <= this.#durable.state.revision) continue
      this.#withheld.delete(ticket)
      undone.push(ticket)
    }
    this.#batches = []
    this.#pending = this.#durable
    return undone
  }

  #decideAgain(tickets: readonly Ticket[]): void {
    this.#queue.push(...tickets)
    if (this.#mode === 'ready') this.#resume()
  }

  /** Reads on when others wrote and nothing of ours is under way. Tells whether it began to. */
  #followForeign(): boolean {
    if (this.#mode !== 'ready' || this.#inFlight !== undefined) return false
    if (this.#foreignRevision <= this.#durable.state.revision) return false
    this.#mode = 'catching_up'
    this.#queue.push(...this.#forgetPending())
    void this.#catchUp().then((isDone) => {
      if (isDone) this.#resume()
    })
    return true
  }

  /** Folds what others appended, with its effects. False when the registry can't be read; then its callers were told. */
  async #catchUp(): Promise<boolean> {
    const { store, stream, runEffect } = this.#parts
    try {
      const stored = await readOn(store, stream, this.#durable)
      const recorded = decodeChained(stream, this.#durable, stored)
      for (const [i, event] of recorded.entries()) {
        const { hash, position } = stored[i] as (typeof stored)[number]
        const { state, effects } = step(this.#durable.state, event)
        this.#durable = { state, hash, position }
        for (const effect of effects) runEffect(effect, state)
      }
      this.#pending = this.#durable
      this.#foreignRevision = Math.min(this.#foreignRevision, this.#durable.state.revision)
      this.#releaseWithheld()
      this.#wakeReaders()
      return true
    } catch (error) {
      if (error instanceof LogError && error.code === 'log_unavailable') {
        for (const ticket of this.#queue.splice(0))
          this.#refuse(ticket, 'store_unavailable', error.message, { retryable: true })
        this.#foreignRevision = -1
        return true
      }
      this.#stopFor(error)
      return false
    }
  }

  #stopFor(error: unknown): void {
    const { stream } = this.#parts
    this.#stop =
      error instanceof RegistryStopped ? error : new RegistryStopped(stream, messageOf(error), { cause: error })
    this.#mode = 'stopped'
    const inFlight = this.#inFlight?.entries.map(({ ticket }) => ticket) ?? []
    const waiting = [...inFlight, ...this.#forgetPending(), ...this.#withheld, ...this.#queue]
    this.#queue = []
    this.#withheld.clear()
    for (const ticket of waiting) this.#refuse(ticket, 'registry_stopped', this.#stop.message)
    this.#wakeReaders()
  }

  readonly #readers = new Set<() => void>()

  async #reached(revision: number): Promise<void> {
    while (this.#durable.state.revision < revision && this.#stop === undefined) {
      await new Promise<void>((resolve) => this.#readers.add(resolve))
    }
  }

  #wakeReaders(): void {
    for (const wake of this.#readers) wake()
    this.#readers.clear()
  }

  #place(): Place {
    return { revision: this.#durable.state.revision, position: this.#durable.position }
  }

  #refuse(ticket: Ticket, code: RejectionCode, message: string, facts: Record<string, unknown> = {}): void {
    const { type } = ticket.addressed.command
    this.#settleRefused(ticket, { code, message: `${type} refused: ${message}`, facts: { ...facts, command: type } })
  }

  #settleRefused(ticket: Ticket, rejection: Rejection): void {
    const result: CommandResult = { type: 'refused', rejection, place: this.#place() }
    this.#settle(ticket, { result })
  }

  #settle(ticket: Ticket, settlement: Settlement): void {
    if (ticket.isSettled) return
    ticket.settle(settlement)
    this.#outstanding--
    if (this.#outstanding > 0) return
    for (const wake of this.#idleWaiters.splice(0)) wake()
  }
}

const UNRESOLVED = 'the log does not say what became of the append before; this command was not stored'

/** What the shell does on its own account. */
export const SHELL: Sender = { actor: 'verdict' }

const REFUSALS: Readonly<Record<string, { readonly code: RejectionCode; readonly retryable: boolean }>> = {
  full: { code: 'store_full', retryable: true },
  too_large: { code: 'append_too_large', retryable: false },
  read_only: { code: 'store_read_only', retryable: true },
  busy: { code: 'store_busy', retryable: true },
  closed: { code: 'shutting_down', retryable: false },
  damaged: { code: 'store_unavailable', retryable: false },
  unavailable: { code: 'store_unavailable', retryable: true },
}

function recordedEvents(
  revision: number,
  { command, commandId, digest, at }: StampedCommand,
  sender: Sender,
  events: readonly LifecycleEvent[],
): readonly RecordedEvent[] {
  const { actor, correlationId, causationId, traceparent } = sender
  return events.map((event, index) => ({
    revision: revision + 1 + index,
    event,
    metadata: {
      commandId,
      commandType: command.type,
      commandDigest: digest,
      index,
      count: events.length,
      at,
      actor,
      ...(correlationId === undefined ? {} : { correlationId }),
      ...(causationId === undefined ? {} : { causationId }),
      ...(traceparent === undefined ? {} : { traceparent }),
      ruleset: RULESET,
    },
  }))
}

/** Measured by `bench fold`, rounded up; content of operations is counted apart, as it was stored. */
function stateBytes({ operations, tombstones, commands, feed }: RegistryState): number {
  return 4_096 + operations.size * 2_048 + tombstones.size * 512 + commands.size * 512 + feed.size * 256
}

function expectedRevision({ revision }: RegistryState): ExpectedRevision {
  return revision === -1 ? 'no_stream' : revision
}

function jitter(ms: number): number {
  return Math.random() * ms
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
