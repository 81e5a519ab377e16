/**
 * Where webhooks may go. A name is resolved here and the connection goes to what was looked at, so that no name leads
 * somewhere else between the look and the connection.
 */
import { type LookupAddress, lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { WebhookError } from './webhook-error.ts'

/** IANA's registries of special-purpose addresses: nothing there is a host of the public internet. */
const NOT_PUBLIC: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.0.2.0', 24, 'ipv4'],
  ['192.88.99.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['198.51.100.0', 24, 'ipv4'],
  ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
]

/** Of IPv6 only what is given out is public, without the parts of it that stand for something else or lead to IPv4. */
const PUBLIC_V6: readonly [string, number, 'ipv6'] = ['2000::', 3, 'ipv6']
const NOT_PUBLIC_V6: readonly (readonly [string, number, 'ipv6'])[] = [
  ['2001::', 23, 'ipv6'],
  ['2001:db8::', 32, 'ipv6'],
  ['2002::', 16, 'ipv6'],
  ['3fff::', 20, 'ipv6'],
]

const notPublic = new BlockList()
for (const range of [...NOT_PUBLIC, ...NOT_PUBLIC_V6]) notPublic.addSubnet(...range)
const publicV6 = new BlockList()
publicV6.addSubnet(...PUBLIC_V6)

/** Whether an IP address is one of the public internet; an IPv4 address in the clothes of IPv6 is not. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !notPublic.check(address, 'ipv4')
    case 6:
      return publicV6.check(address, 'ipv6') && !notPublic.check(address, 'ipv6')
    default:
      return false
  }
}

/** The URL of an endpoint. Throws WebhookError for one that can't be, or that leads where it must not. */
export function checkedUrl(text: string, allowPrivateAddresses: boolean): URL {
  const refuse = (why: string) =>
    new WebhookError('invalid_endpoint', `url: ${why}, got ${JSON.stringify(shown(text))}`)
  if (!URL.canParse(text)) throw refuse('expected an address as https://host/path')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(allowPrivateAddresses && url.protocol === 'http:')) {
    throw refuse('expected https: (http: only where private addresses are allowed)')
  }
  if (url.username !== '' || url.password !== '') throw refuse('no user and no password belong into it')
  if (!allowPrivateAddresses && literalOf(url) !== undefined && !isPublicAddress(literalOf(url) ?? '')) {
    throw refuse('it is a private, loopback or reserved address, which has to be allowed')
  }
  url.hash = ''
  return url
}

/** The IP address that an URL names instead of a host. */
export function literalOf({ hostname }: URL): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '')
  return isIP(bare) === 0 ? undefined : bare
}

export type Resolve = (
  hostname: string,
  options: { readonly all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

const BY_THE_SYSTEM: Resolve = (hostname, options, done) => lookup(hostname, options, done)

/** For the connections of node:http: resolves once, and refuses a name of which any address is not public. */
export function publicLookup(resolve: Resolve = BY_THE_SYSTEM): LookupFunction {
  return (hostname, { all, family }, done) => {
    resolve(hostname, { all: true }, (error, addresses) => {
      if (error !== null) return done(error, '', 0)
      const stray = addresses.find(({ address }) => !isPublicAddress(address))
      if (stray !== undefined) return done(notAllowed(`${hostname} is at ${stray.address}`), '', 0)
      const wanted = addresses.filter((one) => !family || one.family === Number(String(family).replace('IPv', '')))
      const [first] = wanted
      if (first === undefined) return done(notAllowed(`${hostname} has no address`), '', 0)
      if (all) done(null, wanted)
      else done(null, first.address, first.family)
    })
  }
}

export function notAllowed(what: string): Error {
  return new Error(`${what}, which is no public address: refused`)
}

/** Without what may be secret in it. */
function shown(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//***@').replace(/\?.*$/s, '?…')
}
