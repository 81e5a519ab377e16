/** Those who want to know how operations end: one outcome, several, or a wait for several. And workers, about their leases. */
import type { Outcome } from '../authority/operation.ts'
import type {
  OutcomeTold,
  Refusable,
  WaitAnswer,
  WaitMember,
  WaitRequest,
  WaitStanding,
} from '../authority/questions.ts'
import type { EndedWait } from '../authority/registry.ts'
import { isTerminal, type PresentStatus } from '../authority/status.ts'
import { type WaitEnding, type WaitView, waitView } from '../authority/wait-view.ts'
import { LogError } from '../event-store/event-store.ts'
import type { RegistryName } from '../event-store/stream-names.ts'
import { sleep } from '../runtime/clock.ts'
import type { CommandDoor, SenderOptions } from './command-door.ts'
import type { HotRegistry, Notice } from './hot-registry.ts'
import type { AbortCause } from './lease-signals.ts'
import { outcomeAt } from './outcome-reader.ts'
import { type NodeParts, withRegistry } from './shell-parts.ts'
import type { Waiter } from './waiters.ts'

const LEASE_RETRY_MS = 1_000

export function outcome(
  parts: NodeParts,
  name: RegistryName,
  id: string,
  signal: AbortSignal | undefined,
): Promise<Refusable<{ readonly outcome: Outcome; readonly status: PresentStatus }>> {
  return withRegistry(parts, name, async ({ writer, watchers, stream }) => {
    signal?.throwIfAborted()
    // Looked up and watched in one turn: nothing can end in between.
    const { operations, tombstones } = writer.durable.state
    const target = operations.get(id) ?? tombstones.get(id)
    if (target === undefined) return notFound(id)
    const known = 'registeredAt' in target ? target.outcome : undefined
    const told = isTerminal(target.status)
      ? (known ?? (await outcomeAt(parts.store, stream, target.terminalRevision as number)))
      : (await watchers.next(target.number, signal)).outcome
    return { type: 'answered', answer: { outcome: told, status: told.status } }
  })
}

/**
 * Tells each outcome once, by the place of its id: those that are known before this resolves, the others as they end, until the signal
 * aborts. Throws as `withRegistry` does, and then tells nothing more.
 */
export function watchOutcomes(
  parts: NodeParts,
  name: RegistryName,
  ids: readonly string[],
  tell: (place: number, told: OutcomeTold) => void,
  signal: AbortSignal,
): Promise<void> {
  return withRegistry(parts, name, async ({ writer, watchers, stream }) => {
    if (signal.aborted) return
    const { operations, tombstones } = writer.durable.state
    const watching: (readonly [number, Waiter<Notice>])[] = []
    const reading: Promise<void>[] = []
    // Looked up and watched in one turn, as one outcome is.
    for (const [place, id] of ids.entries()) {
      const target = operations.get(id) ?? tombstones.get(id)
      const told = (outcome: Outcome) => tell(place, { type: 'answered', answer: { outcome, status: outcome.status } })
      const lost = (error: unknown) => tell(place, { type: 'lost', error })
      if (target === undefined) {
        tell(place, notFound(id))
      } else if (!isTerminal(target.status)) {
        const waiter = { resolve: ({ outcome }: Notice) => told(outcome), reject: lost }
        watchers.enter(target.number, waiter)
        watching.push([target.number, waiter])
      } else if ('registeredAt' in target && target.outcome !== undefined) {
        told(target.outcome)
      } else {
        reading.push(outcomeAt(parts.store, stream, target.terminalRevision as number).then(told, lost))
      }
    }
    const leave = () => {
      for (const [number, waiter] of watching) watchers.leave(number, waiter)
    }
    signal.addEventListener('abort', leave, { once: true })
    await Promise.all(reading)
  })
}

function notFound(id: string): Refusable<never> {
  const message = `there is no operation ${id}`
  return { type: 'refused', rejection: { code: 'not_found', message, facts: { operationId: id } } }
}

export async function wait(
  parts: NodeParts,
  door: CommandDoor,
  name: RegistryName,
  request: WaitRequest,
  options: SenderOptions,
): Promise<Refusable<WaitAnswer>> {
  const { mode, ids, waitId, runId, deadlineAt, signal } = request
  signal?.throwIfAborted()
  const type = mode === 'all' ? 'BeginWaitAll' : 'BeginWaitAny'
  const { result } = await door.sent(name, { type, waitId, runId, ids, deadlineAt }, options)
  if (result.type === 'refused') return { type: 'refused', rejection: result.rejection }
  const begun = result.answer.wait
  if (begun === undefined) throw new Error(`${type} was answered without its wait`)
  return withRegistry(parts, name, async (registry) => {
    if (begun.ending !== undefined) {
      return { type: 'answered', answer: await waitAnswer(parts, registry, begun, begun.ending) }
    }
    const ended = await waitEnded(door, name, registry, begun, signal)
    return { type: 'answered', answer: await waitAnswer(parts, registry, waitView(ended), ended.ending) }
  })
}

/**
 * How a wait stands: at once when it has ended, else as soon as it ends or the signal aborts, and then as it is. Without a
 * signal at once. Asking never cancels it. A wait is named by its id, or by what its beginning was answered with: one that
 * was satisfied then is stored nowhere.
 */
export function waitStanding(
  parts: NodeParts,
  name: RegistryName,
  wait: string | WaitView,
  signal: AbortSignal | undefined,
): Promise<Refusable<WaitStanding>> {
  return withRegistry(parts, name, async (registry) => {
    if (typeof wait !== 'string' && wait.ending !== undefined) return standingAs(parts, registry, wait)
    const waitId = typeof wait === 'string' ? wait : wait.waitId
    const found = () => {
      const { waits, endedWaits } = registry.writer.durable.state
      return waits.get(waitId) ?? endedWaits.get(waitId)
    }
    const now = found()
    if (now === undefined) {
      const message = `there is no wait ${waitId}`
      return { type: 'refused', rejection: { code: 'not_found', message, facts: { waitId } } }
    }
    const ended = signal === undefined || signal.aborted ? undefined : await endedOr(registry, waitId, signal)
    return standingAs(parts, registry, waitView(ended ?? found() ?? now))
  })
}

async function standingAs(parts: NodeParts, registry: HotRegistry, view: WaitView): Promise<Refusable<WaitStanding>> {
  return { type: 'answered', answer: { ...view, ...(await waitAnswer(parts, registry, view, view.ending)) } }
}

/** Undefined when the signal aborts before. */
async function endedOr(registry: HotRegistry, waitId: string, signal: AbortSignal): Promise<EndedWait | undefined> {
  try {
    return await registry.waitEnded(waitId, signal)
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

async function waitEnded(
  door: CommandDoor,
  name: RegistryName,
  registry: HotRegistry,
  { waitId }: WaitView,
  signal: AbortSignal | undefined,
): Promise<EndedWait> {
  try {
    const ended = await registry.waitEnded(waitId, signal)
    if (ended === undefined) throw new Error(`wait ${waitId} was begun and is not known any longer`)
    return ended
  } catch (error) {
    if (signal?.aborted) await door.sent(name, { type: 'CancelWait', waitId }, {})
    throw error
  }
}

async function waitAnswer<E extends WaitEnding | undefined>(
  { store }: NodeParts,
  registry: HotRegistry,
  { waitId, mode, members, winner }: WaitView,
  ending: E,
): Promise<Omit<WaitAnswer, 'ending'> & { readonly ending: E }> {
  const told: WaitMember[] = []
  // One event may end thousands of members.
  const read = new Map<number, Promise<Outcome>>()
  const outcomeOf = (revision: number): Promise<Outcome> => {
    const known = read.get(revision) ?? outcomeAt(store, registry.stream, revision)
    read.set(revision, known)
    return known
  }
  for (const { id, number, terminalRevision } of members) {
    const held = registry.writer.durable.state.operations.get(id)
    const known = held?.number === number ? held.outcome : undefined
    const outcome = known ?? (terminalRevision === undefined ? undefined : await outcomeOf(terminalRevision))
    told.push(outcome === undefined ? { id, number } : { id, number, outcome })
  }
  return { waitId, mode, ending, members: told, ...(winner === undefined ? {} : { winner }) }
}

/** A log that is away for a while tells nothing about a lease: then it is asked again. */
export function onLease(
  parts: NodeParts,
  name: RegistryName,
  { id, leaseEpoch }: { readonly id: string; readonly leaseEpoch: number },
  listener: (cause: AbortCause) => void,
): () => void {
  const stopped = new AbortController()
  let stop: (() => void) | undefined
  const listen = async (): Promise<void> => {
    for (;;) {
      try {
        await withRegistry(parts, name, ({ leases, writer }) => {
          if (!stopped.signal.aborted) stop = leases.listen(writer.durable.state, id, leaseEpoch, listener)
        })
        return
      } catch (error) {
        if (stopped.signal.aborted) return
        if (!(error instanceof LogError) || error.code === 'log_closed') {
          listener('attempt_lost')
          return
        }
        await sleep(parts.clock, LEASE_RETRY_MS)
      }
      if (stopped.signal.aborted) return
    }
  }
  void listen()
  return () => {
    stopped.abort()
    stop?.()
  }
}
