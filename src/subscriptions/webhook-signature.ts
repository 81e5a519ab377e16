/**
 * Signatures as Standard Webhooks has them (https://www.standardwebhooks.com), so that receivers verify with any of its
 * libraries: HMAC-SHA256 over `id.timestamp.body`, one signature for each secret that is still good.
 */
import { createHmac, randomBytes } from 'node:crypto'

const SECRET_PREFIX = 'whsec_'
/** Of a key, as the specification bounds it. */
const KEY_BYTES_MIN = 24
const KEY_BYTES_MAX = 64
const NEW_KEY_BYTES = 32

export interface SignedMessage {
  /** The same for each try, so that a receiver knows what it has seen already. */
  readonly id: string
  /** Of this try, epoch ms. */
  readonly at: number
  readonly body: string
}

export function newSecret(): string {
  return SECRET_PREFIX + randomBytes(NEW_KEY_BYTES).toString('base64')
}

/** `whsec_` and 24 to 64 bytes in base64. */
export function isSecret(text: string): boolean {
  if (!text.startsWith(SECRET_PREFIX)) return false
  const encoded = text.slice(SECRET_PREFIX.length)
  const key = Buffer.from(encoded, 'base64')
  if (key.length < KEY_BYTES_MIN || key.length > KEY_BYTES_MAX) return false
  return key.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
}

export function signatureHeaders(
  secrets: readonly string[],
  { id, at, body }: SignedMessage,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(at / 1_000))
  const signed = `${id}.${timestamp}.${body}`
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
    return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}
