/** How soon a server over a log of 1,000,000 events is ready, takes a command and answers a list. Each start is a process of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openNode } from '../src/app.ts'
import { type BenchServer, benchServer } from './bench-server.ts'
import { writeLogOfOperations } from './log-of-operations.ts'
import { ALL_READ_MODELS } from './rebuild.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile, sorted } from './report.ts'

const EVENTS = Number(process.env.BENCH_EVENTS ?? 1_000_000)
const STARTS = 5
const READY_MS = 2_000
const ASK_MS = 5

export async function start(): Promise<BenchReport> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-start-'))
  const file = join(directory, 'log.db')
  try {
    await writeLogOfOperations(file, EVENTS)
    const bare = await started(file, false)
    const node = await openNode(file, { readModels: { follow: 'never' } })
    await node.readSide.rebuild(ALL_READ_MODELS)
    await node.door.close()
    const served: Start[] = []
    for (let i = 0; i < STARTS; i++) served.push(await started(file, true))
    const middle = (of: (start: Start) => number) => quantile(sorted(served.map(of)), 0.5)
    const times: readonly (readonly [string, number])[] = [
      ['process start to ready, no read models yet', bare.readyMs],
      ['process start to ready', middle(({ readyMs }) => readyMs)],
      ['process start to the first command, of a registry of its own', middle(({ commandMs }) => commandMs)],
      ['process start to the first list', middle(({ listMs }) => listMs)],
    ]
    const rows = times.map(([name, value]): BenchRow => {
      return { case: `${name}, ${EVENTS} events in the log`, value, unit: 'ms', aim: { atMost: READY_MS } }
    })
    return { name: 'start', machine: machineFacts(), rows }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

interface Start {
  readonly readyMs: number
  readonly commandMs: number
  /** Not asked for where nothing is followed. */
  readonly listMs: number
}

let starts = 0

async function started(file: string, isFollowing: boolean): Promise<Start> {
  const at = performance.now()
  const server = await benchServer('verdict', { file, isFollowing })
  try {
    await until(server, '/readyz')
    const readyMs = performance.now() - at
    const id = `first-${starts++}`
    const headers = { 'content-type': 'application/json', 'idempotency-key': id }
    const body = JSON.stringify({ id, kind: 'k' })
    const response = await fetch(`${server.url}/v1/operations`, { method: 'POST', headers, body })
    if (!response.ok) throw new Error(`POST /v1/operations: ${response.status} ${await response.text()}`)
    const commandMs = performance.now() - at
    if (isFollowing) await until(server, '/v1/operations')
    return { readyMs, commandMs, listMs: performance.now() - at }
  } finally {
    await server.stop()
  }
}

async function until({ url }: BenchServer, path: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}${path}`)
    await response.text()
    if (response.ok) return
    await new Promise((resolve) => setTimeout(resolve, ASK_MS))
  }
}
