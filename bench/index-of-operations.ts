/**
 * An operation index as a busy installation has it after 90 days: three workspaces, 200 owners, 30 kinds, one operation in a
 * hundred under way, some of those silent, some of the ended ones failed, reconciled or contradicted. Folded from events by
 * the projector, as a rebuild does it.
 */
import type { Checkpoint } from '../projections/checkpoint.ts'
import { OPERATION_INDEX } from '../projections/operation-index.ts'
import type { ProjectedEvent } from '../projections/projection.ts'
import { Projector } from '../projections/projector.ts'
import { openReadDatabase } from '../projections/read-database.ts'
import { type LifecycleEvent, REASON_CODES } from '../src/authority/events.ts'
import { DEFAULT_POLICY } from '../src/authority/lifecycle-policy.ts'
import { seededRandom } from '../test/support/seeded-random.ts'

/** The time of the questions that are asked of it: epoch ms. */
export const INDEX_NOW = Date.UTC(2026, 10, 21, 12)
export const OWNERS = 200
export const KINDS = 30
const WORKSPACES = ['default', 'staging', 'research']
const SPAN_MS = 90 * 86_400_000
const MINUTE_MS = 60_000
const BATCH_EVENTS = 5_000
const START = { logId: 'log', timeline: 1, position: 0n, hash: '' }

/**
 * Builds the file with so many operations; the same ones each time. `end`: a place in a real log that a follower is to go on
 * from, though it has none of these operations.
 */
export function buildIndexOfOperations(file: string, operations: number, end?: Checkpoint): void {
  const database = openReadDatabase(file)
  try {
    const { logId, timeline } = end ?? START
    const start = { ...START, logId, timeline }
    const generation = database.begin(OPERATION_INDEX, 'building', start, INDEX_NOW)
    const projector = new Projector({ database, projection: OPERATION_INDEX, generation, onPoison: 'stop' })
    const random = seededRandom(42)
    const revisions = new Map<string, number>()
    let events: ProjectedEvent[] = []
    let position = 0n
    const project = () => {
      const items = events.map((event) => ({ type: 'event', event }) as const)
      projector.project(items, { ...start, position, hash: `h${position}` }, INDEX_NOW)
      events = []
    }
    for (let i = 0; i < operations; i++) {
      const owner = `owner-${Math.floor(OWNERS * random() ** 2)}`
      const workspace = WORKSPACES[Number(owner.slice(6)) % WORKSPACES.length] as string
      const stream = `registry-${workspace}/${owner}`
      const number = (revisions.get(stream) ?? 0) + 1
      const life = lifeOf(i, number, operations, random)
      for (const [k, { at, event }] of life.entries()) {
        position++
        const metadata = metadataAt(at, `c${position}`)
        events.push({ position, stream, workspace, owner, revision: number + k, event, metadata })
      }
      revisions.set(stream, number + life.length - 1)
      if (events.length >= BATCH_EVENTS) project()
    }
    project()
    if (end !== undefined) projector.project([], end, INDEX_NOW)
    for (const step of database.finishing(OPERATION_INDEX, generation.generation)) step()
    database.serve(OPERATION_INDEX, { generation: generation.generation, checkpoint: projector.checkpoint })
    database.connection.pragma('wal_checkpoint(TRUNCATE)')
  } finally {
    database.close()
  }
}

interface Dated {
  readonly at: number
  readonly event: LifecycleEvent
}

function lifeOf(i: number, number: number, operations: number, random: () => number): readonly Dated[] {
  const id = `op-${i.toString(36)}-${Math.floor(random() * 1e9).toString(36)}`
  const of = { id, number }
  const isActive = random() < 0.01
  // What is under way began in the last hour, or is older and silent.
  const isSilent = isActive && random() < 0.08
  const bornAt = Math.floor(
    isActive && !isSilent
      ? INDEX_NOW - random() * 60 * MINUTE_MS
      : INDEX_NOW - SPAN_MS * (1 - i / operations) - 5 * MINUTE_MS,
  )
  const kind = `kind-${Math.floor(KINDS * random() ** 2)}`
  const isRetried = random() < 0.01
  const facts = {
    id,
    kind,
    kindFacts: { expectsPeer: false, feed: 'emit', wakeOwner: false, retention: 'retain', phases: null },
    policy: DEFAULT_POLICY,
    ...(random() < 0.3 ? { key: `key-${Math.floor(random() * 200_000)}` } : {}),
    ...(isRetried ? { retryOf: { id: `op-${Math.floor(i / 2).toString(36)}`, number: 1 } } : {}),
  } as const
  const labels = { team: `team-${Math.floor(random() * 8)}`, region: `region-${Math.floor(random() * 3)}` }
  const content = {
    ...(random() < 0.5 ? { labels } : {}),
    name: `${['Report', 'Import', 'Sync', 'Export'][i % 4]} ${i}`,
  }
  const born: Dated = { at: bornAt, event: { type: 'OperationRegistered', facts, content } }
  if (isActive && random() < 0.2) return [born]
  const startedAt = bornAt + Math.floor(random() * 20_000)
  const life: Dated[] = [
    born,
    { at: startedAt, event: { type: 'OperationStarted', facts: { ...of, attempt: 1 }, content: {} } },
  ]
  if (isActive) {
    if (isSilent) life.push(signed(number, startedAt + MINUTE_MS))
    else life.push(signed(number, INDEX_NOW - Math.floor(random() * 4 * MINUTE_MS)))
    return life
  }
  const endedAt = startedAt + Math.floor(random() * 10 * MINUTE_MS)
  return [...life, { at: endedAt, event: endOf(of, number, random) }, ...afterword(of, endedAt, random)]
}

function signed(number: number, at: number): Dated {
  return { at, event: { type: 'SignsOfLifeRecorded', facts: { signs: [[number, at]] }, content: {} } }
}

function endOf(of: { id: string; number: number }, sequence: number, random: () => number): LifecycleEvent {
  const facts = { ...of, sequence }
  const chance = random()
  if (chance < 0.9) return { type: 'OperationCompleted', facts, content: { result: null } }
  const error = { message: 'connection reset by peer while reading page 17', code: 'ECONNRESET' }
  if (chance < 0.93) {
    const reasonCode = REASON_CODES[Math.floor(random() * REASON_CODES.length)] ?? 'run.stale_running'
    const evidence = { rule: 'sign', attempt: 1, lastRevision: 1, judgedAt: 1, graceMs: 0 } as const
    const reconciliation = { reasonCode, evidence }
    return { type: 'OperationFailed', facts: { ...facts, reasonCode, reconciliation }, content: { error } }
  }
  if (chance < 0.97) return { type: 'OperationFailed', facts, content: { error } }
  return { type: 'OperationCancelled', facts, content: { reason: 'no longer needed' } }
}

function afterword(of: { id: string; number: number }, endedAt: number, random: () => number): readonly Dated[] {
  if (random() > 0.0005) return []
  const event = { type: 'ContradictionRecorded', facts: { ...of, claimed: 'failed' }, content: {} } as const
  return [{ at: endedAt + MINUTE_MS, event }]
}

function metadataAt(at: number, commandId: string) {
  return { commandId, commandType: 'T', commandDigest: 'd', index: 0, count: 1, at, actor: 'bench', ruleset: 1 }
}
