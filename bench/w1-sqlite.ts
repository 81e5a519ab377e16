/** W1 on SQLite, against floors on the same disk: the product's own table fed with ready bytes, and a bare file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { commitCounter } from './commit-counter.ts'
import { type CommitShape, fileFloor, tableFloor } from './floors.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'
import { type Measured, measureLoad, REGISTRIES } from './w1-load.ts'

/** Commands per case: enough for a few seconds at the speed of that case. */
const COMMANDS: Readonly<Record<number, number>> = { 1: 9_000, 8: 45_000, 32: 120_000, 128: 150_000, 1024: 150_000 }

interface MeasuredCommits extends Measured {
  readonly shape: CommitShape
}

/** A file that is given is measured as it is, and stays; without one each case has its own, gone at the end. */
export async function w1OnSqlite(file?: string): Promise<BenchReport> {
  const directory = mkdtempSync(join(file === undefined ? tmpdir() : dirname(file), 'verdict-w1-'))
  const place = (name: string) => file ?? join(directory, `${name}.db`)
  const rows: BenchRow[] = []
  try {
    await measure(place('warm-up'), 32, REGISTRIES, 30_000)
    let spreadAt128 = 0
    for (const [key, commands] of Object.entries(COMMANDS)) {
      const inFlight = Number(key)
      const measured = await measure(place(`w1-${inFlight}`), inFlight, REGISTRIES, commands)
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
    const hot = await measure(place('hot'), 128, 1, 120_000)
    rows.push(rateRow('128 in flight, one hot registry, floor: the spread figure', hot, spreadAt128))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return { name: 'w1', machine: machineFacts(), rows }
}

function rateRow(name: string, { rate, latencies }: MeasuredCommits, floor: number): BenchRow {
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

async function measure(path: string, inFlight: number, registries: number, commands: number): Promise<MeasuredCommits> {
  const counter = commitCounter(path)
  const measured = await measureLoad(path, inFlight, registries, commands)
  return { ...measured, shape: counter.stop() }
}
