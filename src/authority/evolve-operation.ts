/** The moves of a living operation: what each event changes in it, and what follows for its worker and its deadlines. */
import { earliestDeadline, movesDeadlines } from './deadlines.ts'
import { type Effect, scheduleOf } from './effects.ts'
import type { EventOf, OperationError, RecordedEvent } from './events.ts'
import { type Contradiction, type Operation, type Phase, type Progress, stampAfter } from './operation.ts'
import { ABSENT_FACTS } from './operation-facts.ts'
import { stepOf } from './operation-machine.ts'
import { contradict, type Draft, operationOf, presentStatusAfter, putOperation } from './registry-draft.ts'

/** An event of a living operation that leaves it alive. */
export type Move = EventOf<
  | 'RegistrationJoined'
  | 'OperationStarted'
  | 'PeerBecameReady'
  | 'ProgressReported'
  | 'PhaseStarted'
  | 'PhaseCompleted'
  | 'PhaseFailed'
  | 'AttemptFailed'
  | 'AttemptLost'
  | 'CancelRequested'
  | 'RetireRequested'
  | 'AttentionRaised'
  | 'AttentionCleared'
>

export function moveOperation(draft: Draft, recorded: RecordedEvent, event: Move): readonly Effect[] {
  const before = operationOf(draft, recorded, event.facts)
  const after = movedOperation(before, event, recorded)
  putOperation(draft, after)
  return effectsOfMove(before, after, event)
}

/** The operation after a move, its status by the machine. Throws ContradictoryHistory for a move that it can't make. */
export function movedOperation(before: Operation, event: Move, recorded: RecordedEvent): Operation {
  if ('attempt' in event.facts && event.facts.attempt !== before.attempt)
    contradict(recorded, `${before.id} is in attempt ${before.attempt}, not ${event.facts.attempt}`)
  const status = presentStatusAfter(before, recorded)
  const after: Writable<Operation> = changed(before, event, recorded)
  after.status = status
  return after
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

function effectsOfMove(before: Operation, after: Operation, event: Move): readonly Effect[] {
  const effects = reschedule(before, after)
  const { number, id } = after
  if (event.type === 'PeerBecameReady') effects.push({ type: 'ExposePeer', number, id, peer: event.content.peer })
  if (event.type === 'CancelRequested' || event.type === 'AttemptLost') {
    const cause = event.type === 'CancelRequested' ? 'cancel_requested' : 'attempt_lost'
    if (before.lease?.open === true)
      effects.push({ type: 'AbortAttempt', number, id, leaseEpoch: before.lease.epoch, cause })
  }
  return effects
}

/** Somebody has to look at another time, or under another rule, than before. */
function reschedule(before: Operation, after: Operation): Effect[] {
  if (!movesDeadlines(before, after)) return []
  const was = earliestDeadline(before)
  const is = earliestDeadline(after)
  return was?.deadlineAt === is?.deadlineAt && was?.rule === is?.rule ? [] : [scheduleOf(after, is)]
}

/** A copy of the operation with what the event tells; its status is the machine's business. */
function changed(operation: Operation, event: Move, recorded: RecordedEvent): Operation {
  const { revision } = recorded
  const at = stampAfter(operation, recorded.metadata.at)
  switch (event.type) {
    case 'RegistrationJoined':
      return { ...operation, joined: true, lastRevision: revision }
    case 'OperationStarted': {
      return {
        ...unclaimed(operation),
        lease: {
          epoch: revision,
          open: true,
          ...(event.facts.claimant === undefined ? {} : { claimant: event.facts.claimant }),
        },
        startedAt: operation.startedAt ?? at,
        claimedAt: at,
        lastRevision: revision,
      }
    }
    case 'PeerBecameReady':
      return { ...operation, peer: event.content.peer, lastRevision: revision }
    case 'ProgressReported':
      return {
        ...operation,
        progress: progressAfter(operation.progress, event, at),
        lastSignAt: at,
        lastRevision: revision,
      }
    case 'PhaseStarted':
    case 'PhaseCompleted':
    case 'PhaseFailed':
      return {
        ...operation,
        phases: phasesAfter(operation.phases, event, at, recorded),
        lastSignAt: at,
        lastRevision: revision,
      }
    case 'AttemptFailed':
    case 'AttemptLost':
      return { ...nextAttempt(operation, event.facts.notBeforeAt, event.content.error, at), lastRevision: revision }
    case 'CancelRequested': {
      const { reason } = event.content
      const { deadlineAt } = event.facts
      return {
        ...operation,
        cancel: { requestedAt: at, deadlineAt, ...(reason === undefined ? {} : { reason }) },
        lastRevision: revision,
      }
    }
    case 'RetireRequested':
      return { ...operation, retireRequestedAt: at, lastRevision: revision }
    case 'AttentionRaised':
      return { ...operation, attention: [...operation.attention, { rule: event.facts.rule, raised: true }] }
    case 'AttentionCleared': {
      const { rule } = event.facts
      return {
        ...operation,
        attention: operation.attention.map((one) => (one.rule === rule ? { rule, raised: false } : one)),
      }
    }
    default:
      return event satisfies never
  }
}

/** To leave fields out costs as much as all the rest of an event: most operations have none of them. */
function unclaimed(operation: Operation): Operation {
  if (operation.notBeforeAt === undefined && operation.lastSignAt === undefined) return operation
  const { notBeforeAt: _due, lastSignAt: _before, ...rest } = operation
  return rest
}

/** A new attempt keeps the first start and completed phases; peer, percent, signs and attention begin anew. */
function nextAttempt(
  operation: Operation,
  notBeforeAt: number,
  error: OperationError | undefined,
  endedAt: number,
): Operation {
  const {
    lease: _closed,
    claimedAt: _claim,
    lastSignAt: _signs,
    peer: _peer,
    retireRequestedAt: _retire,
    ...kept
  } = operation
  const { percent: _percent, processed: _processed, total: _total, lastAt: _lastAt, ...progress } = operation.progress
  return {
    ...kept,
    attempt: operation.attempt + 1,
    notBeforeAt,
    attemptEndedAt: endedAt,
    progress: { ...progress, inAttempt: 0 },
    phases: operation.phases.map((phase) => (phase.status === 'started' ? { ...phase, status: 'interrupted' } : phase)),
    attention: [],
    ...(error === undefined ? {} : { lastError: error }),
  }
}

function progressAfter(progress: Progress, event: EventOf<'ProgressReported'>, at: number): Progress {
  const { reports, percent, processed, total } = event.facts
  const { message } = event.content
  return {
    ...progress,
    count: progress.count + reports,
    inAttempt: progress.inAttempt + reports,
    lastAt: at,
    ...(message === undefined ? {} : { message }),
    ...(percent === undefined ? {} : { percent }),
    ...(processed === undefined ? {} : { processed }),
    ...(total === undefined ? {} : { total }),
  }
}

function phasesAfter(
  phases: readonly Phase[],
  event: EventOf<'PhaseStarted' | 'PhaseCompleted' | 'PhaseFailed'>,
  at: number,
  recorded: RecordedEvent,
): readonly Phase[] {
  const { phase: name, attempt } = event.facts
  const index = phases.findIndex((phase) => phase.name === name)
  const before = phases[index]
  if (event.type === 'PhaseStarted') {
    const started: Phase = { name, status: 'started', attempt, startedAt: at }
    return before === undefined ? [...phases, started] : phases.with(index, started)
  }
  if (before?.status !== 'started') return contradict(recorded, `phase ${name} was not started`)
  const ended = { ...before, endedAt: at }
  return phases.with(
    index,
    event.type === 'PhaseCompleted'
      ? { ...ended, status: 'completed', result: event.content.result }
      : { ...ended, status: 'failed', error: event.content.error },
  )
}

export function recordSigns(
  draft: Draft,
  recorded: RecordedEvent,
  event: EventOf<'SignsOfLifeRecorded'>,
): readonly Effect[] {
  const effects: Effect[] = []
  for (const [number, heardAt] of event.facts.signs) {
    const operation = operationOf(draft, recorded, { number })
    const next = signedOperation(operation, heardAt, recorded)
    putOperation(draft, next)
    effects.push(...reschedule(operation, next))
  }
  return effects
}

/** The operation after it was heard of; a sign that is older than what is known of it moves nothing. */
export function signedOperation(operation: Operation, heardAt: number, recorded: RecordedEvent): Operation {
  presentStatusAfter(operation, recorded)
  const { registeredAt, attemptEndedAt = registeredAt, claimedAt = attemptEndedAt, lastSignAt = claimedAt } = operation
  return { ...operation, lastSignAt: Math.max(heardAt, lastSignAt) }
}

export function recordContradiction(
  draft: Draft,
  recorded: RecordedEvent,
  event: EventOf<'ContradictionRecorded'>,
): readonly Effect[] {
  const { id, number, leaseEpoch } = event.facts
  const tombstone = draft.tombstones.get(id)
  if (tombstone !== undefined && tombstone.number === number) {
    if (stepOf(tombstone.status, ABSENT_FACTS, 'ContradictionRecorded') !== tombstone.status)
      contradict(recorded, `${id} is ${tombstone.status}`)
    const contradicted = [...tombstone.contradicted, leaseEpoch ?? null]
    draft.tombstones = draft.tombstones.set(id, { ...tombstone, contradicted }, draft.edit)
    return []
  }
  const operation = operationOf(draft, recorded, event.facts)
  putOperation(draft, contradictedOperation(operation, event, recorded))
  return []
}

/** The operation with one more late report that says otherwise; of its truth nothing changes. */
export function contradictedOperation(
  operation: Operation,
  event: EventOf<'ContradictionRecorded'>,
  recorded: RecordedEvent,
): Operation {
  presentStatusAfter(operation, recorded)
  const { claimed, leaseEpoch } = event.facts
  const contradiction: Contradiction = {
    claimed,
    revision: recorded.revision,
    ...(leaseEpoch === undefined ? {} : { leaseEpoch }),
  }
  return {
    ...operation,
    contradictions: [...operation.contradictions, contradiction],
    lastRevision: recorded.revision,
  }
}
