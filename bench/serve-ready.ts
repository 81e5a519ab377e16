/**
 * How soon `verdict serve` on an empty folder is ready: process start to the line that says where it listens, and to /readyz. Each start
 * is a process of its own, as people start it, of the built package where there is one and of its sources. The processor's time of
 * such a start, all threads together, says what it takes on a machine that does something else as well.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type BenchReport, type BenchRow, machineFacts, quantile, sorted } from './report.ts'

const STARTS = 10
const READY_MS = 1_000
/** Of /proc, on every Linux that Node runs on. */
const TICK_MS = 10

export async function serveReady(): Promise<BenchReport> {
  const house = path.resolve(import.meta.dirname, '..')
  const programs: readonly (readonly [string, string])[] = [
    ['built package', path.join(house, 'dist/src/cli/main.js')],
    ['sources', path.join(house, 'src/cli/main.ts')],
  ]
  const rows: BenchRow[] = []
  for (const [name, program] of programs) {
    if (!existsSync(program)) continue
    const starts: Start[] = []
    for (let i = 0; i < STARTS; i++) starts.push(await started(program))
    const middle = (of: (start: Start) => number) => quantile(sorted(starts.map(of)), 0.5)
    rows.push(
      {
        case: `${name}: process start to /readyz`,
        value: middle(({ readyMs }) => readyMs),
        unit: 'ms',
        aim: { atMost: READY_MS },
      },
      { case: `${name}: processor time until it listens`, value: middle((start) => start.cpuMs), unit: 'ms' },
    )
  }
  return { name: 'serve-ready', machine: machineFacts(), rows }
}

interface Start {
  readonly readyMs: number
  readonly cpuMs: number
}

async function started(program: string): Promise<Start> {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-ready-'))
  const at = performance.now()
  const args = [program, 'serve', '--data', folder, '--port', '0', '--json']
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(server, 'close')
  try {
    let told = ''
    for await (const text of server.stdout.setEncoding('utf8')) {
      told += text
      if (told.includes('\n')) break
    }
    const cpuMs = cpuMsOf(server.pid ?? 0)
    const response = await fetch(`${(JSON.parse(told) as { readonly url: string }).url}/readyz`)
    if (!response.ok) throw new Error(`/readyz: ${response.status}`)
    return { readyMs: performance.now() - at, cpuMs }
  } finally {
    server.kill('SIGTERM')
    await closed
    rmSync(folder, { recursive: true, force: true })
  }
}

/** User and system time of a process, its threads included; 0 where there is no /proc. */
function cpuMsOf(pid: number): number {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return 0
  const fields = (readFileSync(file, 'utf8').split(') ')[1] ?? '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
