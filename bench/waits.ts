/** From a command that ends an operation to whoever waits for it, over HTTP: with one waiter, with many, and what waiting takes. */
import { benchServer } from './bench-server.ts'
import { benchDoor } from './http.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'

const WAITERS = [1, 100, 5_000]
const ENDINGS_AT_ONCE = 32
/**
 * By how many end at once. All that is under way meets a full collection of garbage, of server or client, which comes after some thousand
 * endings: of a thousand, 32 that met one would be three in a hundred.
 */
const ENDINGS: Readonly<Record<number, number>> = { 1: 1_000, [ENDINGS_AT_ONCE]: 10_000 }
/** Before any is measured, and twice as many: processes that have just started compile what they run, on the same cores. */
const WARM_UP_ENDINGS = 20_000
/** Of those that wait, so many are for operations that end. */
const ENDING_WAITERS = 1_000
/** Fewer than a server takes connections that it was not told of yet. */
const WAITERS_BEGUN_AT_ONCE = 100
const WAITS_HELD = 10_000
const AIM = { p99MsMax: 5 }
const REGISTRY = { workspace: 'bench', owner: 'bench' }

export async function waits(): Promise<BenchReport> {
  const rows: BenchRow[] = []
  for (const waiters of WAITERS) rows.push(...(await latenciesWith(waiters)))
  rows.push(await memoryOf(WAITS_HELD))
  return { name: 'waits', machine: machineFacts(), rows }
}

type Door = ReturnType<typeof benchDoor>

/**
 * So many wait, for operations that go on and for those that now end: one after the other, or many at once. All of them wait
 * before the first one ends.
 */
async function latenciesWith(waiters: number): Promise<readonly BenchRow[]> {
  const server = await benchServer('verdict')
  const door = benchDoor(server.url)
  const left = new AbortController()
  try {
    const ending = Math.min(ENDING_WAITERS, waiters)
    const idle = await waiting(door, await begun(door, 'idle', waiters - ending), left.signal)
    const rows: BenchRow[] = []
    // A waiter for each that ends, so again and again where there are fewer waiters than endings.
    const ended = async (name: string, endings: number, atOnce: number) => {
      const latencies: number[] = []
      while (latencies.length < endings) {
        const operations = await begun(door, `${name}-${latencies.length}`, ending)
        latencies.push(...(await endedAfter(door, await waiting(door, operations), atOnce)))
      }
      return latencies.sort((a, b) => a - b)
    }
    await ended('warm-up', WARM_UP_ENDINGS, Math.min(ENDINGS_AT_ONCE, waiters))
    for (const [key, endings] of Object.entries(ENDINGS)) {
      const atOnce = Number(key)
      if (atOnce > waiters) continue
      const latencies = await ended(`ends-${atOnce}`, endings, atOnce)
      rows.push({
        case: `${waiters} wait, ${atOnce} in flight: from the command to its waiter`,
        value: quantile(latencies, 0.5),
        unit: 'ms',
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
        ...(atOnce === ENDINGS_AT_ONCE ? { aim: AIM } : {}),
      })
    }
    left.abort()
    await Promise.all(idle.map(({ told }) => told))
    return rows
  } finally {
    await door.close()
    await server.stop()
  }
}

interface Waiting extends Begun {
  readonly told: Promise<unknown>
}

/** A waiter for each of them, all of which the server has when this ends. */
async function waiting(door: Door, operations: readonly Begun[], signal?: AbortSignal): Promise<readonly Waiting[]> {
  const all: Waiting[] = []
  for (let i = 0; i < operations.length; i += WAITERS_BEGUN_AT_ONCE) {
    const some = operations.slice(i, i + WAITERS_BEGUN_AT_ONCE)
    for (const operation of some) {
      const told = door.outcome(REGISTRY, operation.id, signal)
      // Those that are left are no failure.
      all.push({ ...operation, told: signal === undefined ? told : told.catch(() => undefined) })
    }
    // Asked for in one turn they travel in one request, and the server watches all of a request in one turn. To ask for
    // each of them was most of what this process had to do, and its collections of garbage were the p99.
    const last = some.at(-1)
    if (last !== undefined) await isWatched(door, last.id)
  }
  return all
}

async function isWatched(door: Door, id: string): Promise<void> {
  for (;;) {
    const operation = await door.snapshot(REGISTRY, id)
    if (operation !== undefined && operation.watchers > 0) return
  }
}

/** Milliseconds from sending the command to the outcome at the waiter. */
async function endedAfter(door: Door, operations: readonly Waiting[], atOnce: number): Promise<number[]> {
  const latencies: number[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let one = operations[next++]; one !== undefined; one = operations[next++]) {
        const { id, leaseEpoch, told } = one
        const sent = performance.now()
        await Promise.all([door.send(REGISTRY, { type: 'CompleteOperation', id, leaseEpoch }), told])
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
    const waiters = await waiting(door, operations, left.signal)
    const after = server.residentMiB()
    left.abort()
    await Promise.all(waiters.map(({ told }) => told))
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
