/** The same API as embedding, over a server: `connectVerdict(url, { apiKey })`. */
import { SYSTEM_CLOCK } from '../runtime/clock.ts'
import { CONSOLE_LOG } from '../runtime/warning-log.ts'
import { ConnectedVerdict } from './connected-verdict.ts'
import { type Duration, durationMs } from './durations.ts'
import { given } from './given-options.ts'
import { HttpDoor } from './http-door.ts'
import { invalidInput } from './operation-errors.ts'
import type { ReportSpool } from './report-spool.ts'
import type { VerdictDefaults } from './verdict.ts'

/** Who acts is who holds the key: `actor` is for the server to say. */
export interface ConnectOptions extends Omit<VerdictDefaults, 'actor'> {
  /** An API key or a token; a function is asked for each request, so that it can be renewed. Never a part of the URL. */
  readonly apiKey?: string | (() => string | Promise<string>)
  /** Default: the platform's. */
  readonly fetch?: typeof fetch
  /** Keeps last words of workers that the server could not take, beyond this process. */
  readonly spool?: ReportSpool
  /** `start` and `register` are refused when the server could not be reached within this; default 5 s. */
  readonly startWithin?: Duration
  /** Everything else but waiting, and last words of workers, which are kept until they are accepted; default 30 s. */
  readonly answerWithin?: Duration
}

const START_WITHIN_MS = 5_000
const ANSWER_WITHIN_MS = 30_000
const SILENCE_MS_MAX = 10_000

const OPTIONS: Readonly<Record<keyof ConnectOptions, true>> = {
  workspace: true,
  owner: true,
  worker: true,
  log: true,
  clock: true,
  newId: true,
  apiKey: true,
  fetch: true,
  spool: true,
  startWithin: true,
  answerWithin: true,
}

/**
 * Nothing is sent before it is first used. Requests that no server answered are sent again under the same command ids, after
 * 1, 2, 4 ... 30 s; waits and iterations go on over restarts. Throws OperationRejected for options that do not fit.
 */
export function connectVerdict(url: string | URL, options: ConnectOptions = {}): ConnectedVerdict {
  const stray = Object.keys(given(options)).find((name) => !Object.hasOwn(OPTIONS, name))
  if (stray !== undefined) throw invalidInput(`options.${stray}`, `one of ${Object.keys(OPTIONS).join(', ')}`, stray)
  const { apiKey, fetch, spool, startWithin = START_WITHIN_MS, answerWithin = ANSWER_WITHIN_MS, ...defaults } = options
  const { clock = SYSTEM_CLOCK, log = CONSOLE_LOG, newId = () => crypto.randomUUID() } = defaults
  const door = new HttpDoor({
    url,
    clock,
    log,
    newId,
    random: Math.random,
    silenceMsMax: SILENCE_MS_MAX,
    startWithinMs: durationMs(startWithin, 'startWithin'),
    answerWithinMs: durationMs(answerWithin, 'answerWithin'),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(fetch === undefined ? {} : { fetch }),
    ...(spool === undefined ? {} : { spool }),
  })
  return new ConnectedVerdict(door, defaults)
}
