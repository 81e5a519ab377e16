/**
 * The read side of a node: which log its threads read, which projections they follow, and who tells them of appends.
 *
 *     store --appended--> nudge --> follow thread (read-side-thread.ts) --> file of read models
 */
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newLeaseHolder } from '../../projections/lease-holder.ts'
import type { LivenessQuestions } from '../../projections/liveness-questions.ts'
import type { Settings } from '../config.ts'
import type { EventStore } from '../event-store/event-store.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { ModuleExport, Question } from '../subscriptions/question.ts'
import { ReadSide } from '../subscriptions/read-side.ts'
import type { LogForThreads } from './log-for-threads.ts'
import type { OpenLog } from './log-of-node.ts'
import { SOURCE_EXTENSION, startThread } from './start-thread.ts'

export interface ReadModelOptions {
  /**
   * The file of the read models. Default: `<log>-views` beside a log on disk; for a log on a server in `verdict` of the user's state
   * directory (XDG_STATE_HOME, ~/.local/state), by the log's id; a temporary one for a log in memory.
   */
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
  /** Somebody was told what stands in the log up to here. */
  tell(position: bigint): void
  /** How far callers know of the log: what they were told, and all that it held when this was first asked. */
  toldUpTo(): Promise<bigint>
  release(): void
}

export interface ReadSideParts extends Pick<OpenLog, 'beside'> {
  readonly store: EventStore
  readonly settings: Settings
  readonly log: WarningLog
  readonly threads: LogForThreads
}

/** The read side over the same log, on threads of its own; none of them runs yet. */
export function readSideOf(
  { store, beside, settings, log, threads }: ReadSideParts,
  { path, follow = 'when_asked', projections = [] }: ReadModelOptions = {},
): ReadSideOfNode {
  // Of no use to anybody after this process: made when it is first written, taken away at the end.
  const temporary = join(tmpdir(), `verdict-views-${randomUUID()}`)
  const readSide = new ReadSide({
    path: path ?? (beside === undefined ? join(temporary, 'views.db') : `${beside}-views`),
    projections: [...builtInProjections(), ...projections],
    settings,
    holder: newLeaseHolder(),
    mode: follow === 'never' ? 'watch' : 'follow',
    log,
    startThread: (data) => startThread('read-side-thread', `read-side-${data.role}`, data),
    placeOfLog: () => threads.placeOfLog(),
  })
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
    release() {
      rmSync(temporary, { recursive: true, force: true })
    },
  }
}

function builtInProjections(): readonly ModuleExport[] {
  return BUILT_IN_PROJECTIONS.map(([file, name]) => ({ module: projectionModule(file), name }))
}

/** Where threads find a module of the read models. */
export function projectionModule(file: string): string {
  return new URL(`../../projections/${file}.${SOURCE_EXTENSION}`, import.meta.url).href
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
