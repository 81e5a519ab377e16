/** A node over a log with the small projections of tally-projections.ts, closed when the test is over. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { afterEach } from 'vitest'
import type { EmbeddedNode } from '../../../src/app/embedded-node.ts'
import type { OpenOptions } from '../../../src/app/open-options.ts'
import type { ReadModelOptions } from '../../../src/app/read-side-of-node.ts'
import { openNode } from '../../../src/app.ts'
import type { SettingsInput } from '../../../src/config.ts'
import type { ProjectionHealth } from '../../../src/subscriptions/projection-health.ts'
import type { Question, QuestionFunction } from '../../../src/subscriptions/question.ts'
import type { RecordingLog } from '../../support/recording-log.ts'
import type { evenAsked, heavyAsked, initialsAsked, talliesAsked } from './tally-projections.ts'

const MODULE = path.join(import.meta.dirname, 'tally-projections.ts')

export const TALLIES_QUESTION = question<typeof talliesAsked>('talliesAsked')
export const INITIALS_QUESTION = question<typeof initialsAsked>('initialsAsked')
export const EVEN_QUESTION = question<typeof evenAsked>('evenAsked')
export const HEAVY_QUESTION = question<typeof heavyAsked>('heavyAsked')

export function question<F extends QuestionFunction>(name: string, projection = 'tally'): Question<F> {
  return { module: MODULE, name, projection }
}

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

export function freshFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-read-side-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function atTheEnd(cleanup: () => unknown): void {
  cleanups.push(cleanup)
}

export interface NodeOptions {
  /** Export of tally-projections.ts. */
  readonly projection?: string
  readonly settings?: SettingsInput
  readonly readModels?: ReadModelOptions
  readonly log?: RecordingLog
}

/** Projections that come with Verdict, in the order in which they are told. */
export const BUILT_IN = ['operation-index', 'operation-history', 'liveness', 'registries', 'rates']

export async function openedNode(
  location: string,
  { projection = 'TALLY', settings = {}, readModels = {}, log }: NodeOptions = {},
): Promise<EmbeddedNode> {
  const options: OpenOptions = {
    settings: { logLevel: 'silent', ...settings },
    readModels: { projections: [{ module: MODULE, name: projection }], ...readModels },
    ...(log === undefined ? {} : { log }),
  }
  const node = await openNode(location, options)
  cleanups.push(() => node.door.close())
  return node
}

/** Registers an operation; the position of the answer. */
export async function register(node: EmbeddedNode, owner: string, id: string, kind: string): Promise<bigint> {
  const sent = await node.door.send({ workspace: 'default', owner }, { type: 'RegisterOperation', id, kind })
  if (sent.type !== 'answered' || sent.answer.position === undefined) throw new Error(inspect(sent))
  return sent.answer.position
}

/** What is tallied, at this position or behind it. */
export async function tallies(node: EmbeddedNode, atLeast?: bigint): Promise<Readonly<Record<string, number>>> {
  return (await node.readSide.ask(TALLIES_QUESTION, [], { atLeast, timeoutMs: 20_000 })).answer
}

export async function healthOf(node: EmbeddedNode, projection = 'tally'): Promise<ProjectionHealth> {
  const found = (await node.readSide.health()).find((one) => one.projection === projection)
  if (found === undefined) throw new Error(`no health of ${projection}`)
  return found
}

/** The first one that the condition holds for, asked again until then. */
export async function eventually<T>(
  ask: () => T | Promise<T>,
  holds: (answer: T) => boolean,
  withinMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (performance.now() > deadline)
      throw new Error(`not within ${withinMs} ms; last: ${JSON.stringify(answer, text)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

function text(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
