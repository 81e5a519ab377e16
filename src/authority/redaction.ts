/**
 * Secrets in what workers and people write about an operation: errors, messages, reasons. They are taken out before anything is
 * decided, so that none is ever stored: the log keeps what it has for good. Inputs and results are the callers' own, and left
 * as they are.
 *
 * What is known by its form or by the name before it is found; a bare word that happens to be a password is not.
 */
import type { OperationError } from './events.ts'
import type { JsonValue } from './json-value.ts'

export const REDACTED = '[redacted]'

/** A text without what looks like a secret. The same object of text where there is none. */
export function withoutSecrets(text: string): string {
  if (!MAY_HOLD_SECRETS.test(text)) return text
  return PATTERNS.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text)
}

/** Message, code and details; in details, whatever stands under the name of a secret. */
export function errorWithoutSecrets(error: OperationError): OperationError {
  const { message, code, details } = error
  return {
    message: withoutSecrets(message),
    ...(code === undefined ? {} : { code: withoutSecrets(code) }),
    ...(details === undefined ? {} : { details: valueWithoutSecrets(details) }),
  }
}

function valueWithoutSecrets(value: JsonValue): JsonValue {
  if (typeof value === 'string') return withoutSecrets(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(valueWithoutSecrets)
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, SECRET_NAME.test(name) ? REDACTED : valueWithoutSecrets(one)]),
  )
}

const NAMES =
  'password|passwd|passphrase|pwd|secret|(?:api|access|private|secret|account|shared)[-_ ]?key|(?:access|auth|refresh|id|session|bearer|api)?[-_]?token|client[-_]?secret|credentials?|sig(?:nature)?'
/** Of headers: all that stands in the line is theirs. */
const HEADERS = '(?:proxy-)?authorization|x-api-key|set-cookie|cookie'

const SECRET_NAME = new RegExp(
  `^(?:.*[-_.])?(?:${NAMES}|${HEADERS})$|(?:password|passwd|secret|token|api_?key|credential)s?$`,
  'i',
)

/** Looked for first: most texts hold none of it. */
const MAY_HOLD_SECRETS =
  /[=:]|bearer|basic|digest|negotiate|eyJ|AKIA|ASIA|gh[opsur]_|github_pat|glpat-|xox|[prs]k[-_]|AIza|npm_|-----BEGIN/i

/** Each looks no further than its own bounded piece of text: no text makes them slow. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g, REDACTED],
  // What stands before the host of an address: user and password, or a key alone.
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#@"'<>]{1,512}@/gi, `$1${REDACTED}@`],
  [/\b(Bearer|Basic|Digest|Negotiate)\s{1,8}[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${REDACTED}`],
  [
    new RegExp(`\\b(${HEADERS})(["']?\\s{0,4}[=:]\\s{0,4})(?:"[^"]{0,4096}"?|[^\\r\\n]{1,4096})`, 'gi'),
    `$1$2${REDACTED}`,
  ],
  // `password=...`, `"token": "..."`, `?api_key=...`, `PGPASSWORD=...`
  [
    new RegExp(
      `((?:(?:\\b|_)(?:${NAMES})|[a-z]{1,32}(?:password|passwd|secret|token|apikey|credentials?))["']?\\s{0,4}[=:]\\s{0,4})(?:\\[redacted\\]|"[^"]{0,4096}"?|'[^']{0,4096}'?|[^\\s"',;&}\\]]{1,4096})`,
      'gi',
    ),
    `$1${REDACTED}`,
  ],
  // Tokens that say themselves what they are: JWT, AWS, GitHub, GitLab, Slack, Stripe and others, Google, npm.
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{0,4096})?/g, REDACTED],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, REDACTED],
  [/\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})/g, REDACTED],
  [/\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g, REDACTED],
  [/\b(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj-|ant-)?[A-Za-z0-9_-]{16,}/g, REDACTED],
  [/\bAIza[A-Za-z0-9_-]{30,}/g, REDACTED],
  [/\bnpm_[A-Za-z0-9]{30,}/g, REDACTED],
]
