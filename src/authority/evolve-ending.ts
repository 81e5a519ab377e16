/**
 * How a life ends: the slot and the key are free, the feed has its row, watchers and waits are told, retention makes room,
 * and what is let go leaves a tombstone.
 */
import type { Effect } from './effects.ts'
import type { EventOf, RecordedEvent } from './events.ts'
import { endWait } from './evolve-wait.ts'
import { type Operation, type Outcome, type Phase, stampAfter, type Tombstone, tombstoneOf } from './operation.ts'
import { isSatisfied } from './registry.ts'
import { contradict, type Draft, operationOf, putOperation, releaseKey, statusAfter } from './registry-draft.ts'
import type { TerminalStatus } from './status.ts'
import { numbersOf, outcomeOf, type TerminalEvent } from './terminal-facts.ts'

export function endOperation(draft: Draft, recorded: RecordedEvent, event: TerminalEvent): readonly Effect[] {
  const operation = operationOf(draft, recorded, event.facts)
  const ending = newEnding()
  end(draft, recorded, operation, outcomeOf(event), event.facts.sequence, ending)
  return closeEnding(draft, recorded.revision, ending)
}

/** All active operations at once: all aborts first, then all watchers, waits, one wake, evictions. */
export function terminate(draft: Draft, recorded: RecordedEvent, event: EventOf<'OwnerTerminated'>): readonly Effect[] {
  const numbers = numbersOf(event)
  if (numbers.length !== draft.activeCount)
    contradict(recorded, `it names ${numbers.length} of ${draft.activeCount} active operations`)
  const outcome: Outcome = { status: 'terminated', reason: event.content.reason }
  const ending = newEnding()
  numbers.forEach((number, i) => {
    const operation = operationOf(draft, recorded, { number })
    end(draft, recorded, operation, outcome, event.facts.firstSequence + i, ending)
  })
  return closeEnding(draft, recorded.revision, ending)
}

/** Retained operations leave, oldest completion first, each into a tombstone. */
export function collect(
  draft: Draft,
  recorded: RecordedEvent,
  event: EventOf<'CompletedCollected'>,
): readonly Effect[] {
  const { fromSequence, throughSequence } = event.facts
  const effects: Effect[] = []
  for (let id = draft.retained.peek(); id !== undefined; id = draft.retained.peek()) {
    const sequence = draft.operations.get(id)?.sequence ?? 0
    if (sequence < fromSequence || sequence > throughSequence)
      contradict(recorded, `${id} with sequence ${sequence} is retained`)
    effects.push(evictOldest(draft))
  }
  if (effects.length === 0) contradict(recorded, 'nothing is retained')
  return effects
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

function newEnding(): Ending {
  return { aborts: [], notices: [], waits: [], evictions: [], touched: new Set(), wake: undefined }
}

/** One operation becomes terminal: the slot and the key are free, the feed has its row, watchers are told. */
function end(
  draft: Draft,
  recorded: RecordedEvent,
  operation: Operation,
  outcome: Outcome,
  sequence: number,
  ending: Ending,
): void {
  const { id, number, kindFacts, lease, waits } = operation
  if (sequence !== draft.sequence + 1) contradict(recorded, `sequence ${sequence} does not follow ${draft.sequence}`)
  const ended = endedOperation(operation, outcome, sequence, recorded)
  const { status } = ended
  draft.sequence = sequence
  draft.activeCount -= 1
  releaseKey(draft, operation)
  putOperation(draft, ended)
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

/** The operation with its one outcome, its status by the machine. Throws ContradictoryHistory when it can't end so. */
export function endedOperation(
  operation: Operation,
  outcome: Outcome,
  sequence: number,
  recorded: RecordedEvent,
): Operation & { readonly status: TerminalStatus } {
  // The machine lets such an event lead nowhere else.
  const status = statusAfter(operation, recorded) as TerminalStatus
  const { lease } = operation
  return {
    ...undue(operation),
    status,
    outcome,
    sequence,
    terminalRevision: recorded.revision,
    completedAt: stampAfter(operation, recorded.metadata.at),
    phases: closedPhases(operation.phases),
    waits: [],
    lastRevision: recorded.revision,
    ...(lease === undefined ? {} : { lease: { ...lease, open: false } }),
  }
}

/** To leave a field out costs as much as all the rest of an event: most operations do not have it. */
function undue(operation: Operation): Operation {
  if (operation.notBeforeAt === undefined) return operation
  const { notBeforeAt: _due, ...rest } = operation
  return rest
}

function closedPhases(phases: readonly Phase[]): readonly Phase[] {
  if (phases.every(({ status }) => status === 'completed')) return phases
  return phases.map((phase) => (phase.status === 'completed' ? phase : { ...phase, status: 'closed' }))
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
