/** What every part of the shell is handed: the log, time, randomness, settings, and the registries in memory. */
import type { Bounds } from '../authority/bounds.ts'
import type { UnheardTime } from '../authority/grace.ts'
import type { SaltSource } from '../event-store/event-codec.ts'
import type { EventStore } from '../event-store/event-store.ts'
import type { SnapshotCache } from '../event-store/snapshot-cache.ts'
import { type RegistryName, registryStream } from '../event-store/stream-names.ts'
import { ChannelClosed } from '../runtime/channel-closed.ts'
import type { Clock } from '../runtime/clock.ts'
import type { RandomSource } from '../runtime/ids.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { HotRegistry, HotSettings } from './hot-registry.ts'
import type { OpenFates } from './open-fates.ts'
import type { Registries, RegistriesSettings } from './registries.ts'

export interface ShellSettings extends HotSettings, RegistriesSettings {
  readonly bounds: Bounds
  readonly cursorNamesMax: number
}

export interface ShellParts {
  readonly store: EventStore
  readonly settings: ShellSettings
  readonly clock: Clock
  readonly random: RandomSource
  readonly snapshots?: SnapshotCache
  readonly salts?: SaltSource
  /** For what nobody awaits; default: the console. */
  readonly log?: WarningLog
  /** Time in which nobody could be heard: what is shown is judged with the same grace as what is reconciled. Default: none. */
  readonly unheard?: () => readonly UnheardTime[]
  /** Told each deadline of an operation or a wait as it comes to be known here; epoch ms. */
  readonly onDeadline?: (dueAt: number) => void
}

export interface NodeParts extends ShellParts {
  readonly salts: SaltSource
  readonly log: WarningLog
  readonly registries: Registries
  readonly fates: OpenFates
}

/**
 * Works with a registry whose durable state is at or beyond the head of its stream, and keeps it in memory meanwhile.
 * Throws ChannelClosed at shutdown, RegistryStopped and LogError.
 */
export async function withRegistry<T>(
  { registries }: NodeParts,
  name: RegistryName,
  work: (registry: HotRegistry) => T | Promise<T>,
): Promise<T> {
  const begin = (registry: HotRegistry | undefined): Promise<T> => {
    if (registry === undefined) throw new ChannelClosed('shutdown')
    return registry.hold(async () => {
      await registry.writer.current()
      return await work(registry)
    })
  }
  // Held in the turn in which it was found: later it could have been let go.
  const used = registries.use(registryStream(name))
  return used instanceof Promise ? used.then(begin) : begin(used)
}
