/** How far the reconciler goes with a kind: as it is configured, or as an operator said since. */
import { EVERY_KIND, type OrderOnRecord, type RecordedMode } from '../shell/reconciler-orders.ts'

export const MODES = ['enforce', 'observe', 'off'] as const

/** `enforce` acts; `observe` judges and counts, and changes nothing; `off` does not even judge. */
export type Mode = (typeof MODES)[number]

export interface ModeInForce {
  readonly mode: Mode
  /** Absent where it is only configured. */
  readonly order?: OrderOnRecord
}

export class Modes {
  readonly #configured: ReadonlyMap<string, ModeInForce>
  #recorded: ReadonlyMap<string, ModeInForce> = new Map()

  constructor(configured: Readonly<Record<string, Mode>>) {
    this.#configured = new Map(Object.entries(configured).map(([kind, mode]) => [kind, { mode }]))
  }

  /** What is on record counts more than what is configured. */
  of(kind: string): Mode {
    const said = this.#recorded.get(kind) ?? this.#recorded.get(EVERY_KIND) ?? this.#configured.get(kind)
    return said?.mode ?? 'enforce'
  }

  /** All that is on record by now, without what an order for every kind has overruled. The kinds that go another way than before. */
  recorded(modes: ReadonlyMap<string, RecordedMode>): readonly string[] {
    const kinds = [...new Set([...this.#recorded.keys(), ...modes.keys()])]
    const before = kinds.map((kind) => this.of(kind))
    this.#recorded = new Map([...modes].map(([kind, { mode, ...order }]) => [kind, { mode, order }]))
    return kinds.filter((kind, i) => this.of(kind) !== before[i])
  }

  /** The kinds for which something was said, and `*` where all others go another way than to enforce. */
  get all(): Readonly<Record<string, ModeInForce>> {
    const configured = this.#recorded.has(EVERY_KIND) ? [] : this.#configured
    return Object.fromEntries([...configured, ...this.#recorded])
  }
}
