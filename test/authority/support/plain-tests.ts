/**
 * The words of Vitest in which the tests of the authority are written, for a process that runs them again and again without it:
 * a file that is imported leaves its tests here, and whoever imported it takes them away.
 */
import { expect } from 'vitest'

export { expect }

export interface PlainTest {
  readonly title: string
  readonly run: () => unknown
}

let collected: PlainTest[] = []
let suites: readonly string[] = []

/** Those that were left since the last time, in their order. */
export function takeTests(): readonly PlainTest[] {
  const taken = collected
  collected = []
  return taken
}

export function describe(title: string, body: () => void): void {
  const outer = suites
  suites = [...outer, title]
  try {
    body()
  } finally {
    suites = outer
  }
}
describe.each = eachOf((title, body) => describe(title, body as () => void))

/** With options or without, in either place; a test of this kind has no time-out. */
export function test(title: string, ...rest: readonly unknown[]): void {
  const run = rest.find((one) => typeof one === 'function') as () => unknown
  collected.push({ title: [...suites, title].join(' > '), run })
}
test.each = eachOf(test)

/** Titles keep their placeholders, and are told apart by the number of the case. */
function eachOf(declare: (title: string, body: () => unknown) => void) {
  return (cases: readonly unknown[]) =>
    (title: string, ...rest: readonly unknown[]) => {
      const body = rest.find((one) => typeof one === 'function') as (...given: readonly unknown[]) => unknown
      for (const [number, given] of cases.entries()) {
        declare(`${title} #${number}`, () => (Array.isArray(given) ? body(...given) : body(given)))
      }
    }
}
