/** What the demo shows is checked, each thing by its name; one that does not hold makes the demo fail. */
import { isDeepStrictEqual } from 'node:util'

export class Checks {
  #failed = 0
  #held = 0

  get failed(): number {
    return this.#failed
  }

  get held(): number {
    return this.#held
  }

  that(what: string, holds: boolean): void {
    if (holds) this.#held++
    else this.#failed++
    console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}`)
  }

  equal(what: string, actual: unknown, expected: unknown): void {
    const holds = isDeepStrictEqual(actual, expected)
    this.that(what, holds)
    if (!holds) console.log(`     expected ${JSON.stringify(expected)}\n     met      ${JSON.stringify(actual)}`)
  }
}
