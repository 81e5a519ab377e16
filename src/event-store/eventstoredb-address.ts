/**
 * The address of an EventStoreDB: what its client would misread, ignore or only warn of is refused before anything is
 * sent, with a sentence that never shows the password.
 *
 *     esdb://[user:password@]host:port[,host:port...][?tls=false&...]     esdb+discover://...
 */
import { LogError } from './event-store.ts'

const SCHEME = /^esdb(\+discover)?:\/\//

export function isEventStoreDbAddress(location: string): boolean {
  return SCHEME.test(location)
}

/** Throws LogError `log_unusable` for an address that can't work as it is meant. */
export function assertAddress(address: string): void {
  const refuse = (why: string) => {
    throw new LogError('log_unusable', `The address ${withoutPassword(address)} can't be used: ${why}`)
  }
  if (!SCHEME.test(address)) refuse('it must begin with esdb:// or esdb+discover://.')
  const { userInfo, query } = partsOf(address)
  // The client cuts the user information at every colon and goes on with the second piece: half a password.
  if (userInfo !== undefined && userInfo.split(':').length !== 2) {
    refuse("before the '@' it must say user:password, with ':' and '@' inside them written as %3A and %40.")
  }
  if (userInfo !== undefined && !isDecodable(userInfo)) {
    refuse("a '%' in the user or the password must be written as %25.")
  }
  const settings = new Map([...new URLSearchParams(query)].map(([name, value]) => [name.toLowerCase(), value.trim()]))
  // With false the client reports revision 1 for every conflict, and whoever trusts it writes over others.
  if (settings.has('throwonappendfailure') && settings.get('throwonappendfailure') !== 'true') {
    refuse('throwOnAppendFailure must stay true, as it is by default.')
  }
  // The client knows this setting, prints a warning and verifies all the same.
  if (settings.get('tlsverifycert') === 'false') {
    refuse('certificates are always verified; name the authority that signed them with tlsCAFile=PATH.')
  }
}

/** For messages and logs. */
export function withoutPassword(address: string): string {
  return address.replace(/^([^:]*:\/\/)([^:@/]*):.*@/, '$1$2:***@')
}

export function usesTls(address: string): boolean {
  return !/[?&]tls=false(&|$)/i.test(address)
}

function partsOf(address: string): { readonly userInfo: string | undefined; readonly query: string } {
  const [rest = '', query = ''] = address.replace(SCHEME, '').split('?', 2)
  const at = rest.lastIndexOf('@')
  return { userInfo: at === -1 ? undefined : rest.slice(0, at), query }
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
