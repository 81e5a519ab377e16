/** Three nodes on one log. One of them, or two, or all at once, are killed every so often and started again. */
import { setTimeout as delay } from 'node:timers/promises'
import { NodeProcess } from './node-process.ts'

const NODES = 3
const KILL_AFTER_MS_MIN = 150
const KILL_AFTER_MS_MAX = 2_000
/** Share of the kills that hit a second node too, and share of those that hit the third. */
const ONE_MORE = 0.15
/** Share of the kills that come while a command is on its way, and how long after it was sent. */
const AT_WORK = 0.7
const AT_WORK_MS_MAX = 4

export class Cluster {
  kills = 0
  readonly faults: string[] = []
  readonly #place: string
  readonly #random: () => number
  readonly #nodes: NodeProcess[]
  #came = Promise.withResolvers<void>()
  #lives = 0
  #killing: Promise<void> = Promise.resolve()
  #isKilling = false

  constructor(place: string, random: () => number) {
    this.#place = place
    this.#random = random
    this.#nodes = Array.from({ length: NODES }, (_, i) => this.#begin(i))
  }

  /** A node that is up, any of them, other than this one when there is a choice; waits for one while all are down. */
  async anyNode(other?: NodeProcess): Promise<NodeProcess> {
    for (;;) {
      const up = this.#nodes.filter(({ isUp }) => isUp)
      const others = up.filter((node) => node !== other)
      const from = others.length > 0 ? others : up
      const node = from[Math.floor(this.#random() * from.length)]
      if (node !== undefined) return node
      await this.#came.promise
    }
  }

  /** Ends when all are up. */
  async allUp(): Promise<void> {
    await Promise.all(this.#nodes.map(({ ready }) => ready))
  }

  isAlive(name: string): boolean {
    return this.#nodes.some((node) => node.name === name && node.isUp)
  }

  beginKilling(): void {
    this.#isKilling = true
    this.#killing = this.#keepKilling()
  }

  /** Afterwards all nodes are up. */
  async endKilling(): Promise<void> {
    this.#isKilling = false
    await this.#killing
    await this.allUp()
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.end()))
    for (const { faults } of this.#nodes) this.faults.push(...faults)
  }

  /** Nothing stays behind, however it went. */
  async destroy(): Promise<void> {
    this.#isKilling = false
    await this.#killing
    await Promise.all(this.#nodes.map((node) => node.kill()))
  }

  async #keepKilling(): Promise<void> {
    while (this.#isKilling) {
      await delay(KILL_AFTER_MS_MIN + this.#random() * (KILL_AFTER_MS_MAX - KILL_AFTER_MS_MIN))
      if (!this.#isKilling) return
      const first = Math.floor(this.#random() * NODES)
      const count = this.#random() >= ONE_MORE ? 1 : this.#random() >= ONE_MORE ? 2 : NODES
      await Promise.all(Array.from({ length: count }, (_, i) => this.#killAndBegin((first + i) % NODES)))
    }
  }

  async #killAndBegin(place: number): Promise<void> {
    const node = this.#nodes[place] as NodeProcess
    if (this.#random() < AT_WORK) await node.killAtWork(this.#random() * AT_WORK_MS_MAX)
    else await node.kill()
    this.kills++
    this.faults.push(...node.faults)
    this.#nodes[place] = this.#begin(place)
  }

  #begin(place: number): NodeProcess {
    const node = new NodeProcess(`node ${place + 1}.${++this.#lives}`, this.#place)
    void node.ready.then(() => {
      this.#came.resolve()
      this.#came = Promise.withResolvers()
    })
    return node
  }
}
