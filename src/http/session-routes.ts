/** For people at a browser: a key exchanged for a cookie, who one is, and the end of it. Anybody may ask. */
import { beginSessionSchema, sessionSchema, type WireSession } from '../wire/session-wire.ts'
import { type Call, type Endpoint, ok, type Reply } from './endpoint.ts'
import { RequestRefused } from './error-responses.ts'
import type { Host } from './host.ts'
import { bodyAs } from './request-body.ts'
import { isOwnPage } from './request-origin.ts'
import { type Principal, type Role, rightsOf } from './roles.ts'
import { cookieWith, cookieWithout, sessionTokenIn } from './session-cookie.ts'

const PLACE = { path: '/session', scope: 'server', tag: 'Session', right: 'read', access: 'anybody' } as const

export const SESSION_ENDPOINTS: readonly Endpoint[] = [
  {
    ...PLACE,
    method: 'GET',
    id: 'getSession',
    summary: 'Who asks, and with which roles',
    answers: { 200: { description: 'Also for nobody in particular.', schema: sessionSchema } },
    handle: async (call, host) => ok(await whoAsks(call, host)),
  },
  {
    ...PLACE,
    method: 'POST',
    id: 'beginSession',
    summary: 'Exchange a key for a session, which lives in a cookie that no script reads',
    description:
      'It is good for as long as the key is, at most for `httpSessionMs`, and is over when nothing was asked with it for `httpSessionIdleMs`.',
    body: beginSessionSchema,
    answers: { 200: { description: 'It has begun.', schema: sessionSchema } },
    handle: begin,
  },
  {
    ...PLACE,
    method: 'DELETE',
    id: 'endSession',
    summary: 'End the session of this browser',
    answers: { 200: { description: 'It is over, or there was none.', schema: sessionSchema } },
    handle: end,
  },
]

async function begin(call: Call, host: Host): Promise<Reply> {
  const { headers, body, requestId } = call
  const { apiKey } = bodyAs(beginSessionSchema, body)
  assertNotForeign(call)
  const { sessions } = host.authentication
  if (sessions === undefined) return ok(await whoAsks(call, host))
  const begun = await sessions.begin(apiKey)
  if (begun === undefined) throw new RequestRefused('unauthenticated', 'this key is not good here, or not any more')
  const earlier = sessionTokenIn(headers)
  if (earlier !== undefined) sessions.end(earlier)
  const { token, principal, expiresAt } = begun
  host.log.info({ requestId, actor: principal.name }, 'a session began')
  const cookie = cookieWith(token, headers, host.settings.httpSessionMs)
  return ok(told(principal, expiresAt), { 'set-cookie': cookie })
}

async function end(call: Call, host: Host): Promise<Reply> {
  assertNotForeign(call)
  const { sessions } = host.authentication
  if (sessions === undefined) return ok(await whoAsks(call, host))
  const token = sessionTokenIn(call.headers)
  if (token !== undefined) sessions.end(token)
  return ok(nobody(host), { 'set-cookie': cookieWithout(call.headers) })
}

async function whoAsks({ headers }: Call, host: Host): Promise<WireSession> {
  const { authenticate, sessions } = host.authentication
  try {
    const principal = await authenticate({ method: 'GET', headers })
    if (sessions === undefined) return { ...told(principal), isOpen: true }
    const token = headers.authorization === undefined ? sessionTokenIn(headers) : undefined
    const standing = token === undefined ? undefined : await sessions.find(token)
    return told(principal, standing?.expiresAt)
  } catch (error) {
    if (error instanceof RequestRefused) return nobody(host)
    throw error
  }
}

function told({ name, grants }: Principal, expiresAt?: number): WireSession {
  const roles: Record<string, Role[]> = {}
  for (const { workspace, roles: held } of grants) {
    roles[workspace] = [...new Set([...(roles[workspace] ?? []), ...held])]
  }
  return {
    authenticated: true,
    isOpen: false,
    principal: name,
    roles,
    rights: Object.fromEntries(Object.entries(roles).map(([workspace, held]) => [workspace, [...rightsOf(held)]])),
    ...(expiresAt === undefined ? {} : { expiresAt: Math.floor(expiresAt) }),
  }
}

function nobody({ authentication }: Host): WireSession {
  return { authenticated: false, isOpen: authentication.sessions === undefined, roles: {}, rights: {} }
}

/** A page of another site neither ends a session nor puts its visitors into one of its own. */
function assertNotForeign({ headers }: Call): void {
  if (isOwnPage(headers) !== false) return
  throw new RequestRefused('unauthenticated', 'a session begins and ends from a page of this server')
}
