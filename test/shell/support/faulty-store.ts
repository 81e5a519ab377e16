/**
 * A real store under which appends and reads can be made to fail as a log fails: refused, unknown (stored or not), held
 * back before or after they are stored. Faults are used up in order by the appends that come.
 */
import type {
  AppendResult,
  EventAppender,
  EventStore,
  ExpectedRevision,
  LogError,
  NewEvent,
  RefusalReason,
} from '../../../src/event-store/event-store.ts'

export type Fault =
  | { readonly type: 'refused'; readonly reason: RefusalReason }
  | { readonly type: 'thrown'; readonly error: Error }
  | { readonly type: 'unknown'; readonly isStored: boolean }
  /** Answers when it is let go; stored before that, after that, or not at all. */
  | { readonly type: 'held'; readonly hold: Hold; readonly stored: 'before' | 'after' | 'never' }

/** A gate that opens once. */
export class Hold {
  readonly arrived: Promise<void>
  readonly opened: Promise<void>
  #arrive: () => void = () => {}
  #open: () => void = () => {}

  constructor() {
    this.arrived = new Promise((resolve) => {
      this.#arrive = resolve
    })
    this.opened = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  arrive(): void {
    this.#arrive()
  }

  open(): void {
    this.#open()
  }
}

export interface FaultyStore extends EventStore {
  readonly faults: (Fault | undefined)[]
  /** For every append from now on, after `faults` are used up; undefined: none. */
  always: Fault | undefined
  /** Thrown by every read. */
  readError: LogError | undefined
  /** Every append that came, with its answer once it has one. */
  readonly appends: { readonly stream: string; readonly types: readonly string[]; result?: AppendResult }[]
}

export function faulty(store: EventStore, { withTurns = false } = {}): FaultyStore {
  const wrapper: FaultyStore = {
    faults: [],
    always: undefined,
    readError: undefined,
    appends: [],
    identity: () => store.identity(),
    async head(stream) {
      if (wrapper.readError) throw wrapper.readError
      return store.head(stream)
    },
    async *readStream(stream, options) {
      if (wrapper.readError) throw wrapper.readError
      yield* store.readStream(stream, options)
    },
    readAll: (options) => store.readAll(options),
    end: () => store.end(),
    at: (position) => store.at(position),
    follow: (options) => store.follow(options),
    watch: (listener) => store.watch(listener),
    health: () => store.health(),
    append: (stream, expected, events) => append(stream, expected, events),
    close: () => store.close(),
    ...(withTurns && store.turn !== undefined
      ? {
          turn<T>(fn: (appender: Pick<EventAppender, 'append'>) => Promise<T>): Promise<T> {
            return (store.turn as NonNullable<EventStore['turn']>)(() => fn(wrapper))
          },
        }
      : {}),
  }
  return wrapper

  async function append(
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<AppendResult> {
    const told: FaultyStore['appends'][number] = { stream, types: events.map(({ type }) => type) }
    wrapper.appends.push(told)
    const result = await answer(wrapper.faults.shift() ?? wrapper.always, () => store.append(stream, expected, events))
    told.result = result
    return result
  }
}

async function answer(fault: Fault | undefined, store: () => Promise<AppendResult>): Promise<AppendResult> {
  switch (fault?.type) {
    case undefined:
      return store()
    case 'refused':
      return { type: 'refused', reason: fault.reason, message: `made to be ${fault.reason}` }
    case 'thrown':
      throw fault.error
    case 'unknown':
      if (fault.isStored) await store()
      return { type: 'unknown', message: 'made to be unknown' }
    case 'held': {
      const { hold, stored } = fault
      const before = stored === 'before' ? await store() : undefined
      hold.arrive()
      await hold.opened
      return before ?? (stored === 'after' ? store() : { type: 'unknown', message: 'made to be unknown' })
    }
    default:
      throw new Error(`there is no fault like ${fault satisfies never}`)
  }
}
