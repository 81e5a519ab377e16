/**
 * What every adapter of the log must hold, as a suite that each runs: `eventStoreContract('my log', makeLog, { describe,
 * test, expect })`. It brings no test runner, so it runs in anyone's. It shares its log with others without being
 * disturbed by them: each test writes streams of its own and reads behind its own beginning, so a server that is not
 * empty will do.
 *
 * A case found in one adapter belongs here.
 */
import { appendingContract } from './contract-appending.ts'
import { bytesContract } from './contract-bytes.ts'
import type { ContractCase, ContractTools } from './contract-case.ts'
import { followingContract } from './contract-following.ts'
import { type ContractLog, OpenLog } from './contract-log.ts'
import { readingContract } from './contract-reading.ts'
import { standingContract } from './contract-standing.ts'
import { turnsContract } from './contract-turns.ts'

export type { ContractTools } from './contract-case.ts'
export type { ContractLog } from './contract-log.ts'

/** Defines the suite. `makeLog` is called once in each test. */
export function eventStoreContract(
  name: string,
  makeLog: () => Promise<ContractLog> | ContractLog,
  { describe, test, expect }: ContractTools,
): void {
  /** A test with a log of its own: everything opened is closed, also when it fails. */
  const onLog = (outcome: string, run: (log: OpenLog) => Promise<void>) =>
    test(outcome, async () => {
      const log = new OpenLog(await makeLog())
      try {
        await run(log)
      } finally {
        await log.end()
      }
    })
  const tools: ContractCase = { describe, expect, onLog }
  describe(`${name}: the contract of the log`, () => {
    appendingContract(tools)
    bytesContract(tools)
    readingContract(tools)
    followingContract(tools)
    turnsContract(tools)
    standingContract(tools)
  })
}
