import type { CommandResult } from '../authority/command-answer.ts'
import type { EventsRequest } from '../authority/questions.ts'
import type { EventsAnswer, ServedDoor } from '../client/door.ts'
import type { MonitoringDoor } from '../client/monitoring-door.ts'
import type { EventStore } from '../event-store/event-store.ts'
import type { SnapshotCache } from '../event-store/snapshot-cache.ts'
import type { ProcessHold } from '../runtime/process-hold.ts'
import type { Shell } from '../shell/shell.ts'
import type { LiveEvents } from '../subscriptions/live-events.ts'
import type { Lives } from './lives-of-node.ts'

interface DoorParts {
  readonly shell: Shell
  readonly store: EventStore
  readonly snapshots: SnapshotCache
  readonly events: LiveEvents
  readonly hold: ProcessHold
  readonly monitoring: MonitoringDoor
  readonly lives: Lives
  /** Told how far a caller knows of the log. */
  readonly tell: (position: bigint) => void
}

/** The shell as it is, for as long as somebody waits for it; closing it closes what it stands on, in order. */
export function embeddedDoor(
  { shell, store, snapshots, events, hold, monitoring, lives, tell }: DoorParts,
  closeWhatWatches: () => Promise<void>,
): ServedDoor {
  const told = (result: CommandResult) =>
    tell(result.type === 'answered' ? result.answer.position : result.place.position)
  return {
    send: (registry, command, options) => hold.during(shell.send(registry, command, options), told),
    snapshot: (...args) => hold.during(shell.snapshot(...args)),
    overview: (...args) => hold.during(shell.overview(...args)),
    outcome: (...args) => hold.during(shell.outcome(...args)),
    watchOutcomes: (...args) => hold.during(shell.watchOutcomes(...args)),
    wait: (...args) => hold.during(shell.wait(...args)),
    waitStanding: (...args) => hold.during(shell.waitStanding(...args)),
    completions: (...args) => hold.during(shell.completions(...args)),
    cursor: (...args) => hold.during(shell.cursor(...args)),
    moveCursor: (...args) => hold.during(shell.moveCursor(...args)),
    collect: (...args) => hold.during(shell.collect(...args)),
    history: (...args) => hold.during(shell.history(...args)),
    onLease: (...args) => shell.onLease(...args),
    events: (request, signal) => heldEvents(events, request, signal, hold),
    monitoring,
    outlook: (...args) => hold.during(lives.outlook(...args)),
    timeline: (...args) => hold.during(lives.timeline(...args)),
    async close() {
      await hold.during(closeWhatWatches())
      await hold.during(shell.close())
      await hold.during(store.close())
      snapshots.close()
      hold.close()
    },
  }
}

/** What was read as it is shown; the process stays for as long as somebody waits for the next. */
async function* heldEvents(
  events: LiveEvents,
  request: EventsRequest,
  signal: AbortSignal,
  hold: ProcessHold,
): AsyncGenerator<EventsAnswer, void, undefined> {
  const batches = events.batches(request, signal)
  try {
    for (;;) {
      const { done, value } = await hold.during(batches.next())
      if (done) return
      if (value.type !== 'events') yield value
      else yield { type: 'events', events: value.entries.map(({ live }) => live), isCaughtUp: value.isCaughtUp }
    }
  } finally {
    await batches.return()
  }
}
