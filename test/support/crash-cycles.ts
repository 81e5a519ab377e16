/**
 * kill -9 at any moment, over and over, on one log. After each kill: what was durable before still is; every command that
 * was acknowledged over the pipe stands in the log, at the revision that was answered; the chain is intact; what the log
 * says folds (a second terminal fact of a number would not); and no number has two terminal facts by plain counting.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fold } from '../../src/authority/evolve.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../src/authority/registry.ts'
import { decodeEvent } from '../../src/event-store/event-codec.ts'
import type { EventStore, StoredEvent } from '../../src/event-store/event-store.ts'
import { type ChainPoint, verifyChain } from '../../src/event-store/hash-chain.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'
import { registryStream } from '../../src/event-store/stream-names.ts'

export interface CrashReport {
  readonly cycles: number
  readonly acknowledged: number
  /** Stored, with or without an answer that came through. */
  readonly commands: number
  readonly terminal: number
}

interface Followed {
  state: RegistryState
  point: ChainPoint | undefined
  readonly terminal: Set<number>
}

const TERMINAL = new Set(['OperationCompleted', 'OperationFailed', 'OperationCancelled', 'OperationAborted'])
const LOAD_MS_MAX = 150
/** Share of the kills that may come before the first answer. */
const DURING_START = 0.2
const CHILD = join(import.meta.dirname, 'crash-child.ts')

/** Throws with the first broken promise. `random` gives numbers from 0 to 1. */
export async function crashCycles(
  directory: string,
  cycles: number,
  random: () => number,
  told: (report: CrashReport) => void = () => {},
): Promise<CrashReport> {
  const path = join(directory, 'crash.db')
  const followed = new Map<string, Followed>()
  let acknowledged = 0
  let commands = 0
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const lines = await killedRun(path, `run${cycle}`, random() < DURING_START, random() * LOAD_MS_MAX)
    acknowledged += lines.length
    const store = await openSqliteStore({ path })
    try {
      commands += await check(store, followed, lines)
      if (cycle === cycles) for (const [stream, { point }] of followed) await checkWhole(store, stream, point)
    } finally {
      await store.close()
    }
    told({ cycles: cycle, acknowledged, commands, terminal: terminalOf(followed) })
  }
  return { cycles, acknowledged, commands, terminal: terminalOf(followed) }
}

/** What it said before it was killed. */
async function killedRun(
  path: string,
  run: string,
  isDuringStart: boolean,
  loadMs: number,
): Promise<readonly string[]> {
  const child = spawn(process.execPath, [CHILD, path, run], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  let complained = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained += text
  })
  const closed = once(child, 'close')
  const isUnderWay = () => said.includes('\n', isDuringStart ? 0 : 'ready\n'.length)
  while (!isUnderWay() && child.exitCode === null) await Promise.race([once(child.stdout, 'data'), closed])
  await delay(loadMs)
  child.kill('SIGKILL')
  const [, signal] = await closed
  if (signal !== 'SIGKILL') throw new Error(`${run} ended by itself: ${complained}`)
  const lines = said.slice(0, said.lastIndexOf('\n')).split('\n')
  return lines.filter((line) => line !== 'ready' && line !== '')
}

/** Commands that are new in the log. */
async function check(store: EventStore, followed: Map<string, Followed>, lines: readonly string[]): Promise<number> {
  const answers = new Map<string, Map<number, string>>()
  for (const line of lines) {
    const [owner = '', revision, commandId = ''] = line.split(' ')
    const stream = registryStream({ workspace: 'default', owner })
    const ofStream = answers.get(stream) ?? new Map<number, string>()
    answers.set(stream, ofStream.set(Number(revision), commandId))
  }
  const streams = new Set([...followed.keys(), ...answers.keys()])
  for (let i = 0; i < 8; i++) streams.add(registryStream({ workspace: 'default', owner: `owner-${i}` }))
  let commands = 0
  for (const stream of streams) {
    const known = followed.get(stream) ?? { state: EMPTY_REGISTRY, point: undefined, terminal: new Set<number>() }
    followed.set(stream, known)
    commands += await checkStream(store, stream, known, answers.get(stream) ?? new Map())
  }
  return commands
}

async function checkStream(
  store: EventStore,
  stream: string,
  known: Followed,
  answers: Map<number, string>,
): Promise<number> {
  const { point } = known
  const events: StoredEvent[] = []
  for await (const event of store.readStream(stream, { from: point?.revision ?? 0 })) events.push(event)
  const before = point === undefined ? undefined : events.shift()
  if (before?.hash !== point?.hash) throw new Error(`${stream}: what was durable at ${point?.revision} is gone`)
  const verdict = await verifyChain(events, point)
  if (verdict.type === 'broken') throw new Error(verdict.fault.message)
  known.point = verdict.head
  const recorded = events.map(decodeEvent)
  known.state = fold(known.state, recorded)
  let commands = 0
  for (const { event, metadata, revision } of recorded) {
    if (metadata.index === 0) commands++
    if (answers.get(revision) === metadata.commandId) answers.delete(revision)
    if (!TERMINAL.has(event.type) || !('number' in event.facts)) continue
    if (known.terminal.has(event.facts.number)) throw new Error(`${stream} #${event.facts.number} ended twice`)
    known.terminal.add(event.facts.number)
  }
  const [lost] = answers
  if (lost) throw new Error(`${stream}: command ${lost[1]} was acknowledged at ${lost[0]} and is not in the log`)
  return commands
}

async function checkWhole(store: EventStore, stream: string, point: ChainPoint | undefined): Promise<void> {
  const verdict = await verifyChain(store.readStream(stream))
  if (verdict.type === 'broken') throw new Error(verdict.fault.message)
  if (verdict.head?.hash !== point?.hash) throw new Error(`${stream} has another head than step by step`)
}

function terminalOf(followed: ReadonlyMap<string, Followed>): number {
  let count = 0
  for (const { terminal } of followed.values()) count += terminal.size
  return count
}
