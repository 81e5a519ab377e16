/**
 * BullMQ on a Redis of its own: added (acknowledged), taken by a worker, completed (acknowledged: the worker's `completed` event comes
 * after Redis answered). The script that completes a job takes the next one along, as it does by default. Jobs are kept when they
 * have ended, as operations are.
 */
import { setTimeout as elapsed } from 'node:timers/promises'
import { Queue, QueueEvents, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { RedisServer } from '../../test/support/redis-server.ts'
import { versionOf } from '../report.ts'
import { Endings } from './endings.ts'
import { type Lane, PAYLOAD, type Peer } from './peer.ts'

const SETTINGS_TOLD = ['appendonly', 'appendfsync', 'save']

/** How many jobs a worker takes at once, its `concurrency`. */
export interface Places {
  readonly told: string
  of(inFlight: number): number
}

export const PLACE_FOR_EACH: Places = { told: 'as many as are in flight', of: (inFlight) => inFlight }

/**
 * A worker with a free place asks for one job at a time; one that completes a job takes the next along. So with fewer places than are in
 * flight, as where work waits in the queue, BullMQ does more. These were the best of all of them, a half and a fourth, by turns in one run.
 */
export const FEWER_PLACES: Places = {
  told: '1, 16 and 32 at 1, 32 and 128 in flight',
  of: (inFlight) => Math.min(inFlight, Math.max(16, inFlight / 4)),
}

export interface BullmqOptions {
  readonly appendfsync: 'always' | 'everysec'
  readonly places: Places
}

type Connection = { readonly path: string }

export async function bullmqPeer({ appendfsync, places }: BullmqOptions): Promise<Peer> {
  const server = await RedisServer.started(appendfsync)
  const connection = { path: server.socket }
  let lanes = 0
  return {
    ...(await factsOf(server, places)),
    w1Lane: (inFlight) => w1Lane(`lane-${++lanes}`, connection, places.of(inFlight)),
    waitLane: (inFlight, workMs) => {
      // Work that takes its time is to have its place at once.
      const concurrency = workMs > 0 ? inFlight : places.of(inFlight)
      return waitLane(`lane-${++lanes}`, connection, concurrency, workMs)
    },
    stop: () => server.dispose(),
  }
}

async function w1Lane(name: string, connection: Connection, concurrency: number): Promise<Lane<void>> {
  const endings = new Endings()
  const queue = new Queue<typeof PAYLOAD>(name, { connection })
  const worker = new Worker(name, async () => PAYLOAD, { connection, concurrency })
  worker.on('completed', ({ id = '' }) => endings.tell(id))
  await worker.waitUntilReady()
  return {
    async operation() {
      const { id = '' } = await queue.add('bench', PAYLOAD)
      await endings.of(id)
    },
    endedCount: () => queue.getCompletedCount(),
    async close() {
      await worker.close()
      await queue.close()
    },
  }
}

async function waitLane(
  name: string,
  connection: Connection,
  concurrency: number,
  workMs: number,
): Promise<Lane<number>> {
  const handedOver = new Map<string, number>()
  const queue = new Queue<typeof PAYLOAD>(name, { connection })
  const work = async ({ id = '' }) => {
    if (workMs > 0) await elapsed(workMs)
    handedOver.set(id, performance.now())
    return PAYLOAD
  }
  const worker = new Worker(name, work, { connection, concurrency })
  const events = new QueueEvents(name, { connection })
  // Each waiter listens for itself, which Node takes for a leak when there are many.
  queue.setMaxListeners(0)
  events.setMaxListeners(0)
  await Promise.all([worker.waitUntilReady(), events.waitUntilReady()])
  return {
    async operation() {
      const job = await queue.add('bench', PAYLOAD)
      await job.waitUntilFinished(events)
      return performance.now() - (handedOver.get(job.id ?? '') ?? Number.NaN)
    },
    endedCount: () => queue.getCompletedCount(),
    async close() {
      await worker.close()
      await events.close()
      await queue.close()
    },
  }
}

async function factsOf({ socket }: RedisServer, { told }: Places): Promise<Pick<Peer, 'versions' | 'settings'>> {
  const redis = new Redis(socket)
  try {
    const settings: Record<string, string> = { connection: 'unix socket', concurrency: told }
    for (const name of SETTINGS_TOLD) {
      const [, value = ''] = (await redis.config('GET', name)) as string[]
      settings[name] = value === '' ? 'none' : value
    }
    const redisVersion = /^redis_version:(\S+)/m.exec(await redis.info('server'))?.[1] ?? 'unknown'
    return { versions: { bullmq: versionOf('bullmq'), ioredis: versionOf('ioredis'), redis: redisVersion }, settings }
  } finally {
    redis.disconnect()
  }
}
