/**
 * Those who do the work: they register or claim, speak while they are at it, finish, fail, hang, are stopped and go on as if
 * nothing had been, or die at any moment. And those who want to know what became of it.
 */
import type { CommandResult } from '../../../src/authority/command-answer.ts'
import { KIND } from '../../nodes/support/node-options.ts'
import type { CommandInput } from '../../nodes/support/node-protocol.ts'
import type { Chance } from './chance.ts'
import type { PlantedFault } from './planted-fault.ts'
import { Life, type SimulatedTime } from './simulated-time.ts'
import type { Transport } from './transport.ts'

/** Silence is judged 75 s after the last sign that is on record. */
export const POLICY = {
  provisioningTimeoutMs: 60_000,
  startGraceMs: 60_000,
  heartbeatIntervalMs: 10_000,
  lateAfterMs: 30_000,
  staleAfterMs: 60_000,
  maxRuntimeMs: 200_000,
  cancelGraceMs: 20_000,
  retireTimeoutMs: 40_000,
  retry: { maxAttempts: 2, backoff: { initialMs: 1_000, factor: 2, maxMs: 10_000, jitter: 0.2 } },
}

export interface CrowdParts {
  readonly time: SimulatedTime
  readonly chance: Chance
  readonly transport: Transport
  readonly owners: readonly string[]
  readonly planted: PlantedFault | undefined
}

export class Crowd {
  readonly #parts: CrowdParts
  readonly #ids: { readonly owner: string; readonly id: string }[] = []
  readonly #workers = new Set<Life>()
  readonly #others = new Life('somebody')
  /** What is not answered yet, in words. */
  readonly waiting = new Set<string>()
  #count = 0
  #isOver = false

  constructor(parts: CrowdParts) {
    this.#parts = parts
  }

  /** New work and new claims, watchers, waits and cancels, for as long as it is not over. */
  begin(everyMs: number): void {
    const { time, chance } = this.#parts
    const next = () => {
      if (this.#isOver) return
      this.#somethingHappens()
      time.after(chance.between(0, 2 * everyMs), this.#others, next)
    }
    next()
  }

  /** From here on nobody works any more. */
  end(): void {
    this.#isOver = true
    for (const life of this.#workers) life.isOver = true
  }

  #somethingHappens(): void {
    const { chance, owners } = this.#parts
    const known = this.#ids.length === 0 ? undefined : chance.pick(this.#ids.slice(-12))
    const share = chance.fraction()
    if (known === undefined || share < 0.3) {
      const owner = chance.pick(owners)
      const id = `op-${++this.#count}`
      this.#worker((life) => this.#register(life, owner, id))
    } else if (share < 0.55) this.#worker((life) => this.#claim(life, known.owner, known.id))
    else if (share < 0.75) void this.#watch(known.owner, known.id)
    else if (share < 0.85) void this.#wait(known.owner)
    else if (share < 0.92) void this.#askToCancel(known.owner, known.id)
    else void this.#parts.transport.ask(this.#others, { do: 'snapshot', ...known })
  }

  #worker(work: (life: Life) => Promise<void>): void {
    const { chance, time } = this.#parts
    const life = new Life(`worker-${++this.#count}`)
    this.#workers.add(life)
    // A third of them never comes to the end.
    if (chance.is(0.33)) {
      time.after(chance.between(0, 150_000), life, () => {
        life.isOver = true
      })
    }
    if (chance.is(0.25)) {
      time.after(chance.between(0, 60_000), life, () => {
        life.pausedUntil = time.now + chance.between(1_000, 250_000)
      })
    }
    void work(life)
  }

  async #register(life: Life, owner: string, id: string): Promise<void> {
    const { chance, transport } = this.#parts
    const isClaimed = chance.is(0.6)
    const claim = isClaimed ? { claim: { claimant: { id: life.name } } } : {}
    const command = { type: 'RegisterOperation', id, kind: KIND, policy: POLICY, ...claim }
    const registered = await transport.command(life, owner, command)
    if (registered?.type !== 'answered') return
    this.#ids.push({ owner, id })
    const leaseEpoch = epochOf(registered)
    if (leaseEpoch !== undefined) await this.#work(life, owner, id, leaseEpoch)
    else if (chance.is(0.7)) await this.#claim(life, owner, id)
  }

  async #claim(life: Life, owner: string, id: string): Promise<void> {
    const { chance, time, transport } = this.#parts
    await time.passing(chance.between(0, 20_000), life)
    const command = { type: 'ProvisioningSucceeded', id, claimant: { id: life.name } }
    const leaseEpoch = epochOf(await transport.command(life, owner, command))
    if (leaseEpoch !== undefined) await this.#work(life, owner, id, leaseEpoch)
    else await this.#tooLate(life, owner, id)
  }

  async #work(life: Life, owner: string, id: string, leaseEpoch: number): Promise<void> {
    const { chance, time, transport } = this.#parts
    transport.listen(owner, id, leaseEpoch)
    const lastsMs = chance.pick([2_000, 30_000, 90_000, 400_000])
    for (const endsAt = time.now + chance.between(0, lastsMs); time.now < endsAt; ) {
      await time.passing(chance.between(2_000, POLICY.heartbeatIntervalMs), life)
      const type = chance.is(0.7) ? 'RecordHeartbeat' : 'ReportProgress'
      const result = await transport.command(life, owner, { type, id, leaseEpoch })
      if (result?.type === 'refused') return await this.#tooLate(life, owner, id)
      if (result?.answer.cancelRequested === true && chance.is(0.7)) {
        await transport.command(life, owner, { type: 'CancelOperation', id, leaseEpoch, reason: 'asked' })
        return
      }
    }
    await transport.command(life, owner, (by) => this.#ending(id, leaseEpoch, by))
  }

  #ending(id: string, leaseEpoch: number, by: string): CommandInput {
    const { chance } = this.#parts
    const share = chance.fraction()
    if (share < 0.6) return { type: 'CompleteOperation', id, leaseEpoch, result: { by } }
    if (share < 0.75) return { type: 'FailOperation', id, leaseEpoch, error: { message: by } }
    if (share < 0.9) return { type: 'RetryAttempt', id, leaseEpoch, error: { message: by }, notBeforeAt: 0 }
    return { type: 'RequestRetire', id }
  }

  /** Somebody else has it now, or it has ended. */
  async #tooLate(life: Life, owner: string, id: string): Promise<void> {
    const { planted, transport } = this.#parts
    if (planted !== 'borrows_the_lease') return
    const seen = await transport.ask(life, { do: 'snapshot', owner, id })
    const leaseEpoch = seen?.lease?.epoch
    if (leaseEpoch === undefined) return
    await transport.command(life, owner, (by) => ({ type: 'CompleteOperation', id, leaseEpoch, result: { by } }))
  }

  async #watch(owner: string, id: string): Promise<void> {
    const { transport, time } = this.#parts
    const what = `a watcher of ${owner} ${id}`
    this.waiting.add(what)
    for (;;) {
      const told = await transport.ask(this.#others, { do: 'outcome', owner, id })
      if (told !== undefined) break
      await time.passing(1_000, this.#others)
    }
    this.waiting.delete(what)
  }

  async #wait(owner: string): Promise<void> {
    const { chance, transport, time } = this.#parts
    const ids = this.#ids.filter((one) => one.owner === owner && chance.is(0.3)).map(({ id }) => id)
    if (ids.length === 0) return
    const waitId = `wait-${++this.#count}`
    const mode = chance.pick(['all', 'any'] as const)
    this.waiting.add(waitId)
    for (;;) {
      const told = await transport.ask(this.#others, { do: 'wait', owner, mode, ids, waitId })
      if (told !== undefined) break
      await time.passing(1_000, this.#others)
    }
    this.waiting.delete(waitId)
  }

  async #askToCancel(owner: string, id: string): Promise<void> {
    const { transport } = this.#parts
    await transport.command(this.#others, owner, (reason) => ({ type: 'RequestCancel', id, reason }))
  }
}

function epochOf(result: CommandResult | undefined): number | undefined {
  return result?.type === 'answered' ? result.answer.leaseEpoch : undefined
}
