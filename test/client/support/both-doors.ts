/** The two doors that promise the same: into a node of this process, and into a server over HTTP; each over a log of its own. */

import { onTestFinished } from 'vitest'
import { MEMORY_LOCATION } from '../../../src/app/log-of-node.ts'
import type { OpenOptions } from '../../../src/app/open-options.ts'
import { openNode } from '../../../src/app.ts'
import type { VerdictDoor } from '../../../src/client/door.ts'
import { HandMovedClock } from '../../../src/runtime/hand-moved-clock.ts'
import { served } from '../../http/support/served.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { httpDoorTo } from './http-door-to.ts'

/** One door, and the clock of the node behind it. */
export interface Doored {
  readonly door: VerdictDoor
  readonly clock: HandMovedClock
}

/** The same for both, and the present: what ended long ago is left out of lists by the clock of the machine. */
const BEGAN_AT = Date.now()

export type DoorName = 'embedded' | 'http'

export async function doored(name: DoorName, options: OpenOptions = {}): Promise<Doored> {
  const clock = new HandMovedClock(BEGAN_AT)
  const opening = { reconciler: false, ...options, clock } as const
  if (name === 'embedded') {
    const { door } = await openNode(MEMORY_LOCATION, {
      log: new RecordingLog(),
      readModels: { follow: 'when_asked' },
      ...opening,
    })
    onTestFinished(() => door.close())
    return { door, clock }
  }
  const { log: _own, ...serving } = opening
  const { url } = await served(serving)
  return { door: httpDoorTo(url), clock }
}

/** As it is written down, or as it was thrown: to be compared with what another door gave. */
export async function told(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return { given: await call() }
  } catch (error) {
    return { thrown: error instanceof Error ? { name: error.name, message: error.message } : error }
  }
}

const MINTED: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'an id'],
  [/^[0-9a-f]{32}$/, 'a digest'],
]

/**
 * What two logs of the same story have in common: members that are absent stay so, minted ids are ids, keyed digests are digests, and
 * how far rows lie behind is nobody's promise.
 */
export function comparable(value: unknown): unknown {
  if (typeof value === 'string') return MINTED.reduce((text, [pattern, what]) => text.replace(pattern, what), value)
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([name, member]) => member !== undefined && name !== 'lag')
  return Object.fromEntries(
    members.map(([name, member]) => [name, /PageToken$/.test(name) ? typeof member : comparable(member)]),
  )
}
