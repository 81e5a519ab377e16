/** Where operations were found: a hint, looked up again when it proves wrong. Minted ids are unique; others may not be. */
import type { RegistryAddress } from '../authority/questions.ts'

const KNOWN_MAX = 50_000

export class KnownOwners {
  /**
   * Two halves, of which the older one goes as a whole. Deleting the oldest of one map for each that is added would make each look
   * for the next oldest walk over all places that were emptied since the map was last laid out anew: 80 us.
   */
  #newer = new Map<string, RegistryAddress>()
  #older = new Map<string, RegistryAddress>()

  get(id: string): RegistryAddress | undefined {
    return this.#newer.get(id) ?? this.#older.get(id)
  }

  set(id: string, registry: RegistryAddress): void {
    this.#newer.set(id, registry)
    if (this.#newer.size < KNOWN_MAX / 2) return
    this.#older = this.#newer
    this.#newer = new Map()
  }

  forget(id: string): void {
    this.#newer.delete(id)
    this.#older.delete(id)
  }
}
