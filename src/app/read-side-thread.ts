/**
 * Entry of the threads of the read side, and their composition: which log is read, which modules hold the projections. It is
 * the only place where a module is imported whose name is known at run time only: users' own projections and questions.
 *
 *     follow: log -> projectors -> file      ask: file -> answers      build: log -> new rows beside the old, or a check
 */
import { existsSync, statSync } from 'node:fs'
import { constants, platform, setPriority } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Order } from '../../projections/operator-orders.ts'
import type { Projection } from '../../projections/projection.ts'
import { openReadDatabase } from '../../projections/read-database.ts'
import type { LogReader } from '../event-store/event-store.ts'
import { SYSTEM_CLOCK } from '../runtime/clock.ts'
import { check } from '../subscriptions/check.ts'
import { Follower } from '../subscriptions/follower.ts'
import { carryOut } from '../subscriptions/parked-orders.ts'
import { healthOfUnusable } from '../subscriptions/projection-health.ts'
import { assertProjection, type ModuleExport } from '../subscriptions/question.ts'
import { type AskedQuestion, QuestionDesk } from '../subscriptions/question-desk.ts'
import { openReadFile } from '../subscriptions/read-file.ts'
import { ReadSideError } from '../subscriptions/read-side-error.ts'
import { rebuild } from '../subscriptions/rebuild.ts'
import { RowMoves } from '../subscriptions/row-moves.ts'
import { answerCalls, type Callee } from '../subscriptions/thread-calls.ts'
import type { FollowerNews, ThreadData, UnusableProjection } from '../subscriptions/thread-data.ts'
import { loadLibraries, openThreadLog } from './thread-log.ts'

const clock = SYSTEM_CLOCK
const random = Math.random

function run(port: MessagePort, data: ThreadData): void {
  loadLibraries()
  // Calls come before everything is open; each waits for it, and is told what went wrong.
  const opening = open(data, (news) => calls.tell(news))
  opening.catch(() => {})
  const ofRole: Readonly<Record<ThreadData['role'], readonly string[]>> = {
    follow: ['health', 'order'],
    ask: ['ask'],
    build: ['rebuild', 'check'],
  }
  const callee: Callee = Object.fromEntries(
    ofRole[data.role].map((name) => [
      name,
      async (argument: never, context: Parameters<Callee[string]>[1]) =>
        (await opening).calls[name]?.(argument, context),
    ]),
  )
  const calls = answerCalls(port, callee, async () => (await opening).close())
}

/** What a thread of one role answers, and its way to end. */
interface OpenedRole {
  readonly calls: Callee
  close(): Promise<void>
}

async function open(data: ThreadData, tell: (news: FollowerNews) => void): Promise<OpenedRole> {
  const reader = await openThreadLog(data.log, data.settings.logPollMs)
  try {
    const moves = new RowMoves(data.moves)
    switch (data.role) {
      case 'follow':
        return follow(data, reader, await loadProjections(data.projections), moves, tell)
      case 'ask':
        return ask(data, reader, moves)
      case 'build':
        yieldToOthers()
        return build(data, reader, await loadProjections(data.projections))
      default:
        return data.role satisfies never
    }
  } catch (error) {
    await reader.close()
    throw error
  }
}

/** A rebuild takes what commands leave. On Linux priorities are those of threads; elsewhere it would be the whole process. */
function yieldToOthers(): void {
  if (platform() === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
}

function follow(
  { path: file, settings, holder, mode }: ThreadData,
  reader: LogReader,
  { projections, unusable }: LoadedProjections,
  moves: RowMoves,
  tell: (news: FollowerNews) => void,
): OpenedRole {
  if (unusable.length > 0) tell({ type: 'unusable', projections: unusable })
  const follower = new Follower({
    path: file,
    reader,
    projections,
    settings,
    clock,
    random,
    holder,
    mode,
    moves,
    onRetention: (pass) => tell({ type: 'retention', ...pass }),
    onParked: (news) => tell({ type: 'parked', news }),
    onUnbuilt: (names) => tell({ type: 'unbuilt', projections: names }),
  })
  follower.start()
  return {
    calls: {
      health: async () => [...(await follower.health()), ...unusable.map(healthOfUnusable)],
      async order(asked: { readonly order: Order; readonly timeoutMs: number }, { signal }) {
        const database = openExisting(file)
        try {
          return await carryOut(database, asked.order, asked.timeoutMs, clock, signal)
        } finally {
          database.close()
        }
      },
    },
    async close() {
      await follower.close()
      await reader.close()
    },
  }
}

function ask({ path: file, projections, settings }: ThreadData, reader: LogReader, moves: RowMoves): OpenedRole {
  const desk = new QuestionDesk({
    path: file,
    reader,
    load: loadExport,
    versionOf: async (projection) => {
      const loaded = await loadProjections(projections)
      return loaded.projections.find(({ name }) => name === projection)?.version
    },
    moves,
    pollMs: settings.logPollMs,
    clock,
  })
  return {
    calls: { ask: (asked: AskedQuestion, { signal }) => desk.ask(asked, signal) },
    async close() {
      desk.close()
      await reader.close()
    },
  }
}

function build(
  { path: file, log, settings, holder }: ThreadData,
  reader: LogReader,
  all: LoadedProjections,
): OpenedRole {
  return {
    calls: {
      async rebuild(names: readonly string[], { signal, onProgress }) {
        const projections = names.map((name) => named(all, name))
        const { database, isInPlace } = openReadFile(file)
        const assertInPlace = () => {
          if (isInPlace()) return
          const message = `'${file}' was deleted or replaced while it was filled, and what was built went with it: rebuild again.`
          throw new ReadSideError('file_replaced', message)
        }
        const sharesDisk = log.type === 'sqlite' && statSync(log.path).dev === statSync(file).dev
        const parts = { database, reader, projections, settings, clock, random, holder, sharesDisk }
        try {
          const report = await rebuild({
            ...parts,
            signal,
            onProgress(progress) {
              assertInPlace()
              onProgress(progress)
            },
          })
          assertInPlace()
          return report
        } finally {
          database.close()
        }
      },
      async check(asked: { readonly projection: string; readonly sample: number | undefined }, { signal, onProgress }) {
        const projection = named(all, asked.projection)
        const database = openExisting(file)
        const { sample } = asked
        try {
          return await check({ database, reader, projection, sample, settings, clock, random, signal, onProgress })
        } finally {
          database.close()
        }
      },
    },
    close: () => reader.close(),
  }
}

function openExisting(file: string) {
  if (!existsSync(file)) throw new ReadSideError('not_served', 'There are no read models of this log yet.')
  return openReadDatabase(file)
}

interface LoadedProjections {
  readonly projections: readonly Projection[]
  /** They stand in nobody else's way. */
  readonly unusable: readonly UnusableProjection[]
}

function named({ projections, unusable }: LoadedProjections, name: string): Projection {
  const projection = projections.find((one) => one.name === name)
  if (projection !== undefined) return projection
  const names = projections.map((one) => one.name).join(', ')
  const why = unusable.map(({ message }) => ` ${message}`).join('')
  throw new ReadSideError('unknown_projection', `There is no projection '${name}'; there are: ${names}.${why}`)
}

async function loadProjections(all: readonly ModuleExport[]): Promise<LoadedProjections> {
  const projections: Projection[] = []
  const unusable: UnusableProjection[] = []
  const loading = all.map(async (one) => assertProjection(await loadExport(one), one))
  for (const [i, loaded] of (await Promise.allSettled(loading)).entries()) {
    const { name } = all[i] as ModuleExport // one for each
    if (loaded.status === 'rejected') unusable.push({ name, message: messageOf(loaded.reason) })
    else if (!projections.some((one) => one.name === loaded.value.name)) projections.push(loaded.value)
    else {
      const message = `There is a projection with the name '${loaded.value.name}' already: give this one another name.`
      unusable.push({ name, message })
    }
  }
  return { projections, unusable }
}

async function loadExport({ module, name }: ModuleExport): Promise<unknown> {
  const url = /^(file|node|data):/.test(module) ? module : pathToFileURL(path.resolve(module)).href
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = await import(url)
  } catch (error) {
    const message = `${module} can't be imported: ${messageOf(error)}`
    throw new ReadSideError('projection_unusable', message, { cause: error })
  }
  if (Object.hasOwn(exported, name)) return exported[name]
  throw new ReadSideError('projection_unusable', `${module} exports nothing with the name '${name}'.`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

// Not awaited: nothing may end a thread while it evaluates its module, and this is over as soon as it listens.
if (parentPort) run(parentPort, workerData as ThreadData) // read-side.ts gives exactly these
