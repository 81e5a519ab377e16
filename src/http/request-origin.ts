/** What a browser says about where a request comes from: a page of this server, or somebody else's. */
import type { IncomingHttpHeaders } from 'node:http'

/** Whether a page of this server sends it; undefined where no browser says anything. */
export function isOwnPage(headers: IncomingHttpHeaders): boolean | undefined {
  const { host = '', origin, 'sec-fetch-site': site } = headers
  if (site !== undefined) return site === 'same-origin'
  if (origin === undefined) return undefined
  const [, scheme = '', at = ''] = /^(https?):\/\/(.+)$/i.exec(origin) ?? []
  const isDowngraded = isForwardedAsHttps(headers) && scheme.toLowerCase() !== 'https'
  return at !== '' && at.toLowerCase() === host.toLowerCase() && !isDowngraded
}

/** Whether whoever asks reached a proxy in front of this server over TLS: the proxy says so, or the page that asks has such an address. */
export function isOverTls(headers: IncomingHttpHeaders): boolean {
  return isForwardedAsHttps(headers) || /^https:/i.test(headers.origin ?? '')
}

function isForwardedAsHttps({ 'x-forwarded-proto': told, forwarded }: IncomingHttpHeaders): boolean {
  const proto = Array.isArray(told) ? told[0] : told
  return /^\s*https\s*(,|$)/i.test(proto ?? '') || /^[^,]*\bproto="?https\b/i.test(forwarded ?? '')
}
