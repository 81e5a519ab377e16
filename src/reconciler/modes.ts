/** How far the reconciler goes with a kind: as it is configured, or as an operator said since. */
export const MODES = ['enforce', 'observe', 'off'] as const

/** `enforce` acts; `observe` judges and counts, and changes nothing; `off` does not even judge. */
export type Mode = (typeof MODES)[number]

export class Modes {
  readonly #byKind: Map<string, Mode>

  constructor(configured: Readonly<Record<string, Mode>>) {
    this.#byKind = new Map(Object.entries(configured))
  }

  of(kind: string): Mode {
    return this.#byKind.get(kind) ?? 'enforce'
  }

  /** What is on record counts more than what is configured. The kinds that go another way than before. */
  recorded(modes: ReadonlyMap<string, Mode>): readonly string[] {
    const changed = [...modes].filter(([kind, mode]) => this.of(kind) !== mode)
    for (const [kind, mode] of modes) this.#byKind.set(kind, mode)
    return changed.map(([kind]) => kind)
  }

  /** The kinds for which something was said. */
  get all(): Readonly<Record<string, Mode>> {
    return Object.fromEntries(this.#byKind)
  }
}
