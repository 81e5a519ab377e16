/** Who asks: an API key, a token of somebody trusted, or nobody in particular where the server is open for development. */
import type { IncomingHttpHeaders } from 'node:http'
import { RequestRefused } from './error-responses.ts'
import { EVERY_WORKSPACE, type Principal } from './roles.ts'

/** Throws RequestRefused `unauthenticated`, with the same words whatever is wrong with what was shown. */
export type Authenticate = (headers: IncomingHttpHeaders) => Promise<Principal> | Principal

/** Undefined for a credential that is not its own, or that is not good (any more). */
export type Credential = (token: string) => Promise<Principal | undefined> | Principal | undefined

const ANONYMOUS: Principal = { name: 'anonymous', grants: [{ workspace: EVERY_WORKSPACE, roles: ['admin'] }] }

/**
 * On loopback, for development: everybody on this machine may do everything. Pages of other sites that somebody's browser shows
 * may not: neither by a name that was made to mean this machine (DNS rebinding) nor by a request across sites.
 */
export function openToEverybody(): Authenticate {
  return ({ host = '', origin, 'sec-fetch-site': site }) => {
    const isAsked = isLoopback(host.replace(/:[0-9]{1,5}$/, ''))
    const isSameSite = (origin === undefined || origin === `http://${host}`) && !isForeign(site)
    if (isAsked && isSameSite) return ANONYMOUS
    throw new RequestRefused(
      'unauthenticated',
      'a server without authentication answers programs of its own machine, and no page of another site',
    )
  }
}

function isForeign(site: string | readonly string[] | undefined): boolean {
  return site === 'cross-site' || site === 'same-site'
}

/** A name or address that means this machine and nobody else. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.[0-9]{1,3}){3}|::1|\[::1\])$/i.test(host)
}

/** `Authorization: Bearer ...`, by whichever of these knows it. Never from a URL, which ends up in logs. */
export function authenticatedBy(credentials: readonly Credential[]): Authenticate {
  return async ({ authorization }) => {
    const token = /^bearer +([\x21-\x7e]{1,8192})$/i.exec(authorization ?? '')?.[1]
    if (token !== undefined) {
      for (const credential of credentials) {
        const principal = await credential(token)
        if (principal !== undefined) return principal
      }
    }
    throw new RequestRefused('unauthenticated', 'expected Authorization: Bearer with a key or token that is good here')
  }
}
