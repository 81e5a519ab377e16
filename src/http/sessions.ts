/**
 * Sessions of people at a browser: a key is shown once, and exchanged for a token that lives in a cookie which no script reads.
 * Nothing is good for longer than the key is: it is asked again with every request.
 *
 *     key -> good? -> token, for the cookie          kept: SHA-256 of the token -> the key, sealed with the token
 *     cookie -> known, not over? -> the key, opened with the token -> still good? -> who asks
 *
 * They are kept in memory: a server that starts again asks everybody for the key once more.
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import type { Credential } from './credential.ts'
import type { Principal } from './roles.ts'

export interface SessionSettings {
  readonly httpSessionMs: number
  readonly httpSessionIdleMs: number
  readonly httpSessionsMax: number
}

export interface SessionParts {
  readonly credential: Credential
  readonly settings: SessionSettings
  /** Epoch ms. */
  readonly now: () => number
  /** Ms that never step back. */
  readonly monotonicNow: () => number
}

export interface SessionStanding {
  readonly principal: Principal
  /** Epoch ms; earlier when nobody asks for anything. */
  readonly expiresAt: number
}

interface Session {
  readonly sealedKey: Buffer
  /** By the monotonic clock. */
  readonly endsAt: number
  readonly expiresAt: number
  idleAt: number
}

const TOKEN_BYTES = 32
const TOKEN_PATTERN = /^[A-Za-z0-9_-]{43}$/

export class Sessions {
  readonly #parts: SessionParts
  /** By the hash of the token; the one that was asked for last stands last. */
  readonly #sessions = new Map<string, Session>()

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  /** Undefined for a key that is not good here. Where there are as many as there may be, the one that rested longest is over. */
  async begin(key: string): Promise<({ readonly token: string } & SessionStanding) | undefined> {
    const { credential, settings, now, monotonicNow } = this.#parts
    const principal = await credential(key)
    if (principal === undefined) return undefined
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    const begunAt = monotonicNow()
    const expiresAt = now() + settings.httpSessionMs
    this.#sessions.set(hashOf(token), {
      sealedKey: sealed(key, token),
      endsAt: begunAt + settings.httpSessionMs,
      expiresAt,
      idleAt: begunAt + settings.httpSessionIdleMs,
    })
    for (const [hash] of this.#sessions) {
      if (this.#sessions.size <= settings.httpSessionsMax) break
      this.#sessions.delete(hash)
    }
    return { token, principal, expiresAt }
  }

  /** Who asks with this token; undefined for one that is unknown or over, or whose key is not good any more. */
  async find(token: string): Promise<SessionStanding | undefined> {
    if (!TOKEN_PATTERN.test(token)) return undefined
    const { credential, settings, monotonicNow } = this.#parts
    const hash = hashOf(token)
    const session = this.#sessions.get(hash)
    if (session === undefined) return undefined
    const at = monotonicNow()
    this.#sessions.delete(hash)
    if (at >= session.endsAt || at >= session.idleAt) return undefined
    session.idleAt = at + settings.httpSessionIdleMs
    this.#sessions.set(hash, session)
    const principal = await credential(opened(session.sealedKey, token))
    return principal === undefined ? undefined : { principal, expiresAt: session.expiresAt }
  }

  /** Twice is once. */
  end(token: string): void {
    this.#sessions.delete(hashOf(token))
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

const SEAL = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** What stands in memory opens nothing without the cookie. */
function sealed(key: string, token: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(SEAL, sealOf(token), nonce)
  const text = Buffer.concat([cipher.update(key, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), text])
}

function opened(bytes: Buffer, token: string): string {
  const decipher = createDecipheriv(SEAL, sealOf(token), bytes.subarray(0, NONCE_BYTES))
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
}

function sealOf(token: string): Buffer {
  return createHmac('sha256', token).update('the seal of a key').digest()
}
