/**
 * The address of an EventStoreDB: what its client would misread, ignore or only warn of is refused before anything is
 * sent, with a sentence that never shows the password.
 *
 *     esdb://[user:password@]host:port[,host:port...][?tls=false&...]     esdb+discover://...
 */
import { LogError } from './event-store.ts'

const SCHEME = /^esdb(\+discover)?:\/\//
/** Whoever writes it like this means an EventStoreDB, and is told what is missing. */
const SCHEME_ALMOST = /^esdb(\+discover)?:/i

/** What the client knows, spelt as it compares: without case, `_` and `-`. */
const SETTINGS = new Set([
  'connectionname',
  'defaultdeadline',
  'discoveryinterval',
  'gossiptimeout',
  'keepaliveinterval',
  'keepalivetimeout',
  'maxdiscoverattempts',
  'nodepreference',
  'throwonappendfailure',
  'tls',
  'tlscafile',
  'tlsverifycert',
  'usercertfile',
  'userkeyfile',
])

export function isEventStoreDbAddress(location: string): boolean {
  return SCHEME_ALMOST.test(location)
}

/** Throws LogError `log_unusable` for an address that can't work as it is meant. */
export function assertAddress(address: string): void {
  const refuse = (why: string) => {
    throw new LogError('log_unusable', `The address ${withoutPassword(address)} can't be used: ${why}`)
  }
  if (!SCHEME.test(address)) refuse('it must begin with esdb:// or esdb+discover://.')
  const { userInfo, settings } = partsOf(address)
  // The client cuts the user information at every colon and goes on with the second piece: half a password. And it takes
  // everything up to an '@' for user information, a setting with one included.
  if (userInfo !== undefined && (userInfo.split(':').length !== 2 || userInfo.includes('?'))) {
    refuse("before the '@' it must say user:password, with ':', '@' and '?' inside them written as %3A, %40 and %3F.")
  }
  if (userInfo !== undefined && !isDecodable(userInfo)) {
    refuse("a '%' in the user or the password must be written as %25.")
  }
  for (const { name, value } of settings) {
    // The client ignores it, and prints the whole address, its password included.
    if (!SETTINGS.has(flat(name))) refuse(`there is no setting '${name}'.`)
    // With false the client reports revision 1 for every conflict, and whoever trusts it writes over others.
    if (flat(name) === 'throwonappendfailure' && value !== 'true') {
      refuse('throwOnAppendFailure must stay true, as it is by default.')
    }
    // The client knows this setting, prints the whole address as a warning, and verifies all the same.
    if (flat(name) === 'tlsverifycert' && value === 'false') {
      refuse('certificates are always verified; name the authority that signed them with tlsCAFile=PATH.')
    }
  }
}

/** For messages and logs: whatever may be a password is left out, also of what is no address of ours. */
export function withoutPassword(location: string): string {
  const address = location.replace(/([?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=)[^&]*/gi, '$1***')
  const scheme = /^[a-z][a-z0-9+.-]*:\/{0,2}/i.exec(address)?.[0] ?? ''
  const at = address.lastIndexOf('@')
  if (at < scheme.length) return address
  const userInfo = address.slice(scheme.length, at)
  const colon = userInfo.indexOf(':')
  return `${scheme}${colon === -1 ? '' : `${userInfo.slice(0, colon)}:`}***${address.slice(at)}`
}

export function usesTls(address: string): boolean {
  return !/[?&]tls=false(&|$)/i.test(address)
}

interface AddressParts {
  readonly userInfo: string | undefined
  readonly settings: readonly { readonly name: string; readonly value: string }[]
}

/** Cut where the client cuts: settings begin at the first '?' behind the user information. */
function partsOf(address: string): AddressParts {
  const rest = address.replace(SCHEME, '')
  const at = rest.lastIndexOf('@')
  const userInfo = at === -1 ? undefined : rest.slice(0, at)
  const [, ...queries] = rest.slice(at + 1).split('?')
  const settings = queries
    .join('?')
    .split('&')
    .filter((setting) => setting !== '')
    .map((setting) => {
      const [name = '', ...values] = setting.split('=')
      return { name, value: values.join('=').trim() }
    })
  return { userInfo, settings }
}

function flat(name: string): string {
  return name.trim().toLowerCase().replace(/[_-]/g, '')
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
