/**
 * The whole server on one seed: nodes, workers and those who watch, over a log, clocks and a network that do what they please;
 * then calm, in which everything has to come to its one true end. The same seed is the same story, step for step.
 *
 *     storm (crashes, pauses, clocks set, foul weather) -> calm (nobody works any more) -> everybody told -> all compared
 */

import type { LogItem } from '../../../projections/projector.ts'
import { Projector } from '../../../projections/projector.ts'
import { comparedRows } from '../../../projections/rows-compared.ts'
import type { CommandResult } from '../../../src/authority/command-answer.ts'
import { LogItems } from '../../../src/subscriptions/log-items.ts'
import { listenerFaults, logFaults } from '../../nodes/support/log-check.ts'
import type { LogStory } from '../../nodes/support/log-story.ts'
import type { Reply, Request } from '../../nodes/support/node-protocol.ts'
import { Chance } from './chance.ts'
import type { PlantedFault } from './planted-fault.ts'
import { FAIR, FOUL, SimulatedLog } from './simulated-log.ts'
import { SimulatedNode } from './simulated-node.ts'
import { openRows, SIMULATED_PROJECTIONS } from './simulated-read-side.ts'
import { Life, SimulatedTime } from './simulated-time.ts'
import { Transport } from './transport.ts'
import { Truth } from './truth.ts'
import { Crowd, POLICY } from './workers.ts'

export interface SimulationOptions {
  readonly seed: number
  readonly planted?: PlantedFault | undefined
  /** Of the storm, in simulated time. */
  readonly lastsMs?: number
}

export interface SimulationReport {
  readonly seed: number
  readonly steps: number
  readonly simulatedMs: number
  readonly events: number
  /** Of the last event: of all that was written, in its order. */
  readonly lastHash: string
  readonly commands: number
  readonly crashes: number
  readonly operations: number
  readonly reconciled: number
  readonly faults: readonly string[]
  /** What nodes warned of, with the time. */
  readonly warnings: readonly string[]
}

const NODES = 3
const OWNERS = ['ann', 'bob', 'cid'] as const
const LIMITS = { maxConcurrent: 6, maxCompleted: 4, tombstones: 1_000 }
const STORM_MS = 180_000
/** Between two new things that clients want. */
const CROWD_EVERY_MS = 2_500
/** Between two misfortunes. */
const STRUCK_EVERY_MS = 12_000
const SKEW_MS = 2_000
const CLOCK_SET_MS = { usual: 5_000, wild: 600_000 }
/** After the last deadline of anything that can be under way. */
const CALM_MS = POLICY.maxRuntimeMs + POLICY.provisioningTimeoutMs + POLICY.retireTimeoutMs + 60_000
const TOLD_MS_MAX = 120_000

export function simulate(options: SimulationOptions): Promise<SimulationReport> {
  return new Simulation(options).run()
}

class Simulation {
  readonly #options: SimulationOptions
  readonly #time = new SimulatedTime()
  readonly #fate = new Life('fate')
  readonly #chance: Chance
  readonly #log: SimulatedLog
  readonly #nodes: readonly SimulatedNode[]
  readonly #transport: Transport
  readonly #truth: Truth
  readonly #crowd: Crowd
  readonly #warnings: string[] = []
  /**
   * Clocks go wrong by minutes, and no process dies: how old a quiet log's last words are, nobody can tell who was not there when
   * they came.
   */
  readonly #isWild: boolean
  #crashes = 0
  #isCalm = false
  /** How far clocks were set wrong: what they stamped may hold up the others for so long. */
  #setWrongMs = 0
  #audibleMs = 0
  #audibleAt = 0

  constructor(options: SimulationOptions) {
    const { seed, planted } = options
    this.#options = options
    const time = this.#time
    const chance = new Chance(seed)
    this.#chance = chance
    this.#isWild = chance.is(0.3)
    const log = new SimulatedLog(time, chance, planted)
    this.#log = log
    const warn = (node: string, message: string) =>
      void this.#warnings.push(`${Math.round(time.now)} ${node}: ${message}`)
    this.#nodes = Array.from(
      { length: NODES },
      (_, i) =>
        new SimulatedNode(`node-${i + 1}`, chance.between(-SKEW_MS, SKEW_MS), { time, log, chance, planted, warn }),
    )
    this.#truth = new Truth({
      events: () => log.events,
      limitOf: () => LIMITS.maxConcurrent,
      audibleMs: () => this.#audible(),
    })
    this.#transport = new Transport({
      time,
      chance,
      log,
      nodes: this.#nodes,
      planted,
      onAnswer: (node, asked, reply) => this.#checkAnswer(node, asked, reply),
    })
    this.#crowd = new Crowd({
      time,
      chance,
      planted,
      transport: this.#transport,
      owners: OWNERS,
    })
  }

  async run(): Promise<SimulationReport> {
    const { lastsMs = STORM_MS } = this.#options
    for (const node of this.#nodes) node.start()
    await this.#openRegistries()
    this.#crowd.begin(CROWD_EVERY_MS)
    this.#time.after(this.#chance.between(0, STRUCK_EVERY_MS), this.#fate, () => this.#strike())
    await this.#until(() => this.#time.now >= lastsMs)
    this.#calm()
    const calmUntil = this.#time.now + CALM_MS + 2 * this.#setWrongMs
    await this.#until(() => this.#time.now >= calmUntil)
    const toldUntil = this.#time.now + TOLD_MS_MAX
    await this.#until(() => this.#isAllTold() || this.#time.now >= toldUntil)
    await this.#checkAll()
    return this.#report()
  }

  /** Before anything else, or they would open with other limits. */
  async #openRegistries(): Promise<void> {
    let opened = 0
    for (const owner of OWNERS) {
      const opening = { type: 'OpenRegistry', limits: LIMITS }
      void this.#transport.command(this.#fate, owner, opening, { tries: 1_000 }).then(() => opened++)
    }
    await this.#until(() => opened === OWNERS.length)
  }

  async #until(isOver: () => boolean): Promise<void> {
    while (!isOver() && this.#truth.faults.length === 0 && (await this.#time.step())) {
      this.#audible()
      this.#truth.look()
    }
  }

  /** One misfortune, and then the next. */
  #strike(): void {
    if (this.#isCalm) return
    const chance = this.#chance
    const node = chance.pick(this.#nodes)
    const share = chance.fraction()
    if (share < 0.45 && !this.#isWild) this.#kill(node)
    else if (share < 0.65) node.pause(chance.between(500, chance.is(0.2) ? 150_000 : 15_000))
    else if (share < 0.75) this.#setClock(node)
    else if (share < 0.85) this.#log.weather = chance.is(0.5) ? FAIR : FOUL
    else if (share < 0.92 && !this.#isWild) this.#killAll()
    else this.#transport.lost = chance.is(0.5) ? 0.02 : 0.3
    this.#time.after(chance.between(0, 2 * STRUCK_EVERY_MS), this.#fate, () => this.#strike())
  }

  #kill(node: SimulatedNode, downMs = this.#downMs()): void {
    if (!node.isUp) return
    node.crash()
    this.#crashes++
    this.#time.after(downMs, this.#fate, () => {
      if (!node.isUp) node.start()
    })
  }

  #downMs(): number {
    const chance = this.#chance
    return chance.is(0.15) ? chance.between(60_000, 300_000) : chance.between(200, 8_000)
  }

  /** Nobody can be heard for a while. */
  #killAll(): void {
    const downMs = this.#chance.between(1_000, 120_000)
    for (const node of this.#nodes) this.#kill(node, downMs)
  }

  #setClock(node: SimulatedNode): void {
    const chance = this.#chance
    const { usual, wild } = CLOCK_SET_MS
    const reachMs = this.#isWild && chance.is(0.3) ? wild : usual
    const offsetMs = chance.between(-reachMs, reachMs)
    this.#setWrongMs = Math.max(this.#setWrongMs, Math.abs(offsetMs))
    node.setClock(offsetMs)
  }

  #calm(): void {
    this.#isCalm = true
    this.#crowd.end()
    this.#log.weather = FAIR
    this.#transport.lost = 0
    for (const node of this.#nodes) {
      node.setClock(this.#chance.between(-SKEW_MS, SKEW_MS))
      if (!node.isUp) node.start()
    }
  }

  /** How long at least one node could be reached, up to now. */
  #audible(): number {
    const passed = this.#time.now - this.#audibleAt
    this.#audibleAt = this.#time.now
    if (this.#nodes.some(({ isAwake }) => isAwake)) this.#audibleMs += passed
    return this.#audibleMs
  }

  /** What a node says is in the log when it says it. */
  #checkAnswer(node: SimulatedNode, asked: Request, reply: Reply): void {
    if (asked.do !== 'send' || reply.type !== 'told') return
    const result = reply.value as CommandResult // to a command
    if (result.type !== 'answered') return
    const { command, commandId, owner } = asked
    const { answer } = result
    if (answer.position > BigInt(this.#log.events.length)) {
      this.#truth.faults.push(`${commandId} was answered at ${answer.position}, which the log has not reached`)
    }
    const isHeld = command.type === 'RecordHeartbeat'
    const isClaim = answer.leaseEpoch !== undefined && command.leaseEpoch === undefined
    const id = answer.operationId
    if (id === undefined || !(isHeld || isClaim || command.type === 'ReportProgress')) return
    this.#truth.heard(owner, id, { node, clockAt: node.clock.now(), commandId, isHeld })
  }

  #isAllTold(): boolean {
    return this.#crowd.waiting.size === 0 && this.#areRowsThere() && this.#listenerFaults().length === 0
  }

  #areRowsThere(): boolean {
    const end = BigInt(this.#log.events.length)
    return this.#nodes.every(({ rows }) => rows.generations().every(({ checkpoint }) => checkpoint.position === end))
  }

  #listenerFaults(): readonly string[] {
    const alive = new Set(this.#nodes.map(({ name }) => name))
    return this.#transport.history.listeners
      .filter(({ node }) => alive.has(node))
      .flatMap((listener) => listenerFaults(this.#truth.tellers.get(listener.owner) as LogStory, listener))
  }

  async #checkAll(): Promise<void> {
    const { faults, tellers } = this.#truth
    await this.#truth.verifyChains()
    if (faults.length > 0) return
    for (const [owner, teller] of tellers) {
      faults.push(...logFaults(teller, { owner, limits: LIMITS, callsPerId: 0 }, this.#transport.history))
      for (const { id, ended, isRolledBack } of teller.lives.values()) {
        if (ended === undefined && isRolledBack === undefined) faults.push(`${owner} ${id} has never come to an end`)
      }
      this.#checkWishes(owner, teller)
    }
    faults.push(...[...this.#crowd.waiting].map((what) => `${what} was never told`), ...this.#listenerFaults())
    this.#checkRows()
  }

  /** However often it was sent, what somebody wanted was done once. */
  #checkWishes(owner: string, { commands }: LogStory): void {
    for (const [wish, sent] of this.#transport.wishes) {
      const done = sent.filter((commandId) => commands.has(commandId))
      if (done.length > 1) this.#truth.faults.push(`${owner}: ${wish} was done ${done.length} times`)
    }
  }

  /** The rows of every machine are what the log gives. */
  #checkRows(): void {
    const items = new LogItems()
    const all = this.#log.events.map((stored) => items.of(stored)).filter((item): item is LogItem => item !== undefined)
    const fresh = openRows()
    const last = this.#log.events.at(-1)
    for (const projection of SIMULATED_PROJECTIONS) {
      const [generation] = fresh.generations(projection.name)
      if (generation === undefined || last === undefined) continue
      const through = { ...generation.checkpoint, position: last.position, hash: last.hash }
      new Projector({ database: fresh, projection, generation, onPoison: 'stop' }).project(all, through, 0)
      for (const { machine, rows } of this.#nodes) {
        const [served] = rows.generations(projection.name)
        const parked = served === undefined ? [] : rows.parked(served)
        for (const { stream, error } of parked) this.#truth.faults.push(`${machine}: ${stream} is parked: ${error}`)
        if (served?.checkpoint.position !== last.position) {
          this.#truth.faults.push(`${machine}: the rows of ${projection.name} never came to the end of the log`)
          continue
        }
        for (const table of projection.tables) {
          const { differences } = comparedRows(
            table,
            { db: rows.connection, generation: served.generation },
            { db: fresh.connection, generation: generation.generation },
          )
          this.#truth.faults.push(
            ...differences.map(({ type, key }) => `${machine}: the row ${key} of ${table.name} is ${type}`),
          )
        }
      }
    }
    fresh.close()
  }

  #report(): SimulationReport {
    const lives = [...this.#truth.tellers.values()].flatMap((teller) => [...teller.lives.values()])
    const reconciled = this.#log.events.filter(
      ({ type, body }) => /^(Operation|Attempt)/.test(type) && body.includes('"reconciliation"'),
    )
    return {
      seed: this.#options.seed,
      steps: this.#time.steps,
      simulatedMs: Math.round(this.#time.now),
      events: this.#log.events.length,
      lastHash: this.#log.events.at(-1)?.hash ?? '',
      commands: this.#transport.history.of('send').length,
      crashes: this.#crashes,
      operations: lives.length,
      reconciled: reconciled.length,
      faults: this.#truth.faults,
      warnings: this.#warnings,
    }
  }
}
