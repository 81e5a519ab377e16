/**
 * The cookie of a session. Over TLS it has a name that a browser takes from this very host and over TLS only (`__Host-`), so that
 * neither a neighbour under the same domain nor somebody on the way can plant one.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { isOverTls } from './request-origin.ts'

export const SESSION_COOKIE = 'verdict_session'
const SESSION_COOKIE_OVER_TLS = `__Host-${SESSION_COOKIE}`

/** The token that a request shows; undefined without one. */
export function sessionTokenIn(headers: IncomingHttpHeaders): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim())
  const names = isOverTls(headers) ? [SESSION_COOKIE_OVER_TLS] : [SESSION_COOKIE_OVER_TLS, SESSION_COOKIE]
  for (const name of names) {
    const pair = pairs.find((one) => one.startsWith(`${name}=`))
    if (pair !== undefined) return pair.slice(name.length + 1)
  }
  return undefined
}

export function cookieWith(token: string, headers: IncomingHttpHeaders, maxAgeMs: number): string {
  return cookie(token, isOverTls(headers), Math.floor(maxAgeMs / 1_000))
}

export function cookieWithout(headers: IncomingHttpHeaders): string {
  return cookie('', isOverTls(headers), 0)
}

function cookie(value: string, isSecure: boolean, maxAgeS: number): string {
  const name = isSecure ? SESSION_COOKIE_OVER_TLS : SESSION_COOKIE
  return `${name}=${value}; Max-Age=${maxAgeS}; Path=/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`
}
