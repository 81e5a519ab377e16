import type { FastifyRequest } from 'fastify'

/** Without the query: what people search for is nobody's business in a log. */
export function pathOf(request: FastifyRequest): string {
  const { url } = request
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}
