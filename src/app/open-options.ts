/** How an embedding program opens Verdict: its options, checked at the start, all that is wrong with kinds at once. */
import { DEFAULT_LIMITS, type Limits, limitsSchema } from '../authority/events.ts'
import { type KindDefinition, type KindDefinitions, kindDefinitionSchema, kindViolations } from '../authority/kinds.ts'
import { DEFAULT_POLICY, type Policy, resolvePolicy } from '../authority/lifecycle-policy.ts'
import { type KindOptions, kindOf } from '../client/kind-options.ts'
import { OperationRejected } from '../client/operation-errors.ts'
import type { VerdictDefaults } from '../client/verdict.ts'
import { type Settings, SettingsError, type SettingsInput, settingsOf } from '../config.ts'
import type { Mode } from '../reconciler/modes.ts'
import type { Witness } from '../reconciler/witness.ts'
import type { Clock } from '../runtime/clock.ts'
import type { RandomSource } from '../runtime/ids.ts'
import type { ReadModelOptions } from './read-side-of-node.ts'
import type { WebhookOptions } from './webhooks-of-node.ts'

export interface OpenOptions extends VerdictDefaults {
  readonly settings?: SettingsInput
  /** What is known of kinds of operations; others live by the defaults. */
  readonly kinds?: Readonly<Record<string, KindOptions>>
  /** For registries that open without limits of their own. */
  readonly limits?: Partial<Limits>
  /** Refuses (LogError `log_missing`) to begin a log where there is none; by default it is begun. */
  readonly mustExist?: boolean
  readonly readModels?: ReadModelOptions
  /** Given, this process tells events to endpoints: its own and those that were added by command. */
  readonly webhooks?: WebhookOptions
  readonly clock?: Clock
  readonly random?: RandomSource
  /** Judges whoever does not speak for itself any more; on by default, `false` for a process that leaves it to others. */
  readonly reconciler?: ReconcilerOptions | false
}

export interface ReconcilerOptions {
  /** How far it goes with a kind; default `enforce`. What an operator put on record in the log counts more. */
  readonly modes?: Readonly<Record<string, Mode>>
  /** Who may know more of a kind's operations than their silence tells. */
  readonly witnesses?: Readonly<Record<string, Witness>>
  /**
   * Path of a small file that tells the next process since when nobody could be heard. Default: beside the file of the log;
   * for a log on a server in `verdict` of the user's state directory (XDG_STATE_HOME, ~/.local/state), by the log's id. Name one on
   * a disk that stays where that does not outlive the process, as in a container.
   */
  readonly aliveMark?: string
}

/** What the options come to. Throws SettingsError for options that contradict themselves, and for names that none has. */
export function checkedOptions(options: OpenOptions): {
  readonly settings: Settings
  readonly kinds: KindDefinitions
  readonly limits: Limits
} {
  assertOptions(options)
  const settings = settingsOf(options.settings)
  return { settings, kinds: checkedKinds(options.kinds ?? {}, settings), limits: checkedLimits(options.limits ?? {}) }
}

/**
 * The policy of each kind as it will be stored with its operations, and that of all others under `*`. Throws SettingsError for
 * options that contradict themselves, with all that is wrong with the kinds.
 */
export function effectivePolicies(options: OpenOptions): Readonly<Record<string, Policy>> {
  const { kinds } = checkedOptions(options)
  const policies = Object.entries(kinds).map(([kind, { policy }]) => [kind, resolvePolicy(DEFAULT_POLICY, policy)])
  return { ...Object.fromEntries(policies), '*': DEFAULT_POLICY }
}

/** An option under a name that is not known would be one that is silently not followed. */
function assertOptions(options: OpenOptions): void {
  assertObject('options', options)
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new SettingsError(`there is no option "${name}": it is one of ${Object.keys(OPTIONS).join(', ')}`)
    }
  }
  for (const name of ['settings', 'kinds', 'limits', 'worker', 'webhooks'] as const) {
    if (options[name] !== undefined) assertObject(name, options[name])
  }
}

const OPTIONS: Readonly<Record<keyof OpenOptions, true>> = {
  workspace: true,
  owner: true,
  actor: true,
  worker: true,
  log: true,
  clock: true,
  newId: true,
  settings: true,
  kinds: true,
  limits: true,
  random: true,
  mustExist: true,
  reconciler: true,
  readModels: true,
  webhooks: true,
}

function assertObject(name: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new SettingsError(`${name}: expected an object, got ${Array.isArray(value) ? 'a list' : String(value)}`)
}
/** Everything that contradicts itself is told at once: whoever tunes numbers should not meet them one by one. */
function checkedKinds(options: NonNullable<OpenOptions['kinds']>, settings: Settings): KindDefinitions {
  const kinds = Object.fromEntries(Object.entries(options).map(([kind, one]) => [kind, checkedKind(kind, one)]))
  const violations = kindViolations(kinds, settings)
  if (violations.length > 0) throw new SettingsError(violations.map(({ message }) => message).join('\n'))
  return kinds
}

function checkedKind(kind: string, options: KindOptions): KindDefinition {
  try {
    const parsed = kindDefinitionSchema.safeParse(kindOf(options))
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    throw new SettingsError(
      `kind "${kind}": ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`,
    )
  } catch (error) {
    if (error instanceof OperationRejected) throw new SettingsError(`kind "${kind}": ${error.message}`)
    throw error
  }
}

/** Stored with each registry that opens, for ever: what does not fit would stop it when it is read again. */
function checkedLimits(given: Partial<Limits>): Limits {
  const named = Object.entries(given).filter(([, value]) => value !== undefined)
  const parsed = limitsSchema.safeParse({ ...DEFAULT_LIMITS, ...Object.fromEntries(named) })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = ['limits', ...(issue?.path ?? [])].map(String).join('.')
  throw new SettingsError(`${path}: ${issue?.message ?? 'not valid'}`)
}
