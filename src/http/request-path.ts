import type { FastifyRequest } from 'fastify'

/** Without the query: what people search for is nobody's business in a log. */
export function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? ''
}
