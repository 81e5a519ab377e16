/** What a job is to Verdict: whose operation, of which kind, under which policy, as those who run the bridge say. */
import type { Job } from 'bullmq'
import type { Claimant } from '../authority/events.ts'
import { DEFAULT_POLICY, type Policy, type PolicyOverride, resolvePolicy } from '../authority/lifecycle-policy.ts'
import type { RegistryAddress } from '../authority/questions.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import type { JobFacts } from './bullmq-job.ts'
import { type PolicyOptions, policyOf } from './policy-options.ts'
import type { JobRegistration } from './queue-claim.ts'
import type { Verdict } from './verdict.ts'

/** The queue owns retries, so its jobs say how often there may be one. */
export type JobPolicy = Omit<PolicyOptions, 'retry'>
export type JobDescription = Omit<JobRegistration, 'policy'>

export interface BullmqBridgeOptions<D = Job['data']> {
  /** Default: that of the Verdict. */
  readonly workspace?: string
  /** Whose operation a job is. The same for a job whenever it is asked. Default: 'default'. */
  readonly owner?: string | ((job: JobFacts<D>) => string)
  /** Default: the name of the job. */
  readonly kind?: (job: JobFacts<D>) => string
  /** What the operation is to show: name, labels, input and so on. */
  readonly describe?: (job: JobFacts<D>) => JobDescription
  /** Policies by kind, for kinds that want other numbers than the authority's own. */
  readonly policies?: Readonly<Record<string, JobPolicy>>
  /**
   * Starts of a job beyond its attempts: BullMQ counts none when a job stalls or is put back by its own function. At least
   * `maxStalledCount` of the workers. Default: 1, as theirs is.
   */
  readonly spareAttempts?: number
  /** Where this process runs, told with every claim. */
  readonly worker?: Omit<Claimant, 'id'>
  readonly log?: WarningLog
  readonly clock?: Clock
}

const SPARE_ATTEMPTS = 1

export class JobMeaning<D> {
  readonly spareAttempts: number
  readonly worker: Omit<Claimant, 'id'>
  readonly #verdict: Verdict
  readonly #options: BullmqBridgeOptions<D>

  constructor(verdict: Verdict, options: BullmqBridgeOptions<D>) {
    this.spareAttempts = options.spareAttempts ?? SPARE_ATTEMPTS
    this.worker = options.worker ?? {}
    this.#verdict = verdict
    this.#options = options
  }

  addressOf(facts: JobFacts<D>): RegistryAddress {
    const { workspace, owner } = this.#options
    const named = typeof owner === 'function' ? owner(facts) : owner
    // Every handle knows the defaults of its Verdict.
    const { workspace: anyWorkspace, owner: anyOwner } = this.#verdict.operation('')
    return { workspace: workspace ?? anyWorkspace, owner: named ?? anyOwner }
  }

  kindOf(facts: JobFacts<D>): string {
    return this.#options.kind?.(facts) ?? facts.name
  }

  /** Attempts: those that the queue allows from now on. */
  registration(facts: JobFacts<D>, kind: string, attempts: number): JobRegistration {
    const { describe } = this.#options
    return {
      source: `bullmq:${facts.queueName}`,
      ...describe?.(facts),
      policy: { ...this.#givenPolicy(kind), retry: { maxAttempts: attempts + this.spareAttempts, owner: 'queue' } },
    }
  }

  #givenPolicy(kind: string): JobPolicy {
    const { policies = {} } = this.#options
    return (Object.hasOwn(policies, kind) ? policies[kind] : undefined) ?? {}
  }

  /** As far as the bridge knows it: of kinds that only the authority's configuration names it knows nothing. */
  policyOf(kind: string): Policy {
    // Durations were checked and named as the authority names them; the rest is for its border to judge.
    return resolvePolicy(DEFAULT_POLICY, policyOf(this.#givenPolicy(kind)) as PolicyOverride)
  }
}
