/** The events of the log as an iteration: history, then live, each once, in order, for as long as somebody takes them. */
import type { EventsRequest, EventsResync, LiveEvent } from '../authority/questions.ts'
import type { VerdictDoor } from './door.ts'
import { given } from './given-options.ts'
import { leftAtAnyTime } from './left-iteration.ts'
import { EventsReplaced, invalidInput, OperationRejected } from './operation-errors.ts'

export interface EventsOptions extends EventsRequest {
  /** Aborting it throws its reason. */
  readonly signal?: AbortSignal
  /** False ends with the newest one; by default the next is waited for. */
  readonly follow?: boolean
  /** Told that the place to go on from is gone, and then reading goes on at the end; without it that is thrown. */
  readonly onResync?: (resync: EventsResync) => void
}

const OPTION_NAMES: readonly string[] = [
  'after',
  'workspace',
  'owner',
  'kind',
  'operation',
  'types',
  'signal',
  'follow',
  'onResync',
] satisfies readonly (keyof EventsOptions)[]

/** Throws OperationRejected, EventsReplaced, the signal's reason. */
export function liveEvents(
  door: VerdictDoor,
  options: EventsOptions = {},
): AsyncIterableIterator<LiveEvent, void, void> {
  // A filter under a name that is not known would be none.
  const stray = Object.keys(given(options)).find((name) => !OPTION_NAMES.includes(name))
  if (stray !== undefined) throw invalidInput(stray, `one of ${OPTION_NAMES.join(', ')}`, stray)
  return leftAtAnyTime((signal) => read(door, options, signal), options.signal)
}

async function* read(
  door: VerdictDoor,
  { signal: given, follow = true, onResync, ...request }: EventsOptions,
  signal: AbortSignal,
): AsyncGenerator<LiveEvent, void, void> {
  for (let after = request.after; ; ) {
    given?.throwIfAborted()
    let resync: EventsResync | undefined
    for await (const answer of door.events(after === undefined ? request : { ...request, after }, signal)) {
      if (answer.type === 'refused') throw new OperationRejected(answer.rejection)
      if (answer.type === 'resync') {
        resync = answer
        break
      }
      yield* answer.events
      if (signal.aborted || (!follow && answer.isCaughtUp)) break
    }
    given?.throwIfAborted()
    if (resync === undefined) return
    if (onResync === undefined) throw new EventsReplaced(resync)
    onResync(resync)
    after = resync.cursor
  }
}
