/** Who asks: an API key, a token of somebody trusted, or nobody in particular where the server is open for development. */
import type { IncomingHttpHeaders } from 'node:http'
import { RequestRefused } from './error-responses.ts'
import { EVERY_WORKSPACE, type Principal } from './roles.ts'

/** Throws RequestRefused `unauthenticated`, with the same words whatever is wrong with what was shown. */
export type Authenticate = (headers: IncomingHttpHeaders) => Promise<Principal> | Principal

/** Undefined for a credential that is not its own, or that is not good (any more). */
export type Credential = (token: string) => Promise<Principal | undefined> | Principal | undefined

const ANONYMOUS: Principal = { name: 'anonymous', grants: [{ workspace: EVERY_WORKSPACE, roles: ['admin'] }] }

/** On loopback, for development: everybody may do everything. */
export function openToEverybody(): Authenticate {
  return () => ANONYMOUS
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
