/**
 * Several nodes on one log, killed at random, for as long as asked: rounds on fresh registries, each checked when it is over,
 * and the whole log once more at the end. A fault is a sentence; none means that every promise held.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { openNode } from '../../../src/app.ts'
import { verifyLog } from '../../../src/audit/verify.ts'
import type { EventReader } from '../../../src/event-store/event-store.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { Cluster } from './cluster.ts'
import { checkOperations, type OperationsChecked } from './operations-check.ts'
import { type Fought, fight } from './round.ts'
import { checkLog, type LogChecked } from './round-check.ts'

export type StoreName = 'sqlite' | 'eventstoredb'

export interface UnderFireOptions {
  readonly store: StoreName
  /** For the files of the log. */
  readonly directory: string
  readonly seed: number
  readonly lastsMs: number
  readonly told?: (report: NodesReport) => void
}

export interface NodesReport extends OperationsChecked, LogChecked {
  readonly rounds: number
  readonly kills: number
  readonly resumedWaits: number
  /** In the log, at its end. */
  readonly events: number
  readonly faults: readonly string[]
}

const ROUND_MS_MAX = 10_000
/** One round of what nothing was told says more than many. */
const FAULTS_MAX = 20

export async function nodesUnderFire({
  store,
  directory,
  seed,
  lastsMs,
  told = () => {},
}: UnderFireOptions): Promise<NodesReport> {
  const random = seededRandom(seed)
  const log = store === 'sqlite' ? { place: join(directory, 'nodes.db'), end: async () => {} } : await eventServer()
  const cluster = new Cluster(log.place, random)
  const reader = await openNode(log.place)
  let report = NOTHING
  try {
    const rounds = Math.ceil(lastsMs / ROUND_MS_MAX)
    for (let round = 1; round <= rounds && report.faults.length < FAULTS_MAX; round++) {
      const fought = await fight({ cluster, random, name: `round${round}`, lastsMs: lastsMs / rounds })
      report = added(report, await checked(reader.store, fought, cluster))
      told(report)
    }
    await cluster.close()
    const { events, faults } = await verifyLog(reader.store)
    const found = faults.map(({ stream, revision, message }) => `verify: ${stream} @${revision}: ${message}`)
    return { ...report, events, kills: cluster.kills, faults: [...report.faults, ...cluster.faults, ...found] }
  } finally {
    await cluster.destroy()
    await reader.door.close()
    await log.end()
  }
}

const NOTHING: NodesReport = {
  rounds: 0,
  kills: 0,
  commands: 0,
  answered: 0,
  refused: 0,
  unanswered: 0,
  nodeRefusals: 0,
  lives: 0,
  watchersTold: 0,
  watchersToldAcross: 0,
  waitsTold: 0,
  resumedWaits: 0,
  cancelsHeard: 0,
  cancelsHeardAcross: 0,
  activeMax: 0,
  operations: 0,
  calls: 0,
  undecided: 0,
  events: 0,
  faults: [],
}

async function checked(reader: EventReader, fought: Fought, cluster: Cluster): Promise<NodesReport> {
  const operations = checkOperations(fought.history)
  const log = await checkLog(reader, fought, (node) => cluster.isAlive(node))
  return {
    ...NOTHING,
    ...operations,
    ...log,
    rounds: 1,
    kills: cluster.kills,
    resumedWaits: fought.resumedWaits,
    faults: [...fought.faults, ...operations.faults, ...log.faults],
  }
}

function added(sum: NodesReport, round: NodesReport): NodesReport {
  const names = Object.keys(NOTHING) as (keyof NodesReport)[] // its own keys
  const entries = names.map((name) => {
    if (name === 'faults') return [name, [...sum.faults, ...round.faults]]
    if (name === 'kills') return [name, round.kills]
    return [name, name === 'activeMax' ? Math.max(sum[name], round[name]) : sum[name] + round[name]]
  })
  return Object.fromEntries(entries)
}

async function eventServer(): Promise<{ readonly place: string; readonly end: () => Promise<void> }> {
  const child = fork(join(import.meta.dirname, 'event-server-main.ts'))
  const [place] = (await once(child, 'message')) as [string] // the first thing that it says
  const exited = once(child, 'exit')
  return {
    place,
    end: async () => {
      child.disconnect()
      await exited
    },
  }
}
