/** The description of the API and a page to read it by. Anybody may: nothing in it is a secret. */
import scalar from '@scalar/fastify-api-reference'
import { openApiOf } from './openapi.ts'
import type { ServerPlugin } from './server.ts'

const DOCUMENT = '/openapi.json'
const PAGE = '/docs'

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
  openPaths.add(DOCUMENT)
  app.get(DOCUMENT, (_request, reply) => {
    document ??= JSON.stringify(openApiOf(endpoints, { version, waitSecondsMax: settings.httpWaitSecondsMax }))
    return reply.type('application/json').send(document)
  })
  for (const path of [PAGE, `${PAGE}/`, `${PAGE}/js/scalar.js`]) openPaths.add(path)
  void app.register(async (page) => {
    page.addHook('onSend', async (_request, reply) => {
      void reply.header('content-security-policy', PAGE_POLICY)
    })
    await page.register(scalar, {
      routePrefix: PAGE,
      configuration: { url: DOCUMENT, withDefaultFonts: false, telemetry: false },
    })
  })
}
