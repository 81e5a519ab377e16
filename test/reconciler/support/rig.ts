/** A node with its reconciler over a log in memory or on a file, by a clock that is moved by hand. */
import path from 'node:path'
import { onTestFinished } from 'vitest'
import type { EmbeddedNode } from '../../../src/app/embedded-node.ts'
import { MEMORY_LOCATION } from '../../../src/app/log-of-node.ts'
import type { OpenOptions } from '../../../src/app/open-options.ts'
import { openNode } from '../../../src/app.ts'
import type { CommandAnswer } from '../../../src/authority/command-answer.ts'
import type { OperationSnapshot } from '../../../src/authority/questions.ts'
import { registryStream } from '../../../src/event-store/stream-names.ts'
import { HandMovedClock } from '../../../src/runtime/hand-moved-clock.ts'
import { testDirectory } from '../../shell/support/nodes.ts'
import { RealWork } from '../../support/real-work.ts'

export const OWNER = { workspace: 'default', owner: 'acme' }

/** staleAfter 60 s, so silence is judged 75 s after the last recorded sign; a heartbeat every 10 s. */
export const POLICY = {
  provisioningTimeoutMs: 300_000,
  startGraceMs: 60_000,
  heartbeatIntervalMs: 10_000,
  lateAfterMs: 30_000,
  staleAfterMs: 60_000,
  cancelGraceMs: 30_000,
}
export const SILENCE_MS = 75_000

export class Rig {
  readonly clock: HandMovedClock
  readonly node: EmbeddedNode
  readonly warnings: { readonly facts: Readonly<Record<string, unknown>>; readonly message: string }[]
  readonly #work: RealWork

  constructor(clock: HandMovedClock, node: EmbeddedNode, warnings: Rig['warnings']) {
    this.clock = clock
    this.node = node
    this.warnings = warnings
    this.#work = new RealWork(node)
  }

  /** The answer; a refusal is a failed test. */
  async send(command: Readonly<Record<string, unknown>>, owner = OWNER): Promise<CommandAnswer> {
    const result = await this.node.door.send(owner, command)
    if (result.type === 'refused') throw new Error(`${String(command.type)}: ${result.rejection.message}`)
    return result.answer
  }

  async refusal(command: Readonly<Record<string, unknown>>, owner = OWNER) {
    const result = await this.node.door.send(owner, command)
    if (result.type === 'answered') throw new Error(`${String(command.type)} was answered`)
    return result.rejection
  }

  register(id: string, more: Readonly<Record<string, unknown>> = {}, owner = OWNER): Promise<CommandAnswer> {
    return this.send({ type: 'RegisterOperation', id, kind: 'export', policy: POLICY, ...more }, owner)
  }

  /** Registered, claimed and heard of once; its lease epoch. */
  async running(id: string, more: Readonly<Record<string, unknown>> = {}, owner = OWNER): Promise<number> {
    const { leaseEpoch } = await this.register(id, { claim: { claimant: { id: 'worker' } }, ...more }, owner)
    if (leaseEpoch === undefined) throw new Error(`${id} was not claimed`)
    await this.send({ type: 'ReportProgress', id, leaseEpoch }, owner)
    return leaseEpoch
  }

  async get(id: string, owner = OWNER): Promise<OperationSnapshot> {
    const found = await this.node.door.snapshot(owner, id)
    if (found === undefined) throw new Error(`there is no operation ${id}`)
    return found
  }

  /** Types of all that an owner's registry has stored. */
  async types(owner = OWNER): Promise<readonly string[]> {
    const types: string[] = []
    for await (const { type } of this.node.store.readStream(registryStream(owner))) types.push(type)
    return types
  }

  /** Lets time pass; a pass may be under way meanwhile that waits for it. */
  advance(ms: number): Promise<void> {
    return this.clock.advance(ms, () => this.#work.settled())
  }

  /** Lets time pass in steps, so that whatever is due in between happens in its own time. */
  async pass(ms: number, stepMs = 1_000): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.advance(Math.min(stepMs, left))
      // A pass that is under way ends before anybody looks at what came of it.
      await this.node.reconcile({ kinds: [], dryRun: true })
      await this.#work.settled()
    }
  }
}

export async function openRig(options: OpenOptions = {}, location: string = MEMORY_LOCATION): Promise<Rig> {
  const clock = (options.clock as HandMovedClock | undefined) ?? new HandMovedClock()
  const warnings: Rig['warnings'] = []
  const log = { warn: (facts: Readonly<Record<string, unknown>>, message: string) => warnings.push({ facts, message }) }
  const node = await openNode(location, { log, ...options, clock })
  onTestFinished(() => node.door.close())
  return new Rig(clock, node, warnings)
}

export function testLog(): string {
  return path.join(testDirectory(), 'verdict.db')
}
