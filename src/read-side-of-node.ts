/**
 * The read side of a node: which log its threads read, which projections they follow, and who tells them of appends.
 *
 *     store --appended--> nudge --> follow thread (read-side-thread.ts) --> file of read models
 */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { LivenessQuestions } from '../projections/liveness-questions.ts'
import type { Settings } from './config.ts'
import type { EventStore } from './event-store/event-store.ts'
import { serveLog } from './event-store/port-log-reader.ts'
import type { LogPlace } from './log-of-node.ts'
import type { WarningLog } from './runtime/warning-log.ts'
import type { ModuleExport, Question } from './subscriptions/question.ts'
import { ReadSide } from './subscriptions/read-side.ts'

export interface ReadModelOptions {
  /** The file of the read models. Default: `<log>-views` beside a log on disk, a temporary one for any other. */
  readonly path?: string
  /**
   * Follow from the beginning (the default of `openVerdict`), from the first question on (that of `openNode`), or never, and only
   * tell how things stand.
   */
  readonly follow?: 'at_start' | 'when_asked' | 'never'
  /** Projections of one's own, beside those that come with Verdict. */
  readonly projections?: readonly ModuleExport[]
}

export interface ReadSideOfNode {
  readonly readSide: ReadSide
  /** Of each append of this process, at once: who follows in it need not look. */
  appended(position: bigint): void
  /** Somebody was told what stands in the log up to here. */
  tell(position: bigint): void
  /** How far callers know of the log: what they were told, and all that it held when this was first asked. */
  toldUpTo(): Promise<bigint>
  release(): void
}

/** The read side over the same log, on threads of its own; none of them runs yet. */
export function readSideOf(
  store: EventStore,
  place: LogPlace,
  settings: Settings,
  log: WarningLog,
  { path, follow = 'when_asked', projections = [] }: ReadModelOptions = {},
): ReadSideOfNode {
  const nudges = new SharedArrayBuffer(4)
  const served = new Set<ReturnType<typeof serveLog>>()
  // Of no use to anybody after this process: made when it is first written, taken away at the end.
  const temporary = join(tmpdir(), `verdict-views-${randomUUID()}`)
  const readSide = new ReadSide({
    path: path ?? (place.type === 'file' ? `${place.path}-views` : join(temporary, 'views.db')),
    projections: [...builtInProjections(), ...projections],
    settings,
    holder: randomUUID(),
    mode: follow === 'never' ? 'watch' : 'follow',
    log,
    startThread: (data) => {
      const entry = new URL(`./read-side-thread.${SOURCE_EXTENSION}`, import.meta.url)
      const transferList = data.log.type === 'port' ? [data.log.port] : []
      return new Worker(entry, { workerData: data, transferList, name: `read-side-${data.role}`, execArgv: [] })
    },
    placeOfLog: () => {
      if (place.type === 'file') return { place: { type: 'sqlite', path: place.path, nudges }, release: () => {} }
      if (place.type === 'eventstoredb') {
        return { place: { type: 'eventstoredb', connectionString: place.address }, release: () => {} }
      }
      const { port1, port2 } = new MessageChannel()
      const serving = serveLog(store, port1)
      served.add(serving)
      const release = () => {
        served.delete(serving)
        serving.stop()
      }
      return { place: { type: 'port', port: port2 }, release }
    },
  })
  const signal = new Int32Array(nudges)
  let told = 0n
  let endAtFirst: Promise<void> | undefined
  const tell = (position: bigint) => {
    if (position > told) told = position
  }
  return {
    readSide,
    tell,
    async toldUpTo() {
      endAtFirst ??= store.end().then(tell, () => {
        endAtFirst = undefined
      })
      await endAtFirst
      return told
    },
    appended(position) {
      tell(position)
      Atomics.add(signal, 0, 1)
      Atomics.notify(signal, 0)
      for (const serving of served) serving.appended()
    },
    release() {
      rmSync(temporary, { recursive: true, force: true })
    },
  }
}

/** Modules are named as they lie beside this one, in the sources and in the built package. */
export const SOURCE_EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

function builtInProjections(): readonly ModuleExport[] {
  return BUILT_IN_PROJECTIONS.map(([file, name]) => ({ module: projectionModule(file), name }))
}

/** Where threads find a module of the read models. */
export function projectionModule(file: string): string {
  return new URL(`../projections/${file}.${SOURCE_EXTENSION}`, import.meta.url).href
}

/** What the reconciler asks; the functions themselves are loaded where they are asked. */
export function livenessQuestion<N extends keyof LivenessQuestions>(name: N): Question<LivenessQuestions[N]> {
  return { module: projectionModule('liveness-questions'), name, projection: 'liveness' }
}

const BUILT_IN_PROJECTIONS = [
  ['operation-index', 'OPERATION_INDEX'],
  ['operation-history', 'OPERATION_HISTORY'],
  ['liveness', 'LIVENESS'],
  ['registries', 'REGISTRIES'],
  ['rates', 'RATES'],
] as const
