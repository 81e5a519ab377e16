/** From a command that ends an operation to whoever waits for it, over HTTP: with one waiter, with many, and what waiting takes. */
import { benchServer } from './bench-server.ts'
import { benchDoor } from './http.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'

const WAITERS = [1, 100, 5_000]
const ENDINGS = 1_000
const ENDINGS_AT_ONCE = 32
const WAITS_HELD = 10_000
const REGISTRY = { workspace: 'bench', owner: 'bench' }

export async function waits(): Promise<BenchReport> {
  const rows: BenchRow[] = []
  for (const waiters of WAITERS) rows.push(...(await latenciesWith(waiters)))
  rows.push(await memoryOf(WAITS_HELD))
  return { name: 'waits', machine: machineFacts(), rows }
}

type Door = ReturnType<typeof benchDoor>

/** So many wait for operations that go on, while others end, one after the other or many at once. */
async function latenciesWith(waiters: number): Promise<readonly BenchRow[]> {
  const server = await benchServer('verdict')
  const door = benchDoor(server.url)
  const left = new AbortController()
  try {
    const idle = await begun(door, 'idle', waiters)
    const waiting = idle.map(({ id }) => door.outcome(REGISTRY, id, left.signal).catch(() => undefined))
    const rows = await Promise.all(
      [1, ENDINGS_AT_ONCE].map(async (atOnce) => ({
        atOnce,
        operations: await begun(door, `ends-${atOnce}`, ENDINGS),
      })),
    )
    const told: BenchRow[] = []
    for (const { atOnce, operations } of rows) {
      const latencies = (await endedAfter(door, operations, atOnce)).sort((a, b) => a - b)
      told.push({
        case: `${waiters} wait, ${atOnce} in flight: from the command to its waiter`,
        value: quantile(latencies, 0.5),
        unit: 'ms',
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
      })
    }
    left.abort()
    await Promise.all(waiting)
    return told
  } finally {
    await door.close()
    await server.stop()
  }
}

/** Milliseconds from sending the command to the outcome at the waiter, which waited before. */
async function endedAfter(door: Door, operations: readonly Begun[], atOnce: number): Promise<number[]> {
  const latencies: number[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let one = operations[next++]; one !== undefined; one = operations[next++]) {
        const { id, leaseEpoch } = one
        const outcome = door.outcome(REGISTRY, id)
        // The waiter has reached the server when a question asked after it was answered.
        await door.snapshot(REGISTRY, id)
        const sent = performance.now()
        await Promise.all([door.send(REGISTRY, { type: 'CompleteOperation', id, leaseEpoch }), outcome])
        latencies.push(performance.now() - sent)
      }
    }),
  )
  return latencies
}

async function memoryOf(held: number): Promise<BenchRow> {
  const server = await benchServer('verdict')
  const door = benchDoor(server.url)
  const left = new AbortController()
  try {
    const operations = await begun(door, 'held', held)
    const before = server.residentMiB()
    const waiting = operations.map(({ id }) => door.outcome(REGISTRY, id, left.signal).catch(() => undefined))
    await door.snapshot(REGISTRY, (operations.at(-1) as Begun).id)
    const after = server.residentMiB()
    left.abort()
    await Promise.all(waiting)
    return {
      case: `memory of ${held} open waits in the server`,
      value: ((after - before) * 1_024) / held,
      unit: 'KiB each',
    }
  } finally {
    await door.close()
    await server.stop()
  }
}

interface Begun {
  readonly id: string
  readonly leaseEpoch: number
}

function begun(door: Door, name: string, count: number): Promise<readonly Begun[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const id = `${name}-${i}`
      const result = await door.send(REGISTRY, { type: 'RegisterOperation', id, kind: 'bench', claim: {} })
      if (result.type === 'refused') throw new Error(result.rejection.message)
      return { id, leaseEpoch: result.answer.leaseEpoch as number }
    }),
  )
}
