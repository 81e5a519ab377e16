/** Rebuilds over 1,000,000 events: how fast rows are made anew, and what that costs commands meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openNode } from '../src/app.ts'
import { keepNewObjectsYoung } from '../src/cli/young-objects.ts'
import { openSqliteStore } from '../src/event-store/sqlite.ts'
import { LogItems } from '../src/subscriptions/log-items.ts'
import { writeLogOfOperations } from './log-of-operations.ts'
import { type BenchReport, type BenchRow, cpuMs, machineFacts, quantile, sorted } from './report.ts'
import { steadyCommands } from './steady-commands.ts'

const EVENTS = Number(process.env.BENCH_EVENTS ?? 1_000_000)
const COMMANDS_PER_SECOND = 2_000
const MEASURED_MS = 10_000
const WARM_UP_MS = 3_000
const INDEX_EVENTS_PER_SECOND = 100_000
/** Of the command p99 with a rebuild to that without. */
const SLOWER_AT_MOST = 2

export const ALL_READ_MODELS = ['operation-index', 'operation-history', 'liveness', 'rates', 'registries']

export async function rebuild(): Promise<BenchReport> {
  // As the program `verdict` does.
  keepNewObjectsYoung()
  const directory = mkdtempSync(join(tmpdir(), 'verdict-rebuild-'))
  const file = join(directory, 'log.db')
  try {
    await writeLogOfOperations(file, EVENTS)
    const rows = [...(await rebuilding(file)), ...(await besideCommands(file))]
    return { name: 'rebuild', machine: machineFacts(), rows }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function rebuilding(file: string): Promise<readonly BenchRow[]> {
  const bareMs = await bareReadMs(file)
  const rows: BenchRow[] = []
  for (const name of ALL_READ_MODELS) {
    const node = await openNode(file, { readModels: { follow: 'never' } })
    const cpuBefore = cpuMs()
    const started = performance.now()
    const { events } = await node.readSide.rebuild([name])
    const ms = performance.now() - started
    const cpu = cpuMs() - cpuBefore
    await node.door.close()
    const aim = name === 'operation-index' ? { aim: { atLeast: INDEX_EVENTS_PER_SECOND } } : {}
    rows.push({
      case: `rebuild ${name}, ${events} events, floor: read and decode alone`,
      value: (1_000 * events) / ms,
      unit: 'events/s',
      floor: (1_000 * events) / bareMs,
      ratio: bareMs / ms,
      ...aim,
    })
    rows.push({
      case: 'the same by CPU time, all threads',
      value: (1_000 * events) / cpu,
      unit: 'events/s of CPU',
      ...aim,
    })
  }
  return rows
}

async function bareReadMs(file: string): Promise<number> {
  const store = await openSqliteStore({ path: file })
  const decoding = new LogItems()
  const started = performance.now()
  for await (const event of store.readAll()) decoding.of(event)
  const ms = performance.now() - started
  await store.close()
  return ms
}

async function besideCommands(file: string): Promise<readonly BenchRow[]> {
  const node = await openNode(file, { readModels: { follow: 'never' } })
  const stop = new AbortController()
  const latencies: number[] = []
  const working = steadyCommands(node, COMMANDS_PER_SECOND, stop.signal, latencies)
  await delay(WARM_UP_MS)
  latencies.length = 0
  await delay(MEASURED_MS)
  const without = latencies.splice(0)
  const started = performance.now()
  const { events } = await node.readSide.rebuild(['operation-index'])
  const ms = performance.now() - started
  const value = quantile(sorted(latencies.splice(0)), 0.99)
  await delay(MEASURED_MS)
  const floor = quantile(sorted([...without, ...latencies]), 0.99)
  stop.abort()
  await working
  await node.door.close()
  const name = `command p99 during a rebuild, ${COMMANDS_PER_SECOND} commands/s, floor: before and after it`
  return [
    { case: name, value, unit: 'ms', floor, ratio: floor / value, aim: { atMost: SLOWER_AT_MOST * floor } },
    { case: 'that rebuild', value: (1_000 * events) / ms, unit: 'events/s' },
  ]
}
