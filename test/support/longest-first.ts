import { existsSync } from 'node:fs'
import path from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const TESTS = path.resolve(import.meta.dirname, '..')

/** What takes longest, much of it in processes and browsers that are waited for; by their size they would come anywhere. */
const LONGEST = [
  'cli/operations',
  'examples/demo-monitor',
  'monitor/list',
  'reconciler/clocks-and-pauses',
  'authority/exploration',
  'subscriptions/rebuild',
  'client/restarts',
  'bridges/bullmq-failures',
  'cli/run',
  'cli/serve',
  'cli/reconcile',
  'monitor/operation-page',
  'nodes/nodes-under-fire',
  'demo',
  'crash/troubled-disk',
  'simulation/simulation',
  'fuzz/fuzz',
  'reconciler/silence-property',
  'shell/kill-loop',
].map((name) => path.join(TESTS, `${name}.test.ts`))

/** The longest files first, also in a fresh clone where nobody has measured: one that began last would be waited for alone. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = LONGEST.filter((file) => !existsSync(file))
    if (gone.length > 0) throw new Error(`test/support/longest-first.ts names what is not there: ${gone.join(', ')}`)
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.indexOf(moduleId)
      return at === -1 ? LONGEST.length : at
    }
    return sorted.sort((a, b) => rank(a) - rank(b))
  }
}
