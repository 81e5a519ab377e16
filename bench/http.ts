/**
 * The same load as W1 over HTTP: through the SDK, whose commands travel in batches, against the same load in process; and one
 * command per request, against a web framework that only echoes it. Client and server share the machine.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import autocannon from 'autocannon'
import { HttpDoor } from '../src/client/http-door.ts'
import { SYSTEM_CLOCK } from '../src/runtime/clock.ts'
import { CONSOLE_LOG } from '../src/runtime/warning-log.ts'
import { benchServer } from './bench-server.ts'
import { type BenchReport, type BenchRow, machineFacts, quantile } from './report.ts'
import { measureDoor, measureLoad, REGISTRIES } from './w1-load.ts'

/** Commands per case: enough for a few seconds at the speed of that case. */
const COMMANDS: Readonly<Record<number, number>> = { 1: 3_000, 32: 30_000, 256: 90_000 }
const SINGLE_COMMANDS = 30_000
const CONNECTIONS = [1, 32, 256]

export async function http(): Promise<BenchReport> {
  const rows: BenchRow[] = []
  for (const [key, commands] of Object.entries(COMMANDS)) {
    const inFlight = Number(key)
    const inProcess = await inProcessRate(inFlight, commands)
    const { rate, latencies } = await throughSdk(inFlight, commands)
    rows.push({
      case: `W1 through the SDK, ${inFlight} in flight, floor: in process`,
      value: rate,
      unit: 'commands/s',
      floor: inProcess,
      ratio: rate / inProcess,
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
    })
  }
  for (const connections of CONNECTIONS) {
    const echo = await singles('echo', connections)
    const verdict = await singles('verdict', connections)
    rows.push({
      case: `one command per request, ${connections} connections, floor: bare fastify echo`,
      value: verdict.requests.average,
      unit: 'requests/s',
      floor: echo.requests.average,
      ratio: verdict.requests.average / echo.requests.average,
      p50: verdict.latency.p50,
      p99: verdict.latency.p99,
    })
  }
  return { name: 'http', machine: machineFacts(), rows }
}

async function inProcessRate(inFlight: number, commands: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-bench-'))
  try {
    await measureLoad(path.join(folder, 'warm-up.db'), inFlight, REGISTRIES, commands / 3)
    return (await measureLoad(path.join(folder, 'verdict.db'), inFlight, REGISTRIES, commands)).rate
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function throughSdk(inFlight: number, commands: number) {
  const server = await benchServer('verdict')
  const door = benchDoor(server.url)
  try {
    await measureDoor(door, inFlight, REGISTRIES, commands / 3)
    return await measureDoor(door, inFlight, REGISTRIES, commands)
  } finally {
    await door.close()
    await server.stop()
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

/** Each registers an operation of its own. */
async function singles(kind: 'verdict' | 'echo', connections: number): Promise<autocannon.Result> {
  const server = await benchServer(kind)
  const shoot = (amount: number) =>
    autocannon({
      url: `${server.url}/v1/operations`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ kind: 'bench', id: '[<id>]', input: { text: 'x'.repeat(280) } }),
      idReplacement: true,
      connections,
      amount,
    })
  try {
    await shoot(SINGLE_COMMANDS / 10)
    const result = await shoot(connections === 1 ? SINGLE_COMMANDS / 10 : SINGLE_COMMANDS)
    if (result.non2xx > 0 || result.errors > 0) throw new Error(`${result.non2xx} refused, ${result.errors} lost`)
    return result
  } finally {
    await server.stop()
  }
}
