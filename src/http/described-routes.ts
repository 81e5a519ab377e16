/** The description of the API and a page to read it by. Anybody may: nothing in it is a secret. */
import Fastify, { type FastifyInstance } from 'fastify'
import { openApiOf } from './openapi.ts'
import type { ServerPlugin } from './server.ts'

const DOCUMENT = '/openapi.json'
const PAGE = '/docs'
const PAGES = [PAGE, `${PAGE}/`, `${PAGE}/js/scalar.js`]

/** The page runs its own script from this server, and asks nobody else for anything. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

export const described: ServerPlugin = (app, { host, endpoints, openPaths }) => {
  const { version, settings } = host
  let document: string | undefined
  let page: Promise<FastifyInstance> | undefined
  openPaths.add(DOCUMENT)
  app.get(DOCUMENT, (_request, reply) => {
    document ??= JSON.stringify(openApiOf(endpoints, { version, waitSecondsMax: settings.httpWaitSecondsMax }))
    return reply.type('application/json').send(document)
  })
  for (const path of PAGES) {
    openPaths.add(path)
    app.get(path, async (_request, reply) => {
      page ??= pageApp()
      const { statusCode, headers, rawPayload } = await (await page).inject(path)
      const { location } = headers
      if (location !== undefined) void reply.header('location', location)
      const type = headers['content-type'] ?? 'text/html'
      return reply.code(statusCode).type(type).header('content-security-policy', PAGE_POLICY).send(rawPayload)
    })
  }
}

/** An app of its own, made when somebody first looks: its script takes longer to load than the rest of the server. */
async function pageApp(): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference')
  const app = Fastify()
  await app.register(scalar, {
    routePrefix: PAGE,
    configuration: { url: DOCUMENT, withDefaultFonts: false, telemetry: false },
  })
  return app
}
