/**
 * The API over HTTP. It decides nothing and keeps no truth: requests become commands and questions to a door, answers become
 * JSON, refusals problem details.
 *
 *     request -> who asks? -> which endpoint? -> may they? -> door -> reply
 *     drain: not ready -> waits answered -> in-flight finished -> closed
 */
import { randomUUID } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { PROBLEM_MEDIA_TYPE } from '../wire/problem.ts'
import type { Endpoint, Reply, StreamConnection } from './endpoint.ts'
import { API_ENDPOINTS } from './endpoints.ts'
import { assertEntitled } from './entitlement.ts'
import { errorResponse, RequestRefused, refusalOf } from './error-responses.ts'
import { EventStreams } from './event-streams.ts'
import type { Host } from './host.ts'
import { KnownOwners } from './known-owners.ts'
import { LongPolls } from './long-polls.ts'
import { WaitedOutcomes } from './outcome-stream.ts'
import { callOf } from './request-call.ts'
import { pathOf } from './request-path.ts'
import type { Principal } from './roles.ts'
import { type Address, addressesOf, mount } from './routing.ts'
import { SECURITY_HEADERS } from './security-headers.ts'
import { StandingEntitlement } from './standing-entitlement.ts'
import { clientErrorHandler } from './unreadable-requests.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, where somebody was let in. */
    principal?: Principal
    /** What it reached. */
    endpoint?: Endpoint
  }
}

export interface ServerParts extends Omit<Host, 'polls' | 'owners' | 'streams' | 'outcomes'> {
  /** Routes beside the API: live events, the page, metrics. */
  readonly plugins?: readonly ServerPlugin[]
}

/** More on the same server: routes and hooks, before the routes of the API; told when it drains. */
export type ServerPlugin = (app: FastifyInstance, server: ServerContext) => void

export interface ServerContext {
  readonly host: Host
  readonly endpoints: readonly Endpoint[]
  /** Who asks; throws RequestRefused. Requests outside of `openPaths` have been asked for it already. */
  readonly principalOf: (request: FastifyRequest) => Principal
  /** The same for a request to one of the open paths. */
  readonly whoAsks: (request: FastifyRequest) => Promise<Principal>
  /** Undefined for what reached none. */
  readonly endpointOf: (request: FastifyRequest) => Endpoint | undefined
  /** Undefined where nobody was asked for, or let in. */
  readonly nameOf: (request: FastifyRequest) => string | undefined
  /** Paths that anybody may ask for. */
  readonly openPaths: Set<string>
  /** Beginnings of such paths. */
  readonly openFolders: Set<string>
  readonly draining: AbortSignal
}

export interface ApiServer {
  /** Port 0 takes a free one. Gives the address that it listens on. */
  listen(at: { readonly host: string; readonly port: number }): Promise<AddressInfo>
  /** Not ready any more; who waits is answered, what is in flight finishes, then it is closed. Twice is once. */
  drain(): Promise<void>
  /** Ends connections as they are. */
  force(): void
}

/** Parameters are names of up to 128 bytes, each of which may take three characters. */
const PARAMETER_LENGTH_MAX = 512
/** How often a server that ends looks whether everybody has an answer. */
const IDLE_LOOK_MS = 50

export async function createServer(parts: ServerParts): Promise<ApiServer> {
  const {
    settings,
    log,
    authentication: { authenticate },
    plugins = [],
  } = parts
  const host: Host = {
    ...parts,
    polls: new LongPolls(settings.httpWaitsMax),
    owners: new KnownOwners(),
    streams: new EventStreams(settings.httpStreamsMax),
    outcomes: new WaitedOutcomes(settings.httpOutcomesWaitedMax),
  }
  const draining = new AbortController()
  const paths = API_ENDPOINTS.filter(({ access }) => access === 'anybody').flatMap(addressesOf)
  const openEndpoints: ReadonlySet<string> = new Set(paths.map(({ path }) => path))
  const openPaths = new Set<string>(openEndpoints)
  const openFolders = new Set<string>()
  const isOpen = (path: string) => openPaths.has(path) || isIn(openFolders, path)
  const app = Fastify({
    bodyLimit: settings.httpBodyBytesMax,
    requestTimeout: settings.httpRequestTimeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    frameworkErrors: (error, request, reply) => void refuse(error, request, reply),
    clientErrorHandler,
    http: {
      maxHeaderSize: settings.httpHeaderBytesMax,
      headersTimeout: settings.httpRequestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, settings.httpRequestTimeoutMs),
    },
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
  })
  app.server.maxConnections = settings.httpConnectionsMax
  let inFlight = 0
  const closed = () => inFlight--
  app.server.on('request', (_request, response) => {
    inFlight++
    response.on('close', closed)
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(/^application\/(.+\+)?json\s*(;|$)/i, { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? {} : JSON.parse(String(body)))
    } catch {
      done(new RequestRefused('malformed_request', 'the body: expected JSON'))
    }
  })
  app.decorateRequest('principal')
  app.decorateRequest('endpoint')
  // No promise where none is needed: this runs for every request.
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(SECURITY_HEADERS)
    void reply.header('x-request-id', request.id)
    if (isOpen(pathOf(request))) return done()
    const admit = (principal: Principal) => {
      request.principal = principal
      if (!draining.signal.aborted) return done()
      void reply.header('connection', 'close')
      done(new RequestRefused('shutting_down', 'the server is ending: ask another one, or this one again soon'))
    }
    let asked: Principal | Promise<Principal>
    try {
      asked = authenticate(request)
    } catch (error) {
      return done(error as Error) // RequestRefused, as its type promises
    }
    if (asked instanceof Promise) asked.then(admit, done)
    else admit(asked)
  })
  if (settings.httpRequestsPerMinuteMax > 0) {
    await app.register(rateLimit, {
      hook: 'preParsing',
      max: settings.httpRequestsPerMinuteMax,
      timeWindow: 60_000,
      allowList: (request) => request.principal === undefined && !openEndpoints.has(pathOf(request)),
      keyGenerator: ({ principal, ip }) => rateKeyOf(principal, ip),
      errorResponseBuilder: (_request, { max }) =>
        new RequestRefused('rate_limited', `at most ${max} requests a minute`, { limit: max }),
    })
  }
  app.setErrorHandler(refuse)
  app.setNotFoundHandler((request) => {
    throw new RequestRefused('no_such_route', `there is nothing at ${request.method} ${pathOf(request)}`)
  })

  const principalOf = (request: FastifyRequest): Principal => {
    const { principal } = request
    if (principal === undefined) throw new Error(`nobody asked who sends ${request.method} ${request.url}`)
    return principal
  }
  const nameOf = ({ principal }: FastifyRequest) => principal?.name
  const endpoints = API_ENDPOINTS
  const context: ServerContext = {
    host,
    endpoints,
    principalOf,
    nameOf,
    openPaths,
    openFolders,
    whoAsks: async (request) => authenticate(request),
    endpointOf: ({ endpoint }) => endpoint,
    draining: draining.signal,
  }
  // Before the routes, so that what they hook into sees every request.
  for (const plugin of plugins) plugin(app, context)
  mount(app, API_ENDPOINTS, (address, params, request, reply) => {
    request.endpoint = address.endpoint
    answer(context, address, params, request, reply)
  })

  let drained: Promise<void> | undefined
  return {
    async listen({ host: at, port }) {
      await app.listen({ host: at, port })
      return app.server.address() as AddressInfo // a TCP server has one once it listens
    },
    drain() {
      drained ??= end()
      return drained
    },
    force: () => app.server.closeAllConnections(),
  }

  async function end(): Promise<void> {
    draining.abort()
    host.polls.end()
    // What clients keep open for later, and what never had a request, which Node does not call idle, would hold it up.
    const idle = setInterval(() => {
      if (inFlight === 0) app.server.closeAllConnections()
    }, IDLE_LOOK_MS)
    const forced = setTimeout(() => app.server.closeAllConnections(), settings.httpDrainMs)
    try {
      await app.close()
    } finally {
      clearTimeout(forced)
      clearInterval(idle)
    }
  }

  function refuse(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const refusal = refusalOf(error)
    const { principal, endpoint } = request
    if (error instanceof RequestRefused && error.lacking !== undefined && principal !== undefined) {
      const action = endpoint?.id ?? pathOf(request)
      host.denials.note({ ...error.lacking, actor: principal.name, action, path: pathOf(request) })
    }
    if (refusal === undefined) {
      log.error(
        { requestId: request.id, method: request.method, path: pathOf(request), err: error },
        'a request failed',
      )
    }
    const told = refusal ?? { code: '', message: '', facts: {} }
    const { status, headers, problem } = errorResponse(told, request.id)
    return reply.code(status).headers(headers).type(PROBLEM_MEDIA_TYPE).send(problem)
  }
}

/** Sends the reply as soon as there is one. No promise more than the door needs: this runs for every request. */
function answer(
  { host, principalOf, draining }: ServerContext,
  address: Address,
  params: Readonly<Record<string, string>>,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { endpoint } = address
  const principal = endpoint.access === 'anybody' ? NOBODY : principalOf(request)
  const parts = { principal, params, waitSecondsMax: host.settings.httpWaitSecondsMax }
  const call = callOf(address, parts, request, reply)
  // A short address may mean another owner's operation: that is looked up, and weighed, by the endpoint.
  const isWeighedLater = endpoint.scope === 'server' || (!call.isOwnerNamed && 'id' in params)
  if (!isWeighedLater) assertEntitled(principal, call.registry, endpoint.right)
  if (endpoint.stream !== undefined && /\btext\/event-stream\b/i.test(request.headers.accept ?? '')) {
    const entitlement = new StandingEntitlement({ request, principal, draining, ...host })
    void endpoint
      .stream(call, host, connectionOf(request, reply, entitlement.over))
      .catch((error: unknown) => fail(error, reply))
      .finally(() => entitlement.release())
    return
  }
  const told = endpoint.handle(call, host)
  if (!(told instanceof Promise)) {
    send(told, reply)
    return
  }
  const failed = (error: unknown) => fail(error, reply)
  told.then((later) => {
    // Nobody holds the promise of this: what it throws would end the process.
    try {
      send(later, reply)
    } catch (error) {
      failed(error)
    }
  }, failed)
}

/** To the error handler; nothing more can be said of what is a stream already. */
function fail(error: unknown, reply: FastifyReply): void {
  if (!reply.sent) void reply.send(error instanceof Error ? error : new Error('thrown was no error', { cause: error }))
}

/** Calls what anybody may. */
const NOBODY: Principal = { name: 'nobody', grants: [] }

function connectionOf(request: FastifyRequest, reply: FastifyReply, over: AbortSignal): StreamConnection {
  const told = request.headers['last-event-id']
  return {
    lastEventId: Array.isArray(told) ? told[0] : told,
    over,
    begin(headers) {
      void reply.headers(headers).hijack()
      return reply.raw.writeHead(200, reply.getHeaders() as OutgoingHttpHeaders)
    },
  }
}

function send({ status, body, headers = {} }: Reply, reply: FastifyReply): void {
  void reply.code(status).headers(headers)
  if (status >= 400) void reply.type(PROBLEM_MEDIA_TYPE)
  void reply.send(body)
}

function isIn(folders: ReadonlySet<string>, path: string): boolean {
  for (const folder of folders) if (path.startsWith(folder)) return true
  return false
}

function rateKeyOf(principal: Principal | undefined, ip: string): string {
  return principal === undefined || principal.name === 'anonymous' ? `at ${ip}` : `of ${principal.name}`
}
