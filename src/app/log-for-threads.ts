/** How threads of this process read the log of its node: by its place where it has one, over a port where it lies in memory. */
import { MessageChannel } from 'node:worker_threads'
import type { EventStore } from '../event-store/event-store.ts'
import { serveLog } from '../event-store/port-log-reader.ts'
import type { LogPlace as ThreadLogPlace } from '../subscriptions/thread-data.ts'
import type { LogPlace } from './log-of-node.ts'

export interface LogForThreads {
  /** For one thread; released when that has ended. */
  placeOfLog(): { readonly place: ThreadLogPlace; release(): void }
  /** Tells all of them that there is more: at once, or some milliseconds after they were told last. */
  appended(): void
}

/** Threads look every so often by themselves; to be told of each append would cost more than the append. */
const NUDGE_MS_MIN = 5

export function logForThreads(store: EventStore, place: LogPlace): LogForThreads {
  const nudges = new SharedArrayBuffer(4)
  const signal = new Int32Array(nudges)
  const served = new Set<ReturnType<typeof serveLog>>()
  let isResting = false
  let isMissed = false
  const nudge = () => {
    isMissed = false
    isResting = true
    setTimeout(rested, NUDGE_MS_MIN).unref()
    Atomics.add(signal, 0, 1)
    Atomics.notify(signal, 0)
    for (const serving of served) serving.appended()
  }
  const rested = () => {
    isResting = false
    if (isMissed) nudge()
  }
  return {
    placeOfLog() {
      if (place.type === 'file') return { place: { type: 'sqlite', path: place.path, nudges }, release: () => {} }
      if (place.type === 'eventstoredb') {
        return { place: { type: 'eventstoredb', connectionString: place.address }, release: () => {} }
      }
      const { port1, port2 } = new MessageChannel()
      const serving = serveLog(store, port1)
      served.add(serving)
      const release = () => {
        served.delete(serving)
        serving.stop()
      }
      return { place: { type: 'port', port: port2 }, release }
    },
    appended() {
      if (isResting) isMissed = true
      else nudge()
    },
  }
}
