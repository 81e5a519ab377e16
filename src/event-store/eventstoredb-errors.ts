/** What the client throws, in our words. Nothing of its types goes further than this. */
import {
  AccessDeniedError,
  CancelledError,
  convertToCommandError,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
  StreamNotFoundError,
  UnavailableError,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import { type ExpectedRevision, LogError } from './event-store.ts'
import { usesTls, withoutPassword } from './eventstoredb-address.ts'

export type Failure =
  | { readonly type: 'conflict'; readonly actual: ExpectedRevision }
  | { readonly type: 'too_large'; readonly bytesMax: number }
  | { readonly type: 'stream_not_found' }
  | { readonly type: 'stream_deleted' }
  /** No record begins at the position that the read was to begin at. */
  | { readonly type: 'invalid_position' }
  | { readonly type: 'access_denied' }
  /** The server gave up waiting, for a copy of the same append as well: it may be stored by now, or later. */
  | { readonly type: 'timed_out' }
  /** The client looks for another node with its next call. */
  | { readonly type: 'reconnects'; readonly message: string }
  /** The client stays with this node; a new one is needed. */
  | { readonly type: 'stuck'; readonly message: string }

/** An append's failure as an answer told it, when no error of the client's stands for it. */
export class AppendFailed extends Error {
  override readonly name = 'AppendFailed'
  readonly failure: Failure

  constructor(failure: Failure) {
    super('message' in failure ? failure.message : failure.type)
    this.failure = failure
  }
}

export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof AppendFailed) return thrown.failure
  const error = thrown instanceof Error ? convertToCommandError(thrown) : thrown
  if (error instanceof WrongExpectedVersionError) {
    const { actualVersion } = error
    return { type: 'conflict', actual: typeof actualVersion === 'bigint' ? Number(actualVersion) : 'no_stream' }
  }
  if (error instanceof MaxAppendSizeExceededError) return { type: 'too_large', bytesMax: error.maxAppendSize }
  if (error instanceof StreamNotFoundError) return { type: 'stream_not_found' }
  if (error instanceof StreamDeletedError) return { type: 'stream_deleted' }
  if (error instanceof AccessDeniedError || isPermissionDenied(error)) return { type: 'access_denied' }
  const message = messageOf(error)
  if (/invalid ?position/i.test(message)) return { type: 'invalid_position' }
  if (error instanceof UnavailableError || error instanceof CancelledError || error instanceof NotLeaderError) {
    return { type: 'reconnects', message }
  }
  return { type: 'stuck', message }
}

/** What went wrong while the log was opened, as a sentence with the way out. */
export function openingError(error: unknown, address: string): LogError {
  if (error instanceof LogError) return error
  const place = withoutPassword(address)
  const failure = failureOf(error)
  const message = plain(messageOf(error))
  if (failure.type === 'access_denied') {
    return new LogError(
      'log_unusable',
      `The server at ${place} refuses this user: it must exist and be allowed to read $all and to write streams.`,
      { cause: error },
    )
  }
  if (/certificate|self.signed|altnames|EPROTO|SSL|TLS/i.test(message)) {
    return new LogError(
      'log_unusable',
      `No TLS with the server at ${place}: ${message}. Name the authority that signed its certificate with tlsCAFile=PATH; for a server without TLS add tls=false.`,
      { cause: error },
    )
  }
  const hint = usesTls(address)
    ? 'Is it running there, with TLS? For a server without TLS add tls=false.'
    : 'Is it running there, without TLS? For a server with TLS take tls=false away.'
  return new LogError('log_unavailable', `No answer from the server at ${place}: ${message}. ${hint}`, { cause: error })
}

/** Of what gRPC and OpenSSL say, the part that says something: no status, no addresses in memory, one line. */
function plain(message: string): string {
  return message
    .replace(/\s+/g, ' ')
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/[. ]*Resolution note:.*$/, '')
    .replace(/[0-9A-F]+:error:[0-9A-F]+:([^:]*):[^:]*:([^:]*):.*$/, '$1: $2')
    .replace(/[. ]+$/, '')
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Some errors of the client have no message at all, only a type.
  return error.message || ('type' in error ? String(error.type) : error.name)
}

const PERMISSION_DENIED = 7

function isPermissionDenied(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === PERMISSION_DENIED
}
