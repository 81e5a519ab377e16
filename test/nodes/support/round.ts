/**
 * A while under fire: senders, watchers and waiters on a few registries of their own, each asking any node; whoever was not
 * answered because its node died asks another one again. At the end everything is ended, and everybody must have been told.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { CommandResult } from '../../../src/authority/command-answer.ts'
import type { LeaseCause } from '../../../src/client/door.ts'
import type { Cluster } from './cluster.ts'
import { type AnyEntry, type Entry, History, type Listener, toldTo } from './history.ts'
import type { NodeProcess } from './node-process.ts'
import type { CommandInput, Request } from './node-protocol.ts'
import { type Known, randomCommand } from './random-commands.ts'

export interface RoundOptions {
  readonly cluster: Cluster
  readonly random: () => number
  /** Names its registries and commands. */
  readonly name: string
  readonly lastsMs: number
}

export interface Registry {
  readonly owner: string
  readonly limits: { readonly maxConcurrent: number; readonly maxCompleted: number; readonly tombstones: number }
  /** Before another id takes the place of one, so that no history grows too long to be searched. */
  readonly callsPerId: number
}

export interface Fought {
  readonly history: History
  readonly registries: readonly Registry[]
  readonly faults: readonly string[]
  readonly resumedWaits: number
}

const SENDERS = 12
const SLOTS = 5
const PAUSE_MS_MAX = 25
const AGAIN = 0.85
const TWICE_AT_ONCE = 0.04
const ANSWER_MS_MAX = 30_000
const NOTICE_MS_MAX = 10_000
/** What becomes of a turn, as shares; the rest is a command. */
const TURNS = { terminateOwner: 0.004, snapshot: 0.2, overview: 0.02, watch: 0.05, wait: 0.04, again: 0.05 }
const SHORT_WAIT = 0.3
const SHORT_WAIT_MS = 400

const REGISTRIES: readonly Omit<Registry, 'owner'>[] = [
  // Ids are free again soon, records are gone at once.
  { limits: { maxConcurrent: 3, maxCompleted: 1, tombstones: 0 }, callsPerId: 150 },
  { limits: { maxConcurrent: 3, maxCompleted: 1, tombstones: 1 }, callsPerId: 150 },
  { limits: { maxConcurrent: 4, maxCompleted: 3, tombstones: 1_000 }, callsPerId: 40 },
]

export async function fight(options: RoundOptions): Promise<Fought> {
  return new Round(options).run()
}

interface Slot {
  id: string
  calls: number
  generation: number
}

class Round {
  readonly #options: RoundOptions
  readonly #history = new History()
  readonly #faults: string[] = []
  readonly #registries: readonly (Registry & { readonly slots: readonly Slot[] })[]
  readonly #known = new Map<string, Known>()
  readonly #waiting = new Map<Promise<void>, string>()
  #resumedWaits = 0
  #commands = 0
  #isOver = false

  constructor(options: RoundOptions) {
    this.#options = options
    this.#registries = REGISTRIES.map((registry, i) => ({
      ...registry,
      owner: `${options.name}-${i}`,
      slots: Array.from({ length: SLOTS }, (_, slot) => ({ id: `${slot}-0`, calls: 0, generation: 0 })),
    }))
  }

  async run(): Promise<Fought> {
    const { cluster, lastsMs } = this.#options
    await cluster.allUp()
    for (const { owner, limits } of this.#registries) {
      await this.#sendUntilAnswered(owner, { type: 'OpenRegistry', limits }, `${owner}-open`)
    }
    cluster.beginKilling()
    const senders = Array.from({ length: SENDERS }, () => this.#sender())
    await delay(lastsMs)
    await cluster.endKilling()
    this.#isOver = true
    await Promise.all(senders)
    await this.#endAll()
    await this.#allTold()
    return {
      history: this.#history,
      registries: this.#registries,
      faults: this.#faults,
      resumedWaits: this.#resumedWaits,
    }
  }

  async #sender(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#turn()
      } catch (error) {
        this.#faults.push(String(error))
        return
      }
      await delay(this.#options.random() * PAUSE_MS_MAX)
    }
  }

  async #turn(): Promise<void> {
    const { random } = this.#options
    const registry = this.#pick(this.#registries)
    const { owner, slots } = registry
    const id = this.#idIn(this.#pick(slots), registry)
    let share = random()
    const isTurn = (size: number) => {
      share -= size
      return share < 0
    }
    if (isTurn(TURNS.terminateOwner)) {
      const commandId = this.#commandId()
      await this.#sendUntilAnswered(owner, { type: 'TerminateOwner', reason: commandId }, commandId)
    } else if (isTurn(TURNS.snapshot)) await this.#look(owner, id)
    else if (isTurn(TURNS.overview)) await this.#ask({ do: 'overview', owner })
    else if (isTurn(TURNS.watch)) this.#inBackground(`watcher of ${owner} ${id}`, this.#watch(owner, id))
    else if (isTurn(TURNS.wait)) {
      const ids = new Set([id, ...slots.filter(() => random() < 0.4).map((slot) => slot.id)])
      const waitId = `wait-${this.#commandId()}`
      this.#inBackground(`${waitId} of ${owner}`, this.#wait(owner, [...ids], waitId))
    } else if (isTurn(TURNS.again)) await this.#again(owner, id)
    else await this.#command(owner, id)
  }

  async #command(owner: string, id: string): Promise<void> {
    const { random, cluster } = this.#options
    const commandId = this.#commandId()
    const command = randomCommand(random, id, commandId, this.#knownOf(owner, id))
    const other = random() < TWICE_AT_ONCE ? this.#send(owner, command, commandId) : undefined
    let node = await cluster.anyNode()
    for (;;) {
      const entry = await this.#send(owner, command, commandId, node)
      const result = toldTo(entry)?.value
      if (result !== undefined && !isRetryable(result)) break
      if (random() >= AGAIN) break
      node = await cluster.anyNode(node)
    }
    await other
  }

  /** Somebody who was answered, and does not know it: the same command once more, to any node. */
  async #again(owner: string, id: string): Promise<void> {
    const { last } = this.#knownOf(owner, id)
    if (last !== undefined) await this.#send(owner, last.command, last.commandId)
  }

  /** Commands that must be done for the round to go on. */
  async #sendUntilAnswered(owner: string, command: CommandInput, commandId: string): Promise<void> {
    for (;;) {
      const result = toldTo(await this.#send(owner, command, commandId))?.value
      if (result?.type === 'answered') return
      if (result !== undefined && !isRetryable(result)) throw new Error(`${commandId}: ${result.rejection.message}`)
    }
  }

  async #send(owner: string, command: CommandInput, commandId: string, node?: NodeProcess): Promise<Entry<'send'>> {
    const entry = await this.#ask({ do: 'send', owner, command, commandId }, node)
    const result = toldTo(entry)?.value
    if (result !== undefined && command.id !== undefined) this.#learn(owner, command, commandId, result)
    return entry
  }

  #learn(owner: string, command: CommandInput, commandId: string, result: CommandResult): void {
    const { id = '', type } = command
    const isAnswered = result.type === 'answered'
    const told = isAnswered ? (result.answer.operationId ?? id) : id
    const known = this.#knownOf(owner, told)
    const status = isAnswered ? result.answer.status : result.rejection.facts.currentStatus
    if (status !== undefined) known.status = status
    else if (!isAnswered && result.rejection.code === 'not_found') known.status = 'absent'
    if (!isAnswered) return
    this.#knownOf(owner, id).last = { command, commandId }
    if (type === 'RegisterOperation' && told === id) known.registeredBy = commandId
    const { leaseEpoch } = result.answer
    const isNew = leaseEpoch !== undefined && (type === 'RegisterOperation' || type === 'ProvisioningSucceeded')
    if (!isNew || known.epochs.includes(leaseEpoch)) return
    known.epochs.push(leaseEpoch)
    this.#inBackground(`listener of ${owner} ${told}`, this.#listen(owner, told, leaseEpoch))
  }

  async #look(owner: string, id: string): Promise<void> {
    const seen = toldTo(await this.#ask({ do: 'snapshot', owner, id }))
    if (seen === undefined) return
    const known = this.#knownOf(owner, id)
    known.status = seen.value?.status ?? 'absent'
    const epoch = seen.value?.lease?.epoch
    if (epoch !== undefined && !known.epochs.includes(epoch)) known.epochs.push(epoch)
  }

  async #listen(owner: string, id: string, leaseEpoch: number): Promise<void> {
    const node = await this.#options.cluster.anyNode()
    const listener: Listener = { owner, id, leaseEpoch, node: node.name, heard: [] }
    this.#history.listeners.push(listener)
    await this.#ask({ do: 'listen', owner, id, leaseEpoch }, node, listener.heard)
  }

  async #watch(owner: string, id: string): Promise<void> {
    let before: NodeProcess | undefined
    for (;;) {
      const node = await this.#options.cluster.anyNode(before)
      const { answered } = await this.#ask({ do: 'outcome', owner, id }, node)
      if (answered !== undefined) return
      before = node
    }
  }

  /** Whoever lost its node comes back with its wait id to another one. */
  async #wait(owner: string, ids: readonly string[], waitId: string): Promise<void> {
    const { random, cluster } = this.#options
    const mode = random() < 0.5 ? 'all' : 'any'
    const deadline = random() < SHORT_WAIT ? { deadlineAt: Date.now() + SHORT_WAIT_MS } : {}
    let before: NodeProcess | undefined
    for (;;) {
      const node = await cluster.anyNode(before)
      const { answered } = await this.#ask({ do: 'wait', owner, mode, ids, waitId, ...deadline }, node)
      if (answered !== undefined) {
        if (before !== undefined && answered.reply.type === 'told') this.#resumedWaits++
        return
      }
      before = node
    }
  }

  async #ask<D extends Request['do']>(
    asked: Extract<Request, { do: D }>,
    given?: NodeProcess,
    notices?: LeaseCause[],
  ): Promise<Entry<D>> {
    const node = given ?? (await this.#options.cluster.anyNode())
    const entry: Entry<D> = { asked, node: node.name, invokedAt: performance.now() }
    this.#history.entries.push(entry as unknown as AnyEntry) // by its kind
    const answer = node.ask(asked, (cause) => notices?.push(cause))
    // A watcher and a waiter wait for as long as it takes; whether they are told is seen at the end.
    const isOpenEnded = asked.do === 'outcome' || asked.do === 'wait'
    const { reply, at } = await (isOpenEnded
      ? answer
      : within(answer, ANSWER_MS_MAX, `${node.name}: ${JSON.stringify(asked)}`))
    if (reply !== undefined) entry.answered = { at, reply }
    return entry
  }

  async #endAll(): Promise<void> {
    for (const { owner } of this.#registries) {
      const commandId = this.#commandId()
      await this.#sendUntilAnswered(owner, { type: 'TerminateOwner', reason: commandId }, commandId)
    }
  }

  async #allTold(): Promise<void> {
    const all = Promise.all(this.#waiting.keys())
    await within(all, NOTICE_MS_MAX, 'those who wait').catch(() => {
      this.#faults.push(...[...this.#waiting.values()].map((what) => `${what} was never told`))
    })
  }

  #inBackground(what: string, work: Promise<void>): void {
    const watched = work
      .catch((error: unknown) => void this.#faults.push(`${what}: ${String(error)}`))
      .finally(() => this.#waiting.delete(watched))
    this.#waiting.set(watched, what)
  }

  #idIn(slot: Slot, { owner, callsPerId }: Registry): string {
    if (++slot.calls > callsPerId) {
      slot.calls = 0
      slot.id = slot.id.replace(/\d+$/, String(++slot.generation))
      this.#known.delete(`${owner} ${slot.id}`)
    }
    return slot.id
  }

  #knownOf(owner: string, id: string): Known {
    const known = this.#known.get(`${owner} ${id}`) ?? { epochs: [] }
    this.#known.set(`${owner} ${id}`, known)
    return known
  }

  #commandId(): string {
    return `${this.#options.name}-c${++this.#commands}`
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#options.random() * from.length)] as T
  }
}

function isRetryable(result: CommandResult): boolean {
  return result.type === 'refused' && result.rejection.facts.retryable === true
}

async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
