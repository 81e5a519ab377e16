/**
 * The read side over 1,000,000 events: how fast rows are made anew, how soon a node is ready, what a rebuild costs commands,
 * and how far rows lie behind at 10,000 commands/s.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedNode, openNode } from '../src/app.ts'
import { openSqliteStore } from '../src/event-store/sqlite.ts'
import { LogItems } from '../src/subscriptions/log-items.ts'
import { writeLogOfOperations } from './log-of-operations.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'

const EVENTS = Number(process.env.BENCH_EVENTS ?? 1_000_000)
const COMMANDS_PER_SECOND = 10_000
const MEASURED_MS = 10_000
const WARM_UP_MS = 3_000

export async function rebuild(): Promise<BenchReport> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-rebuild-'))
  const file = join(directory, 'log.db')
  try {
    await writeLogOfOperations(file, EVENTS)
    const rows = [...(await rebuilding(file)), ...(await starting(file)), ...(await besideCommands(file))]
    return { name: 'rebuild', machine: machineFacts(), rows }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export async function lag(): Promise<BenchReport> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-lag-'))
  try {
    const node = await openNode(join(directory, 'log.db'), { readModels: { follow: 'at_start' } })
    const stop = new AbortController()
    const working = underLoad(node, COMMANDS_PER_SECOND, stop.signal)
    await node.readSide.ask(ONE, [], { atLeast: 1_000n, timeoutMs: 60_000 })
    const waited: number[] = []
    const until = performance.now() + MEASURED_MS
    while (performance.now() < until) {
      const sent = await node.door.send(OWNER, {
        type: 'RegisterOperation',
        id: `probe-${waited.length}`,
        kind: 'probe',
      })
      const position = sent.type === 'answered' ? sent.answer.position : undefined
      const started = performance.now()
      await node.readSide.ask(ONE, [], { atLeast: position, timeoutMs: 60_000 })
      waited.push(performance.now() - started)
    }
    stop.abort()
    const perSecond = await working
    await node.door.close()
    const rows: BenchRow[] = [
      { case: 'commands beside', value: perSecond, unit: 'commands/s' },
      { case: 'acknowledged to answered by the index, p50', value: quantile(sorted(waited), 0.5), unit: 'ms' },
      { case: 'acknowledged to answered by the index, p99', value: quantile(sorted(waited), 0.99), unit: 'ms' },
    ]
    return { name: 'lag', machine: machineFacts(), rows }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const OWNER = { workspace: 'default', owner: 'probe' }
const ONE = {
  projection: 'operation-index',
  module: new URL('./nothing-asked.ts', import.meta.url).href,
  name: 'nothingAsked',
}

async function rebuilding(file: string): Promise<readonly BenchRow[]> {
  const bareMs = await bareReadMs(file)
  const rows: BenchRow[] = []
  for (const name of ['operation-index', 'operation-history', 'liveness', 'rates', 'registries']) {
    const node = await openNode(file, { readModels: { follow: 'never' } })
    const started = performance.now()
    const { events } = await node.readSide.rebuild([name])
    const ms = performance.now() - started
    await node.door.close()
    rows.push({
      case: `rebuild ${name}, ${events} events, floor: read and decode alone`,
      value: (1_000 * events) / ms,
      unit: 'events/s',
      floor: (1_000 * events) / bareMs,
      ratio: bareMs / ms,
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

async function starting(file: string): Promise<readonly BenchRow[]> {
  const started = performance.now()
  const node = await openNode(file, { readModels: { follow: 'at_start' } })
  await node.door.send(OWNER, { type: 'RegisterOperation', id: 'first', kind: 'k' })
  const firstCommandMs = performance.now() - started
  await node.readSide.ask(ONE, [], { atLeast: await node.store.end(), timeoutMs: 60_000 })
  const firstAnswerMs = performance.now() - started
  await node.door.close()
  return [
    { case: `start over ${EVENTS} events to the first acknowledged command`, value: firstCommandMs, unit: 'ms' },
    { case: `start over ${EVENTS} events to the first answer that shows it`, value: firstAnswerMs, unit: 'ms' },
  ]
}

async function besideCommands(file: string): Promise<readonly BenchRow[]> {
  const node = await openNode(file, { readModels: { follow: 'never' } })
  const perSecond = COMMANDS_PER_SECOND / 5
  const stop = new AbortController()
  const latencies: number[] = []
  const working = underLoad(node, perSecond, stop.signal, latencies)
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
  latencies.length = 0
  await new Promise((resolve) => setTimeout(resolve, MEASURED_MS))
  const floor = quantile(sorted(latencies.splice(0)), 0.99)
  await node.readSide.rebuild(['operation-index'])
  const value = quantile(sorted(latencies.splice(0)), 0.99)
  stop.abort()
  await working
  await node.door.close()
  const name = `command p99 during a rebuild, ${perSecond} commands/s, floor: without one`
  return [{ case: name, value, unit: 'ms', floor, ratio: floor / value }]
}

/** Commands at a steady rate, whoever is slow: late ones are sent at once. How many a second it came to. */
async function underLoad(
  node: EmbeddedNode,
  perSecond: number,
  signal: AbortSignal,
  latencies: number[] = [],
): Promise<number> {
  const sending = new Set<Promise<unknown>>()
  const started = performance.now()
  let sent = 0
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - started) * perSecond) / 1_000)
    for (; sent < due; sent++) {
      const at = performance.now()
      const name = { workspace: 'default', owner: `load-${sent % 64}` }
      const command = { type: 'RegisterOperation', id: `load-${sent}`, kind: 'load', input: { text: 'x'.repeat(280) } }
      const one = node.door.send(name, command).then(() => {
        latencies.push(performance.now() - at)
        sending.delete(one)
      })
      sending.add(one)
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(sending)
  return (1_000 * sent) / (performance.now() - started)
}

function sorted(values: readonly number[]): readonly number[] {
  return [...values].sort((a, b) => a - b)
}
