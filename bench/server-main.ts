/** A server of a bench in a process of its own: `server-main.ts verdict FILE [following]` or `server-main.ts echo`. Says where it listens. */
import Fastify from 'fastify'
import { keepNewObjectsYoung } from '../src/cli/young-objects.ts'
import { serveVerdict } from '../src/serve.ts'

// As the program `verdict` does; the echo has it as well.
keepNewObjectsYoung()
const [kind, file = '', following] = process.argv.slice(2)

if (kind === 'echo') {
  // What the web framework costs by itself: the same request read and answered.
  const app = Fastify()
  app.post('/v1/operations', (request, reply) => reply.send(request.body))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  process.stdout.write(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`)
} else {
  const { url } = await serveVerdict(file, {
    port: 0,
    settings: { logLevel: 'silent', httpRequestsPerMinuteMax: 0 },
    readModels: { follow: following === undefined ? 'never' : 'at_start' },
  })
  process.stdout.write(`${url}\n`)
}
