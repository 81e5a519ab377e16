/**
 * What it costs to know who lives: 10,000 running operations that speak every 15 s, for ten minutes of simulated and two
 * minutes of real time, the reconciler running; and a pass over 100,000 active operations of which 1,000 are due.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { EmbeddedNode } from '../src/app/embedded-node.ts'
import { MEMORY_LOCATION } from '../src/app/log-of-node.ts'
import { openNode } from '../src/app.ts'
import { type Clock, SYSTEM_CLOCK } from '../src/runtime/clock.ts'
import { HandMovedClock } from '../src/runtime/hand-moved-clock.ts'
import { type BenchReport, type BenchRow, machineFacts } from './report.ts'

const OPERATIONS = 10_000
const REGISTRIES = 64
const HEARTBEAT_S = 15
const SIMULATED_S = 600
const REAL_S = 120
const ACTIVE = 100_000
const DUE = 1_000
const AT_ONCE = 500
const POLICY = { heartbeatIntervalMs: 15_000, lateAfterMs: 30_000, staleAfterMs: 60_000, startGraceMs: 60_000 }

interface Running {
  readonly owner: string
  readonly id: string
  readonly leaseEpoch: number
}

export async function liveness(): Promise<BenchReport> {
  const rows = [...(await simulated()), ...(await real()), ...(await sweep())]
  return { name: 'liveness', machine: machineFacts(), rows }
}

async function simulated(): Promise<readonly BenchRow[]> {
  const clock = new HandMovedClock()
  // In memory: a disk lives in real time, and what seems to take seconds would make heartbeats be refused.
  return speaking('simulated', MEMORY_LOCATION, clock, SIMULATED_S, () => clock.advance(1_000))
}

async function real(): Promise<readonly BenchRow[]> {
  const startedAt = performance.now()
  let second = 0
  return speaking('real', undefined, SYSTEM_CLOCK, REAL_S, async (isFirst) => {
    second = isFirst ? Math.ceil((performance.now() - startedAt) / 1_000) : second + 1
    await delay(Math.max(0, startedAt + second * 1_000 - performance.now()))
  })
}

async function speaking(
  name: string,
  location: string | undefined,
  clock: Clock,
  seconds: number,
  nextSecond: (isFirst: boolean) => Promise<void>,
): Promise<readonly BenchRow[]> {
  return withNode(location, clock, async (node) => {
    const running = await begun(node)
    node.reconciler.start()
    const before = await stored(node)
    const stalls = monitorEventLoopDelay({ resolution: 1 })
    const cpu = process.cpuUsage()
    const ofMainThread = process.threadCpuUsage()
    const startedAt = performance.now()
    let refused = 0
    stalls.enable()
    for (let second = 0; second < seconds; second++) {
      const turn = running.filter((_, i) => i % HEARTBEAT_S === second % HEARTBEAT_S)
      const answers = await Promise.all(turn.map((one) => heard(node, one)))
      refused += answers.filter((isHeard) => !isHeard).length
      await nextSecond(second === 0)
    }
    stalls.disable()
    const msPerS = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1_000 / seconds
    const cpuMs = msPerS(process.cpuUsage(cpu))
    const mainCpuMs = msPerS(process.threadCpuUsage(ofMainThread))
    const tookMs = performance.now() - startedAt
    const after = await stored(node)
    const { lastPass } = node.reconciler.status
    if (lastPass === undefined) throw new Error('the reconciler never passed')
    const label = `${OPERATIONS} running, ${seconds} s ${name}`
    return [
      { case: `${label}: false stales`, value: after.reconciled, unit: 'operations' },
      { case: `${label}: heartbeats refused`, value: refused, unit: 'heartbeats' },
      { case: `${label}: CPU`, value: cpuMs, unit: 'ms per s' },
      { case: `${label}: CPU of the main thread`, value: mainCpuMs, unit: 'ms per s' },
      { case: `${label}: took`, value: tookMs / 1_000, unit: 's' },
      { case: `${label}: longest stall`, value: stalls.max / 1e6, unit: 'ms' },
      { case: `${label}: events written`, value: (after.events - before.events) / seconds, unit: 'per s' },
      { case: `${label}: bytes written`, value: (after.bytes - before.bytes) / seconds, unit: 'per s' },
    ]
  })
}

async function sweep(): Promise<readonly BenchRow[]> {
  return withNode(undefined, SYSTEM_CLOCK, async (node) => {
    await inChunks(ACTIVE, async (i) => {
      const policy = { provisioningTimeoutMs: i % (ACTIVE / DUE) === 0 ? 1 : 86_400_000 }
      await node.door.send(nameOf(i), { type: 'RegisterOperation', id: `operation-${i}`, kind: 'bench', policy })
    })
    // The first look reads the log; from then on its rows follow.
    await node.reconcile({ dryRun: true })
    const dryMs = await timed(() => node.reconcile({ dryRun: true }))
    const stalls = monitorEventLoopDelay({ resolution: 1 })
    stalls.enable()
    let reconciled = 0
    const passMs = await timed(async () => {
      reconciled = (await node.reconcile()).reconciled
    })
    stalls.disable()
    const idleMs = await timed(() => node.reconcile())
    if (reconciled !== DUE) throw new Error(`${reconciled} of ${DUE} were reconciled`)
    const label = `sweep of ${ACTIVE} active, ${DUE} due`
    return [
      { case: `${label}: judged only`, value: dryMs, unit: 'ms' },
      { case: `${label}: judged and ended`, value: passMs, unit: 'ms' },
      { case: `${label}: longest stall`, value: stalls.max / 1e6, unit: 'ms' },
      { case: `${label}: the second pass`, value: idleMs, unit: 'ms' },
    ]
  })
}

/** Over a file of its own, where no other log is named. */
async function withNode<T>(
  location: string | undefined,
  clock: Clock,
  use: (node: EmbeddedNode) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-liveness-'))
  const node = await openNode(location ?? join(directory, 'liveness.db'), { clock, settings: { logLevel: 'error' } })
  try {
    return await use(node)
  } finally {
    await node.door.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function begun(node: EmbeddedNode): Promise<readonly Running[]> {
  const running: Running[] = []
  await inChunks(OPERATIONS, async (i) => {
    const { owner } = nameOf(i)
    const id = `operation-${i}`
    const claim = { claimant: { id: `worker-${i}` } }
    const command = { type: 'RegisterOperation', id, kind: 'bench', policy: POLICY, claim }
    const result = await node.door.send(nameOf(i), command)
    if (result.type === 'refused') throw new Error(result.rejection.message)
    running.push({ owner, id, leaseEpoch: result.answer.leaseEpoch as number })
  })
  return running
}

async function heard(node: EmbeddedNode, { owner, id, leaseEpoch }: Running): Promise<boolean> {
  const registry = { workspace: 'default', owner }
  const { type } = await node.door.send(registry, { type: 'RecordHeartbeat', id, leaseEpoch })
  return type === 'answered'
}

async function stored(
  node: EmbeddedNode,
): Promise<{ readonly events: number; readonly bytes: number; readonly reconciled: number }> {
  let events = 0
  let bytes = 0
  let reconciled = 0
  for await (const { type, body, content } of node.store.readAll()) {
    events++
    bytes += body.length + content.length
    if (type === 'OperationFailed' || type === 'AttemptLost') reconciled++
  }
  return { events, bytes, reconciled }
}

async function inChunks(count: number, work: (i: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < count; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, at) => work(i + at)))
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

function nameOf(i: number) {
  return { workspace: 'default', owner: `owner-${i % REGISTRIES}` }
}
