import type { Command, StampedCommand } from '../../../src/authority/commands.ts'
import { decide } from '../../../src/authority/decide.ts'
import type { RecordedEvent } from '../../../src/authority/events.ts'
import { DEFAULT_LIMITS, type Limits } from '../../../src/authority/events.ts'
import { step } from '../../../src/authority/evolve.ts'
import { type KindDefinitions, resolveKind } from '../../../src/authority/kinds.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../../src/authority/registry.ts'
import { plainOf, registryOf } from '../../../src/authority/registry-snapshot.ts'
import { boundBreaches, historyBreaches, stateBreaches, stepBreaches } from './registry-invariants.ts'

/**
 * Every state that a registry can reach under an alphabet of commands, by breadth: from each state every command, on the
 * real decide and evolve. States that differ only in names (revisions, numbers, epochs and sequences by their rank; counts
 * of reports above one) are one state, which is what closes the search: nobody decides by a name. The two ids are such
 * names only where the alphabet sends to both the same; that it does is looked at in every state.
 */
export interface Alphabet {
  readonly kinds: KindDefinitions
  readonly limits: Partial<Limits>
  /** What may be sent in a state. Its own names (epochs) are read from the state. */
  readonly commands: (state: RegistryState) => readonly Sent[]
  /** Bounds are lowered on the way: they act at the next event that adds, and are not looked at here. */
  readonly changesLimits?: true
  /** What may be sent to one of the two ids may be sent to the other: states that differ in which is which are one. */
  readonly idsAreAlike?: true
}

export type Sent = Command | { readonly command: Command; readonly commandId: string }

/** The rules that are explored: the real ones, unless it is to be shown that a broken one is found. */
export interface Rules {
  readonly decide: typeof decide
  readonly step: typeof step
}

/** What was met on the way. */
export interface Met {
  readonly commands: Set<string>
  readonly codes: Set<string>
  readonly events: Set<string>
}

export interface Figures {
  readonly states: number
  readonly transitions: number
  readonly refusals: number
  readonly depth: number
}

interface Found {
  readonly state: RegistryState
  /** The event that led here, and from where. */
  readonly parent: Found | undefined
  readonly events: readonly RecordedEvent[]
  readonly depth: number
}

const AT = 1_000_000
/** Restoring a state and deciding on it twice is as dear as exploring it: a share of the states will show a difference. */
const STATES_PER_SNAPSHOT = 8

export function explore(
  alphabet: Alphabet,
  depthMax = Number.POSITIVE_INFINITY,
  met: Met = { commands: new Set(), codes: new Set(), events: new Set() },
  rules: Rules = { decide, step },
): Figures {
  const opening = { registryId: 'r', digestKey: '0'.repeat(64), limits: { ...DEFAULT_LIMITS, ...alphabet.limits } }
  const first: Found = { state: EMPTY_REGISTRY, parent: undefined, events: [], depth: 0 }
  const seen = new Set<string>()
  const isNew = (state: RegistryState) => {
    const { name, otherName } = namesOf(state)
    if (seen.has(name)) return false
    seen.add(name)
    // Where the ids are names as well, whoever calls the two operations the other way round comes to the same state.
    if (alphabet.idsAreAlike) seen.add(otherName())
    return true
  }
  isNew(first.state)
  const queue: Found[] = [first]
  const stamps = new Map<string, Pick<StampedCommand, 'digest' | 'resolved'>>()
  let states = 0
  let transitions = 0
  let refusals = 0
  let depth = 0
  for (const found of queue) {
    const plain = JSON.stringify(plainOf(found.state))
    check(found, [...stateBreaches(found.state), ...historyBreaches(historyOf(found), found.state, plain)])
    if (found.depth === depthMax) continue
    const restored = states++ % STATES_PER_SNAPSHOT === 0 ? registryOf(JSON.parse(plain)) : undefined
    const sendable = alphabet.commands(found.state).map((sent) => ({ sent, text: JSON.stringify(sent) }))
    if (alphabet.idsAreAlike) {
      const offered = sendable.map(({ text }) => text)
      check(found, asymmetries(alphabet, offered, plain))
    }
    for (const { sent, text } of sendable) {
      const command = 'command' in sent ? sent.command : sent
      const commandId = 'command' in sent ? sent.commandId : `at-${found.state.revision + 1}`
      const stamped = stamps.get(text) ?? stampOf(command, text, alphabet.kinds, opening)
      stamps.set(text, stamped)
      met.commands.add(command.type)
      const decision = rules.decide(found.state, { ...stamped, command, commandId, at: AT })
      if (restored !== undefined) {
        const decidedAgain = rules.decide(restored, { ...stamped, command, commandId, at: AT })
        const isSame = JSON.stringify(decidedAgain) === JSON.stringify(decision)
        if (!isSame) check(found, [`its snapshot decides otherwise: ${text}`])
      }
      if (decision.type !== 'accepted') {
        if (decision.type === 'rejected') met.codes.add(decision.rejection.code)
        refusals++
        continue
      }
      transitions++
      let { state } = found
      const events = decision.events.map((event, index): RecordedEvent => {
        const metadata = {
          commandId,
          commandType: command.type,
          commandDigest: stamped.digest,
          index,
          count: decision.events.length,
          at: AT,
          actor: 'explorer',
          ruleset: 1,
        }
        return { revision: found.state.revision + 1 + index, event, metadata }
      })
      for (const recorded of events) {
        const before = state
        met.events.add(recorded.event.type)
        const stepped = rules.step(before, recorded)
        state = stepped.state
        check(found, stepBreaches(before, recorded, stepped.effects, state), recorded)
      }
      if (!alphabet.changesLimits) check(found, boundBreaches(state), events.at(-1))
      if (!isNew(state)) continue
      depth = found.depth + 1
      queue.push({ state, parent: found, events, depth })
    }
    // Nothing that was decided or folded on top of it may have changed it.
    if (JSON.stringify(plainOf(found.state)) !== plain) check(found, ['it changed under what was decided on it'])
  }
  return { states: queue.length, transitions, refusals, depth }
}

function stampOf(
  command: Command,
  text: string,
  kinds: KindDefinitions,
  opening: NonNullable<StampedCommand['resolved']['opening']>,
): Pick<StampedCommand, 'digest' | 'resolved'> {
  const minted = { opening, waitId: 'w', deadlineAt: AT + 1, claimant: { id: 'anybody' } }
  const { kindFacts, policy } = resolveKind(kinds, command.type === 'RegisterOperation' ? command.kind : '', undefined)
  return { digest: text, resolved: { ...minted, kindFacts, policy } }
}

function check(found: Found, breaches: readonly string[], recorded?: RecordedEvent): void {
  if (breaches.length === 0) return
  const way = [...historyOf(found), ...(recorded === undefined ? [] : [recorded])]
  const told = way.map(({ event }) => `${event.type} ${JSON.stringify(event.facts)}`)
  throw new Error(`${breaches.join('; ')} after\n${told.join('\n')}`)
}

function historyOf(found: Found): readonly RecordedEvent[] {
  const parts: (readonly RecordedEvent[])[] = []
  for (let at: Found | undefined = found; at !== undefined; at = at.parent) parts.push(at.events)
  return parts.reverse().flat()
}

/** With the two operations called by each other's id the very same must be on offer. */
function asymmetries(alphabet: Alphabet, offered: readonly string[], plain: string): readonly string[] {
  const mirror = registryOf(JSON.parse(mirrored(plain)))
  const offeredToMirror = new Set(alphabet.commands(mirror).map((sent) => JSON.stringify(sent)))
  const isAlike =
    new Set(offered).size === offeredToMirror.size && offered.every((text) => offeredToMirror.has(mirrored(text)))
  return isAlike ? [] : ['its alphabet tells the ids apart']
}

/** JSON with each id in place of the other. */
function mirrored(json: string): string {
  return json.replaceAll(/"([ab])"/g, (_, id) => (id === 'a' ? '"b"' : '"a"'))
}

/** The state without its names, and with each of the two operations called by the other's id. */
function namesOf(state: RegistryState): { readonly name: string; readonly otherName: () => string } {
  const plain = plainOf(state)
  const ranks = new Map<number, number>()
  const sequences = new Map<number, number>()
  const collect = (revision: number | undefined, names = ranks) => {
    if (revision !== undefined) names.set(revision, 0)
  }
  for (const operation of plain.operations) {
    collect(operation.number)
    collect(operation.lease?.epoch)
    collect(operation.terminalRevision)
    for (const { leaseEpoch } of operation.contradictions) collect(leaseEpoch)
    collect(operation.sequence, sequences)
  }
  for (const tombstone of plain.tombstones) {
    collect(tombstone.number)
    collect(tombstone.leaseEpoch)
    collect(tombstone.terminalRevision)
    for (const epoch of tombstone.contradicted) collect(epoch ?? undefined)
  }
  for (const wait of [...plain.waits, ...plain.endedWaits]) {
    collect(wait.revision)
    for (const { number } of wait.members) collect(number)
    for (const [, revision] of wait.reached) collect(revision)
  }
  for (const row of plain.feed) collect(row.sequence, sequences)
  collect(plain.feedDroppedThrough, sequences)
  for (const names of [ranks, sequences]) {
    for (const [rank, name] of [...names.keys()].sort((a, b) => a - b).entries()) names.set(name, rank)
  }
  const rank = (revision: number | undefined) => (revision === undefined ? '' : ranks.get(revision))
  const place = (sequence: number | undefined) => (sequence === undefined ? '' : sequences.get(sequence))
  const named = (swap: boolean) => {
    const id = (one: string) => (swap ? (one === 'a' ? 'b' : one === 'b' ? 'a' : one) : one)
    const waits = plain.waits.map((wait) => [
      wait.waitId,
      wait.mode,
      wait.members.map((member) => [id(member.id), rank(member.number)]),
      wait.reached.map(([number, revision]) => [rank(number), rank(revision)]),
      wait.deadlineAt,
      rank(wait.revision),
    ])
    return JSON.stringify([
      plain.registryId,
      plain.limits,
      plain.retired !== null,
      place(plain.feedDroppedThrough),
      plain.operations.map((operation) => [
        id(operation.id),
        rank(operation.number),
        operation.kind,
        operation.key,
        operation.status,
        operation.joined,
        operation.waitedFor,
        operation.waits,
        operation.attempt,
        rank(operation.lease?.epoch),
        operation.lease?.open,
        operation.lease?.claimant?.id,
        operation.notBeforeAt,
        operation.startedAt !== undefined,
        operation.attemptEndedAt !== undefined,
        operation.lastSignAt !== undefined,
        operation.peer,
        Math.min(operation.progress.count, 1),
        Math.min(operation.progress.inAttempt, 1),
        operation.phases.map(({ name, status }) => [name, status]),
        operation.cancel?.deadlineAt,
        operation.attention,
        operation.contradictions.map(({ claimed, leaseEpoch }) => [claimed, rank(leaseEpoch)]),
        operation.outcome?.status,
        place(operation.sequence),
        rank(operation.terminalRevision),
        operation.registrationCommandId.startsWith('at-') ? '' : operation.registrationCommandId,
      ]),
      plain.tombstones.map((tombstone) => [
        id(tombstone.id),
        rank(tombstone.number),
        tombstone.status,
        rank(tombstone.terminalRevision),
        rank(tombstone.leaseEpoch),
        tombstone.claimed,
        tombstone.contradicted.map((epoch) => rank(epoch ?? undefined)),
      ]),
      plain.retained.map(id),
      plain.feed.map((row) => [id(row.id), place(row.sequence), row.status]),
      plain.commands.map(({ commandId, digest, rolledBack }) => [
        commandId.startsWith('at-') ? '' : commandId,
        digest,
        rolledBack,
      ]),
      waits,
      plain.endedWaits.map((wait) => [
        wait.waitId,
        wait.mode,
        wait.ending,
        wait.members.map((member) => [id(member.id), rank(member.number)]),
        wait.reached.map(([number, revision]) => [rank(number), rank(revision)]),
      ]),
    ])
  }
  return { name: named(false), otherName: () => named(true) }
}
