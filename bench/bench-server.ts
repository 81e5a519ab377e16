/** Servers of a bench, each in a process of its own, over files that are gone at the end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

const MAIN = path.resolve(import.meta.dirname, 'server-main.ts')

export interface BenchServer {
  readonly url: string
  /** Of its process, in MiB. */
  residentMiB(): number
  stop(): Promise<void>
}

export interface BenchServerOptions {
  /** A log that is there, and stays; a new one where it is left out. */
  readonly file?: string
  /** Keeps the read models up. */
  readonly isFollowing?: boolean
}

export async function benchServer(
  kind: 'verdict' | 'echo' | 'durable-echo',
  { file, isFollowing = false }: BenchServerOptions = {},
): Promise<BenchServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-bench-'))
  const following = isFollowing ? ['following'] : []
  const child = spawn(process.execPath, [MAIN, kind, file ?? path.join(folder, 'verdict.db'), ...following], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return {
    url,
    residentMiB: () => residentMiB(child),
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function residentMiB({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024
}
