/**
 * From endpoints to routes. A custom verb stands behind the last parameter of its address, and parameters may hold colons
 * themselves: so there is one route for all verbs of a place, and what stands behind the last colon is the verb.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods, RouteHandlerMethod } from 'fastify'
import type { Endpoint } from './endpoint.ts'
import { RequestRefused } from './error-responses.ts'

export const OWNER_PREFIX = '/v1/workspaces/{workspace}/owners/{owner}'
export const SHORT_PREFIX = '/v1'

/** One address of an endpoint. */
export interface Address {
  readonly endpoint: Endpoint
  /** As OpenAPI has it. */
  readonly path: string
  /** Names workspace and owner itself. */
  readonly isOwnerNamed: boolean
}

export function addressesOf(endpoint: Endpoint): readonly Address[] {
  const short = { endpoint, path: `${SHORT_PREFIX}${endpoint.path}`, isOwnerNamed: false }
  if (endpoint.scope === 'server') return [short]
  const long = { endpoint, path: `${OWNER_PREFIX}${endpoint.path}`, isOwnerNamed: true }
  // What is about the owner as a whole names one.
  return endpoint.scope === 'owner' && endpoint.path.startsWith('/') ? [long, short] : [long]
}

/** Sends the reply, now or later; throws, or has it refused, what is thrown on the way. */
export type Answer = (
  address: Address,
  params: Readonly<Record<string, string>>,
  request: FastifyRequest,
  reply: FastifyReply,
) => void

const METHODS: readonly HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

export function mount(app: FastifyInstance, endpoints: readonly Endpoint[], answer: Answer): void {
  const routes = new Map<string, Map<HTTPMethods, Address | Map<string, Address>>>()
  for (const address of endpoints.flatMap(addressesOf)) {
    const { url, verb } = routeOf(address.path)
    const methods = routes.get(url) ?? new Map<HTTPMethods, Address | Map<string, Address>>()
    routes.set(url, methods)
    const { method } = address.endpoint
    if (verb === undefined) methods.set(method, address)
    else {
      const known = methods.get(method)
      methods.set(method, (known instanceof Map ? known : new Map<string, Address>()).set(verb, address))
    }
  }
  for (const [url, methods] of routes) {
    for (const [method, target] of methods) {
      app.route({ method, url, handler: handlerOf(target, url, answer) })
    }
    const others = METHODS.filter((method) => !methods.has(method))
    const allow = [...methods.keys()].join(', ')
    app.route({
      method: others,
      url,
      handler: (request, reply) => {
        void reply.header('allow', allow)
        throw new RequestRefused('method_not_allowed', `${request.method} is not understood here: ${allow} is`, {
          allow,
        })
      },
    })
  }
}

function handlerOf(target: Address | ReadonlyMap<string, Address>, url: string, answer: Answer): RouteHandlerMethod {
  if (!(target instanceof Map)) {
    const address = target as Address
    return (request, reply) => answer(address, paramsOf(request), request, reply)
  }
  const name = url.slice(url.lastIndexOf(':') + 1)
  return (request, reply) => {
    const params = paramsOf(request)
    const whole = params[name] ?? ''
    const colon = whole.lastIndexOf(':')
    const address = colon < 0 ? undefined : target.get(whole.slice(colon + 1))
    if (address === undefined) throw noSuchVerb(target, colon < 0 ? undefined : whole.slice(colon + 1))
    answer(address, { ...params, [name]: whole.slice(0, colon) }, request, reply)
  }
}

/** Strings, decoded: no route has a parser of its own. */
function paramsOf(request: FastifyRequest): Readonly<Record<string, string>> {
  return request.params as Readonly<Record<string, string>>
}

function noSuchVerb(target: ReadonlyMap<string, Address>, told: string | undefined): RequestRefused {
  const verbs = [...target.keys()]
  const got = told === undefined ? 'none' : JSON.stringify(told)
  const message = `expected one of the verbs ${verbs.join(', ')} behind a colon, got ${got}`
  return new RequestRefused('no_such_route', message, { verbs })
}

/** The router's form of a path: `{id}` is `:id`, a colon of ours is two, and a verb behind a parameter stands apart. */
function routeOf(path: string): { readonly url: string; readonly verb?: string } {
  const found = /^(.*\})(?::([a-z-]+))$/.exec(path)
  const rest = found?.[1] ?? path
  const url = rest.replaceAll(':', '::').replace(/\{(\w+)\}/g, ':$1')
  return found?.[2] === undefined ? { url } : { url, verb: found[2] }
}
