/** The API over a server, with what operators and auditors ask of the server as a whole. */
import type { WirePassReport, WireReconciler } from '../wire/reconciler-wire.ts'
import { given } from './given-options.ts'
import type { HttpDoor } from './http-door.ts'
import type { AdminEvent, AdminPage, OperatorsDoor, Order, PassScope, ReconcilerMode } from './http-operators.ts'
import { leftAtAnyTime } from './left-iteration.ts'
import { invalidInput } from './operation-errors.ts'
import { Verdict, type VerdictDefaults } from './verdict.ts'

/** The reconciler of the server, as seen and told by operators of it. */
export interface ServedReconciler {
  /** How it stands by what is on record by now: modes, breakers, releases, its last pass. Throws OperationRejected. */
  standing(signal?: AbortSignal): Promise<WireReconciler>
  /**
   * How far to go with a kind from now on (`*`: every kind, whatever was said of one of them before). On record when it returns, with
   * who holds the key; gives how the reconciler stands then. Throws OperationRejected.
   */
  changeMode(kind: string, mode: ReconcilerMode, order: Order): Promise<WireReconciler>
  /** Lets the breaker of a kind go: what seems dead by now may be reconciled, by any node. Throws OperationRejected. */
  release(kind: string, order: Order): Promise<WireReconciler>
}

export interface AdminEventsOptions {
  /** The revision of the last event that was seen. Default: from the first one on. */
  readonly after?: number
  /** False ends with the newest one; by default the next is waited for. */
  readonly follow?: boolean
  /** Aborting it throws its reason. */
  readonly signal?: AbortSignal
}

const ADMIN_OPTIONS: readonly string[] = ['after', 'follow', 'signal'] satisfies readonly (keyof AdminEventsOptions)[]

export class ConnectedVerdict extends Verdict {
  readonly reconciler: ServedReconciler
  readonly #operators: OperatorsDoor

  constructor(door: HttpDoor, defaults: VerdictDefaults = {}) {
    super(door, defaults)
    const { operators } = door
    this.#operators = operators
    this.reconciler = {
      standing: (signal) => operators.standing(signal),
      changeMode: (kind, mode, order) => operators.changeMode(kind, mode, given(order)),
      release: (kind, order) => operators.release(kind, given(order)),
    }
  }

  /**
   * One pass of the server's reconciler now, within a scope: operations whose deadline has passed end, or get their next attempt.
   * Gives back counts; a second pass finds nothing to do, and so does one that is asked for again because its answer was lost. Throws
   * OperationRejected.
   */
  reconcile(scope: PassScope = {}, signal?: AbortSignal): Promise<WirePassReport> {
    return this.#operators.run(given(scope), signal)
  }

  /**
   * What is on record of operators and keys, as it stands in the log with its hashes: orders, denied actions, keys as they came and went.
   * Oldest first, each once; `event.revision` is what to go on behind. Throws OperationRejected, the signal's reason.
   */
  adminEvents(options: AdminEventsOptions = {}): AsyncIterableIterator<AdminEvent, void, void> {
    const wanted = given(options)
    const stray = Object.keys(wanted).find((name) => !ADMIN_OPTIONS.includes(name))
    if (stray !== undefined) throw invalidInput(stray, `one of ${ADMIN_OPTIONS.join(', ')}`, stray)
    const { after } = wanted
    if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) {
      throw invalidInput('after', 'a revision: a whole number from 0', after)
    }
    return leftAtAnyTime((signal) => readAdmin(this.#operators, wanted, signal), wanted.signal)
  }
}

async function* readAdmin(
  operators: OperatorsDoor,
  { after: first = -1, follow = true, signal: given }: AdminEventsOptions,
  signal: AbortSignal,
): AsyncGenerator<AdminEvent, void, void> {
  let isWaiting = false
  for (let after = first; ; ) {
    given?.throwIfAborted()
    if (signal.aborted) return
    const asked: Promise<AdminPage> = isWaiting
      ? operators.nextAdminEvents(after, signal)
      : operators.adminEvents(after, signal)
    const page: AdminPage | undefined = await asked.catch((error: unknown) => {
      // Whoever left waits for nothing more; whoever aborted is told so.
      if (!signal.aborted || given?.aborted === true) throw error
      return undefined
    })
    if (page === undefined) return
    yield* page.events
    if (page.isCaughtUp && !follow) return
    after = page.nextAfter
    isWaiting = page.isCaughtUp
  }
}
