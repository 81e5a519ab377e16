/** How far rows lie behind at 10,000 commands/s: a probe's command is acknowledged, then the index is asked for rows that show it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openNode } from '../src/app.ts'
import { keepNewObjectsYoung } from '../src/cli/young-objects.ts'
import { type BenchReport, cpuMs, machineFacts, quantile, sorted } from './report.ts'
import { NOTHING_ASKED, PROBE_OWNER, steadyCommands } from './steady-commands.ts'

const COMMANDS_PER_SECOND = Number(process.env.BENCH_COMMANDS ?? 10_000)
const WARM_UP_MS = 5_000
const MEASURED_MS = 20_000
const ASK_TIMEOUT_MS = 60_000

export async function lag(): Promise<BenchReport> {
  // As the program `verdict` does.
  keepNewObjectsYoung()
  const directory = mkdtempSync(join(tmpdir(), 'verdict-lag-'))
  try {
    const node = await openNode(join(directory, 'log.db'), { readModels: { follow: 'at_start' } })
    const stop = new AbortController()
    const acknowledged: number[] = []
    const working = steadyCommands(node, COMMANDS_PER_SECOND, stop.signal, acknowledged)
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
    await node.readSide.ask(NOTHING_ASKED, [], { atLeast: 1_000n, timeoutMs: ASK_TIMEOUT_MS })
    acknowledged.length = 0
    const waited: number[] = []
    const cpuBefore = cpuMs()
    const started = performance.now()
    while (performance.now() < started + MEASURED_MS) {
      const command = { type: 'RegisterOperation', id: `probe-${waited.length}`, kind: 'probe' }
      const sent = await node.door.send(PROBE_OWNER, command)
      const position = sent.type === 'answered' ? sent.answer.position : undefined
      const answeredAt = performance.now()
      await node.readSide.ask(NOTHING_ASKED, [], { atLeast: position, timeoutMs: ASK_TIMEOUT_MS })
      waited.push(performance.now() - answeredAt)
    }
    const ms = performance.now() - started
    const cpu = cpuMs() - cpuBefore
    const commands = acknowledged.length
    stop.abort()
    const perSecond = await working
    await node.door.close()
    const [waits, latencies] = [sorted(waited), sorted(acknowledged)]
    return {
      name: 'lag',
      machine: machineFacts(),
      rows: [
        { case: 'commands beside', value: perSecond, unit: 'commands/s', aim: { atLeast: 0.99 * COMMANDS_PER_SECOND } },
        { case: 'command to acknowledged, p50', value: quantile(latencies, 0.5), unit: 'ms' },
        { case: 'command to acknowledged, p99', value: quantile(latencies, 0.99), unit: 'ms' },
        { case: 'acknowledged to answered by the index, p50', value: quantile(waits, 0.5), unit: 'ms' },
        {
          case: 'acknowledged to answered by the index, p99',
          value: quantile(waits, 0.99),
          unit: 'ms',
          aim: { atMost: 100 },
        },
        { case: 'CPU of the process, writers and readers together', value: cpu / (ms / 1_000), unit: 'ms per s' },
        { case: 'the same for each command', value: (1_000 * cpu) / commands, unit: 'us' },
      ],
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
