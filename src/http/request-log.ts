/**
 * One line for each thing that happened: which request, by whom, to which operation, how it ended. Names and ids are fields;
 * headers, queries and bodies stay out, because secrets and other people's data are in them.
 */
import type { FastifyRequest } from 'fastify'
import { pathOf } from './request-path.ts'
import type { ServerPlugin } from './server.ts'

export const requestLog: ServerPlugin = (app, { host, nameOf }) => {
  const { log } = host
  app.addHook('onResponse', (request, reply, done) => {
    const { statusCode: status, elapsedTime } = reply
    const facts = {
      requestId: request.id,
      method: request.method,
      path: pathOf(request),
      status,
      ms: Math.round(elapsedTime * 1_000) / 1_000,
      ...named('actor', nameOf(request)),
      ...traced(request),
    }
    if (status >= 500) log.error(facts, 'a request could not be served')
    else if (status === 401 || status === 403) log.warn(facts, 'a request was denied')
    else if (request.method === 'GET' || request.method === 'HEAD') log.debug(facts, 'a question was answered')
    else log.info(facts, status < 400 ? 'a command was carried out' : 'a command was refused')
    done()
  })
}

function named(name: string, value: string | undefined): Readonly<Record<string, string>> {
  return value === undefined ? {} : { [name]: value }
}

/** The trace that the line belongs to, where the caller said one. */
function traced({ headers }: FastifyRequest): Readonly<Record<string, string>> {
  const { traceparent } = headers
  return typeof traceparent === 'string' ? named('traceId', /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1]) : {}
}
