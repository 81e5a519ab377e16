/** A process that embeds Verdict: its reconciler runs, and an operation of its own, until it is told to end. */
import { openVerdict } from '../../src/app.ts'

const [location = '', policy = '{}'] = process.argv.slice(2)
const verdict = await openVerdict(location, { settings: { aliveMarkMs: 200, reconcileSweepMs: 500 } })
await verdict.start('k', { id: 'inside', policy: JSON.parse(policy) }, ({ signal }) => {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
})
process.send?.('ready')
process.on('message', () => void verdict.close({ grace: 0 }).then(() => process.disconnect()))
