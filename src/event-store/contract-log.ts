/** One log under test, and what a test holds of it. */
import { randomUUID } from 'node:crypto'
import type { EventStore } from './event-store.ts'
import { registryStream } from './stream-names.ts'

/** One log, of which several stores can be opened as several processes would. */
export interface ContractLog {
  open(): Promise<EventStore>
  /** After the test; the stores that it opened are closed already. */
  dispose(): Promise<void> | void
}

/** What a test holds of its log: the stores it opened, and names that nobody else has. */
export class OpenLog {
  readonly #log: ContractLog
  readonly #stores: EventStore[] = []
  readonly #workspace = `contract ${randomUUID()}`

  constructor(log: ContractLog) {
    this.#log = log
  }

  /** Of all streams of this test. */
  get prefix(): string {
    return this.stream('')
  }

  get first(): EventStore {
    const [first] = this.#stores
    if (first === undefined) throw new Error('No store was opened.')
    return first
  }

  stream(owner: string): string {
    return registryStream({ workspace: this.#workspace, owner })
  }

  async open(): Promise<EventStore> {
    const store = await this.#log.open()
    this.#stores.push(store)
    return store
  }

  async end(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()))
    await this.#log.dispose()
  }
}
