/**
 * A server of a bench in a process of its own: `server-main.ts verdict FILE [following]`, `server-main.ts echo` or
 * `server-main.ts durable-echo FILE`. Says where it listens.
 */
import Database from 'better-sqlite3'
import Fastify, { type FastifyReply } from 'fastify'
import { keepNewObjectsYoung } from '../src/cli/young-objects.ts'
import { serveVerdict } from '../src/serve.ts'

// As the program `verdict` does; the echo has it as well.
keepNewObjectsYoung()
const [kind, file = '', following] = process.argv.slice(2)

if (kind === 'echo') {
  // What the web framework costs by itself: the same request read and answered.
  await listen((body, reply) => reply.send(body))
} else if (kind === 'durable-echo') {
  // The same with what was sent on disk first: one commit for all that came while the one before was made.
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE requests (id INTEGER PRIMARY KEY, body TEXT NOT NULL)')
  const insert = db.prepare('INSERT INTO requests (body) VALUES (?)')
  const insertAll = db.transaction((bodies: readonly unknown[]) => {
    for (const body of bodies) insert.run(JSON.stringify(body))
  })
  let waiting: (readonly [body: unknown, reply: FastifyReply])[] = []
  const commit = () => {
    const batch = waiting
    waiting = []
    insertAll(batch.map(([body]) => body))
    for (const [body, reply] of batch) void reply.send(body)
  }
  await listen((body, reply) => {
    if (waiting.push([body, reply]) === 1) setImmediate(commit)
    return reply
  })
} else {
  const { url } = await serveVerdict(file, {
    port: 0,
    settings: { logLevel: 'silent', httpRequestsPerMinuteMax: 0 },
    readModels: { follow: following === undefined ? 'never' : 'at_start' },
  })
  process.stdout.write(`${url}\n`)
}

async function listen(answer: (body: unknown, reply: FastifyReply) => FastifyReply): Promise<void> {
  const app = Fastify()
  for (const path of ['', '/:id']) {
    app.post(`/v1/workspaces/:workspace/owners/:owner/operations${path}`, (request, reply) =>
      answer(request.body, reply),
    )
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  process.stdout.write(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`)
}
