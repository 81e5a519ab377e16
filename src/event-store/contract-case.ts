/** What a test runner brings, and how the cases of the contract are defined with it. */
import type { OpenLog } from './contract-log.ts'

/** Those of vitest, of jest, or `node:test` with `(actual) => ({ toEqual: (wanted) => assert.deepEqual(actual, wanted) })`. */
export interface ContractTools {
  readonly describe: (name: string, define: () => void) => unknown
  readonly test: (name: string, run: () => Promise<void>) => unknown
  readonly expect: (actual: unknown) => { toEqual(expected: unknown): unknown }
}

/** What the cases of one theme are defined with. */
export interface ContractCase extends Pick<ContractTools, 'describe' | 'expect'> {
  /** A test with a log of its own: everything opened is closed, also when it fails. */
  readonly onLog: (outcome: string, run: (log: OpenLog) => Promise<void>) => unknown
}
