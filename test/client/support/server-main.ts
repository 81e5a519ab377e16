/** A server in a process of its own: `node server-main.ts LOCATION PORT`. Says its address when it listens. */
import { serveVerdict } from '../../../src/serve.ts'

const [location = '', port = '0', ...rest] = process.argv.slice(2)
const options = JSON.parse(rest[0] ?? '{}') as object
const server = await serveVerdict(location, {
  port: Number(port),
  settings: { logLevel: 'silent' },
  // Threads that nobody asks anything would be most of what a test takes.
  readModels: { follow: 'when_asked' },
  webhooks: undefined,
  ...options,
})
process.stdout.write(`${server.url}\n`)
process.once('SIGTERM', () => void server.close())
