/**
 * What is true, told by the log alone as it grows, and what must never be seen in it: looked at after every step.
 */

import type { RecordedEvent } from '../../../src/authority/events.ts'
import { decodeEvent } from '../../../src/event-store/event-codec.ts'
import type { StoredEvent } from '../../../src/event-store/event-store.ts'
import { verifyChain } from '../../../src/event-store/hash-chain.ts'
import { registryOfStream } from '../../../src/event-store/stream-names.ts'
import { Teller } from '../../nodes/support/log-story.ts'
import type { SimulatedNode } from './simulated-node.ts'
import { POLICY } from './workers.ts'

/** Clocks may differ by clockSkewMax before anybody minds: so much longer silence may seem than it was. */
const CLOCKS_DIFFER_MS = 31_000
/** A sign that was heard is in the log by then, if its node went on: a quarter of staleAfter, and foul weather. */
const WRITTEN_WITHIN_MS = POLICY.staleAfterMs / 4 + 10_000
/** Between what a clock showed when a sign was heard, and when that was said. */
const SAID_WITHIN_MS = 2_000

const OF_WORKERS: ReadonlySet<string> = new Set([
  'ReportProgress',
  'RecordHeartbeat',
  'CompleteOperation',
  'FailOperation',
  'RetryAttempt',
])

/** A node said that it heard whoever works on an operation. */
export interface HeardSign {
  readonly node: SimulatedNode
  /** What its clock showed. */
  readonly clockAt: number
  readonly commandId: string
  /** Most likely only heard, to be written later. */
  readonly isHeld: boolean
}

interface Sign extends HeardSign {
  readonly audibleMs: number
  /** Of its node, until then. */
  readonly interruptions: number
  isRecorded: boolean
}

export interface TruthParts {
  readonly events: () => readonly StoredEvent[]
  readonly limitOf: (owner: string) => number
  /** How long somebody could be heard, up to now. */
  readonly audibleMs: () => number
}

export class Truth {
  readonly tellers = new Map<string, Teller>()
  readonly faults: string[] = []
  readonly #parts: TruthParts
  /** By owner and id, newest last. */
  readonly #signs = new Map<string, Sign[]>()
  /** By command: when its first event was seen in the log, in audible ms. */
  readonly #storedMs = new Map<string, number>()
  #seen = 0

  constructor(parts: TruthParts) {
    this.#parts = parts
  }

  heard(owner: string, id: string, sign: HeardSign): void {
    const signs = this.#signs.get(`${owner} ${id}`) ?? []
    this.#signs.set(`${owner} ${id}`, signs)
    this.look()
    // Most heartbeats are only heard; what was decided as a command is in the log under its id, however late it is asked about again.
    const storedMs = this.#storedMs.get(sign.commandId)
    const isRecorded = !sign.isHeld || storedMs !== undefined
    // Whoever is told again what became of a command has not been heard again.
    if (isRecorded && signs.some(({ commandId }) => commandId === sign.commandId)) return
    const { interruptions } = sign.node
    const audibleMs = storedMs ?? this.#parts.audibleMs()
    const after = signs.findLastIndex((one) => one.audibleMs <= audibleMs)
    signs.splice(after + 1, 0, { ...sign, interruptions, audibleMs, isRecorded })
  }

  /** Of all that was stored since the last look. */
  look(): void {
    const events = this.#parts.events()
    for (; this.#seen < events.length; this.#seen++) {
      const stored = events[this.#seen] as StoredEvent
      const name = registryOfStream(stored.stream)
      if (name === undefined) continue
      try {
        this.#take(name.owner, decodeEvent(stored))
      } catch (error) {
        this.faults.push(`${stored.stream} @${stored.revision} can't be folded: ${String(error)}`)
      }
    }
  }

  async verifyChains(): Promise<void> {
    for (const [stream, stored] of Map.groupBy(this.#parts.events(), (event) => event.stream)) {
      const verdict = await verifyChain(stored)
      if (verdict.type !== 'intact') this.faults.push(`the chain of ${stream} is broken: ${verdict.fault.message}`)
    }
  }

  #take(owner: string, recorded: RecordedEvent): void {
    const teller = this.tellers.get(owner) ?? new Teller(owner)
    this.tellers.set(owner, teller)
    const { commandId } = recorded.metadata
    if (!this.#storedMs.has(commandId)) this.#storedMs.set(commandId, this.#parts.audibleMs())
    this.#checkLease(owner, teller, recorded)
    this.#noteSigns(owner, teller, recorded)
    this.#checkSilence(owner, teller, recorded)
    const told = teller.faults.length
    teller.take(recorded)
    this.faults.push(...teller.faults.slice(told))
    if (teller.activeMax > this.#parts.limitOf(owner)) {
      this.faults.push(`${owner} @${recorded.revision}: ${teller.activeMax} are active at once`)
    }
  }

  /** Whoever works on an operation is the one that its lease names. */
  #checkLease(owner: string, teller: Teller, { event, metadata, revision }: RecordedEvent): void {
    if (!OF_WORKERS.has(metadata.commandType) || !('number' in event.facts)) return
    const { number } = event.facts
    const id = teller.lives.get(number)?.id ?? ''
    const holder = teller.states.at(-1)?.operations.get(id)?.lease?.claimant?.id
    if (holder === undefined || !holder.startsWith('worker-') || holder === metadata.actor) return
    this.faults.push(`${owner} @${revision}: ${event.type} of ${id} by ${metadata.actor}, its lease is ${holder}'s`)
  }

  #noteSigns(owner: string, teller: Teller, { event }: RecordedEvent): void {
    if (event.type !== 'SignsOfLifeRecorded') return
    for (const [number, heardAt] of event.facts.signs) {
      for (const sign of this.#signs.get(`${owner} ${teller.lives.get(number)?.id}`) ?? []) {
        if (Math.abs(sign.clockAt - heardAt) < SAID_WITHIN_MS) sign.isRecorded = true
      }
    }
  }

  /** Nobody is given up whose last sign is in the log, or has to be by now, and is not old enough. */
  #checkSilence(owner: string, teller: Teller, { event, revision }: RecordedEvent): void {
    if (!('reconciliation' in event.facts) || event.facts.reconciliation === undefined) return
    const { rule } = event.facts.reconciliation.evidence
    if (rule !== 'sign' && rule !== 'first_sign') return
    const id = teller.lives.get(event.facts.number)?.id ?? ''
    const now = this.#parts.audibleMs()
    const last = this.#signs.get(`${owner} ${id}`)?.findLast(({ isRecorded, node, interruptions, audibleMs }) => {
      return isRecorded || (node.interruptions === interruptions && now - audibleMs > WRITTEN_WITHIN_MS)
    })
    if (last === undefined || now - last.audibleMs >= POLICY.staleAfterMs - CLOCKS_DIFFER_MS) return
    const silentMs = Math.round(now - last.audibleMs)
    this.faults.push(
      `${owner} @${revision}: ${id} was given up ${silentMs} ms after its last sign to ${last.node.name}`,
    )
  }
}
