/** The admin stream of a node, as its server reads it and writes to it: keys of callers, denied actions, pages for auditors. */

import { decodeLogEvent } from '../event-store/event-codec.ts'
import { ADMIN_STREAM } from '../event-store/stream-names.ts'
import type { Host } from '../http/host.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { AdminRecord, type DeniedAction, type KeyToRecord } from '../shell/admin-record.ts'
import type { EmbeddedNode } from './embedded-node.ts'

const TRY_AGAIN_MS = 5_000

export interface AdminOfNode {
  readonly events: Host['adminEvents']
  readonly denied: (denied: DeniedAction) => Promise<void>
  /** Puts them on record soon, however often that takes; the newest count. */
  readonly keysSeen: (keys: readonly KeyToRecord[]) => void
  /** What is not on record by then is so when a server looks at the keys again. */
  readonly end: () => Promise<void>
}

export function adminOf(
  { store, admin }: Pick<EmbeddedNode, 'store' | 'admin'>,
  clock: Clock,
  warn: (facts: Readonly<Record<string, unknown>>, message: string) => void,
): AdminOfNode {
  const record = new AdminRecord(admin)
  const ending = new AbortController()
  let newest: readonly KeyToRecord[] | undefined
  let recording: Promise<void> | undefined
  const recordAll = async () => {
    while (newest !== undefined && !ending.signal.aborted) {
      const keys = newest
      newest = undefined
      try {
        await record.keys(keys)
      } catch (error) {
        newest ??= keys
        warn({ error: String(error) }, 'the keys of callers could not be put on record: tried again')
        await sleep(clock, TRY_AGAIN_MS, ending.signal).catch(() => {})
      }
    }
    recording = undefined
  }
  const pageBehind = async (after: number, limit: number) => {
    const events = []
    // One more tells whether there is more.
    for await (const stored of store.readStream(ADMIN_STREAM, { from: after + 1, limit: limit + 1 })) {
      const { revision, position, hash } = stored
      const { event, metadata } = decodeLogEvent(stored)
      events.push({ revision, position: String(position), hash, ...event, metadata })
    }
    const page = events.slice(0, limit)
    return { events: page, nextAfter: page.at(-1)?.revision ?? after, isCaughtUp: events.length <= limit }
  }
  return {
    async events(after, limit, over) {
      if (over === undefined) return pageBehind(after, limit)
      let wake = () => {}
      const end = () => wake()
      const stop = admin.onMore(end)
      over.addEventListener('abort', end, { once: true })
      try {
        for (;;) {
          // Listened to before reading: what comes meanwhile is read next.
          const more = new Promise<void>((resolve) => {
            wake = resolve
          })
          const page = await pageBehind(after, limit)
          if (page.events.length > 0 || over.aborted) return page
          await more
        }
      } finally {
        stop()
        over.removeEventListener('abort', end)
      }
    },
    denied: (denied) => record.denied(denied),
    keysSeen(keys) {
      newest = keys
      recording ??= recordAll()
    },
    async end() {
      ending.abort()
      await recording
    },
  }
}
