/**
 * One log, one life of a server after the other, each killed at a point, while clients are at work and ask again until they are
 * answered. After each life everything that anybody was told is held against what the dead server left; in the end the server
 * lives, everybody is answered, and the read models have caught up.
 *
 *     begin -> killed -> looked at in a copy -> begin -> ... -> nobody begins anything new -> all answered -> ended in order
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { type LeftLog, lookAtCopy } from './copied-log.ts'
import type { CrashPoint } from './crash-points.ts'
import { CrashingServer, type Ended, type Life } from './crashing-server.ts'
import { type ClientParts, PlainClient } from './plain-client.ts'
import { SdkClient } from './sdk-client.ts'
import { Told } from './told.ts'
import { toldFaults } from './told-check.ts'

export interface RoundOptions {
  /** Empty; the files of the server are made in it. */
  readonly folder: string
  /** One life each, in this order; ends with the first that something is wrong with. */
  readonly points: readonly CrashPoint[]
  readonly random: () => number
  /** Told after each life, and once more behind the end. */
  readonly onLife?: (life: LifeReport) => void
}

export interface LifeReport {
  readonly point: string
  readonly count: number
  /** Whether it died where it was to die, and not of being waited for in vain. */
  readonly wasReached: boolean
  readonly tookMs: number
  readonly faults: readonly string[]
}

export interface RoundReport {
  readonly lives: readonly LifeReport[]
  readonly acknowledged: number
  readonly refused: number
  /** Commands in the log, answered or not. */
  readonly stored: number
  readonly ended: number
  /** Ends that watchers, waits and the SDK were told. */
  readonly endsTold: number
  readonly eventsTold: number
  readonly retried: number
  readonly readModelsCompared: number
}

const PLAIN_CLIENTS = 3
const SDK_CLIENTS = 1
/** A life that does not come to its point by then is ended, and told as one that did not. */
const LIFE_MS_MAX = 120_000
const CATCH_UP_MS_MAX = 120_000
/** Registries are let go as soon as nobody needs them, so that snapshots are written and read. */
const SETTINGS = { hotBytesMax: 1, snapshotEvents: 10, aliveMarkMs: 300, followLeaseMs: 300, lockWaitMs: 5_000 }

/** Never rejects for what it finds. */
export async function crashRound(options: RoundOptions): Promise<RoundReport> {
  const round = new Round(options)
  try {
    return await round.run()
  } finally {
    await round.destroy()
  }
}

class Round {
  readonly #options: RoundOptions
  readonly #folder: string
  readonly #config: string
  readonly #server = new CrashingServer()
  readonly #told = new Told()
  readonly #stopping = new AbortController()
  readonly #gone = new AbortController()
  readonly #plain: readonly PlainClient[]
  readonly #sdk: readonly SdkClient[]
  #left: LeftLog | undefined
  #compared = 0

  constructor(options: RoundOptions) {
    this.#options = options
    this.#folder = path.join(options.folder, 'data')
    this.#config = path.join(options.folder, 'verdict.json')
    mkdirSync(this.#folder)
    writeFileSync(this.#config, JSON.stringify({ settings: SETTINGS }))
    const parts = (name: string): ClientParts => ({
      name,
      server: this.#server,
      told: this.#told,
      random: options.random,
      stopping: this.#stopping.signal,
      gone: this.#gone.signal,
    })
    this.#plain = Array.from({ length: PLAIN_CLIENTS }, (_, i) => new PlainClient(parts(`plain${i}`)))
    this.#sdk = Array.from({ length: SDK_CLIENTS }, (_, i) => new SdkClient(parts(`sdk${i}`)))
  }

  async run(): Promise<RoundReport> {
    const working = Promise.all([...this.#plain, ...this.#sdk].map((client) => client.work()))
    const following = this.#sdk[0]?.follow()
    // Told where it is awaited; until then it is no reason to end the process.
    working.catch(() => {})
    following?.catch(() => {})
    const lives: LifeReport[] = []
    const tell = (life: LifeReport) => {
      lives.push(life)
      this.#options.onLife?.(life)
    }
    for (const point of this.#options.points) {
      const life = await this.#lifeKilledAt(point)
      tell(life)
      // What is wrong stays wrong, and would be told again.
      if (life.faults.length > 0) return this.#report(lives)
    }
    tell(await this.#lastLife(working))
    this.#gone.abort()
    await following
    return this.#report(lives)
  }

  async destroy(): Promise<void> {
    this.#stopping.abort()
    this.#gone.abort()
    await this.#server.destroy()
    await Promise.all(this.#sdk.map((client) => client.close()))
  }

  async #lifeKilledAt(point: CrashPoint): Promise<LifeReport> {
    const { random } = this.#options
    const { blow } = point
    const begunAt = performance.now()
    await this.#prepare(point)
    const count = 1 + Math.floor(random() * point.countMax)
    const life = this.#server.begin({ folder: this.#folder, config: this.#config, blow, count })
    const patience = new AbortController()
    if (blow.type === 'time') void this.#killLater(life, random() * blow.msMax, patience.signal)
    const wasPatient = killedAfter(life, LIFE_MS_MAX, patience.signal)
    const ended = await life.ended
    patience.abort()
    const faults = this.#livedWell(ended)
    faults.push(...(await this.#look(false)))
    return { point: point.name, count, wasReached: await wasPatient, tookMs: performance.now() - begunAt, faults }
  }

  /** From the start on, or from when it listens. */
  async #killLater(life: Life, afterMs: number, signal: AbortSignal): Promise<void> {
    if (this.#options.random() < 0.7) await life.listening
    await delay(afterMs, undefined, { signal }).catch(() => {})
    life.signal('SIGKILL')
  }

  async #prepare({ before }: CrashPoint): Promise<void> {
    const views = path.join(this.#folder, 'verdict.db-views')
    switch (before) {
      case undefined:
        return
      case 'views_missing':
        for (const suffix of ['', '-wal', '-shm']) rmSync(views + suffix, { force: true })
        return
      case 'views_of_older_version':
        if (withOlderVersion(views)) return
        // There was no time yet for rows to serve.
        await this.#lifeUntilCaughtUp()
        withOlderVersion(views)
        return
      default:
        before satisfies never
    }
  }

  async #lifeUntilCaughtUp(): Promise<void> {
    const life = this.#server.begin({ folder: this.#folder, config: this.#config })
    await this.#caughtUp()
    life.signal('SIGKILL')
    await life.ended
  }

  /** Everybody is answered, and what follows from the log has followed. */
  async #lastLife(working: Promise<unknown>): Promise<LifeReport> {
    const begunAt = performance.now()
    const life = this.#server.begin({ folder: this.#folder, config: this.#config })
    this.#stopping.abort()
    const faults: string[] = []
    try {
      await working
      await this.#caughtUp()
      await this.#followed()
    } catch (error) {
      faults.push(String(error))
    }
    life.signal('SIGTERM')
    const ended = await life.ended
    if (ended.code !== 0) faults.push(`it was to end in order and ended with ${ended.code ?? ended.signal}`)
    faults.push(...this.#livedWell(ended, 'SIGTERM'), ...(await this.#look(true)))
    return { point: 'end', count: 1, wasReached: true, tookMs: performance.now() - begunAt, faults }
  }

  async #caughtUp(): Promise<void> {
    const [client] = this.#plain
    for (const deadline = performance.now() + CATCH_UP_MS_MAX; performance.now() < deadline; ) {
      const reply = await client?.request('/readyz?verbose')
      const checks = reply?.body.checks as { readonly projections: Projections } | undefined
      const all = checks?.projections.all ?? []
      if (all.length > 0 && all.every(({ status, lagEvents }) => status === 'following' && lagEvents === 0)) return
      await delay(20)
    }
    throw new Error('the read models have not caught up')
  }

  /** Whoever follows the events comes to all that was answered; the SDK may wait half a minute before it tries again. */
  async #followed(): Promise<void> {
    const answered = [...this.#told.answers.values()].flatMap(({ changed, position }) => (changed ? [position] : []))
    const last = answered.reduce((a, b) => (a > b ? a : b), 0n)
    for (const deadline = performance.now() + CATCH_UP_MS_MAX; performance.now() < deadline; ) {
      if ((this.#told.events.at(-1)?.position ?? 0n) >= last) return
      await delay(20)
    }
    throw new Error(`whoever follows the events was told of ${this.#told.events.length}, and not of that at ${last}`)
  }

  /** Nobody is told of a defect of the server but by its log. */
  #livedWell({ said, signal, code }: Ended, expected: NodeJS.Signals = 'SIGKILL'): string[] {
    // Warnings, and refusals that pass, are lines of JSON; what is none is a crash of its own.
    const faults = said.split('\n').filter((line) => line !== '' && !/^\{"level":40,|"status":503,/.test(line))
    if (expected === 'SIGKILL' && signal !== 'SIGKILL')
      faults.push(`it ended by itself with ${code ?? signal}: ${said}`)
    return faults
  }

  async #look(isCaughtUp: boolean): Promise<readonly string[]> {
    let left: LeftLog | undefined
    try {
      left = await lookAtCopy(this.#folder, { heads: this.#left?.heads ?? [], isCaughtUp })
    } catch (error) {
      return [`what it left can't be read: ${error instanceof Error ? error.stack : String(error)}`]
    }
    if (left === undefined) return this.#told.answers.size === 0 ? [] : ['the log is gone']
    this.#left = left
    this.#compared += left.compared
    return [...left.faults, ...toldFaults(this.#told, left)]
  }

  #report(lives: readonly LifeReport[]): RoundReport {
    const stories = [...(this.#left?.stories.values() ?? [])]
    return {
      lives,
      acknowledged: this.#told.answers.size,
      refused: this.#told.refusals.size,
      stored: stories.reduce((sum, { commands }) => sum + commands.size, 0),
      ended: stories.flatMap(({ lives }) => [...lives.values()]).filter((life) => life.ended !== undefined).length,
      endsTold: this.#told.ends.length,
      eventsTold: this.#told.events.length,
      retried: this.#told.retried,
      readModelsCompared: this.#compared,
    }
  }
}

/** The rows that serve as if a version before had built them; false where none serve. */
function withOlderVersion(views: string): boolean {
  if (!existsSync(views)) return false
  const db = new Database(views)
  try {
    const isMade = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'generations'").pluck().get() === 1
    if (!isMade) return false
    return db.prepare("UPDATE generations SET version = version - 1 WHERE standing = 'serving'").run().changes > 0
  } finally {
    db.close()
  }
}

interface Projections {
  readonly all: readonly { readonly status: string; readonly lagEvents?: number }[]
}

/** True when it ended before. */
async function killedAfter(life: Life, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal })
  } catch {
    return true
  }
  life.signal('SIGKILL')
  return false
}
