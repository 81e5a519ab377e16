/** Where operations were found: a hint, looked up again when it proves wrong. Minted ids are unique; others may not be. */
import type { RegistryAddress } from '../authority/questions.ts'

const KNOWN_MAX = 50_000

export class KnownOwners {
  readonly #owners = new Map<string, RegistryAddress>()

  get(id: string): RegistryAddress | undefined {
    return this.#owners.get(id)
  }

  set(id: string, registry: RegistryAddress): void {
    this.#owners.delete(id)
    this.#owners.set(id, registry)
    const [oldest] = this.#owners.size > KNOWN_MAX ? this.#owners.keys() : []
    if (oldest !== undefined) this.#owners.delete(oldest)
  }

  forget(id: string): void {
    this.#owners.delete(id)
  }
}
