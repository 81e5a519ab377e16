/** What must hold before a log is handed out: a server that is new enough, and a log that begins with its identity. */
import { LogError, type LogIdentity, type NewEvent } from './event-store.ts'
import { withoutPassword } from './eventstoredb-address.ts'
import type { Appends } from './eventstoredb-appends.ts'
import { type Connection, serverVersion } from './eventstoredb-connection.ts'
import { within } from './eventstoredb-deadline.ts'
import type { Reads } from './eventstoredb-reads.ts'
import { identityOf } from './log-identity.ts'
import { ADMIN_STREAM } from './stream-names.ts'

const VERSION_MIN = [23, 10] as const
/** Unknown answers to LogOpened, one after another. */
const OPEN_TRIES_MAX = 5

/** The first call of all. Its client is not used again after a failure: it would repeat the first answer for ever. */
export async function assertServer(connection: Connection, address: string, deadlineMs: number): Promise<void> {
  const { client } = connection
  const version = await within(serverVersion(client), deadlineMs, 'Asking for the version')
  const [major = Number.NaN, minor = 0] = version.split('.').map(Number)
  const [majorMin, minorMin] = VERSION_MIN
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return
  throw new LogError(
    'log_unusable',
    `The server at ${withoutPassword(address)} is too old: Verdict needs EventStoreDB ${majorMin}.${minorMin} or later, and this one says '${version}'.`,
  )
}

/** LogOpened as event 0 of `admin`, written with no_stream: of several that open a new log at once, one writes, all read. */
export async function identify(appends: Appends, reads: Reads, opened: () => NewEvent[]): Promise<LogIdentity> {
  const first = async () => (await reads.stream(ADMIN_STREAM, 'forwards', 0, 1)).events[0]
  const found = await first()
  if (found !== undefined) return identityOf(found)
  const events = opened()
  for (let tries = 1; ; tries++) {
    const result = await appends.append(ADMIN_STREAM, 'no_stream', events)
    if (result.type === 'acknowledged' || (result.type === 'refused' && result.reason === 'conflict')) {
      return identityOf(await first())
    }
    if (result.type === 'refused' || tries === OPEN_TRIES_MAX) {
      throw new LogError('log_unavailable', `The log could not be begun: ${result.message}`)
    }
  }
}
