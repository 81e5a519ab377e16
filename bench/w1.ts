/**
 * W1: register, start, complete: three durable acknowledged commands per operation, unique operations spread over 64
 * registries, 300-byte payloads, through the door that a library user has.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { openNode } from '../src/app.ts'
import type { VerdictDoor } from '../src/client/door.ts'
import { commitCounter } from './commit-counter.ts'
import { type CommitShape, fileFloor, tableFloor } from './floors.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'

const REGISTRIES = 64
const COMMANDS_PER_OPERATION = 3
const PAYLOAD = { text: 'x'.repeat(280) }
/** Commands per case: enough for a few seconds at the speed of that case. */
const COMMANDS: Readonly<Record<number, number>> = { 1: 9_000, 8: 45_000, 32: 120_000, 128: 150_000, 1024: 150_000 }

interface Measured {
  readonly rate: number
  readonly latencies: readonly number[]
  readonly stallMs: number
  readonly shape: CommitShape
}

export async function w1(): Promise<BenchReport> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-w1-'))
  const rows: BenchRow[] = []
  try {
    await measure(join(directory, 'warm-up.db'), 32, REGISTRIES, 30_000)
    let spreadAt128 = 0
    for (const [key, commands] of Object.entries(COMMANDS)) {
      const inFlight = Number(key)
      const measured = await measure(join(directory, `w1-${inFlight}.db`), inFlight, REGISTRIES, commands)
      const table = await tableFloor(directory, measured.shape, REGISTRIES, commands)
      const file = fileFloor(directory, measured.shape, commands)
      if (inFlight === 128) spreadAt128 = measured.rate
      rows.push(
        rateRow(`${inFlight} in flight, floor: own table`, measured, table.rate),
        {
          case: `${inFlight} in flight, floor: append + fdatasync`,
          value: measured.rate,
          unit: 'commands/s',
          floor: file.rate,
          ratio: measured.rate / file.rate,
        },
        { case: `${inFlight} in flight, longest stall of the event loop`, value: measured.stallMs, unit: 'ms' },
        {
          case: `${inFlight} in flight, events in a commit`,
          value: measured.shape.appendsPerCommit * measured.shape.eventsPerAppend,
          unit: 'events',
        },
      )
      if (inFlight === 1) {
        const command = quantile(measured.latencies, 0.5)
        const commit = quantile(table.commits, 0.5)
        rows.push({
          case: '1 in flight, one command in bare commits',
          value: command,
          unit: 'ms',
          floor: commit,
          ratio: commit / command,
        })
      }
    }
    const hot = await measure(join(directory, 'hot.db'), 128, 1, 120_000)
    rows.push(rateRow('128 in flight, one hot registry, floor: the spread figure', hot, spreadAt128))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return { name: 'w1', machine: machineFacts(), rows }
}

function rateRow(name: string, { rate, latencies }: Measured, floor: number): BenchRow {
  return {
    case: name,
    value: rate,
    unit: 'commands/s',
    floor,
    ratio: rate / floor,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  }
}

async function measure(path: string, inFlight: number, registries: number, commands: number): Promise<Measured> {
  const counter = commitCounter(path)
  const { door } = await openNode(path)
  const operations = Math.ceil(commands / COMMANDS_PER_OPERATION)
  const latencies: number[] = []
  let next = 0
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < operations) await runOperation(door, next++, registries, latencies)
    }),
  )
  const seconds = (performance.now() - start) / 1_000
  delay.disable()
  await door.close()
  const stallMs = delay.max / 1e6
  const shape = counter.stop()
  return {
    shape,
    rate: (operations * COMMANDS_PER_OPERATION) / seconds,
    latencies: latencies.sort((a, b) => a - b),
    stallMs,
  }
}

async function runOperation(door: VerdictDoor, i: number, registries: number, latencies: number[]): Promise<void> {
  const registry = { workspace: 'default', owner: `owner-${i % registries}` }
  const id = `operation-${i}`
  const send = async (command: Readonly<Record<string, unknown>>) => {
    const began = performance.now()
    const result = await door.send(registry, command)
    latencies.push(performance.now() - began)
    if (result.type === 'refused') throw new Error(result.rejection.message)
    return result.answer
  }
  await send({ type: 'RegisterOperation', id, kind: 'bench', input: PAYLOAD })
  const { leaseEpoch } = await send({ type: 'ProvisioningSucceeded', id })
  await send({ type: 'CompleteOperation', id, leaseEpoch, result: PAYLOAD })
}
