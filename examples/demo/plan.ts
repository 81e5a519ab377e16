/** What the demo runs: real commands on the packages that are installed beside it. */
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'

export const OWNER = 'demo'
export const MAX_CONCURRENT = 4
/** Silence after which a worker is given up. Short, because nobody wants to watch a demo be patient. */
export const STALE_AFTER_MS = 3_000
/** What a node that was down grants to everybody: it could not hear. Two heartbeat intervals. */
export const GRACE_MS = 2_000
export const WAIT_ID = 'hashes-and-node'

/** Cancelled while it works. */
export const CANCELLED = 'cancelled-brotli'
/** Fails: there is no such file. */
export const FAILING = 'gzip-of-nothing'
/** Run by a process of its own, which is killed. */
export const LOST = 'lost-worker'
/** Long enough to be at work when the process that holds the store is killed. */
export const LONG = 'gzip-node'

export interface Task {
  readonly id: string
  readonly name: string
  readonly kind: string
  readonly args: readonly string[]
  /** How often it may be begun. */
  readonly maxAttempts: number
  /** A file that it makes, from another one. */
  readonly makes?: { readonly file: string; readonly from: string }
}

const MODULES = path.resolve(import.meta.dirname, '../../node_modules')
const WORK = path.join(import.meta.dirname, 'work.ts')

const HASHED = ['zod', 'xstate', 'pino', 'vitest', 'typescript', 'better-sqlite3', '@biomejs', '@rolldown']
const COUNTED = ['zod', 'vite', 'fast-check', 'chai', 'vitest', 'rolldown', 'typescript']
const ZIPPED = ['xstate', 'pino', 'chai', 'postcss', 'vite', 'fast-check']

export function planIn(folder: string): readonly Task[] {
  const [big, bigger] = [largestFileIn('@biomejs'), largestFileIn('node')]
  const hashes = HASHED.map((name) => task(`hash-${plain(name)}`, 'hash', `Hash ${name}`, [path.join(MODULES, name)]))
  const counts = COUNTED.map((name) => task(`count-${name}`, 'count', `Count ${name}`, [path.join(MODULES, name)]))
  const zips = ZIPPED.map((name) => zip(`gzip-${name}`, `Compress a file of ${name}`, largestFileIn(name), folder))
  return [
    ...counts.slice(0, 2),
    compressing(CANCELLED, 'brotli', 'Compress without patience', big, path.join(folder, 'big.br')),
    compressing(
      FAILING,
      'gzip',
      'Compress what is not there',
      path.join(folder, 'nothing'),
      path.join(folder, 'nothing.gz'),
    ),
    ...hashes,
    zip(LONG, 'Compress Node itself', bigger, folder),
    ...counts.slice(2),
    ...zips,
  ]
}

/** What the worker in a process of its own does, until it is killed. */
export function lostTask(folder: string): Task {
  const task = compressing(
    LOST,
    'brotli',
    'Work for a process that dies',
    largestFileIn('@biomejs'),
    path.join(folder, 'lost.br'),
  )
  return { ...task, maxAttempts: 1 }
}

/** Those that somebody waits for together; the long one is missing when the holder is killed. */
export function isInGroup({ id, kind }: Pick<Task, 'id' | 'kind'>): boolean {
  return kind === 'hash' || id === LONG
}

function task(id: string, kind: string, name: string, args: readonly string[]): Task {
  return { id, kind, name, args: [WORK, kind, ...args], maxAttempts: 3 }
}

function zip(id: string, name: string, from: string, folder: string): Task {
  const file = path.join(folder, `${id}.gz`)
  return { ...compressing(id, 'gzip', name, from, file), makes: { file, from } }
}

function compressing(id: string, kind: string, name: string, from: string, file: string): Task {
  return task(id, kind, name, [from, file])
}

function largestFileIn(module: string): string {
  const files = readdirSync(path.join(MODULES, module), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
  return files.reduce((largest, file) => (statSync(file).size > statSync(largest).size ? file : largest))
}

function plain(name: string): string {
  return name.replace(/\W+/g, '')
}
