/** A shell as the node composes it, over any store. */
import { DEFAULT_BOUNDS } from '../../../src/authority/bounds.ts'
import { DEFAULT_LIMITS, type Limits } from '../../../src/authority/events.ts'
import type { KindDefinitions } from '../../../src/authority/kinds.ts'
import { type SettingsInput, settingsOf } from '../../../src/config.ts'
import type { SaltSource } from '../../../src/event-store/event-codec.ts'
import type { EventStore } from '../../../src/event-store/event-store.ts'
import { openMemoryStore } from '../../../src/event-store/memory.ts'
import type { SnapshotCache } from '../../../src/event-store/snapshot-cache.ts'
import type { Clock } from '../../../src/runtime/clock.ts'
import { HandMovedClock } from '../../../src/runtime/hand-moved-clock.ts'
import { type RandomSource, systemRandom } from '../../../src/runtime/ids.ts'
import type { WarningLog } from '../../../src/runtime/warning-log.ts'
import { Shell } from '../../../src/shell/shell.ts'

export interface NodeOptions {
  readonly store?: EventStore
  readonly clock?: Clock
  readonly random?: RandomSource
  readonly settings?: SettingsInput
  readonly limits?: Partial<Limits>
  readonly kinds?: KindDefinitions
  readonly snapshots?: SnapshotCache
  readonly log?: WarningLog
  readonly salts?: SaltSource
}

export function openShell(options: NodeOptions = {}): Shell {
  const settings = settingsOf(options.settings)
  const { clock = new HandMovedClock(), store = openMemoryStore(), random = systemRandom() } = options
  const { kinds = {}, snapshots, log, salts } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  return new Shell({
    store,
    clock,
    random,
    ...(snapshots === undefined ? {} : { snapshots }),
    ...(log === undefined ? {} : { log }),
    ...(salts === undefined ? {} : { salts }),
    settings: { ...settings, bounds: { ...DEFAULT_BOUNDS, ...settings }, clock, random, kinds, limits },
  })
}
