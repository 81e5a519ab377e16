/** One peer in a process of its own: `peer-main.ts NAME`. Says when it is ready, measures what it is asked, ends when it is let go. */
import { quantile, sorted } from '../report.ts'
import { bullmqPeer, FEWER_PLACES, PLACE_FOR_EACH } from './bullmq.ts'
import { closedLoop } from './closed-loop.ts'
import { dbosPeer } from './dbos.ts'
import type { Lane, Peer } from './peer.ts'
import { pgBossPeer } from './pg-boss.ts'
import { verdictBySdkPeer, verdictPeer } from './verdict.ts'

/** What the runner asks for, one after the other. */
export interface Question {
  /** Undefined: W1. Otherwise waits for operations that take so long. */
  readonly workMs?: number
  readonly inFlight: number
  readonly seconds: number
}

/** First what it is, then an answer for each question. */
export type PeerMessage = Pick<Peer, 'versions' | 'settings'> | Figures

export interface Figures {
  /** Operations that ended, in each second. */
  readonly rate: number
  /** Milliseconds: of W1 a whole operation, of waits from the work's result to its waiter. */
  readonly p50: number
  readonly p99: number
}

/** Of the seconds that are measured. */
const WARM_UP_PART = 0.25

const PEERS: Readonly<Record<string, () => Promise<Peer>>> = {
  verdict: verdictPeer,
  'verdict-sdk': verdictBySdkPeer,
  bullmq: () => bullmqPeer({ appendfsync: 'always', places: FEWER_PLACES }),
  'bullmq-places': () => bullmqPeer({ appendfsync: 'always', places: PLACE_FOR_EACH }),
  'bullmq-everysec': () => bullmqPeer({ appendfsync: 'everysec', places: FEWER_PLACES }),
  'pg-boss': pgBossPeer,
  dbos: () => dbosPeer('same process'),
  'dbos-retrieved': () => dbosPeer('anywhere'),
}

async function answer(peer: Peer, { workMs, inFlight, seconds }: Question): Promise<Figures> {
  if (workMs !== undefined) return await measured(await peer.waitLane(inFlight, workMs), inFlight, seconds, (ms) => ms)
  return await measured(await peer.w1Lane(inFlight), inFlight, seconds, (_, ms) => ms)
}

async function measured<T>(
  lane: Lane<T>,
  inFlight: number,
  seconds: number,
  msOf: (told: T, operationMs: number) => number,
): Promise<Figures> {
  const taken: number[] = []
  const one = async () => {
    const began = performance.now()
    const told = await lane.operation()
    taken.push(msOf(told, performance.now() - began))
  }
  const before = await closedLoop(inFlight, seconds * WARM_UP_PART, one)
  taken.length = 0
  const { count, seconds: tookSeconds } = await closedLoop(inFlight, seconds, one)
  const ended = await lane.endedCount()
  if (ended !== before.count + count) {
    throw new Error(`${name} says that ${ended} have ended, the load that it was ${before.count + count}`)
  }
  await lane.close()
  const inOrder = sorted(taken)
  return { rate: count / tookSeconds, p50: quantile(inOrder, 0.5), p99: quantile(inOrder, 0.99) }
}

const name = process.argv[2] ?? ''
const start = PEERS[name]
if (start === undefined) throw new Error(`there is no peer "${name}"; there are: ${Object.keys(PEERS).join(', ')}`)
const tell = (message: PeerMessage) => process.send?.(message)
let isBusy = true
let peer: Peer | undefined
process.once('disconnect', async () => {
  // The runner is gone in the middle: nothing can be stopped in order under load. It made this process the leader of a group.
  if (isBusy) process.kill(-process.pid, 'SIGKILL')
  await peer?.stop()
  process.exit()
})
peer = await start()
const { versions, settings } = peer
process.on('message', async (question: Question) => {
  isBusy = true
  const figures = await answer(peer, question)
  isBusy = false
  tell(figures)
})
isBusy = false
tell({ versions, settings })
