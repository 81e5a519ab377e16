/**
 * A service that exports orders, with a server as the authority on what became of each export.
 *
 *     verdict serve                       # in another terminal
 *     node examples/service.ts            # VERDICT_SERVER, VERDICT_API_KEY where they are not the default
 */
import { connectVerdict, OperationFailed } from '../src/client.ts' // where the package is installed: 'verdict/client'

const { VERDICT_SERVER = 'http://localhost:8080', VERDICT_API_KEY: apiKey } = process.env
const verdict = connectVerdict(VERDICT_SERVER, { owner: 'acme', ...(apiKey === undefined ? {} : { apiKey }) })

// Registered and durable when it returns; its heartbeats are kept, and its outcome is told, over restarts of the server too.
const orders = await verdict.start(
  'export',
  { name: 'Orders of March', labels: { team: 'billing' }, input: { month: '2026-03' }, policy: { staleAfter: '2m' } },
  async ({ input, signal, phase, progress }) => {
    const rows = await phase('read', () => Array.from({ length: 100 }, (_, i) => `${input.month}-${i}`))
    await phase('write', () => {
      for (const [i] of rows.entries()) {
        signal.throwIfAborted() // a cancel was asked, or the lease was lost
        progress({ processed: i + 1, total: rows.length })
      }
    })
    return { rows: rows.length }
  },
)

// A second one, which fails; and what anybody who has their ids may wait for.
const broken = await verdict.start('export', { name: 'Orders of April' }, async () => {
  throw new Error('there are none yet')
})
for (const outcome of await verdict.waitAll([orders, broken])) console.log(JSON.stringify(outcome))
try {
  await broken.result()
} catch (error) {
  if (!(error instanceof OperationFailed)) throw error
  console.log(error.message.replace(broken.id, 'the second one'))
}

// What happened, as anybody may read it: here of one owner, from the beginning, without waiting for more.
for await (const { type, subject } of verdict.events({ owner: 'acme', follow: false })) {
  if (/operation\.(completed|failed)$/.test(type)) console.log(type, subject === orders.id ? 'first' : 'second')
}
await verdict.close()
