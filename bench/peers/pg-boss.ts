/**
 * pg-boss on a PostgreSQL of its own: sent, fetched, completed, each a committed statement. Sends go one by one, each with an
 * acknowledgement of its own; one loop fetches whatever is there, up to as many as are in flight, and completes what it fetched in one
 * call, which is what the `batchSize` of its workers does. The loop is woken in process, where its own workers would poll.
 */
import { setTimeout as elapsed } from 'node:timers/promises'
import { PgBoss } from 'pg-boss'
import { versionOf } from '../report.ts'
import { Endings } from './endings.ts'
import { type Lane, PAYLOAD, type Peer } from './peer.ts'
import { POSTGRES_USER, PostgresServer } from './postgres-server.ts'

/** It has 10 by default; with more it was faster. */
const CONNECTIONS = 32
/** It tells nobody that a job has ended; whoever waits has to ask, and how often is for him to say. */
const ASKED_EVERY_MS = 25

export async function pgBossPeer(): Promise<Peer> {
  const server = await PostgresServer.started()
  const boss = new PgBoss({ host: server.folder, user: POSTGRES_USER, database: 'postgres', max: CONNECTIONS })
  boss.on('error', (error) => {
    throw error
  })
  await boss.start()
  const { version, settings } = server.facts()
  let lanes = 0
  return {
    versions: { 'pg-boss': versionOf('pg-boss'), pg: versionOf('pg'), postgresql: version },
    settings: { connections: `${CONNECTIONS} by unix socket`, ...settings },
    async w1Lane(inFlight) {
      const { run, ...lane } = await openLane(boss, `lane-${++lanes}`, inFlight, 0)
      return { ...lane, operation: async () => void (await run()) }
    },
    async waitLane(inFlight, workMs) {
      const queue = `lane-${++lanes}`
      const { run, ...lane } = await openLane(boss, queue, inFlight, workMs)
      return { ...lane, operation: () => run((id) => isToldOf(boss, queue, id)) }
    },
    async stop() {
      await boss.stop({ graceful: false })
      await server.dispose()
    },
  }
}

interface OpenLane extends Omit<Lane<void>, 'operation'> {
  /** Until it has ended and, where somebody waits, he knows: milliseconds from the work's result until then. */
  run(known?: (id: string) => Promise<void>): Promise<number>
}

async function openLane(boss: PgBoss, queue: string, inFlight: number, workMs: number): Promise<OpenLane> {
  await boss.createQueue(queue)
  const endings = new Endings()
  const handedOver = new Map<string, number>()
  let sent = 0
  let isFetching = false

  async function complete(ids: string[]): Promise<void> {
    if (workMs > 0) await elapsed(workMs)
    for (const id of ids) handedOver.set(id, performance.now())
    await boss.complete(queue, ids, PAYLOAD)
    for (const id of ids) endings.tell(id)
  }

  /** Until nothing is left of what was sent, also while it runs. */
  async function fetchAll(): Promise<void> {
    if (isFetching) return
    isFetching = true
    while (sent > 0) {
      const ids = (await boss.fetch(queue, { batchSize: inFlight })).map(({ id }) => id)
      sent -= ids.length
      const completed = complete(ids)
      // Work that takes its time does not keep the next ones from being fetched.
      if (workMs === 0) await completed
    }
    isFetching = false
  }

  return {
    async run(known) {
      const id = await boss.send(queue, PAYLOAD)
      if (id === null) throw new Error('pg-boss did not take a job')
      sent++
      // A failure ends the process, as one that nobody awaits.
      void fetchAll()
      await known?.(id)
      const knownAt = performance.now()
      await endings.of(id)
      const at = handedOver.get(id) ?? Number.NaN
      handedOver.delete(id)
      return knownAt - at
    },
    async endedCount() {
      return (await boss.findJobs(queue)).filter(({ state }) => state === 'completed').length
    },
    close: async () => {},
  }
}

async function isToldOf(boss: PgBoss, queue: string, id: string): Promise<void> {
  for (;;) {
    const [job] = await boss.findJobs(queue, { id })
    if (job?.state === 'completed') return
    await elapsed(ASKED_EVERY_MS)
  }
}
