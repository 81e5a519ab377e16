/** A server over a fresh log, with a past and a living load: what `npm run demo:monitor` shows, and screenshots are taken of. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connectVerdict } from '../../src/client.ts'
import { serveVerdict } from '../../src/serve.ts'
import { Chance } from './chance.ts'
import { BREAKER_OPERATIONS_MAX, KINDS } from './kinds.ts'
import { beginLoad } from './load.ts'
import { writePast } from './past.ts'
import { runFarm } from './render-farm.ts'

export interface DemoServer {
  readonly url: string
  /** Nothing is left of it: no process, no file. Twice is once. */
  close(): Promise<void>
}

export interface DemoOptions {
  /** Default: one that is free. */
  readonly port?: number
  readonly seed?: number
}

export async function startDemo({ port = 0, seed = 1 }: DemoOptions = {}): Promise<DemoServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-monitor-'))
  const location = path.join(folder, 'verdict.db')
  const chance = new Chance(seed)
  try {
    await writePast(location, chance, Date.now())
    const settings = { logLevel: 'error', breakerOperationsMax: BREAKER_OPERATIONS_MAX, httpDrainMs: 1_000 } as const
    const server = await serveVerdict(location, { port, kinds: KINDS, settings })
    // What it ends with is of no interest to anybody.
    const verdict = connectVerdict(server.url, { worker: { host: 'demo' }, startWithin: '1m', log: { warn: () => {} } })
    // Once the read models are there, so that whoever opens the page finds something.
    await verdict.operations.count()
    const over = new AbortController()
    const load = { verdict, chance, signal: over.signal }
    beginLoad(load)
    const farm = runFarm(load, server.url)
    const end = async () => {
      over.abort()
      await farm
      await verdict.close({ grace: 0 })
      await server.close()
      rmSync(folder, { recursive: true, force: true })
    }
    let ended: Promise<void> | undefined
    return {
      url: server.url,
      close() {
        ended ??= end()
        return ended
      },
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
