/**
 * How history adds up. `evolve` folds one event into a registry's state and takes the same step of the machine that the
 * decision took; `effectsOf` tells what the event asks the shell to do. Both come from one walk, so they cannot disagree.
 *
 *     state --event--> state'     and on the way: effects, in the order of lifecycle.md, section 8
 *
 * A history that contradicts itself is no state: it throws ContradictoryHistory, and its registry stops.
 */
import { earliestDeadline } from './deadlines.ts'
import type { Effect } from './effects.ts'
import type {
  EventMetadata,
  EventOf,
  EventType,
  LifecycleEvent,
  Limits,
  OperationError,
  RecordedEvent,
} from './events.ts'
import {
  type Contradiction,
  type Operation,
  type Outcome,
  type Phase,
  type Progress,
  type Tombstone,
  tombstoneOf,
} from './operation.ts'
import { ABSENT_FACTS, machineFactsOf } from './operation-facts.ts'
import { labelOf, type OperationLabel, stepOf } from './operation-machine.ts'
import { Edit, PersistentMap } from './persistent-map.ts'
import { type EndedWait, isSatisfied, type RegistryState, type Wait } from './registry.ts'
import { isTerminal, type PresentStatus, type Status, type TerminalStatus } from './status.ts'

/** The log says something that no released version could have written. Names the event. */
export class ContradictoryHistory extends Error {
  override readonly name = 'ContradictoryHistory'
  readonly revision: number

  constructor(revision: number, type: string, message: string) {
    super(`event ${revision} (${type}) contradicts the history before it: ${message}`)
    this.revision = revision
  }
}

/** The state after one event. Throws ContradictoryHistory. */
export function evolve(state: RegistryState, recorded: RecordedEvent): RegistryState {
  return fold(state, [recorded])
}

/** The state after many events: the same as evolving by one after the other, without the copies in between. */
export function fold(state: RegistryState, events: Iterable<RecordedEvent>): RegistryState {
  const draft = draftOf(state)
  for (const recorded of events) apply(draft, recorded)
  return finish(draft)
}

/** What an event asks the shell to do, in order: derived from the event and the state before it. */
export function effectsOf(state: RegistryState, recorded: RecordedEvent): readonly Effect[] {
  return step(state, recorded).effects
}

/** The state after an event and its effects, for whoever needs both. */
export function step(
  state: RegistryState,
  recorded: RecordedEvent,
): { readonly state: RegistryState; readonly effects: readonly Effect[] } {
  const draft = draftOf(state)
  const effects = apply(draft, recorded)
  return { state: finish(draft), effects }
}

/** The numbers that an OwnerTerminated names: stored as the first, then differences. */
export function numbersOf(event: EventOf<'OwnerTerminated'>): readonly number[] {
  let number = 0
  return event.facts.numbers.map((difference) => {
    number += difference
    return number
  })
}

type Draft = { -readonly [K in keyof RegistryState]: RegistryState[K] } & { readonly edit: Edit }

function draftOf(state: RegistryState): Draft {
  return { ...state, edit: new Edit() }
}

function finish(draft: Draft): RegistryState {
  const { edit: _dropped, ...state } = draft
  return state
}

/** Effects by their place: all aborts, then all watchers, waits, the feed, evictions. */
interface Ending {
  readonly aborts: Effect[]
  readonly notices: Effect[]
  readonly waits: Effect[]
  readonly evictions: Effect[]
  /** Waits that reached one more member, in the order met. */
  readonly touched: Set<string>
  wake: { wakeOwner: boolean } | undefined
}

function apply(draft: Draft, recorded: RecordedEvent): readonly Effect[] {
  const { revision, event, metadata } = recorded
  if (revision !== draft.revision + 1) fail(recorded, `expected revision ${draft.revision + 1}`)
  if (draft.registryId === undefined && event.type !== 'RegistryOpened') fail(recorded, 'the registry is not open')
  draft.revision = revision
  if (metadata.at > draft.newestAt) draft.newestAt = metadata.at
  const effects = applyEvent(draft, recorded)
  if (metadata.index === 0) remember(draft, revision, metadata)
  return effects
}

function applyEvent(draft: Draft, recorded: RecordedEvent): readonly Effect[] {
  const { event, revision, metadata } = recorded
  switch (event.type) {
    case 'RegistryOpened':
      if (draft.registryId !== undefined) fail(recorded, 'the registry is open already')
      draft.registryId = event.facts.registryId
      draft.digestKey = event.content.digestKey
      draft.limits = event.facts.limits
      return []
    case 'RegistryLimitsChanged':
      draft.limits = event.facts.limits
      return []
    case 'OperationRegistered':
      return register(draft, recorded, event)
    case 'RegistrationRolledBack':
      return rollBack(draft, recorded, event)
    case 'SignsOfLifeRecorded':
      return recordSigns(draft, recorded, event)
    case 'ContradictionRecorded':
      return recordContradiction(draft, recorded, event)
    case 'OwnerTerminated':
      return terminate(draft, recorded, event)
    case 'OwnerRetired':
      draft.retired = { at: metadata.at, reason: event.content.reason }
      return []
    case 'WaitBegan':
      return beginWait(draft, recorded, event)
    case 'WaitExpired':
    case 'WaitCancelled':
      return forgetWait(draft, recorded, event)
    case 'CompletedCollected':
      return collect(draft, recorded, event)
    case 'OperationCompleted':
    case 'OperationFailed':
    case 'OperationCancelled':
    case 'OperationAborted':
    case 'OperationRetired': {
      const operation = operationOf(draft, recorded, event.facts)
      const status = present(moved(operation, event, recorded))
      if (!isTerminal(status)) return fail(recorded, `it would leave ${operation.id} ${status}`)
      const ending = newEnding()
      end(draft, recorded, operation, outcomeOf(event), status, event.facts.sequence, ending)
      return closeEnding(draft, revision, ending)
    }
    default: {
      const operation = operationOf(draft, recorded, event.facts)
      const status = present(moved(operation, event, recorded))
      const next = { ...changed(operation, event, recorded), status }
      draft.operations = draft.operations.set(next.id, next, draft.edit)
      return effectsOfMove(operation, next, event)
    }
  }
}

/** An event of a living operation that does not end it. */
type Move =
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

function changed(operation: Operation, event: EventOf<Move>, recorded: RecordedEvent): Operation {
  const { revision } = recorded
  const at = recorded.metadata.at
  const signedAt = Math.max(at, operation.lastSignAt ?? at)
  switch (event.type) {
    case 'RegistrationJoined':
      return { ...operation, joined: true, lastRevision: revision }
    case 'OperationStarted': {
      const claimedAt = Math.max(at, operation.attemptEndedAt ?? operation.registeredAt)
      const { notBeforeAt: _due, lastSignAt: _before, ...rest } = operation
      return {
        ...rest,
        lease: {
          epoch: revision,
          open: true,
          ...(event.facts.claimant === undefined ? {} : { claimant: event.facts.claimant }),
        },
        startedAt: operation.startedAt ?? claimedAt,
        claimedAt,
        lastRevision: revision,
      }
    }
    case 'PeerBecameReady':
      return { ...operation, peer: event.content.peer, lastRevision: revision }
    case 'ProgressReported':
      return {
        ...operation,
        progress: progressAfter(operation.progress, event, at),
        lastSignAt: signedAt,
        lastRevision: revision,
      }
    case 'PhaseStarted':
    case 'PhaseCompleted':
    case 'PhaseFailed':
      return {
        ...operation,
        phases: phasesAfter(operation.phases, event, at),
        lastSignAt: signedAt,
        lastRevision: revision,
      }
    case 'AttemptFailed':
    case 'AttemptLost':
      return nextAttempt(operation, event.facts.notBeforeAt, event.content.error, recorded)
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

function effectsOfMove(before: Operation, after: Operation, event: EventOf<Move>): readonly Effect[] {
  const effects: Effect[] = []
  const was = earliestDeadline(before)
  const is = earliestDeadline(after)
  if (was?.deadlineAt !== is?.deadlineAt || was?.rule !== is?.rule) effects.push(scheduleOf(after))
  const { number, id } = after
  if (event.type === 'PeerBecameReady') effects.push({ type: 'ExposePeer', number, id, peer: event.content.peer })
  if (event.type === 'CancelRequested' || event.type === 'AttemptLost') {
    const cause = event.type === 'CancelRequested' ? 'cancel_requested' : 'attempt_lost'
    if (before.lease?.open === true)
      effects.push({ type: 'AbortAttempt', number, id, leaseEpoch: before.lease.epoch, cause })
  }
  return effects
}

function scheduleOf(operation: Operation): Effect {
  const { number, id } = operation
  const deadline = earliestDeadline(operation)
  return deadline === undefined
    ? { type: 'ScheduleDeadline', number, id }
    : { type: 'ScheduleDeadline', number, id, rule: deadline.rule, at: deadline.deadlineAt }
}

function register(draft: Draft, recorded: RecordedEvent, event: EventOf<'OperationRegistered'>): readonly Effect[] {
  const { facts, content } = event
  if (draft.operations.has(facts.id) || draft.tombstones.has(facts.id)) fail(recorded, `the id ${facts.id} is taken`)
  if (stepOf('absent', ABSENT_FACTS, 'OperationRegistered') !== 'provisioning')
    fail(recorded, 'the machine has no way to begin')
  if (facts.key !== undefined && draft.keys.has(facts.key))
    fail(recorded, `the key ${facts.key} is held by an active operation`)
  const results = content.phaseResults ?? {}
  const { phaseResults: _folded, ...described } = content
  const operation: Operation = {
    ...facts,
    ...described,
    number: recorded.revision,
    status: 'provisioning',
    registrationCommandId: recorded.metadata.commandId,
    joined: false,
    waitedFor: false,
    waits: [],
    attempt: 1,
    registeredAt: recorded.metadata.at,
    progress: { count: 0, inAttempt: 0 },
    phases: (facts.kindFacts.phases ?? Object.keys(results)).map((name) => {
      const result = results[name]
      return result === undefined ? { name, status: 'pending' } : { name, status: 'completed', result }
    }),
    attention: [],
    contradictions: [],
    lastRevision: recorded.revision,
  }
  draft.operations = draft.operations.set(operation.id, operation, draft.edit)
  draft.ids = draft.ids.set(operation.number, operation.id, draft.edit)
  if (operation.key !== undefined) draft.keys = draft.keys.set(operation.key, operation.number, draft.edit)
  draft.activeCount += 1
  return earliestDeadline(operation) === undefined ? [] : [scheduleOf(operation)]
}

function rollBack(draft: Draft, recorded: RecordedEvent, event: EventOf<'RegistrationRolledBack'>): readonly Effect[] {
  const operation = operationOf(draft, recorded, event.facts)
  moved(operation, event, recorded)
  const { id, number } = operation
  draft.operations = draft.operations.delete(id, draft.edit)
  draft.ids = draft.ids.delete(number, draft.edit)
  releaseKey(draft, operation)
  draft.activeCount -= 1
  const registration = draft.commands.get(operation.registrationCommandId)
  if (registration !== undefined) {
    draft.commands = draft.commands.set(registration.commandId, { ...registration, rolledBack: true }, draft.edit)
  }
  return [{ type: 'CloseWatchers', number, id, reason: 'rolled_back' }]
}

function recordSigns(draft: Draft, recorded: RecordedEvent, event: EventOf<'SignsOfLifeRecorded'>): readonly Effect[] {
  const effects: Effect[] = []
  for (const [number, heardAt] of event.facts.signs) {
    const operation = operationOf(draft, recorded, { number })
    moved(operation, event, recorded)
    const next = { ...operation, lastSignAt: Math.max(heardAt, operation.lastSignAt ?? heardAt) }
    draft.operations = draft.operations.set(next.id, next, draft.edit)
    if (earliestDeadline(operation)?.deadlineAt !== earliestDeadline(next)?.deadlineAt) effects.push(scheduleOf(next))
  }
  return effects
}

function recordContradiction(
  draft: Draft,
  recorded: RecordedEvent,
  event: EventOf<'ContradictionRecorded'>,
): readonly Effect[] {
  const { id, number, claimed, leaseEpoch } = event.facts
  const tombstone = draft.tombstones.get(id)
  if (tombstone !== undefined && tombstone.number === number) {
    if (stepOf(tombstone.status, ABSENT_FACTS, 'ContradictionRecorded') !== tombstone.status)
      fail(recorded, 'not allowed')
    const contradicted = [...tombstone.contradicted, leaseEpoch ?? null]
    draft.tombstones = draft.tombstones.set(id, { ...tombstone, contradicted }, draft.edit)
    return []
  }
  const operation = operationOf(draft, recorded, event.facts)
  moved(operation, event, recorded)
  const contradiction: Contradiction = {
    claimed,
    revision: recorded.revision,
    ...(leaseEpoch === undefined ? {} : { leaseEpoch }),
  }
  const next = {
    ...operation,
    contradictions: [...operation.contradictions, contradiction],
    lastRevision: recorded.revision,
  }
  draft.operations = draft.operations.set(id, next, draft.edit)
  return []
}

function terminate(draft: Draft, recorded: RecordedEvent, event: EventOf<'OwnerTerminated'>): readonly Effect[] {
  const numbers = numbersOf(event)
  if (numbers.length !== draft.activeCount)
    fail(recorded, `it names ${numbers.length} of ${draft.activeCount} active operations`)
  const { reason } = event.content
  const ending = newEnding()
  numbers.forEach((number, i) => {
    const operation = operationOf(draft, recorded, { number })
    moved(operation, event, recorded)
    end(
      draft,
      recorded,
      operation,
      { status: 'terminated', reason },
      'terminated',
      event.facts.firstSequence + i,
      ending,
    )
  })
  return closeEnding(draft, recorded.revision, ending)
}

/** One operation becomes terminal: the slot and the key are free, the feed has its row, watchers are told. */
function end(
  draft: Draft,
  recorded: RecordedEvent,
  operation: Operation,
  outcome: Outcome,
  status: TerminalStatus,
  sequence: number,
  ending: Ending,
): void {
  const { id, number, kindFacts, lease, waits } = operation
  if (sequence !== draft.sequence + 1) fail(recorded, `sequence ${sequence} does not follow ${draft.sequence}`)
  const { notBeforeAt: _due, ...rest } = operation
  const ended: Operation = {
    ...rest,
    status,
    outcome,
    sequence,
    terminalRevision: recorded.revision,
    completedAt: Math.max(
      recorded.metadata.at,
      operation.claimedAt ?? 0,
      operation.startedAt ?? operation.registeredAt,
    ),
    phases: closedPhases(operation.phases),
    waits: [],
    lastRevision: recorded.revision,
    ...(lease === undefined ? {} : { lease: { ...lease, open: false } }),
  }
  draft.sequence = sequence
  draft.activeCount -= 1
  releaseKey(draft, operation)
  draft.operations = draft.operations.set(id, ended, draft.edit)
  if (lease?.open === true && status !== 'completed') {
    ending.aborts.push({ type: 'AbortAttempt', number, id, leaseEpoch: lease.epoch, cause: 'ended' })
  }
  ending.notices.push({ type: 'NotifyWatchers', number, id, sequence, revision: recorded.revision, outcome })
  for (const waitId of waits) {
    const wait = draft.waits.get(waitId)
    if (wait === undefined) continue
    const reached = wait.reached.set(number, recorded.revision, draft.edit)
    draft.waits = draft.waits.set(waitId, { ...wait, reached }, draft.edit)
    ending.touched.add(waitId)
  }
  if (kindFacts.feed === 'emit') {
    pushFeedRow(draft, ended, recorded.revision, sequence, status)
    ending.wake = { wakeOwner: kindFacts.wakeOwner || ending.wake?.wakeOwner === true }
  }
  if (kindFacts.retention === 'discard') {
    ending.evictions.push({ type: 'EvictRecord', number, id })
    bury(draft, ended)
    return
  }
  draft.retained = draft.retained.push(id, draft.edit)
  while (draft.retained.size > Math.max(1, draft.limits.maxCompleted)) ending.evictions.push(evictOldest(draft))
}

function newEnding(): Ending {
  return { aborts: [], notices: [], waits: [], evictions: [], touched: new Set(), wake: undefined }
}

function closeEnding(draft: Draft, revision: number, ending: Ending): readonly Effect[] {
  for (const waitId of ending.touched) {
    const wait = draft.waits.get(waitId)
    if (wait === undefined || !isSatisfied(wait)) continue
    endWait(draft, wait, 'satisfied', revision)
    ending.waits.push({ type: 'SatisfyWait', waitId })
  }
  const wake: Effect[] =
    ending.wake === undefined ? [] : [{ type: 'WakeFeed', watermark: draft.sequence, wakeOwner: ending.wake.wakeOwner }]
  return [...ending.aborts, ...ending.notices, ...ending.waits, ...wake, ...ending.evictions]
}

function pushFeedRow(draft: Draft, ended: Operation, revision: number, sequence: number, status: TerminalStatus): void {
  const { id, number, kind, completedAt = 0, kindFacts } = ended
  const row = { sequence, id, number, kind, status, revision, completedAt, wakeOwner: kindFacts.wakeOwner }
  draft.feed = draft.feed.push(row, draft.edit)
  while (draft.feed.size > draft.limits.feedRetention) {
    draft.feedDroppedThrough = draft.feed.peek()?.sequence ?? draft.feedDroppedThrough
    draft.feed = draft.feed.shift(draft.edit)
  }
}

function evictOldest(draft: Draft): Effect {
  const id = draft.retained.peek() as string
  draft.retained = draft.retained.shift(draft.edit)
  const operation = draft.operations.get(id) as Operation
  bury(draft, operation)
  return { type: 'EvictRecord', number: operation.number, id }
}

function bury(draft: Draft, operation: Operation): void {
  draft.operations = draft.operations.delete(operation.id, draft.edit)
  draft.tombstones = draft.tombstones.set(operation.id, tombstoneOf(operation), draft.edit)
  draft.buried = draft.buried.push(operation.id, draft.edit)
  while (draft.buried.size > draft.limits.tombstones) {
    const id = draft.buried.peek() as string
    const oldest = draft.tombstones.get(id) as Tombstone
    draft.buried = draft.buried.shift(draft.edit)
    draft.tombstones = draft.tombstones.delete(id, draft.edit)
    draft.ids = draft.ids.delete(oldest.number, draft.edit)
  }
}

function beginWait(draft: Draft, recorded: RecordedEvent, event: EventOf<'WaitBegan'>): readonly Effect[] {
  const { waitId, mode, numbers, runId, deadlineAt } = event.facts
  if (draft.waits.has(waitId)) fail(recorded, `the wait ${waitId} is active already`)
  let reached = PersistentMap.empty<number, number>()
  const members = numbers.map((number) => {
    const id = draft.ids.get(number)
    const operation = id === undefined ? undefined : draft.operations.get(id)
    const tombstone = id === undefined ? undefined : draft.tombstones.get(id)
    const terminalRevision = operation?.terminalRevision ?? tombstone?.terminalRevision
    if (id === undefined || (operation === undefined && tombstone === undefined))
      return fail(recorded, `no operation ${number}`)
    if (terminalRevision !== undefined) reached = reached.set(number, terminalRevision, draft.edit)
    else if (operation !== undefined) {
      const joining = { ...operation, waitedFor: true, waits: [...operation.waits, waitId] }
      draft.operations = draft.operations.set(id, joining, draft.edit)
    }
    return { id, number }
  })
  const wait: Wait = {
    waitId,
    mode,
    members,
    reached,
    beganAt: recorded.metadata.at,
    deadlineAt,
    revision: recorded.revision,
    ...(runId === undefined ? {} : { runId }),
  }
  draft.waits = draft.waits.set(waitId, wait, draft.edit)
  return [{ type: 'ScheduleDeadline', waitId, at: deadlineAt }]
}

function forgetWait(
  draft: Draft,
  recorded: RecordedEvent,
  event: EventOf<'WaitExpired' | 'WaitCancelled'>,
): readonly Effect[] {
  const { waitId } = event.facts
  const wait = draft.waits.get(waitId)
  if (wait === undefined) return fail(recorded, `the wait ${waitId} is not active`)
  for (const { id, number } of wait.members) {
    const operation = draft.operations.get(id)
    if (operation?.number !== number || operation.waits.length === 0) continue
    const waits = operation.waits.filter((other) => other !== waitId)
    draft.operations = draft.operations.set(id, { ...operation, waits }, draft.edit)
  }
  const ending = event.type === 'WaitExpired' ? 'expired' : 'cancelled'
  endWait(draft, wait, ending, recorded.revision)
  return [{ type: 'EndWait', waitId, ending }]
}

function endWait(draft: Draft, wait: Wait, ending: EndedWait['ending'], endedRevision: number): void {
  const { waitId } = wait
  draft.waits = draft.waits.delete(waitId, draft.edit)
  if (ending === 'satisfied' && wait.mode === 'any') detachMissing(draft, wait)
  draft.endedWaits = draft.endedWaits.set(waitId, { ...wait, ending, endedRevision }, draft.edit)
  draft.endedWaitOrder = draft.endedWaitOrder.push(waitId, draft.edit)
  while (draft.endedWaitOrder.size > draft.limits.endedWaits) {
    draft.endedWaits = draft.endedWaits.delete(draft.endedWaitOrder.peek() as string, draft.edit)
    draft.endedWaitOrder = draft.endedWaitOrder.shift(draft.edit)
  }
}

/** A wait for any that is over holds nobody any longer. */
function detachMissing(draft: Draft, wait: Wait): void {
  for (const { id, number } of wait.members) {
    const operation = draft.operations.get(id)
    if (operation?.number !== number || wait.reached.has(number)) continue
    const waits = operation.waits.filter((other) => other !== wait.waitId)
    draft.operations = draft.operations.set(id, { ...operation, waits }, draft.edit)
  }
}

function collect(draft: Draft, recorded: RecordedEvent, event: EventOf<'CompletedCollected'>): readonly Effect[] {
  const { fromSequence, throughSequence } = event.facts
  const effects: Effect[] = []
  for (let id = draft.retained.peek(); id !== undefined; id = draft.retained.peek()) {
    const sequence = draft.operations.get(id)?.sequence ?? 0
    if (sequence < fromSequence || sequence > throughSequence)
      fail(recorded, `${id} with sequence ${sequence} is retained`)
    effects.push(evictOldest(draft))
  }
  if (effects.length === 0) fail(recorded, 'nothing is retained')
  return effects
}

function remember(draft: Draft, revision: number, metadata: EventMetadata): void {
  const { commandId, commandDigest, commandType, count, at } = metadata
  draft.commands = draft.commands.set(
    commandId,
    { commandId, digest: commandDigest, type: commandType, revision, count, at },
    draft.edit,
  )
  draft.commandOrder = draft.commandOrder.push(commandId, draft.edit)
  forgetCommands(draft, draft.limits.commandMemory, at)
}

function forgetCommands(draft: Draft, memory: Limits['commandMemory'], at: number): void {
  while (draft.commandOrder.size > memory.min) {
    const oldest = draft.commandOrder.peek() as string
    const command = draft.commands.get(oldest)
    const old = command === undefined || command.at + memory.ms < at
    if (!old && draft.commandOrder.size <= memory.max) return
    draft.commandOrder = draft.commandOrder.shift(draft.edit)
    draft.commands = draft.commands.delete(oldest, draft.edit)
  }
}

function progressAfter(progress: Progress, event: EventOf<'ProgressReported'>, at: number): Progress {
  const { reports, percent, processed, total } = event.facts
  const { message } = event.content
  return {
    ...progress,
    count: progress.count + reports,
    inAttempt: progress.inAttempt + reports,
    lastAt: Math.max(at, progress.lastAt ?? at),
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
): readonly Phase[] {
  const { phase: name, attempt } = event.facts
  if (event.type === 'PhaseStarted') {
    const started: Phase = { name, status: 'started', attempt, startedAt: at }
    return phases.some((phase) => phase.name === name)
      ? phases.map((phase) => (phase.name === name ? started : phase))
      : [...phases, started]
  }
  return phases.map((phase) => {
    if (phase.name !== name) return phase
    const ended = { ...phase, endedAt: Math.max(at, phase.startedAt ?? at) }
    return event.type === 'PhaseCompleted'
      ? { ...ended, status: 'completed', result: event.content.result }
      : { ...ended, status: 'failed', error: event.content.error }
  })
}

function closedPhases(phases: readonly Phase[]): readonly Phase[] {
  if (phases.every(({ status }) => status === 'completed')) return phases
  return phases.map((phase) => (phase.status === 'completed' ? phase : { ...phase, status: 'closed' }))
}

/** A new attempt keeps the first start and completed phases; peer, percent, signs and attention begin anew. */
function nextAttempt(
  operation: Operation,
  notBeforeAt: number,
  error: OperationError | undefined,
  recorded: RecordedEvent,
): Operation {
  const { lease: _closed, claimedAt, lastSignAt: _signs, peer: _peer, retireRequestedAt: _retire, ...kept } = operation
  const { percent: _percent, processed: _processed, total: _total, lastAt: _lastAt, ...progress } = operation.progress
  return {
    ...kept,
    attempt: operation.attempt + 1,
    notBeforeAt,
    attemptEndedAt: Math.max(recorded.metadata.at, claimedAt ?? operation.registeredAt),
    progress: { ...progress, inAttempt: 0 },
    phases: operation.phases.map((phase) => (phase.status === 'started' ? { ...phase, status: 'interrupted' } : phase)),
    attention: [],
    lastRevision: recorded.revision,
    ...(error === undefined ? {} : { lastError: error }),
  }
}

function outcomeOf(
  event: EventOf<
    'OperationCompleted' | 'OperationFailed' | 'OperationCancelled' | 'OperationAborted' | 'OperationRetired'
  >,
): Outcome {
  switch (event.type) {
    case 'OperationCompleted': {
      const { reconciliation } = event.facts
      return {
        status: 'completed',
        result: event.content.result,
        ...(reconciliation === undefined ? {} : { reconciliation }),
      }
    }
    case 'OperationFailed': {
      const { reasonCode, reconciliation } = event.facts
      return {
        status: 'failed',
        error: event.content.error,
        ...(reasonCode === undefined ? {} : { reasonCode }),
        ...(reconciliation === undefined ? {} : { reconciliation }),
      }
    }
    case 'OperationCancelled': {
      const { reconciliation } = event.facts
      return {
        status: 'cancelled',
        ...reasonOf(event.content),
        ...(reconciliation === undefined ? {} : { reconciliation }),
      }
    }
    case 'OperationAborted':
      return { status: 'aborted', ...reasonOf(event.content) }
    case 'OperationRetired':
      return { status: 'retired', ...reasonOf(event.content) }
    default:
      return event satisfies never
  }
}

function reasonOf({ reason }: { readonly reason?: string }): { readonly reason?: string } {
  return reason === undefined ? {} : { reason }
}

/** The outcome that one stored event tells of one operation; undefined when it does not end it. */
export function outcomeIn(event: LifecycleEvent): Outcome | undefined {
  switch (event.type) {
    case 'OperationCompleted':
    case 'OperationFailed':
    case 'OperationCancelled':
    case 'OperationAborted':
    case 'OperationRetired':
      return outcomeOf(event)
    case 'OwnerTerminated':
      return { status: 'terminated', reason: event.content.reason }
    default:
      return undefined
  }
}

function releaseKey(draft: Draft, { key, number }: Operation): void {
  if (key !== undefined && draft.keys.get(key) === number) draft.keys = draft.keys.delete(key, draft.edit)
}

function operationOf(
  draft: Draft,
  recorded: RecordedEvent,
  { id, number }: { readonly id?: string; readonly number: number },
): Operation {
  const known = id ?? draft.ids.get(number)
  const operation = known === undefined ? undefined : draft.operations.get(known)
  if (operation === undefined || operation.number !== number)
    return fail(recorded, `there is no operation ${id ?? ''} #${number}`)
  return operation
}

/** The machine's step; a step that it does not know is a contradiction. */
function moved(operation: Operation, event: LifecycleEvent, recorded: RecordedEvent): Status {
  const label = labelOf(event) as OperationLabel
  const next = stepOf(operation.status, machineFactsOf(operation), label)
  return next ?? fail(recorded, `${operation.id} is ${operation.status}`)
}

function present(status: Status): PresentStatus {
  if (status === 'absent') throw new Error('only a rollback makes an operation absent')
  return status
}

function fail(recorded: RecordedEvent, message: string): never {
  throw new ContradictoryHistory(recorded.revision, recorded.event.type satisfies EventType, message)
}
