/**
 * What callers had no right to, on its way to the record, so that nobody can fill the log by being denied. Only known callers come
 * here (whoever does not say who he is gets one line in the server's own log), and only what takes more than reading and working. The
 * first attempt at an action is told at once, those of the next minute as a number at its end. Beyond the bounds of a minute
 * everything of a caller is one action, and so is everything of all further callers.
 */
import type { Clock } from '../runtime/clock.ts'
import type { DeniedAction } from '../shell/admin-record.ts'
import type { Right } from './roles.ts'

export type Denial = Omit<DeniedAction, 'attempts' | 'fromAt' | 'right'> & { readonly right: Right }

export interface DeniedActionsParts {
  readonly record: (denied: DeniedAction) => Promise<void>
  readonly clock: Clock
  readonly warn: (facts: Readonly<Record<string, unknown>>, message: string) => void
}

const WINDOW_MS = 60_000
/** Told one by one within a window. */
const ACTIONS_OF_ONE_MAX = 16
const ACTIONS_MAX = 256
const TEXT_LENGTH_MAX = 256
const OTHERS = '*'
const RECORDED: ReadonlySet<Right> = new Set<Right>(['operate', 'audit', 'administer'])

export class DeniedActions {
  readonly #parts: DeniedActionsParts
  /** By actor and action, of this window. */
  readonly #counted = new Map<string, DeniedAction>()
  #stopTimer: (() => void) | undefined
  #underWay: Promise<unknown> = Promise.resolve()
  #hasEnded = false

  constructor(parts: DeniedActionsParts) {
    this.#parts = parts
  }

  note(denial: Denial): void {
    if (!RECORDED.has(denial.right) || this.#hasEnded) return
    const denied = this.#bounded(denial)
    const key = keyOf(denied)
    const counted = this.#counted.get(key)
    this.#counted.set(key, {
      ...denied,
      fromAt: counted === undefined || counted.attempts === 0 ? denied.fromAt : counted.fromAt,
      // The first one is told at once.
      attempts: counted === undefined ? 0 : counted.attempts + 1,
    })
    if (counted === undefined) this.#tell({ ...denied, attempts: 1 })
    this.#stopTimer ??= this.#parts.clock.after(WINDOW_MS, () => this.#windowOver())
  }

  /** Tells what was only counted so far; nothing is noted any more. Twice is once. */
  async end(): Promise<void> {
    this.#hasEnded = true
    this.#stopTimer?.()
    for (const denied of this.#counted.values()) if (denied.attempts > 0) this.#tell(denied)
    this.#counted.clear()
    await this.#underWay
  }

  #bounded({ actor, action, right, workspace, path }: Denial): DeniedAction {
    const told = {
      right,
      workspace: workspace.slice(0, TEXT_LENGTH_MAX),
      path: path.slice(0, TEXT_LENGTH_MAX),
      attempts: 1,
      fromAt: Math.floor(this.#parts.clock.now()),
    }
    const denied = { actor, action, ...told }
    if (this.#counted.has(keyOf(denied))) return denied
    const ofActor = [...this.#counted.values()].filter((one) => one.actor === actor).length
    if (this.#counted.size >= ACTIONS_MAX) return { ...told, actor: OTHERS, action: OTHERS }
    return ofActor >= ACTIONS_OF_ONE_MAX ? { ...told, actor, action: OTHERS } : denied
  }

  #windowOver(): void {
    for (const [key, denied] of this.#counted) {
      if (denied.attempts === 0) this.#counted.delete(key)
      else {
        this.#tell(denied)
        // Who goes on gets one line a minute.
        this.#counted.set(key, { ...denied, attempts: 0 })
      }
    }
    this.#stopTimer =
      this.#counted.size === 0 ? undefined : this.#parts.clock.after(WINDOW_MS, () => this.#windowOver())
  }

  #tell(denied: DeniedAction): void {
    const { record, warn } = this.#parts
    const told = record(denied).catch((error: unknown) => {
      warn({ ...denied, error: String(error) }, 'a denied action could not be put on record')
    })
    this.#underWay = Promise.all([this.#underWay, told])
  }
}

function keyOf({ actor, action }: Pick<DeniedAction, 'actor' | 'action'>): string {
  return JSON.stringify([actor, action])
}
