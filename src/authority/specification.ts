/**
 * Specifications of the authority's behaviour, for our tests and for those who build on it: what is given, which command
 * comes, and exactly what follows. Pure: no test runner is needed, a specification that does not hold throws.
 *
 *     specification()
 *       .given({ type: 'RegisterOperation', id: 'a', kind: 'export' })
 *       .when({ type: 'CancelOperation', id: 'a' })
 *       .thenEvents({ type: 'OperationCancelled', facts: { id: 'a', number: 1, sequence: 1 }, content: {} })
 *
 * Exact by default: order, number and fields of events, effects and facts. Time stands still unless it is told to pass.
 */
import { DEFAULT_BOUNDS } from './bounds.ts'
import { COMMAND_SCHEMAS, type Command, claimantOf, parseCommand, type StampedCommand } from './commands.ts'
import { decide } from './decide.ts'
import type { Decision } from './decision.ts'
import type { Effect } from './effects.ts'
import {
  DEFAULT_LIMITS,
  type EventMetadata,
  type LifecycleEvent,
  type Limits,
  type RecordedEvent,
  RULESET,
} from './events.ts'
import { step } from './evolve.ts'
import { type KindDefinitions, resolveKind } from './kinds.ts'
import { EMPTY_REGISTRY, type RegistryState } from './registry.ts'
import { plainOf } from './registry-snapshot.ts'
import type { Rejection, RejectionCode, RejectionFacts } from './rejections.ts'

export interface SpecificationSettings {
  readonly kinds?: KindDefinitions
  readonly limits?: Partial<Limits>
  /** When it begins, epoch ms. */
  readonly at?: number
  /** Whether the registry is open from the start (its event is revision 0); otherwise the first command opens it. */
  readonly open?: boolean
}

/** What a sender and its node add to a command. */
export interface Sending {
  /** `command-1`, `command-2` and so on where none is given. */
  readonly commandId?: string
  readonly actor?: string
  /** How many coalesced reports of progress the command stands for. */
  readonly reports?: number
}

export function specification(settings: SpecificationSettings = {}): Specification {
  const { kinds = {}, limits = {}, at = 1_000_000, open = true } = settings
  const opening = { registryId: 'registry', digestKey: '0'.repeat(64), limits: { ...DEFAULT_LIMITS, ...limits } }
  const start = new Specification({ kinds, opening, at, state: EMPTY_REGISTRY, history: [], sent: 0 })
  return open ? start.when({ type: 'OpenRegistry' }, { commandId: 'opening' }).next : start
}

/** A specification that does not hold. Runners that know `expected` and `actual` show their difference as well. */
export class SpecificationFailed extends Error {
  override readonly name = 'SpecificationFailed'
  readonly expected: unknown
  readonly actual: unknown

  constructor(what: string, expected: unknown, actual: unknown) {
    super(`${what}\n\n- expected\n+ actual\n\n${difference(expected, actual)}`)
    this.expected = expected
    this.actual = actual
  }
}

interface World {
  readonly kinds: KindDefinitions
  readonly opening: NonNullable<StampedCommand['resolved']['opening']>
  readonly at: number
  readonly state: RegistryState
  readonly history: readonly RecordedEvent[]
  /** Commands so far: ids are made of it. */
  readonly sent: number
}

/** A value: each step gives a new one, so that several stories may begin with the same past. */
export class Specification {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  /** The registry as it stands. */
  get state(): RegistryState {
    return this.#world.state
  }

  /** Every event so far, from the first. */
  get history(): readonly RecordedEvent[] {
    return this.#world.history
  }

  /** The time of the next command, epoch ms. */
  get at(): number {
    return this.#world.at
  }

  /** Time passes; a negative one steps the clock back. */
  after(ms: number): Specification {
    return new Specification({ ...this.#world, at: this.#world.at + ms })
  }

  /** The past: commands that are accepted (or have nothing to change), and events as they are stored. */
  given(...past: readonly (Command | LifecycleEvent)[]): Specification {
    return past.reduce<Specification>((before, one) => before.#givenOne(one), this)
  }

  /** The command under test. */
  when(command: Command, sending: Sending = {}): Specified {
    const world = this.#world
    const sent = world.sent + (sending.commandId === undefined ? 1 : 0)
    const commandId = sending.commandId ?? `command-${sent}`
    const decision = decided(world, command, commandId, sending)
    const events = decision.type === 'accepted' ? decision.events : []
    const metadata = { commandId, commandType: command.type, commandDigest: digestOf(command) }
    const next = recorded({ ...world, sent }, events, metadata, sending.actor)
    return new Specified(command, decision, next.effects, this, new Specification(next.world))
  }

  #givenOne(one: Command | LifecycleEvent): Specification {
    if (isCommand(one)) {
      const specified = this.when(one)
      if (specified.decision.type !== 'rejected') return specified.next
      throw new SpecificationFailed(`given ${one.type}, which is refused`, 'accepted', specified.decision.rejection)
    }
    const world = { ...this.#world, sent: this.#world.sent + 1 }
    const metadata = { commandId: `command-${world.sent}`, commandType: 'Given', commandDigest: '' }
    return new Specification(recorded(world, [one], metadata, undefined).world)
  }
}

/** What came of a command. Its checks give itself back, so that several stand in a row; `next` goes on from here. */
export class Specified {
  readonly decision: Decision
  /** Of all its events, in order. */
  readonly effects: readonly Effect[]
  readonly before: Specification
  readonly next: Specification
  readonly #command: Command

  constructor(
    command: Command,
    decision: Decision,
    effects: readonly Effect[],
    before: Specification,
    next: Specification,
  ) {
    this.#command = command
    this.decision = decision
    this.effects = effects
    this.before = before
    this.next = next
  }

  /** Accepted with exactly these events, in this order. */
  thenEvents(...events: readonly LifecycleEvent[]): this {
    return this.#same('decision', { type: 'accepted', events }, this.decision)
  }

  /** Nothing to store: all is as the sender wants it. */
  thenUnchanged(): this {
    return this.#same('decision', 'unchanged', this.decision.type === 'unchanged' ? 'unchanged' : this.decision)
  }

  /** The same command was accepted before, and its first event has this revision. */
  thenRemembered(revision: number): this {
    const { decision } = this
    const met = decision.type === 'remembered' ? { revision: decision.remembered.revision } : decision
    return this.#same('decision', { revision }, met)
  }

  /** Refused under this name; with facts, exactly these. Whatever is refused changes nothing, which is looked at here too. */
  thenRejects(code: RejectionCode, facts?: RejectionFacts): this {
    return this.#refused({ code }, facts)
  }

  /** Refused because what the sender wants is so already or can no longer matter: doors resolve it with `changed: false`. */
  thenRejectsIdempotently(code: RejectionCode, facts?: RejectionFacts): this {
    return this.#refused({ code, idempotent: true }, facts)
  }

  /** Exactly these effects, in this order. */
  thenEffects(...effects: readonly Effect[]): this {
    return this.#same('effects', effects, this.effects)
  }

  /** The next command, on what came of this one. */
  when(command: Command, sending?: Sending): Specified {
    return this.next.when(command, sending)
  }

  #refused(expected: Pick<Rejection, 'code' | 'idempotent'>, facts: RejectionFacts | undefined): this {
    const { decision } = this
    if (decision.type !== 'rejected') return this.#same('decision', { type: 'rejected', ...expected }, decision)
    const { code, idempotent, facts: met } = decision.rejection
    const actual = idempotent === undefined ? { code } : { code, idempotent }
    this.#same('state after a refusal', plainOf(this.before.state), plainOf(this.next.state))
    return facts === undefined
      ? this.#same('rejection', expected, actual)
      : this.#same('rejection', { ...expected, facts }, { ...actual, facts: met })
  }

  #same(what: string, expected: unknown, actual: unknown): this {
    if (canonical(expected) === canonical(actual)) return this
    throw new SpecificationFailed(`${what} of ${this.#command.type}: not as specified`, expected, actual)
  }
}

function isCommand(one: Command | LifecycleEvent): one is Command {
  return Object.hasOwn(COMMAND_SCHEMAS, one.type)
}

/** As a node does it: parsed, stamped with the time, minted ids and the resolved kind, decided. */
function decided(world: World, given: Command, commandId: string, { reports }: Sending): Decision {
  const parsed = parseCommand(given, DEFAULT_BOUNDS)
  if ('rejection' in parsed) return { type: 'rejected', rejection: parsed.rejection }
  const { command } = parsed
  const { at, opening } = world
  const claimant = claimantOf(command) ?? { id: commandId }
  const minted = { opening, claimant, operationId: commandId, waitId: commandId, deadlineAt: at + 3_600_000 }
  const stamped = { command, commandId, digest: digestOf(command), at }
  const coalesced = reports === undefined ? {} : { reports }
  if (command.type !== 'RegisterOperation') {
    return decide(world.state, { ...stamped, resolved: { ...minted, ...coalesced } })
  }
  const { kindFacts, policy, violations } = resolveKind(world.kinds, command.kind, command.policy)
  const [violation] = violations
  if (violation !== undefined) {
    const { message, kind, rule, numbers } = violation
    const facts = { command: command.type, kind, rule, numbers }
    return { type: 'rejected', rejection: { code: 'policy_violation', message, facts } }
  }
  return decide(world.state, { ...stamped, resolved: { ...minted, kindFacts, policy } })
}

function recorded(
  world: World,
  events: readonly LifecycleEvent[],
  command: Pick<EventMetadata, 'commandId' | 'commandType' | 'commandDigest'>,
  actor = 'specification',
): { readonly world: World; readonly effects: readonly Effect[] } {
  let { state } = world
  const history = [...world.history]
  const effects: Effect[] = []
  for (const [index, event] of events.entries()) {
    const metadata = { ...command, index, count: events.length, at: world.at, actor, ruleset: RULESET }
    const one: RecordedEvent = { revision: state.revision + 1, event, metadata }
    const stepped = step(state, one)
    state = stepped.state
    effects.push(...stepped.effects)
    history.push(one)
  }
  return { world: { ...world, state, history }, effects }
}

/** Here the text itself: equal for equal commands, which is all that a decision asks of a digest. */
function digestOf(command: Command): string {
  return canonical(command)
}

/** JSON with the names of objects in order and without undefined members: equal texts are equal values. */
function canonical(value: unknown): string {
  return JSON.stringify(value, sortedMembers, 2) ?? 'undefined'
}

function sortedMembers(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** Both texts line by line: what is only expected with a minus, what is only there with a plus. */
function difference(expected: unknown, actual: unknown): string {
  const left = canonical(expected).split('\n')
  const right = canonical(actual).split('\n')
  // lengths[i][j]: lines that left from i on and right from j on have in common, in order.
  const lengths = Array.from({ length: left.length + 1 }, () => new Array<number>(right.length + 1).fill(0))
  const common = (i: number, j: number) => lengths[i]?.[j] ?? 0
  for (let i = left.length - 1; i >= 0; i--) {
    const row = lengths[i] as number[] // made above, one for each line and one more
    for (let j = right.length - 1; j >= 0; j--) {
      row[j] = left[i] === right[j] ? common(i + 1, j + 1) + 1 : Math.max(common(i + 1, j), common(i, j + 1))
    }
  }
  const lines: string[] = []
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      lines.push(`  ${left[i]}`)
      i++
      j++
    } else if (j >= right.length || (i < left.length && common(i + 1, j) >= common(i, j + 1)))
      lines.push(`- ${left[i++]}`)
    else lines.push(`+ ${right[j++]}`)
  }
  return lines.join('\n')
}
