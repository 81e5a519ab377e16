import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openVerdict } from '../../src/app.ts'
import { eventStoreContract } from '../../src/event-store/contract-suite.ts'
import { openEventStoreDb } from '../../src/event-store/eventstoredb.ts'
import { EventStoreDbServer } from '../support/eventstoredb-server.ts'
import { serverAt } from '../support/needs.ts'

eventStoreContract(
  'EventStoreDB, played by the protocol server',
  async () => {
    const server = await new EventStoreDbServer().start()
    return { open: () => openEventStoreDb({ connectionString: server.url }), dispose: () => server.kill() }
  },
  { describe, test, expect },
)

// docker compose up -d eventstoredb
const url = serverAt('EVENTSTORE_URL', 'esdb://localhost:2113?tls=false')
if (url === undefined) {
  // One that is seen in every report stands for all of them.
  test.skip('the contract of the log, and verdict on it, against a real EventStoreDB', {
    meta: { needsServer: 'EVENTSTORE_URL' },
  })
} else {
  eventStoreContract(
    'EventStoreDB, a real one',
    () => ({ open: () => openEventStoreDb({ connectionString: url }), dispose: () => undefined }),
    { describe, test, expect },
  )
  describe('verdict on a real EventStoreDB, whatever else it holds', () => {
    test('runs operations whose end every node knows, and finds them after a restart', async () => {
      const options = { workspace: `verdict on a real server ${randomUUID()}` }
      const [one, two] = [await openVerdict(url, options), await openVerdict(url, options)]
      let finish = (_result: string) => {}
      const begun = await one.start('export', {}, () => new Promise<string>((resolve) => (finish = resolve)))
      const outcome = two.operation(begun.id).outcome()
      finish('done')
      expect(await outcome).toEqual({ status: 'completed', result: 'done' })
      const numbers = Array.from({ length: 40 }, (_, number) => number)
      const results = numbers.map((number) =>
        (number % 2 === 0 ? one : two).execute('count', { id: `count-${number}` }, () => number),
      )
      expect(await Promise.all(results)).toEqual(numbers)
      await Promise.all([one.close(), two.close()])

      await using later = await openVerdict(url, options)
      const kept = await later.operations.list({ statuses: ['completed'] })
      expect(kept.operations.map(({ id }) => id).sort()).toEqual(
        [begun.id, ...numbers.map((number) => `count-${number}`)].sort(),
      )
      expect(await later.operation(begun.id).outcome()).toEqual({ status: 'completed', result: 'done' })
    })
  })
}
