/**
 * Every refusal of the API: its status, its title, whether the same request may succeed later. The only file with status codes
 * of errors; docs/errors.md lists the same codes, and a test holds the two together.
 */
import type { Place } from '../authority/command-answer.ts'
import type { Rejection, RejectionCode } from '../authority/rejections.ts'
import type { Problem } from '../wire/problem.ts'
import type { Right } from './roles.ts'

interface ErrorKind {
  readonly status: number
  readonly title: string
  /** The same request may succeed later, without anybody changing anything about it. */
  readonly retryable?: true
  /** Seconds after which it is worth while. */
  readonly retryAfterS?: number
}

const conflict = (title: string): ErrorKind => ({ status: 409, title })
const bad = (title: string): ErrorKind => ({ status: 400, title })
const later = (status: number, title: string, retryAfterS = 1): ErrorKind => ({
  status,
  title,
  retryable: true,
  retryAfterS,
})

/** What the authority and its node refuse. */
const REJECTIONS: Readonly<Record<RejectionCode, ErrorKind>> = {
  already_claimed: conflict('Somebody else holds the lease'),
  already_peer_ready: conflict('The peer is ready already'),
  already_registered: conflict('The id is taken'),
  already_requested: conflict('It was asked for already'),
  already_terminal: conflict('The operation has ended'),
  attempts_exhausted: conflict('There is no attempt left'),
  cancel_requested: conflict('A cancel was requested'),
  command_id_reused: { status: 422, title: 'The idempotency key belongs to another request' },
  contradiction_not_allowed: conflict('There is nothing to contradict'),
  disposition_not_allowed: conflict('It may not end like this'),
  duplicate_wait_operation: bad('An operation is named twice'),
  evidence_outdated: conflict('The operation has moved since it was looked at'),
  illegal_transition: conflict('Not in this status'),
  lease_required: conflict('The lease epoch is missing'),
  max_concurrent_exceeded: later(429, 'Too many operations are active'),
  not_due: conflict('It is not due yet'),
  not_found: { status: 404, title: 'Not found' },
  owner_retired: conflict('The owner is retired'),
  peer_not_expected: conflict('Its kind expects no peer'),
  phase_out_of_order: conflict('Another phase comes before'),
  phases_unfinished: conflict('Not every phase is completed'),
  registration_rolled_back: conflict('The registration was rolled back'),
  registry_already_open: conflict('The owner is open with other limits'),
  retry_not_allowed: conflict('No further attempt is allowed'),
  rollback_refused: conflict('The registration can not be rolled back any more'),
  stale_lease: conflict('The lease is not held any more'),
  unknown_phase: conflict('Its kind has no such phase'),
  wait_already_active: conflict('Too many waits are active'),
  wait_id_conflict: conflict('The wait id belongs to another wait'),
  wait_not_active: conflict('There is no such wait'),
  invalid_command: bad('The request does not fit'),
  unsafe_number: bad('A number would be rounded'),
  content_too_large: { status: 413, title: 'Too much content' },
  policy_violation: bad('The policy contradicts itself or its kind'),
  overloaded: later(429, 'Too many commands wait for this owner'),
  contention: later(503, 'Others were faster, too often'),
  outcome_unknown: later(503, 'Not known whether it was stored'),
  store_unavailable: later(503, 'The log can not be reached'),
  store_busy: later(503, 'The log is busy'),
  store_full: later(507, 'The log is full', 5),
  store_read_only: later(503, 'The log can only be read', 5),
  append_too_large: { status: 413, title: 'Too much for one append' },
  registry_stopped: { status: 500, title: 'The history of this owner contradicts itself' },
  internal_error: { status: 500, title: 'A defect of the server' },
  shutting_down: later(503, 'The server is ending'),
  too_many_cursors: conflict('Too many cursors'),
  cursor_ahead: conflict('The cursor is ahead of the feed'),
  bad_page_token: bad('The page token does not fit'),
  read_model_behind: later(503, 'The read models are not as far yet'),
  not_served: later(503, 'The read models are being built'),
}

/** What HTTP itself, authentication and queries refuse. */
const REQUESTS = {
  malformed_request: bad('The request can not be read'),
  unauthenticated: { status: 401, title: 'Not known who asks' },
  forbidden: { status: 403, title: 'The role does not allow it' },
  no_such_route: { status: 404, title: 'There is no such address' },
  method_not_allowed: { status: 405, title: 'Not with this method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive', retryable: true },
  ambiguous_operation: conflict('Several owners have an operation of this id'),
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'Only JSON is read' },
  rate_limited: later(429, 'Too many requests'),
  headers_too_large: { status: 431, title: 'The headers are too large' },
  too_many_streams: later(429, 'Too many streams are open', 5),
  too_many_outcomes: later(429, 'Too many outcomes are waited for', 5),
  monitor_not_built: { status: 503, title: 'The page is not there yet' },
  reads_unavailable: later(503, 'The read models can not be asked'),
} as const satisfies Readonly<Record<string, ErrorKind>>

export const ERROR_KINDS: Readonly<Record<string, ErrorKind>> = { ...REJECTIONS, ...REQUESTS }
export type ErrorCode = RejectionCode | keyof typeof REQUESTS

/** Names a kind of problem for ever; the code behind it is explained in docs/errors.md. */
const PROBLEM_TYPE = 'urn:verdict:problem:'

export interface ErrorResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly problem: Problem
}

export interface Lacking {
  readonly right: Right
  readonly workspace: string
}

/** A refusal of the server itself; thrown by routes, answered by the one error handler. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused'
  readonly code: ErrorCode
  readonly facts: Readonly<Record<string, unknown>>
  /** The right that was lacking, and where: for the record, not for the caller. */
  readonly lacking: Lacking | undefined

  constructor(code: ErrorCode, message: string, facts: Readonly<Record<string, unknown>> = {}, lacking?: Lacking) {
    super(message)
    this.code = code
    this.facts = facts
    this.lacking = lacking
  }
}

/** The same shape for every refusal. An unknown code is a defect of ours and told as one, without its message. */
export function errorResponse(
  { code, message, facts, idempotent }: Pick<Rejection, 'message' | 'facts' | 'idempotent'> & { readonly code: string },
  instance?: string,
  place?: Place,
): ErrorResponse {
  const kind = Object.hasOwn(ERROR_KINDS, code) ? ERROR_KINDS[code] : undefined
  if (kind === undefined) {
    const detail = 'the server met something that it did not expect; its log tells more'
    return errorResponse({ code: 'internal_error', message: detail, facts: {} }, instance, place)
  }
  const { status, title, retryable = false, retryAfterS } = kind
  return {
    status,
    headers: {
      ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    },
    problem: {
      ...textOfPositions(facts),
      type: `${PROBLEM_TYPE}${code}`,
      title,
      status,
      detail: message,
      code,
      retryable,
      ...(instance === undefined ? {} : { instance }),
      ...(idempotent === true ? { idempotent } : {}),
      ...(place === undefined || place.revision < 0
        ? {}
        : { revision: place.revision, position: String(place.position) }),
    },
  }
}

/** Positions are bigints here and decimal strings in JSON. */
function textOfPositions(facts: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  )
}

/** What Fastify refuses before a route is asked, by its code. */
const OF_FASTIFY: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_request',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_request',
  FST_ERR_BAD_URL: 'no_such_route',
  FST_ERR_MAX_PARAM_LENGTH: 'no_such_route',
}

/** What the log, the shell and the read side throw where they give no value, by their code. */
const OF_ROOMS: Readonly<Record<string, ErrorCode>> = {
  channel_closed: 'shutting_down',
  registry_stopped: 'registry_stopped',
  log_closed: 'shutting_down',
  log_unavailable: 'store_unavailable',
  log_locked: 'store_busy',
  log_replaced: 'store_unavailable',
  log_damaged: 'store_unavailable',
  log_unusable: 'store_unavailable',
  read_side_closed: 'shutting_down',
  read_side_failed: 'reads_unavailable',
  projection_unusable: 'reads_unavailable',
  read_model_behind: 'read_model_behind',
  no_read_models: 'not_served',
  not_served: 'not_served',
  not_recorded: 'outcome_unknown',
  command_id_reused: 'command_id_reused',
}

/** Whatever was thrown, as a refusal; undefined for a defect of ours. */
export function refusalOf(
  error: unknown,
): (Pick<Rejection, 'message' | 'facts'> & { readonly code: ErrorCode }) | undefined {
  if (error instanceof RequestRefused) return { code: error.code, message: error.message, facts: error.facts }
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  const { code, message } = error
  const known = OF_FASTIFY[code] ?? OF_ROOMS[code] ?? (Object.hasOwn(REQUESTS, code) ? (code as ErrorCode) : undefined)
  if (known === undefined) return undefined
  const position = 'position' in error && typeof error.position === 'bigint' ? { position: String(error.position) } : {}
  return { code: known, message, facts: position }
}
