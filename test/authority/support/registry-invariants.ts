import type { Effect } from '../../../src/authority/effects.ts'
import type { RecordedEvent } from '../../../src/authority/events.ts'
import { fold, numbersOf } from '../../../src/authority/evolve.ts'
import { EMPTY_REGISTRY, isSatisfied, type RegistryState } from '../../../src/authority/registry.ts'
import { plainOf, registryOf } from '../../../src/authority/registry-snapshot.ts'
import { isActive, isTerminal } from '../../../src/authority/status.ts'

/** What must hold of every registry, however it came to be. One sentence for each breach. */
export function stateBreaches(state: RegistryState): readonly string[] {
  const breaches: string[] = []
  const hold = (holds: boolean, breach: string) => {
    if (!holds) breaches.push(breach)
  }
  const operations = [...state.operations.values()]
  const tombstones = [...state.tombstones.values()]
  const active = operations.filter(({ status }) => isActive(status))
  hold(state.activeCount === active.length, `activeCount ${state.activeCount} of ${active.length} active operations`)
  for (const operation of operations) {
    const { id, number, status, outcome, sequence, terminalRevision, completedAt, registeredAt, startedAt, lease } =
      operation
    const terminal = isTerminal(status)
    hold(terminal === (outcome !== undefined), `${id} is ${status} with outcome ${outcome?.status}`)
    hold(!terminal || outcome?.status === status, `${id} is ${status}, its outcome ${outcome?.status}`)
    hold(
      [sequence, terminalRevision, completedAt].every((one) => (one !== undefined) === terminal),
      `${id} is ${status} with sequence ${sequence}, revision ${terminalRevision}, end ${completedAt}`,
    )
    hold(registeredAt <= (startedAt ?? registeredAt), `${id} started before it was registered`)
    hold((startedAt ?? registeredAt) <= (completedAt ?? Number.POSITIVE_INFINITY), `${id} ended before it started`)
    hold(
      (status === 'running' || status === 'retiring') === (lease?.open === true),
      `${id} is ${status} with lease ${lease?.open}`,
    )
    hold(lease === undefined || lease.epoch > number, `${id} has a lease of another life`)
    hold(
      (status === 'retiring') === (operation.retireRequestedAt !== undefined) || terminal,
      `${id} is ${status}, but asked to retire`,
    )
    hold(state.ids.get(number) === id, `number ${number} does not lead to ${id}`)
    hold(!state.tombstones.has(id), `${id} is both here and buried`)
    hold(!terminal || operation.waits.length === 0, `${id} is ${status}, and waits for it go on`)
    for (const waitId of operation.waits) {
      const wait = state.waits.get(waitId)
      hold(wait?.members.some((member) => member.number === number) === true, `${id} points at wait ${waitId}`)
      hold(wait?.reached.has(number) === false, `${id} points at wait ${waitId} that has reached it`)
    }
  }
  for (const { id, number } of tombstones) hold(state.ids.get(number) === id, `number ${number} does not lead to ${id}`)
  hold(state.ids.size === operations.length + tombstones.length, `${state.ids.size} numbers are known`)
  const keys = active.flatMap(({ key, number }) => (key === undefined ? [] : [[key, number] as const]))
  hold(new Set(keys.map(([key]) => key)).size === keys.length, 'a key has two active operations')
  hold(
    state.keys.size === keys.length && keys.every(([key, number]) => state.keys.get(key) === number),
    'the keys are wrong',
  )
  const ended = operations
    .filter(({ status }) => isTerminal(status))
    .sort((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0))
  hold(
    same(
      [...state.retained],
      ended.map(({ id }) => id),
    ),
    'retained operations are not in the order of completion',
  )
  hold(same([...state.buried].sort(), tombstones.map(({ id }) => id).sort()), 'buried and tombstones differ')
  for (const wait of state.waits.values()) {
    hold(!isSatisfied(wait), `wait ${wait.waitId} is satisfied and active`)
    hold(!state.endedWaits.has(wait.waitId), `wait ${wait.waitId} is active and ended`)
    for (const { id, number } of wait.members) {
      if (wait.reached.has(number)) continue
      const member = state.operations.get(id)
      const isHeld = member?.number === number && isActive(member.status) && member.waits.includes(wait.waitId)
      hold(isHeld, `wait ${wait.waitId} is orphaned: nobody will tell it of ${id}`)
    }
  }
  hold(
    same([...state.endedWaitOrder].sort(), [...state.endedWaits.values()].map((w) => w.waitId).sort()),
    'ended waits are out of order',
  )
  hold(
    same(
      [...state.commandOrder].map(({ commandId }) => commandId).sort(),
      [...state.commands.values()].map((c) => c.commandId).sort(),
    ),
    'commands are out of order',
  )
  const rows = [...state.feed].map(({ sequence }) => sequence)
  hold(
    rows.every((sequence, i) => sequence > (rows[i - 1] ?? state.feedDroppedThrough)),
    'feed rows are out of order',
  )
  hold((rows.at(-1) ?? state.feedDroppedThrough) <= state.sequence, 'the feed is ahead of its watermark')
  return breaches
}

/** Bounds hold as soon as something was added under them. */
export function boundBreaches(state: RegistryState): readonly string[] {
  const { limits } = state
  const bounds: readonly (readonly [string, number, number])[] = [
    ['retained', state.retained.size, Math.max(1, limits.maxCompleted)],
    ['tombstones', state.tombstones.size, limits.tombstones],
    ['feed rows', state.feed.size, limits.feedRetention],
    ['ended waits', state.endedWaits.size, limits.endedWaits],
    ['remembered commands', state.commands.size, Math.max(limits.commandMemory.min, limits.commandMemory.max)],
  ]
  return bounds.filter(([, size, max]) => size > max).map(([what, size, max]) => `${size} ${what}, at most ${max}`)
}

/** What must hold of a history beside: it leads to the state (`plain`, as it is written), and no fact about an end stands in it twice. */
export function historyBreaches(
  history: readonly RecordedEvent[],
  state: RegistryState,
  plain: string = JSON.stringify(plainOf(state)),
): readonly string[] {
  const breaches: string[] = []
  if (JSON.stringify(plainOf(fold(EMPTY_REGISTRY, history))) !== plain) breaches.push('its events do not fold to it')
  const restored = registryOf(JSON.parse(plain))
  if (JSON.stringify(plainOf(restored)) !== plain) breaches.push('its snapshot does not restore it')
  breaches.push(...stateBreaches(restored).map((breach) => `restored: ${breach}`))
  const ends = history.flatMap(({ event }) => {
    if (event.type === 'OwnerTerminated') {
      return numbersOf(event).map((number, i) => ({ number, sequence: event.facts.firstSequence + i }))
    }
    return 'sequence' in event.facts ? [{ number: event.facts.number, sequence: event.facts.sequence }] : []
  })
  if (!ends.every(({ sequence }, i) => sequence === i + 1)) breaches.push('sequences have a gap')
  if (ends.length !== state.sequence) breaches.push('the watermark is not the last sequence')
  if (new Set(ends.map(({ number }) => number)).size !== ends.length) breaches.push('an operation ended twice')
  const epochs = new Map<number, number>()
  for (const { event, revision } of history) {
    if (event.type !== 'OperationStarted') continue
    if (revision <= (epochs.get(event.facts.number) ?? event.facts.number)) breaches.push('a lease epoch did not grow')
    epochs.set(event.facts.number, revision)
  }
  for (const { id, number, lease } of state.operations.values()) {
    if (lease !== undefined && lease.epoch !== epochs.get(number))
      breaches.push(`${id} has an epoch that nobody claimed`)
  }
  return breaches
}

const PLACES: Readonly<Record<Effect['type'], number>> = {
  ScheduleDeadline: 0,
  ExposePeer: 1,
  AbortAttempt: 2,
  NotifyWatchers: 3,
  CloseWatchers: 3,
  SatisfyWait: 4,
  EndWait: 4,
  WakeFeed: 5,
  EvictRecord: 6,
}

/** What must hold of the step from one state to the next. */
export function stepBreaches(
  before: RegistryState,
  recorded: RecordedEvent,
  effects: readonly Effect[],
  after: RegistryState,
): readonly string[] {
  const breaches: string[] = []
  const places = effects.map(({ type }) => PLACES[type])
  if (places.some((place, i) => place < (places[i - 1] ?? 0))) breaches.push('effects are out of order')
  if (effects.filter(({ type }) => type === 'WakeFeed').length > 1) breaches.push('the feed was woken twice')
  const told = effects.flatMap((effect) => (effect.type === 'NotifyWatchers' ? [effect.number] : []))
  if (told.length !== after.sequence - before.sequence) breaches.push('an end was not told exactly once')
  const evicted = effects.flatMap((effect) => (effect.type === 'EvictRecord' ? [effect.number] : []))
  for (const { id, number, status, outcome } of before.operations.values()) {
    const now = after.operations.get(id)
    if (isTerminal(status)) {
      const isSame = now === undefined || (now.number === number && now.status === status && now.outcome === outcome)
      if (!isSame) breaches.push(`${id} was ${status} and is ${now.status}`)
      if (now === undefined && !evicted.includes(number)) breaches.push(`${id} left without a word`)
    } else if ((now === undefined || isTerminal(now.status)) && !told.includes(number)) {
      if (recorded.event.type !== 'RegistrationRolledBack') breaches.push(`${id} ended without a word`)
    }
    if (now === undefined && isTerminal(status) && after.tombstones.get(id)?.status !== status) {
      if (after.limits.tombstones > 0 && after.tombstones.has(id))
        breaches.push(`${id} was ${status}, its tombstone is not`)
    }
  }
  for (const tombstone of before.tombstones.values()) {
    const now = after.tombstones.get(tombstone.id)
    if (now?.number === tombstone.number && now.status !== tombstone.status)
      breaches.push(`the tombstone of ${now.id} changed`)
  }
  return breaches
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((id, i) => id === other[i])
}
