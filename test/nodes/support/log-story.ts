/** What a registry's stream says, folded with the code of the product and counted without it. */

import type { RecordedEvent } from '../../../src/authority/events.ts'
import { evolve, outcomeIn } from '../../../src/authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../../src/authority/registry.ts'
import { decodeEvent } from '../../../src/event-store/event-codec.ts'
import type { EventReader } from '../../../src/event-store/event-store.ts'
import { registryStream } from '../../../src/event-store/stream-names.ts'
import { WORKSPACE } from './node-protocol.ts'
import { endingText } from './observations.ts'

export interface StoredCommand {
  readonly first: number
  readonly last: number
  readonly type: string
}

/** One life of an id. */
export interface StoredLife {
  readonly id: string
  readonly number: number
  readonly leases: StoredLease[]
  isRolledBack?: true
  ended?: { readonly revision: number; readonly ending: string; readonly commandId: string }
}

export interface StoredLease {
  readonly epoch: number
  /** Causes that its holder must hear of, with their revisions and commands. */
  readonly causes: {
    readonly cause: 'cancel_requested' | 'ended'
    readonly revision: number
    readonly commandId: string
  }[]
}

export interface StoredWait {
  readonly mode: string
  readonly numbers: readonly number[]
  readonly endings: ('expired' | 'cancelled')[]
}

export interface LogStory {
  readonly recorded: readonly RecordedEvent[]
  /** As of each revision. */
  readonly states: readonly RegistryState[]
  readonly commands: ReadonlyMap<string, StoredCommand>
  readonly lives: ReadonlyMap<number, StoredLife>
  readonly waits: ReadonlyMap<string, StoredWait>
  /** The most that were active at once, by plain counting. */
  readonly activeMax: number
  readonly faults: readonly string[]
}

export async function logStory(reader: EventReader, owner: string): Promise<LogStory> {
  const teller = new Teller(owner)
  for await (const stored of reader.readStream(registryStream({ workspace: WORKSPACE, owner }))) {
    teller.take(decodeEvent(stored))
  }
  return teller
}

export class Teller implements LogStory {
  readonly recorded: RecordedEvent[] = []
  readonly states: RegistryState[] = []
  readonly commands = new Map<string, StoredCommand>()
  readonly lives = new Map<number, StoredLife>()
  readonly waits = new Map<string, StoredWait>()
  readonly faults: string[] = []
  activeMax = 0
  readonly #owner: string
  readonly #active = new Set<number>()

  constructor(owner: string) {
    this.#owner = owner
  }

  take(event: RecordedEvent): void {
    this.states.push(evolve(this.states.at(-1) ?? EMPTY_REGISTRY, event))
    this.recorded.push(event)
    this.#takeCommand(event)
    this.#takeLife(event)
    this.activeMax = Math.max(this.activeMax, this.#active.size)
  }

  #takeCommand({ revision, metadata: { commandId, commandType, index, count } }: RecordedEvent): void {
    const known = this.commands.get(commandId)
    const isNext = known !== undefined && known.last === revision - 1 && revision - known.first === index
    if (index === 0 && known === undefined) {
      this.commands.set(commandId, { first: revision, last: revision + count - 1, type: commandType })
    } else if (!isNext && !(known !== undefined && revision <= known.last && revision - known.first === index)) {
      this.faults.push(`${this.#owner} @${revision}: ${commandId} stands in the log more than once`)
    }
  }

  #takeLife({ revision, event, metadata: { commandId } }: RecordedEvent): void {
    switch (event.type) {
      case 'OperationRegistered':
        this.lives.set(revision, { id: event.facts.id, number: revision, leases: [] })
        this.#active.add(revision)
        return
      case 'OperationStarted':
        this.lives.get(event.facts.number)?.leases.push({ epoch: revision, causes: [] })
        return
      case 'CancelRequested':
        this.#leaseOf(event.facts.number)?.causes.push({ cause: 'cancel_requested', revision, commandId })
        return
      case 'RegistrationRolledBack': {
        const life = this.lives.get(event.facts.number)
        if (life !== undefined) life.isRolledBack = true
        this.#active.delete(event.facts.number)
        return
      }
      case 'OwnerTerminated':
        for (const number of [...this.#active])
          this.#end(number, revision, `terminated ${event.content.reason}`, commandId)
        return
      case 'WaitBegan': {
        const { waitId, mode, numbers } = event.facts
        if (this.waits.has(waitId)) this.faults.push(`${this.#owner} @${revision}: ${waitId} began twice`)
        this.waits.set(waitId, { mode, numbers, endings: [] })
        return
      }
      case 'WaitExpired':
      case 'WaitCancelled':
        this.waits.get(event.facts.waitId)?.endings.push(event.type === 'WaitExpired' ? 'expired' : 'cancelled')
        return
      default: {
        const outcome = outcomeIn(event)
        if (outcome !== undefined && 'number' in event.facts) {
          this.#end(event.facts.number, revision, endingText(outcome), commandId)
        }
      }
    }
  }

  #end(number: number, revision: number, ending: string, commandId: string): void {
    const life = this.lives.get(number)
    if (!this.#active.delete(number) || life === undefined || life.ended !== undefined) {
      this.faults.push(`${this.#owner} @${revision}: #${number} ends and was not active`)
      return
    }
    if (!ending.startsWith('completed')) this.#leaseOf(number)?.causes.push({ cause: 'ended', revision, commandId })
    life.ended = { revision, ending, commandId }
  }

  /** The one that was open before this event. */
  #leaseOf(number: number): StoredLease | undefined {
    const life = this.lives.get(number)
    const before = this.states.at(-2)?.operations.get(life?.id ?? '')
    return life?.leases.find(({ epoch }) => epoch === before?.lease?.epoch)
  }
}
