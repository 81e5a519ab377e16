/**
 * The same load as W1 over HTTP: through the SDK, whose commands travel in batches, against the same load in process; and one
 * command per request, against a web framework that only echoes the same requests. Client and server share the machine.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { HttpDoor } from '../src/client/http-door.ts'
import { SYSTEM_CLOCK } from '../src/runtime/clock.ts'
import { CONSOLE_LOG } from '../src/runtime/warning-log.ts'
import { benchServer } from './bench-server.ts'
import { type BenchReport, type BenchRow, machineFacts, median, quantile } from './report.ts'
import { measureDoor, measureLoad, REGISTRIES } from './w1-load.ts'
import { measureSingles, type SinglesMeasured } from './w1-singles.ts'

/** Commands per case and round: enough for a second or two at the speed of that case. */
const COMMANDS: Readonly<Record<number, number>> = { 1: 1_500, 32: 18_000, 256: 45_000 }
const CONNECTIONS = [1, 32, 256]
const SINGLES_S = 3
/**
 * A process that has just started compiles what it runs, on threads of its own: behind a warm-up of a second that was a fifth of all
 * that load and server took. Servers stay for days, and the floor of the SDK runs in the process of the bench, which is warm by its second round.
 */
const WARM_UP = { timesCommands: 2, singlesS: 6 }
/** Product and floor take turns, because machines change; figures are medians, ratios those of the rounds. */
const ROUNDS = 3
type Echo = 'echo' | 'durable-echo'
/** A bare one, and one that has each request on disk before it answers. */
const ECHOES: readonly { readonly kind: Echo; readonly name: string }[] = [
  { kind: 'echo', name: 'bare fastify echo' },
  { kind: 'durable-echo', name: 'fastify echo with one durable commit per batch' },
]
const AIM_THROUGH_SDK = { ratioMin: 0.5 }
const AIM_OF_SINGLES = { ratioMin: 0.6 }

interface Round {
  /** Commands per second. */
  readonly rate: number
  readonly floor: number
  readonly p50: number
  readonly p99: number
}

export async function http(): Promise<BenchReport> {
  const rows: BenchRow[] = []
  for (const [key, commands] of Object.entries(COMMANDS)) {
    const inFlight = Number(key)
    rows.push({
      case: `W1 through the SDK, ${inFlight} in flight, floor: in process`,
      ...medians(await rounds(() => throughSdk(inFlight, commands))),
      ...(inFlight === 256 ? { aim: AIM_THROUGH_SDK } : {}),
    })
  }
  for (const connections of CONNECTIONS) {
    const measured = await rounds(() => oneByOne(connections))
    for (const floor of ECHOES) {
      rows.push({
        case: `W1, one command per request, ${connections} connections, floor: ${floor.name}`,
        ...medians(measured.map(({ rate, p50, p99, floors }) => ({ rate, p50, p99, floor: floors[floor.kind] }))),
        ...(connections === 256 ? { aim: AIM_OF_SINGLES } : {}),
      })
    }
  }
  return { name: 'http', machine: machineFacts(), rows }
}

async function rounds<T>(measure: () => Promise<T>): Promise<readonly T[]> {
  const measured: T[] = []
  for (let i = 0; i < ROUNDS; i++) measured.push(await measure())
  return measured
}

function medians(measured: readonly Round[]): Omit<BenchRow, 'case'> {
  const of = (figure: (round: Round) => number) => median(measured.map(figure))
  return {
    value: of(({ rate }) => rate),
    unit: 'commands/s',
    floor: of(({ floor }) => floor),
    ratio: of(({ rate, floor }) => rate / floor),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
  }
}

async function throughSdk(inFlight: number, commands: number): Promise<Round> {
  const floor = await inProcessRate(inFlight, commands)
  const server = await benchServer('verdict')
  const door = benchDoor(server.url)
  try {
    await measureDoor(door, inFlight, REGISTRIES, commands * WARM_UP.timesCommands)
    const { rate, latencies } = await measureDoor(door, inFlight, REGISTRIES, commands)
    return { rate, floor, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
  } finally {
    await door.close()
    await server.stop()
  }
}

async function inProcessRate(inFlight: number, commands: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-bench-'))
  try {
    await measureLoad(path.join(folder, 'warm-up.db'), inFlight, REGISTRIES, commands * WARM_UP.timesCommands)
    return (await measureLoad(path.join(folder, 'verdict.db'), inFlight, REGISTRIES, commands)).rate
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As `connectVerdict` makes it. */
export function benchDoor(url: string): HttpDoor {
  return new HttpDoor({
    url,
    clock: SYSTEM_CLOCK,
    log: CONSOLE_LOG,
    newId: () => crypto.randomUUID(),
    random: Math.random,
    silenceMsMax: 60_000,
    startWithinMs: 60_000,
    answerWithinMs: 60_000,
  })
}

async function oneByOne(
  connections: number,
): Promise<Omit<Round, 'floor'> & { readonly floors: Readonly<Record<Echo, number>> }> {
  const echo = (await singles('echo', connections)).rate
  const durable = (await singles('durable-echo', connections)).rate
  return { ...(await singles('verdict', connections)), floors: { echo, 'durable-echo': durable } }
}

async function singles(kind: 'verdict' | Echo, connections: number): Promise<SinglesMeasured> {
  const server = await benchServer(kind)
  try {
    await measureSingles(server.url, connections, WARM_UP.singlesS)
    return await measureSingles(server.url, connections, SINGLES_S)
  } finally {
    await server.stop()
  }
}
