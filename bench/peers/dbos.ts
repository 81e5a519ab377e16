/**
 * DBOS on a PostgreSQL of its own: a workflow is started (its row is committed before `startWorkflow` resolves), runs one step (whose
 * record is committed), and ends (its outcome is committed before `getResult` resolves). It runs in the process that starts it,
 * without a queue, which is the cheapest way that DBOS has.
 */
import { setTimeout as elapsed } from 'node:timers/promises'
import { DBOS, type WorkflowHandle } from '@dbos-inc/dbos-sdk'
import { versionOf } from '../report.ts'
import { type Lane, PAYLOAD, type Peer } from './peer.ts'
import { POSTGRES_USER, PostgresServer } from './postgres-server.ts'

/** It has 10 by default. */
const CONNECTIONS = 32

type Handle = WorkflowHandle<typeof PAYLOAD>

export async function dbosPeer(waiter: 'same process' | 'anywhere'): Promise<Peer> {
  const server = await PostgresServer.started()
  const handedOver = new Map<string, number>()
  const workflow = DBOS.registerWorkflow(
    async (_input: typeof PAYLOAD, workMs: number) => {
      await DBOS.runStep(async () => {}, { name: 'start' })
      if (workMs > 0) await elapsed(workMs)
      handedOver.set(DBOS.workflowID ?? '', performance.now())
      return PAYLOAD
    },
    { name: 'bench' },
  )
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: `postgresql://${POSTGRES_USER}@localhost/bench?host=${server.folder}`,
    systemDatabasePoolSize: CONNECTIONS,
    logLevel: 'error',
  })
  await DBOS.launch()
  const { version, settings } = server.facts()

  async function ended(workMs: number, outcome: (handle: Handle) => Promise<unknown>): Promise<number> {
    const handle = await DBOS.startWorkflow(workflow)(PAYLOAD, workMs)
    await outcome(handle)
    const knownAt = performance.now()
    const at = handedOver.get(handle.workflowID) ?? Number.NaN
    handedOver.delete(handle.workflowID)
    return knownAt - at
  }
  const known = (handle: Handle) =>
    waiter === 'anywhere' ? DBOS.retrieveWorkflow(handle.workflowID).getResult() : handle.getResult()
  return {
    versions: { '@dbos-inc/dbos-sdk': versionOf('@dbos-inc/dbos-sdk'), pg: versionOf('pg'), postgresql: version },
    settings: { connections: `${CONNECTIONS} by unix socket`, ...settings },
    w1Lane: () => lane(async () => void (await ended(0, (handle) => handle.getResult()))),
    waitLane: (_, workMs) => lane(() => ended(workMs, known)),
    async stop() {
      await DBOS.shutdown()
      await server.dispose()
    },
  }
}

async function lane<T>(operation: () => Promise<T>): Promise<Lane<T>> {
  const before = await successes()
  return { operation, endedCount: async () => (await successes()) - before, close: async () => {} }
}

async function successes(): Promise<number> {
  return (await DBOS.listWorkflows({ status: 'SUCCESS', loadInput: false, loadOutput: false })).length
}
