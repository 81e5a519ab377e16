/**
 * Between clients and nodes: requests that are slow, lost or sent twice, answers that are lost. What a node said is kept with
 * the time at which it was asked and at which it spoke, whether or not anybody heard it.
 */
import type { CommandResult } from '../../../src/authority/command-answer.ts'
import type { LeaseCause } from '../../../src/client/door.ts'
import { askDoor } from '../../nodes/support/ask-door.ts'
import { type AnyEntry, History, type Listener } from '../../nodes/support/history.ts'
import {
  type Answers,
  type CommandInput,
  type Reply,
  type Request,
  WORKSPACE,
} from '../../nodes/support/node-protocol.ts'
import type { Chance } from './chance.ts'
import type { PlantedFault } from './planted-fault.ts'
import type { SimulatedLog } from './simulated-log.ts'
import type { SimulatedNode } from './simulated-node.ts'
import { Life, type SimulatedTime } from './simulated-time.ts'

export interface TransportParts {
  readonly time: SimulatedTime
  readonly chance: Chance
  readonly log: SimulatedLog
  readonly nodes: readonly SimulatedNode[]
  readonly planted: PlantedFault | undefined
  /** A node has just said it. */
  readonly onAnswer: (node: SimulatedNode, asked: Request, reply: Reply) => void
}

const LATENCY = { usualMs: 10, slowMs: 1_500 }
const ANSWER_MS_MAX = 3_000
const RETRY_MS_MAX = 1_000
const WATCH_MS_MAX = 15_000

export class Transport {
  readonly history = new History()
  /** Commands by what their sender wanted: one wish has one effect, however often it was sent. */
  readonly wishes = new Map<string, string[]>()
  /** Who sent each command. */
  readonly actors = new Map<string, string>()
  lost = 0.02
  twice = 0.02
  readonly #parts: TransportParts
  readonly #network = new Life('network')
  #commands = 0

  constructor(parts: TransportParts) {
    this.#parts = parts
  }

  /** The same command until somebody answers it; undefined when it is given up. */
  async command(
    life: Life,
    owner: string,
    make: CommandInput | ((commandId: string) => CommandInput),
    { tries = 8 }: { readonly tries?: number } = {},
  ): Promise<CommandResult | undefined> {
    const { chance, time, planted } = this.#parts
    const wish = `c${++this.#commands}`
    let commandId = wish
    this.wishes.set(wish, [commandId])
    const command = typeof make === 'function' ? make(commandId) : make
    for (let tried = 1; tried <= tries; tried++) {
      this.actors.set(commandId, life.name)
      const result = await this.#ask(life, { do: 'send', owner, command, commandId }, ANSWER_MS_MAX)
      const isOver = result !== undefined && !(result.type === 'refused' && result.rejection.facts.retryable === true)
      if (isOver) return result
      await time.passing(chance.between(0, RETRY_MS_MAX), life)
      if (planted === 'sends_again_as_new') {
        commandId = `${wish}-${tried}`
        this.wishes.get(wish)?.push(commandId)
      }
    }
    return undefined
  }

  /** Once, to any node; undefined when nothing comes back. */
  ask<D extends Exclude<Request['do'], 'listen' | 'close'>>(
    life: Life,
    asked: Extract<Request, { do: D }>,
  ): Promise<Answers[D] | undefined> {
    const { do: kind } = asked as Request // D is one of them
    return this.#ask(life, asked, kind === 'outcome' || kind === 'wait' ? WATCH_MS_MAX : ANSWER_MS_MAX)
  }

  /** A worker listens for what becomes of its lease, as long as its node lives. */
  listen(owner: string, id: string, leaseEpoch: number): void {
    const awake = this.#parts.nodes.filter(({ isAwake }) => isAwake)
    if (awake.length === 0) return
    const node = this.#parts.chance.pick(awake)
    const listener: Listener = { owner, id, leaseEpoch, node: node.name, heard: [] }
    this.history.listeners.push(listener)
    const name = { workspace: WORKSPACE, owner }
    node.shell.onLease(name, { id, leaseEpoch }, (cause: LeaseCause) => listener.heard.push(cause))
  }

  async #ask<D extends Request['do']>(
    life: Life,
    asked: Extract<Request, { do: D }>,
    timeoutMs: number,
  ): Promise<Answers[D] | undefined> {
    const { time, chance, nodes } = this.#parts
    return await new Promise((resolve) => {
      const giveUp = time.after(timeoutMs, life, () => resolve(undefined))
      const node = chance.pick(nodes)
      const copies = asked.do === 'send' && chance.is(this.twice) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        if (chance.is(this.lost)) continue
        time.after(chance.latency(LATENCY), this.#network, () => {
          if (!node.isUp) return
          // A process that was stopped finds it when it goes on.
          time.after(0, node.life, () => {
            void this.#deliver(node, asked).then((reply) => {
              if (chance.is(this.lost)) return
              time.after(chance.latency(LATENCY), life, () => {
                giveUp()
                resolve(reply.type === 'told' ? (reply.value as Answers[D]) : undefined)
              })
            })
          })
        })
      }
    })
  }

  async #deliver(node: SimulatedNode, asked: Request): Promise<Reply> {
    const { time, onAnswer } = this.#parts
    const entry = { asked, node: node.name, invokedAt: time.now } as AnyEntry
    this.history.entries.push(entry)
    const reply = await this.#tell(node, asked).then(
      (value): Reply => ({ type: 'told', value }),
      (error: Error): Reply => ({ type: 'threw', name: error.name, message: error.message }),
    )
    entry.answered = { at: time.now, reply }
    onAnswer(node, asked, reply)
    return reply
  }

  async #tell({ shell }: SimulatedNode, asked: Request): Promise<Answers[Request['do']]> {
    if (asked.do === 'listen' || asked.do === 'close')
      throw new Error(`${asked.do} is not asked for over the transport`)
    if (asked.do !== 'send') return askDoor(shell, asked)
    const { planted, chance, log } = this.#parts
    const { command, commandId } = asked
    if (planted === 'hears_nothing' && command.type === 'RecordHeartbeat') {
      const { id: operationId = '' } = command
      return { type: 'answered', answer: { changed: false, operationId, revision: 0, position: 0n } }
    }
    const sent = askDoor(shell, asked, { actor: this.actors.get(commandId) ?? 'nobody' })
    if (planted !== 'answers_before_it_is_stored' || !chance.is(0.05)) return sent
    const position = BigInt(log.events.length + 1)
    return { type: 'answered', answer: { changed: true, revision: 1_000_000, position } }
  }
}
