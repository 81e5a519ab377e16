/** Worker processes that are killed at work, and the next ones that take up what they left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadParts } from './load.ts'

const WORKER = path.join(import.meta.dirname, 'render-worker.ts')
const OWNER = 'initech'
const SCENES = ['Opening', 'Bridge', 'Finale'] as const

/** Goes on until the signal aborts; then no process is left. */
export async function runFarm({ verdict, chance, signal }: LoadParts, url: string): Promise<void> {
  while (!signal.aborted) {
    try {
      const { id } = await verdict.register('render', { owner: OWNER, name: `Scene: ${chance.among(SCENES)}` })
      const first = workerFor(url, id)
      const isKilled = chance.happens(0.5)
      await Promise.race([first.ended, sleep(isKilled ? 6_000 : 60_000, undefined, { signal })])
      first.child.kill('SIGKILL')
      await first.ended
      if (isKilled) await secondLife(id)
      await sleep(4_000, undefined, { signal })
    } catch {
      // The demo ends, or a person interfered: on with the next one, unless it ends.
    }
  }

  /** As soon as the reconciler has given up the first one. */
  async function secondLife(id: string): Promise<void> {
    const address = { owner: OWNER, id }
    for await (const _event of verdict.events({ operation: id, owner: OWNER, signal })) {
      if ((await verdict.operation(address).snapshot())?.status !== 'running') break
    }
    // The next attempt is not due at once.
    await sleep(5_000, undefined, { signal })
    const next = workerFor(url, id)
    await next.ended
  }

  function workerFor(at: string, id: string): { readonly child: ChildProcess; readonly ended: Promise<unknown> } {
    const child = spawn(process.execPath, [WORKER, at, OWNER, id], { stdio: ['pipe', 'ignore', 'ignore'] })
    const stop = () => child.kill('SIGKILL')
    signal.addEventListener('abort', stop, { once: true })
    const ended = once(child, 'exit').finally(() => signal.removeEventListener('abort', stop))
    return { child, ended }
  }
}
