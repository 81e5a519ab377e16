/** A real `verdict serve` over one folder, started again and again, that dies where it is told to. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Blow } from './crash-points.ts'

const MAIN = path.resolve(import.meta.dirname, '../../../src/cli/main.ts')
const PRELOAD = path.resolve(import.meta.dirname, 'crash-preload.ts')

export interface Life {
  readonly pid: number
  readonly ended: Promise<Ended>
  /** Resolves with the address, or undefined when it ended before it listened. */
  readonly listening: Promise<string | undefined>
  signal(signal: NodeJS.Signals): void
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly said: string
}

export interface LifeOptions {
  readonly folder: string
  readonly config: string
  readonly blow?: Blow
  readonly count?: number
  /** Whose rights it has, where they are others than those of the tests. */
  readonly uid?: number
}

/** `url` is where it listens now; undefined while it does not. */
export class CrashingServer {
  url: string | undefined
  #life: Life | undefined

  begin(options: LifeOptions): Life {
    const life = begun(options)
    this.#life = life
    void life.listening.then((url) => {
      if (this.#life === life) this.url = url
    })
    void life.ended.then(() => {
      if (this.#life === life) this.url = undefined
    })
    return life
  }

  /** Nothing stays behind. */
  async destroy(): Promise<void> {
    this.#life?.signal('SIGKILL')
    await this.#life?.ended
  }
}

function begun({ folder, config, blow, count = 1, uid }: LifeOptions): Life {
  const serve = [process.execPath, MAIN, 'serve', '--data', folder, '--port', '0', '--json', '--config', config]
  const [program = '', ...args] = [...(blow?.type === 'call' ? killedByCall(blow, folder, count) : []), ...serve]
  const preloaded =
    blow?.type === 'statement'
      ? { NODE_OPTIONS: `--import=${PRELOAD}`, VERDICT_CRASH_AT: blow.at, VERDICT_CRASH_COUNT: String(count) }
      : {}
  // A group of its own: under strace the server is a grandchild.
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...preloaded },
    detached: true,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = once(child, 'close').then(([code, signal]): Ended => ({ code, signal, said }))
  const line = once(createInterface({ input: child.stdout }), 'line')
  const listening = Promise.race([
    line.then(([text]) => (JSON.parse(text as string) as { readonly url: string }).url),
    ended.then(() => undefined),
  ])
  return { pid: child.pid ?? 0, ended, listening, signal: (signal) => signalGroup(child, signal) }
}

/** strace counts per thread, and only what is done to this file. */
function killedByCall(
  { call, file }: Extract<Blow, { readonly type: 'call' }>,
  folder: string,
  count: number,
): readonly string[] {
  const place = path.join(folder, `verdict.db${file}`)
  const inject = `inject=${call}:signal=SIGKILL:when=${count}`
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-P', place, '-e', `trace=${call}`, '-e', inject]
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal)
  } catch (error) {
    // It is gone already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
