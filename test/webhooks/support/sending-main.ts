/**
 * A process that embeds Verdict with webhooks, to be killed: `node sending-main.ts LOG URL SECRET`. It runs operations for as long
 * as it lives and prints the id of each whose completion was acknowledged.
 */
import { openVerdict } from '../../../src/app.ts'

const [log = '', url = '', secret = ''] = process.argv.slice(2)
const verdict = await openVerdict(log, {
  log: { warn: () => {} },
  settings: { webhookRetryScheduleMs: Array.from({ length: 64 }, (_, n) => (n === 0 ? 0 : 20)), followLeaseMs: 300 },
  webhooks: {
    endpoints: [
      { id: 'ends', url, secrets: [secret], types: ['verdict.operation.completed'], allowPrivateAddresses: true },
    ],
  },
})
for (;;) {
  const { id } = await verdict.start('export', {}, () => 1)
  await verdict.operation(id).outcome()
  process.stdout.write(`${id}\n`)
}
