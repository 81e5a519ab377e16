/**
 * The API: operations begun, worked on, waited for and ended, over a door. It keeps no truth of its own; what it holds (the
 * functions that run, their heartbeats) may die with its process, and the log will know.
 */
import type { CommandAnswer } from '../authority/command-answer.ts'
import type { Claimant } from '../authority/events.ts'
import type { Outcome } from '../authority/operation.ts'
import type { LiveEvent } from '../authority/questions.ts'
import { type Clock, SYSTEM_CLOCK } from '../runtime/clock.ts'
import { CONSOLE_LOG, type WarningLog } from '../runtime/warning-log.ts'
import { claimLease } from './claimed-lease.ts'
import { type CallOptions, type CommandInput, CommandSender } from './command-sender.ts'
import type { VerdictDoor } from './door.ts'
import { type Duration, durationMs } from './durations.ts'
import { given } from './given-options.ts'
import { type ClaimOptions, Lease } from './lease.ts'
import { type EventsOptions, liveEvents } from './live-events.ts'
import { MonitoredOperations } from './monitored-operations.ts'
import { addressOf, idOf, type OperationAddress } from './operation-address.ts'
import { OperationRejected } from './operation-errors.ts'
import { OperationHandle } from './operation-handle.ts'
import type { AttemptFunction } from './operation-runner.ts'
import { type FirstOutcome, type Waited, type WaitOptions, waitForAll, waitForAny } from './operation-waits.ts'
import { OwnerOperations } from './owner-operations.ts'
import { type AddressOptions, callingOf, type RegisterOptions, registrationOf } from './registration.ts'
import { RunningAttempts } from './running-attempts.ts'

/** What every call means where it does not say otherwise. */
export interface VerdictDefaults {
  /** Default: 'default'. */
  readonly workspace?: string
  /** Default: 'default'. */
  readonly owner?: string
  /** Who acts, as it is stored with every event. */
  readonly actor?: string
  /** Where this process runs, told with every claim of `start` and `resume`. */
  readonly worker?: Omit<Claimant, 'id'>
  /** For what nobody awaits; default: the console. */
  readonly log?: WarningLog
  readonly clock?: Clock
  /** Ids of commands; default: random UUIDs. */
  readonly newId?: () => string
}

export interface StartOptions<I = unknown> extends RegisterOptions<I> {
  /** Aborting it stops the function and requests a cancel. */
  readonly signal?: AbortSignal
}

export interface ResumeOptions extends AddressOptions, ClaimOptions {
  readonly signal?: AbortSignal
}

export interface CloseOptions {
  /** How long functions that run may take to follow their signal; default 5 s. */
  readonly grace?: Duration
}

const CLOSE_GRACE_MS = 5_000

export class Verdict implements AsyncDisposable {
  /** Operations of all owners, as the read models have them. */
  readonly operations: MonitoredOperations
  readonly #door: VerdictDoor
  readonly #defaults: VerdictDefaults
  readonly #clock: Clock
  readonly #running: RunningAttempts
  #closing: Promise<void> | undefined

  constructor(door: VerdictDoor, defaults: VerdictDefaults = {}) {
    const { clock = SYSTEM_CLOCK, log = CONSOLE_LOG } = defaults
    this.#door = door
    this.#defaults = defaults
    this.#clock = clock
    this.#running = new RunningAttempts(clock, log)
    this.operations = new MonitoredOperations(door, (address) => this.#sender(address))
  }

  /**
   * An async function as an operation: registered, claimed and durable when this returns; the function then runs, with its
   * heartbeats kept, and whatever becomes of it is the operation's outcome. Without a function the handle carries the lease.
   * Where the registration joins an active operation of the same key, the handle is that one's and the function is not run.
   * Throws OperationRejected.
   */
  async start<I, R>(
    kind: string,
    options: StartOptions<I> = {},
    run?: AttemptFunction<I, R>,
  ): Promise<OperationHandle<R>> {
    const { signal, ...registration } = given(options)
    signal?.throwIfAborted()
    this.#refuseWhileClosing(kind)
    const sender = this.#sender(options)
    const commandId = options.commandId ?? sender.newCommandId()
    const claimant = this.#claimant(commandId)
    const claim = claimant === undefined ? {} : { claimant }
    const answer = await sender.send(registrationOf(kind, registration, claim), {
      ...callingOf(registration),
      commandId,
    })
    const lease = await leaseOf(sender, answer, options.phaseResults !== undefined)
    if (lease === undefined) return handleOf(sender, answer, commandId)
    if (run === undefined) return handleOf(sender, answer, commandId, lease)
    // Undefined where no input was given; the caller's types say so.
    this.#running.run(sender, lease, { input: options.input as I, run, signal })
    return handleOf(sender, answer, commandId)
  }

  /** The result of `start`. Throws OperationFailed, OperationCancelled, OperationRejected. */
  async execute<I, R>(kind: string, options: StartOptions<I>, run: AttemptFunction<I, R>): Promise<R> {
    const handle = await this.start(kind, options, run)
    return handle.result()
  }

  /**
   * Claims an operation that waits to be started, a next attempt included, and runs the function as `start` does; phases that
   * an earlier attempt completed are not run again. Throws OperationRejected when it can't be claimed.
   */
  async resume<I, R>(
    address: OperationAddress,
    options: ResumeOptions,
    run: AttemptFunction<I, R>,
  ): Promise<OperationHandle<R>> {
    const { signal, ...claiming } = given(options)
    signal?.throwIfAborted()
    this.#refuseWhileClosing(idOf(address))
    const sender = this.#sender(addressOf(address))
    const commandId = claiming.commandId ?? sender.newCommandId()
    const claimant = claiming.claimant ?? this.#claimant(commandId)
    const claim = { ...claiming, commandId, ...(claimant === undefined ? {} : { claimant }) }
    const lease = await claimLease(sender, this.#clock, idOf(address), claim)
    // Stored as JSON by the one who knew the type.
    this.#running.run(sender, lease, { input: lease.input as I, run, signal })
    return new OperationHandle<R>(sender, lease.id, { number: lease.number })
  }

  /** Registers an operation for somebody else to claim. Throws OperationRejected. */
  async register(kind: string, options: RegisterOptions = {}): Promise<OperationHandle> {
    const sender = this.#sender(given(options))
    const commandId = options.commandId ?? sender.newCommandId()
    const answer = await sender.send(registrationOf(kind, options), { ...callingOf(options), commandId })
    return handleOf(sender, answer, commandId)
  }

  /** Takes an operation to work on: the lease under which everything is said. Throws OperationRejected, also when it is over. */
  claim(address: OperationAddress, options: ClaimOptions = {}): Promise<Lease> {
    return claimLease(this.#sender(addressOf(address)), this.#clock, idOf(address), given(options))
  }

  /** A handle on an operation that is there already; nothing is asked for yet. */
  operation<R = unknown>(address: OperationAddress): OperationHandle<R> {
    return new OperationHandle<R>(this.#sender(addressOf(address)), idOf(address))
  }

  owner(owner: string, options: { readonly workspace?: string } = {}): OwnerOperations {
    const { workspace } = given(options)
    return this.#owner({ workspace, owner })
  }

  /** Any command, as the authority has it. Throws OperationRejected; idempotent refusals are answers with `changed: false`. */
  send(command: CommandInput, options: AddressOptions & CallOptions = {}): Promise<CommandAnswer> {
    const { workspace, owner, ...calling } = given(options)
    return this.#sender({ workspace, owner }).send(command, calling)
  }

  /**
   * The outcomes of all of them, in the order asked; failures are data. All are of one owner: that of the first handle, or as
   * the options say. Throws WaitExpired, WaitCancelled, OperationRejected, the signal's reason.
   */
  waitAll(operations: readonly Waited[], options: WaitOptions & AddressOptions = {}): Promise<readonly Outcome[]> {
    return waitForAll(this.#sender(ownerOf(operations, given(options))), operations, options)
  }

  /** The one that ends first; undefined for an empty list. Throws as waitAll does. */
  waitAny(
    operations: readonly Waited[],
    options: WaitOptions & AddressOptions = {},
  ): Promise<FirstOutcome | undefined> {
    return waitForAny(this.#sender(ownerOf(operations, given(options))), operations, options)
  }

  /**
   * What happens in a workspace, as it stands in the log: history, then live, each event once and in order. `event.cursor` is
   * what to go on behind, in any process. Throws OperationRejected, EventsReplaced where that place is gone, the signal's reason.
   */
  events(options: EventsOptions = {}): AsyncIterableIterator<LiveEvent, void, void> {
    const { workspace = this.#defaults.workspace ?? 'default', ...wanted } = given(options)
    return liveEvents(this.#door, { ...wanted, workspace })
  }

  /**
   * Stops the functions that run (their signal aborts; what they then do is reported, within the grace), then closes the
   * door: who still waits gets ChannelClosed. Twice is once.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const { grace = CLOSE_GRACE_MS } = given(options)
    this.#closing ??= this.#close(durationMs(grace, 'grace'))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(graceMs: number): Promise<void> {
    await this.#running.close(graceMs)
    await this.#door.close()
  }

  /** A function that began now would be stopped at once. */
  #refuseWhileClosing(what: string): void {
    if (this.#closing === undefined) return
    throw new OperationRejected({
      code: 'shutting_down',
      message: `${what} was not started: this process closes`,
      facts: {},
    })
  }

  #owner(address: AddressOptions): OwnerOperations {
    return new OwnerOperations(this.#sender(address), this.operations)
  }

  #sender({ workspace, owner }: AddressOptions): CommandSender {
    const { workspace: anyWorkspace = 'default', owner: anyOwner = 'default', actor, newId = randomId } = this.#defaults
    const registry = { workspace: workspace ?? anyWorkspace, owner: owner ?? anyOwner }
    return new CommandSender(this.#door, registry, actor, newId)
  }

  /** Unlike for every claim, so that no two functions ever hold one lease. Undefined: the authority takes the command's id. */
  #claimant(commandId: string): Claimant | undefined {
    const { worker } = this.#defaults
    return worker === undefined ? undefined : { id: commandId, ...worker }
  }
}

function randomId(): string {
  return crypto.randomUUID()
}

/** The registry of a wait: what the options say, else that of the first handle. */
function ownerOf(operations: readonly Waited[], { workspace, owner }: AddressOptions): AddressOptions {
  if (workspace !== undefined || owner !== undefined || !Array.isArray(operations)) return { workspace, owner }
  return operations.find((operation) => operation instanceof OperationHandle) ?? {}
}

/** The lease that came with a registration: none where it joined another, or where the operation is over by now. */
async function leaseOf(
  sender: CommandSender,
  answer: CommandAnswer,
  hasKeptPhases: boolean,
): Promise<Lease | undefined> {
  const { operationId: id, number, leaseEpoch, nextHeartbeatBefore, cancelRequested = false, joined } = answer
  if (id === undefined || number === undefined || leaseEpoch === undefined) return undefined
  if (joined === true || nextHeartbeatBefore === undefined) return undefined
  const operation = hasKeptPhases ? await sender.door.snapshot(sender.registry, id) : undefined
  const facts = { id, number, leaseEpoch, nextHeartbeatBefore, cancelRequested }
  return new Lease(sender, operation?.number === number ? { ...facts, operation } : facts)
}

function handleOf<R>(
  sender: CommandSender,
  { operationId, number, joined }: CommandAnswer,
  registrationCommandId: string,
  lease?: Lease,
): OperationHandle<R> {
  if (operationId === undefined) throw new Error('a registration was answered without the id of its operation')
  return new OperationHandle<R>(sender, operationId, { number, joined, lease, registrationCommandId })
}
