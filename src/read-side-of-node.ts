/**
 * The read side of a node: which log its threads read, which projections they follow, and who tells them of appends.
 *
 *     store --appended--> nudge --> follow thread (read-side-thread.ts) --> file of read models
 */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { LivenessQuestions } from '../projections/liveness-questions.ts'
import type { Settings } from './config.ts'
import type { LogForThreads } from './log-for-threads.ts'
import type { LogPlace } from './log-of-node.ts'
import type { WarningLog } from './runtime/warning-log.ts'
import type { ModuleExport, Question } from './subscriptions/question.ts'
import { ReadSide } from './subscriptions/read-side.ts'

export interface ReadModelOptions {
  /** The file of the read models. Default: `<log>-views` beside a log on disk, a temporary one for any other. */
  readonly path?: string
  /** Follow from the beginning instead of from the first question on; or never, and only tell how things stand. */
  readonly follow?: 'at_start' | 'when_asked' | 'never'
  /** Projections of one's own, beside those that come with Verdict. */
  readonly projections?: readonly ModuleExport[]
}

/** The read side over the same log, on threads of its own; none of them runs yet. */
export function readSideOf(
  place: LogPlace,
  settings: Settings,
  log: WarningLog,
  threads: LogForThreads,
  { path, follow = 'when_asked', projections = [] }: ReadModelOptions = {},
): { readonly readSide: ReadSide; release(): void } {
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
    placeOfLog: () => threads.placeOfLog(),
  })
  return {
    readSide,
    release() {
      rmSync(temporary, { recursive: true, force: true })
    },
  }
}

/** Modules are named as they lie beside this one, in the sources and in the built package. */
export const SOURCE_EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

function builtInProjections(): readonly ModuleExport[] {
  return BUILT_IN_PROJECTIONS.map(([file, name]) => ({
    module: new URL(`../projections/${file}.${SOURCE_EXTENSION}`, import.meta.url).href,
    name,
  }))
}

/** What the reconciler asks; the functions themselves are loaded where they are asked. */
export function livenessQuestion<N extends keyof LivenessQuestions>(name: N): Question<LivenessQuestions[N]> {
  const module = new URL(`../projections/liveness-questions.${SOURCE_EXTENSION}`, import.meta.url).href
  return { module, name, projection: 'liveness' }
}

const BUILT_IN_PROJECTIONS = [
  ['operation-index', 'OPERATION_INDEX'],
  ['operation-history', 'OPERATION_HISTORY'],
  ['liveness', 'LIVENESS'],
  ['registries', 'REGISTRIES'],
  ['rates', 'RATES'],
] as const
