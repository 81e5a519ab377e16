/** How far the reconciler goes with a kind. Kept by the node; changeable while it runs. */
export const MODES = ['enforce', 'observe', 'off'] as const

/** `enforce` acts; `observe` judges and counts, and changes nothing; `off` does not even judge. */
export type Mode = (typeof MODES)[number]

export class Modes {
  readonly #byKind: Map<string, Mode>

  constructor(modes: Readonly<Record<string, Mode>>) {
    this.#byKind = new Map(Object.entries(modes))
  }

  of(kind: string): Mode {
    return this.#byKind.get(kind) ?? 'enforce'
  }

  set(kind: string, mode: Mode): void {
    this.#byKind.set(kind, mode)
  }

  /** The kinds for which something was said. */
  get all(): Readonly<Record<string, Mode>> {
    return Object.fromEntries(this.#byKind)
  }
}
