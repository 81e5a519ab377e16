/** What a request says beside its body: who sent it under which key, for how long it prefers to wait, whose trace it is part of. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { RegistryAddress } from '../authority/questions.ts'
import type { SendOptions } from '../client/door.ts'
import { headerOfText, textOfHeader } from '../wire/header-text.ts'
import { type Call, type Endpoint, isCommand } from './endpoint.ts'
import { RequestRefused } from './error-responses.ts'
import { queryAs } from './request-body.ts'
import type { Principal } from './roles.ts'
import type { Address } from './routing.ts'

const DEFAULT_NAME = 'default'
const NEVER_GONE = new AbortController().signal

export interface CallParts {
  readonly principal: Principal
  readonly params: Readonly<Record<string, string>>
  readonly waitSecondsMax: number
}

/** Throws RequestRefused. */
export function callOf(
  { endpoint, isOwnerNamed }: Address,
  { principal, params, waitSecondsMax }: CallParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Call {
  const given = request.query as Readonly<Record<string, unknown>>
  const { registry, isNamed, rest } =
    endpoint.scope === 'server' ? ofAll(given) : registryOf(params, given, isOwnerNamed)
  const query = endpoint.query === undefined ? noQuery(rest) : queryAs(endpoint.query, rest)
  const waitMs = endpoint.isWaiting ? 1_000 * Math.min(waitSecondsMax, preferredWaitSeconds(request)) : 0
  if (waitMs > 0) void reply.header('preference-applied', `wait=${waitMs / 1_000}`)
  const { body, onBehalfOf } = behalfOf(endpoint, request.body === undefined ? {} : request.body)
  const told = idempotencyKey(request)
  // What names the request names its command as well, where its sender gave no name: it is as unique.
  const commandId = told ?? request.id
  if (isCommand(endpoint)) void reply.header('idempotency-key', told === undefined ? commandId : headerOfText(told))
  return {
    principal,
    registry,
    isOwnerNamed: isNamed,
    params,
    query: query as Readonly<Record<string, unknown>>,
    body,
    headers: request.headers,
    requestId: request.id,
    waitMs,
    gone: waitMs > 0 ? goneSignal(reply) : NEVER_GONE,
    sender: {
      commandId,
      actor: principal.name,
      ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
      ...correlationOf(request),
    },
  }
}

/** Who acts for somebody says so beside what he wants. Checked by who stores it. */
function behalfOf({ body: schema }: Endpoint, body: unknown): { readonly body: unknown; readonly onBehalfOf?: string } {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'onBehalfOf')) return { body }
  if (!(schema instanceof z.ZodObject) || !('onBehalfOf' in schema.shape)) return { body }
  const { onBehalfOf, ...rest } = body as { readonly onBehalfOf: string }
  return { body: rest, onBehalfOf }
}

/** From the path, else from `?workspace=` and `?owner=`, else the default. */
function registryOf(
  params: Readonly<Record<string, string>>,
  query: Readonly<Record<string, unknown>>,
  isInPath: boolean,
): { readonly registry: RegistryAddress; readonly isNamed: boolean; readonly rest: Readonly<Record<string, unknown>> } {
  const { workspace = DEFAULT_NAME, owner = DEFAULT_NAME } = params
  if (isInPath) return { registry: { workspace, owner }, isNamed: true, rest: query }
  const { workspace: toldWorkspace, owner: toldOwner, ...rest } = query
  const isNamed = toldWorkspace !== undefined || toldOwner !== undefined
  const registry = { workspace: oneName('workspace', toldWorkspace), owner: oneName('owner', toldOwner) }
  return { registry, isNamed, rest }
}

/** What is about no owner may have both names as parameters of its own. */
function ofAll(query: Readonly<Record<string, unknown>>): ReturnType<typeof registryOf> {
  return { registry: { workspace: DEFAULT_NAME, owner: DEFAULT_NAME }, isNamed: false, rest: query }
}

function oneName(name: string, told: unknown): string {
  if (told === undefined) return DEFAULT_NAME
  if (typeof told === 'string' && told !== '') return told
  throw new RequestRefused('invalid_command', `${name}: expected one name`, { path: name, expected: 'one name' })
}

function noQuery(rest: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const [stray] = Object.keys(rest)
  if (stray === undefined) return rest
  throw new RequestRefused('invalid_command', `${stray}: no such parameter`, {
    path: stray,
    expected: 'no such parameter',
  })
}

/** `Prefer: wait=N` (RFC 7240), in seconds. */
function preferredWaitSeconds(request: FastifyRequest): number {
  const { prefer } = request.headers
  const told = Array.isArray(prefer) ? prefer.join(',') : (prefer ?? '')
  return Number(/(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:$|[,;])/i.exec(told)?.[1] ?? 0)
}

function idempotencyKey(request: FastifyRequest): string | undefined {
  const told = request.headers['idempotency-key']
  if (told === undefined) return undefined
  const [key = ''] = Array.isArray(told) ? told : [told]
  return textOfHeader(key)
}

function correlationOf({
  headers,
}: FastifyRequest): Pick<SendOptions, 'correlationId' | 'causationId' | 'traceparent'> {
  const { traceparent } = headers
  const correlationId = headers['correlation-id']
  const causationId = headers['causation-id']
  return {
    ...(typeof correlationId === 'string' && correlationId !== ''
      ? { correlationId: textOfHeader(correlationId) }
      : {}),
    ...(typeof causationId === 'string' && causationId !== '' ? { causationId: textOfHeader(causationId) } : {}),
    ...traceOf(traceparent),
  }
}

/** What is none is left out, as the recommendation (W3C Trace Context) asks. */
export function traceOf(traceparent: unknown): { readonly traceparent?: string } {
  return typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? { traceparent } : {}
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController()
  // Closing is how every response ends; making a reason to abort for each would cost more than what they waited for.
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort()
  })
  return gone.signal
}
