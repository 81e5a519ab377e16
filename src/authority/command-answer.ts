/**
 * What the sender of a command is told. The first answer and the answer to the same command sent again come from the same
 * events and the state of now, so they agree (lifecycle.md, section 6).
 */
import type { Command } from './commands.ts'
import type { RecordedEvent } from './events.ts'
import { outcomeIn } from './evolve.ts'
import { DEFAULT_POLICY } from './lifecycle-policy.ts'
import type { Operation, Outcome, Tombstone } from './operation.ts'
import type { RegistryState } from './registry.ts'
import type { Rejection } from './rejections.ts'
import type { PresentStatus } from './status.ts'
import { type WaitView, waitView } from './wait-view.ts'

/** Where in the log an answer stands: a read with this as its minimum sees what was answered. */
export interface Place {
  /** Of the registry's stream; -1 while it has no event. */
  readonly revision: number
  /** Of the log. */
  readonly position: bigint
}

export interface CommandAnswer extends Place {
  /** False when all was as the sender wants it already. */
  readonly changed: boolean
  readonly operationId?: string
  readonly number?: number
  readonly status?: PresentStatus
  readonly outcome?: Outcome
  readonly leaseEpoch?: number
  readonly sequence?: number
  /** The registration found an active operation of its key. */
  readonly joined?: boolean
  readonly cancelRequested?: boolean
  /** Epoch ms by which the next heartbeat is expected. */
  readonly nextHeartbeatBefore?: number
  readonly wait?: WaitView
  /** How many operations the termination of an owner ended. */
  readonly terminated?: number
  /** Sequences that a collection let go, both inclusive. */
  readonly collected?: { readonly fromSequence: number; readonly throughSequence: number }
}

export type CommandResult =
  | { readonly type: 'answered'; readonly answer: CommandAnswer }
  | { readonly type: 'refused'; readonly rejection: Rejection; readonly place: Place }

/** The answer to an accepted command: from its events, and from the state as it is now. */
export function answerFromEvents(
  command: Command,
  events: readonly RecordedEvent[],
  state: RegistryState,
  place: Place,
): CommandAnswer {
  const subject = subjectOf(command, events)
  const joined = events[0]?.event.type === 'RegistrationJoined'
  const base = joined ? { ...place, changed: false, joined } : { ...place, changed: true }
  const whole: Answering = Object.assign(base, registryFacts(events, state))
  if (subject === undefined) return whole
  Object.assign(whole, operationFacts(subject, state))
  const leaseEpoch = startedAt(events) ?? ('leaseEpoch' in command ? command.leaseEpoch : undefined)
  const outcome = outcomeOf(events)
  const sequence = sequenceIn(events)
  // Written to, not copied once more for each: every command pays for this.
  if (outcome !== undefined) whole.outcome = outcome
  if (leaseEpoch !== undefined) whole.leaseEpoch = leaseEpoch
  if (sequence !== undefined) whole.sequence = sequence
  return whole
}

type Answering = { -readonly [K in keyof CommandAnswer]: CommandAnswer[K] }

function startedAt(events: readonly RecordedEvent[]): number | undefined {
  for (const { event, revision } of events) if (event.type === 'OperationStarted') return revision
  return undefined
}

function outcomeOf(events: readonly RecordedEvent[]): Outcome | undefined {
  for (const { event } of events) {
    const outcome = outcomeIn(event)
    if (outcome !== undefined) return outcome
  }
  return undefined
}

/** The answer where nothing had to be stored: what is so already. */
export function answerFromState(operation: Operation | undefined, state: RegistryState, place: Place): CommandAnswer {
  if (operation === undefined) return { ...place, changed: false }
  const { outcome, sequence, lease } = operation
  return {
    ...place,
    changed: false,
    ...operationFacts(operation, state),
    ...(outcome === undefined ? {} : { outcome }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(lease?.open === true ? { leaseEpoch: lease.epoch } : {}),
  }
}

/** Epoch ms by which a worker heard at `heardAt` is expected again. */
export function nextHeartbeatBefore(operation: Operation, heardAt: number): number {
  return heardAt + (operation.policy ?? DEFAULT_POLICY).heartbeatIntervalMs
}

interface Subject {
  readonly id: string
  readonly number: number
}

function operationFacts({ id, number }: Subject, state: RegistryState): Partial<CommandAnswer> {
  const now: Operation | Tombstone | undefined = state.operations.get(id) ?? state.tombstones.get(id)
  if (now?.number !== number) return { operationId: id, number }
  if (!('registeredAt' in now)) return { operationId: id, number, status: now.status }
  return { operationId: id, number, status: now.status, ...workerFacts(now) }
}

/** What a worker must know with every answer: whether to stop, and by when it is expected again. */
export function workerFacts(operation: Operation): Pick<CommandAnswer, 'cancelRequested' | 'nextHeartbeatBefore'> {
  const { cancel, lease, lastSignAt, claimedAt } = operation
  const cancelRequested = cancel !== undefined
  const heardAt = lastSignAt ?? claimedAt
  const isAtWork = lease?.open === true && heardAt !== undefined
  return isAtWork
    ? { cancelRequested, nextHeartbeatBefore: nextHeartbeatBefore(operation, heardAt) }
    : { cancelRequested }
}

function subjectOf(command: Command, events: readonly RecordedEvent[]): Subject | undefined {
  for (const { event, revision } of events) {
    // Signs are stored by number alone; a heartbeat is one sign.
    const [sign] = event.type === 'SignsOfLifeRecorded' ? event.facts.signs : []
    if (command.type === 'RecordHeartbeat' && sign !== undefined) return { id: command.id, number: sign[0] }
    if (event.type === 'OperationRegistered') return { id: event.facts.id, number: revision }
    if ('id' in event.facts && 'number' in event.facts) return { id: event.facts.id, number: event.facts.number }
  }
  return undefined
}

function sequenceIn(events: readonly RecordedEvent[]): number | undefined {
  for (const { event } of events) if ('sequence' in event.facts) return event.facts.sequence
  return undefined
}

function registryFacts(events: readonly RecordedEvent[], state: RegistryState): Partial<CommandAnswer> {
  for (const { event } of events) {
    if (event.type === 'OwnerTerminated') return { terminated: event.facts.numbers.length }
    if (event.type === 'CompletedCollected') return { collected: event.facts }
    if (event.type === 'WaitBegan') {
      const wait = state.waits.get(event.facts.waitId) ?? state.endedWaits.get(event.facts.waitId)
      return wait === undefined ? {} : { wait: waitView(wait) }
    }
  }
  return {}
}
