/**
 * Loading a registry: from 100,000 events and from a snapshot; what an operation costs in memory, live, retained and
 * remembered; and that a command costs the same at 100, 10,000 and 100,000 live operations.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openNode } from '../src/app.ts'
import type { Command, StampedCommand } from '../src/authority/commands.ts'
import { decide } from '../src/authority/decide.ts'
import { DEFAULT_LIMITS, type Limits, type RecordedEvent } from '../src/authority/events.ts'
import { fold as foldEvents, step } from '../src/authority/evolve.ts'
import { resolveKind } from '../src/authority/kinds.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../src/authority/registry.ts'
import { decodeEvent } from '../src/event-store/event-codec.ts'
import { registryStream } from '../src/event-store/stream-names.ts'
import { type BenchReport, type BenchRow, machineFacts } from './report.ts'

const EVENTS = 100_000
const NAME = { workspace: 'default', owner: 'fold' }
const RESOLVED_KIND = resolveKind({}, 'bench', undefined)

export async function fold(): Promise<BenchReport> {
  const rows = [...(await loading()), ...memory(), ...costPerCommand()]
  return { name: 'fold', machine: machineFacts(), rows }
}

async function loading(): Promise<readonly BenchRow[]> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-fold-'))
  const path = join(directory, 'fold.db')
  try {
    const writing = await openNode(path)
    const operations = Math.ceil(EVENTS / 3)
    let next = 0
    await Promise.all(
      Array.from({ length: 256 }, async () => {
        while (next < operations) {
          const id = `operation-${next++}`
          await writing.door.send(NAME, {
            type: 'RegisterOperation',
            id,
            kind: 'bench',
            input: { text: 'x'.repeat(280) },
          })
          const claimed = await writing.door.send(NAME, { type: 'ProvisioningSucceeded', id })
          const leaseEpoch = claimed.type === 'answered' ? claimed.answer.leaseEpoch : undefined
          await writing.door.send(NAME, { type: 'CompleteOperation', id, leaseEpoch })
        }
      }),
    )
    // Closing keeps a snapshot; without it the next load folds everything.
    await writing.door.close()
    const snapshotMs = await loadMs(path)
    rmSync(`${path}-snapshots`, { force: true })
    const everythingMs = await loadMs(path)
    const { store, door } = await openNode(path)
    const started = performance.now()
    let state = EMPTY_REGISTRY
    for await (const stored of store.readStream(registryStream(NAME))) state = foldEvents(state, [decodeEvent(stored)])
    const bareMs = performance.now() - started
    await door.close()
    const events = state.revision + 1
    return [
      {
        case: `load ${events} events, checked and folded`,
        value: (1_000 * events) / everythingMs,
        unit: 'events/s',
        floor: (1_000 * events) / bareMs,
        ratio: bareMs / everythingMs,
      },
      { case: `load ${events} events`, value: everythingMs, unit: 'ms' },
      {
        case: 'load from a snapshot',
        value: snapshotMs,
        unit: 'ms',
        floor: everythingMs,
        ratio: everythingMs / snapshotMs,
      },
    ]
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function loadMs(path: string): Promise<number> {
  const { door } = await openNode(path)
  const start = performance.now()
  await door.overview(NAME)
  const ms = performance.now() - start
  await door.close()
  return ms
}

function memory(): readonly BenchRow[] {
  const count = 50_000
  const wide = {
    ...DEFAULT_LIMITS,
    maxCompleted: count,
    tombstones: 0,
    feedRetention: 0,
    commandMemory: { ms: 0, min: 0, max: 0 },
  }
  const remembering = { ...wide, maxCompleted: 1, commandMemory: { ms: 0, min: 3 * count, max: 3 * count } }
  const burying = { ...wide, maxCompleted: 1, tombstones: count }
  return [
    bytesRow('memory per live operation, 300-byte input', count, () => populated(count, wide, false)),
    bytesRow('memory per retained operation, 300-byte input and result', count, () => populated(count, wide, true)),
    bytesRow('memory per tombstone', count, () => populated(count, burying, true)),
    bytesRow('memory per remembered command', 3 * count, () => populated(count, remembering, true)),
  ]
}

function bytesRow(name: string, count: number, make: () => RegistryState): BenchRow {
  const before = heapAfterCollection()
  const state = make()
  const bytes = heapAfterCollection() - before
  if (state.revision < 0) throw new Error('the populated registry must be held until it is measured')
  return { case: name, value: bytes / count, unit: 'bytes' }
}

function heapAfterCollection(): number {
  if (globalThis.gc === undefined) throw new Error('bench fold needs --expose-gc: start it by npm run bench')
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

function costPerCommand(): readonly BenchRow[] {
  const cost = new Map<number, number>()
  const rows: BenchRow[] = []
  // Twice: the first round warms the code up.
  for (const live of [100, 10_000, 100_000, 100, 10_000, 100_000]) {
    const rounds = 20_000
    let state = populated(live, { ...DEFAULT_LIMITS, activeCeiling: 1_000_000 }, false)
    const start = performance.now()
    for (let i = 0; i < rounds; i++) state = life(state, `measured-${i}`, true)
    cost.set(live, (1_000 * (performance.now() - start)) / (3 * rounds))
  }
  const base = cost.get(100) as number
  for (const [live, microseconds] of cost) {
    rows.push({
      case: `decide and fold a command at ${live} live operations`,
      value: microseconds,
      unit: 'us',
      floor: base,
      ratio: base / microseconds,
    })
  }
  return rows
}

function populated(count: number, limits: Limits, ended: boolean): RegistryState {
  let state = run(EMPTY_REGISTRY, { type: 'OpenRegistry', limits })
  for (let i = 0; i < count; i++) state = life(state, `operation-${i}`, ended)
  return state
}

function life(state: RegistryState, id: string, ended: boolean): RegistryState {
  let next = run(state, { type: 'RegisterOperation', id, kind: 'bench', input: { text: `${id}${'x'.repeat(280)}` } })
  next = run(next, { type: 'ProvisioningSucceeded', id })
  if (!ended) return next
  return run(next, {
    type: 'CompleteOperation',
    id,
    leaseEpoch: next.revision,
    result: { text: `${id}${'y'.repeat(280)}` },
  })
}

let commands = 0

function run(state: RegistryState, command: Command): RegistryState {
  const commandId = `01a1fc68-3291-7291-b0c8-${(commands++).toString(16).padStart(12, '0')}`
  const stamped: StampedCommand = {
    command,
    commandId,
    digest: commandId,
    at: 1_795_236_049_554 + commands,
    resolved: {
      opening: { registryId: 'bench', digestKey: '0'.repeat(64), limits: DEFAULT_LIMITS },
      kindFacts: RESOLVED_KIND.kindFacts,
      policy: RESOLVED_KIND.policy,
      claimant: { id: 'bench' },
    },
  }
  const decision = decide(state, stamped)
  if (decision.type !== 'accepted')
    throw new Error(`the bench's own command was ${decision.type}: ${JSON.stringify(decision)}`)
  let next = state
  decision.events.forEach((event, index) => {
    const { digest, at } = stamped
    const count = decision.events.length
    const metadata = {
      commandId,
      commandType: command.type,
      commandDigest: digest,
      index,
      count,
      at,
      actor: 'bench',
      ruleset: 1,
    }
    const recorded: RecordedEvent = { revision: next.revision + 1, event, metadata }
    next = step(next, recorded).state
  })
  return next
}
