/** Who asks: an API key, a token of somebody trusted, or nobody in particular where the server is open for development. */
import type { IncomingHttpHeaders } from 'node:http'
import { anyOf, type Credential } from './credential.ts'
import { RequestRefused } from './error-responses.ts'
import { isOwnPage } from './request-origin.ts'
import { EVERY_WORKSPACE, type Principal } from './roles.ts'
import { sessionTokenIn } from './session-cookie.ts'
import type { Sessions } from './sessions.ts'

export interface AskingRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

export interface Authentication {
  /** Throws RequestRefused `unauthenticated`, with the same words whatever is wrong with what was shown. */
  readonly authenticate: (request: AskingRequest) => Promise<Principal> | Principal
  /** Undefined where nobody has to say who he is. */
  readonly sessions: Sessions | undefined
}

const ANONYMOUS: Principal = { name: 'anonymous', grants: [{ workspace: EVERY_WORKSPACE, roles: ['admin'] }] }

/**
 * On loopback, for development: everybody on this machine may do everything. Pages of other sites that somebody's browser shows
 * may not: neither by a name that was made to mean this machine (DNS rebinding) nor by a request across sites.
 */
export function openToEverybody(): Authentication {
  return {
    sessions: undefined,
    authenticate({ headers: { host = '', origin, 'sec-fetch-site': site } }) {
      const isAsked = isLoopback(host.replace(/:[0-9]{1,5}$/, ''))
      const isSameSite = (origin === undefined || origin === `http://${host}`) && !isForeign(site)
      if (isAsked && isSameSite) return ANONYMOUS
      throw new RequestRefused(
        'unauthenticated',
        'a server without authentication answers programs of its own machine, and no page of another site',
      )
    },
  }
}

function isForeign(site: string | readonly string[] | undefined): boolean {
  return site === 'cross-site' || site === 'same-site'
}

/** A name or address that means this machine and nobody else. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.[0-9]{1,3}){3}|::1|\[::1\])$/i.test(host)
}

/**
 * `Authorization: Bearer ...`, by whichever of these knows it; without that header, the cookie of a session. Never from a URL, which
 * ends up in logs.
 */
export function authenticatedBy(credentials: readonly Credential[], sessions: Sessions): Authentication {
  const credential = anyOf(credentials)
  return {
    sessions,
    async authenticate({ method, headers }) {
      const { authorization } = headers
      const principal =
        authorization === undefined
          ? await ofSession(sessions, { method, headers })
          : await credential(bearer(authorization))
      if (principal !== undefined) return principal
      throw new RequestRefused(
        'unauthenticated',
        'expected Authorization: Bearer with a key or token that is good here, or the cookie of a session',
      )
    },
  }
}

function bearer(authorization: string): string {
  return /^bearer +([\x21-\x7e]{1,8192})$/i.exec(authorization)?.[1] ?? ''
}

/** A browser sends cookies by itself, also for pages of others: what changes anything has to come from a page of this server. */
async function ofSession(sessions: Sessions, { method, headers }: AskingRequest): Promise<Principal | undefined> {
  const token = sessionTokenIn(headers)
  if (token === undefined) return undefined
  const isSafe = method === 'GET' || method === 'HEAD'
  const own = isOwnPage(headers)
  if (isSafe ? own === false && !isOpenedByHand(headers) : own !== true) return undefined
  return (await sessions.find(token))?.principal
}

/** An address that somebody typed, or a bookmark: no page sends that. */
function isOpenedByHand({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site === 'none'
}
