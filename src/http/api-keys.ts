/**
 * API keys: made here, shown once, kept as hashes in a small file that is read again when it changes, so that a key is good or
 * revoked within a second, without a restart. A key is 32 random bytes, so that one SHA-256 hides it well enough.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { Credential } from './credential.ts'
import { nameText } from './principal-names.ts'
import { type Grant, ROLES } from './roles.ts'

const KEY_PATTERN = /^vk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/
const ID_BYTES = 6
const SECRET_BYTES = 32
/** How long a change of the file may go unseen. */
const LOOK_AGAIN_MS = 1_000

const keySchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  /** Who holds it: the actor of what is done with it. */
  name: nameText,
  /** SHA-256 of the secret, in hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  grants: z.array(z.strictObject({ workspace: z.string().min(1), roles: z.array(z.enum(ROLES)).min(1) })).min(1),
  createdAt: z.int(),
  revokedAt: z.int().optional(),
  /** Users of the machine on which it was done: for the record. */
  createdBy: nameText.optional(),
  revokedBy: nameText.optional(),
})
const fileSchema = z.strictObject({ version: z.literal(1), keys: z.array(keySchema) })
export type ApiKey = Readonly<z.infer<typeof keySchema>>

/** The file of the keys can't be used; the message says what stands in the way. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError'
}

/** The keys of a file; none where there is no file. Throws KeyFileError. */
export function readKeys(path: string): readonly ApiKey[] {
  const text = textOf(path)
  return text === undefined ? [] : keysIn(path, text)
}

/** A new key, in the file; its text is nowhere else. */
export function addKey(
  path: string,
  {
    name,
    grants,
    now,
    by,
  }: {
    readonly name: string
    readonly grants: readonly Grant[]
    readonly now: number
    readonly by?: string
  },
): { readonly key: ApiKey; readonly text: string } {
  const keys = readKeys(path)
  const id = randomBytes(ID_BYTES).toString('hex')
  const secret = randomBytes(SECRET_BYTES).toString('base64url')
  const parsed = keySchema.safeParse({
    id,
    name,
    hash: hashOf(secret),
    grants,
    createdAt: now,
    ...(by === undefined ? {} : { createdBy: by }),
  })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new KeyFileError(`a key needs another ${issue?.path.join('.') ?? 'shape'}: ${issue?.message ?? 'not valid'}`)
  }
  write(path, [...keys, parsed.data])
  return { key: parsed.data, text: `vk_${id}_${secret}` }
}

/** The key as it is now; undefined where there is none of this id. Twice is once. */
export function revokeKey(path: string, id: string, now: number, by?: string): ApiKey | undefined {
  const keys = readKeys(path)
  const found = keys.find((key) => key.id === id)
  if (found === undefined || found.revokedAt !== undefined) return found
  const revoked = { ...found, revokedAt: now, ...(by === undefined ? {} : { revokedBy: by }) }
  write(
    path,
    keys.map((key) => (key === found ? revoked : key)),
  )
  return revoked
}

export interface ApiKeysParts {
  readonly path: string
  /** Epoch ms that never step back. */
  readonly monotonicNow: () => number
  readonly warn: (message: string) => void
  /** Told all of them when the file was read, revoked ones as well. */
  readonly onRead: (keys: readonly ApiKey[]) => void
}

/** Knows the keys of a file. A file that can't be read any more lets nobody in. */
export function apiKeys({ path, monotonicNow, warn, onRead }: ApiKeysParts): Credential {
  let known = new Map<string, ApiKey>()
  let seen = ''
  let lookAt = Number.NEGATIVE_INFINITY
  return (token) => {
    const [, id = '', secret = ''] = KEY_PATTERN.exec(token) ?? []
    if (id === '') return undefined
    if (monotonicNow() >= lookAt) look()
    const key = known.get(id)
    // Compared also where there is no such key: how long it takes tells nothing.
    const matches = timingSafeEqual(Buffer.from(hashOf(secret)), Buffer.from(key?.hash ?? hashOf('')))
    if (key === undefined || !matches || key.revokedAt !== undefined) return undefined
    return { name: key.name, grants: key.grants }
  }

  function look(): void {
    lookAt = monotonicNow() + LOOK_AGAIN_MS
    try {
      const { mtimeNs, ino, size } = statSync(path, { bigint: true })
      const now = `${mtimeNs} ${ino} ${size}`
      if (now === seen) return
      const keys = readKeys(path)
      known = new Map(keys.map((key) => [key.id, key]))
      seen = now
      onRead(keys)
    } catch (error) {
      known = new Map()
      if (seen !== 'unreadable') warn(error instanceof Error ? error.message : String(error))
      seen = 'unreadable'
    }
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new KeyFileError(
      `the keys at ${path} can't be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

function keysIn(path: string, text: string): readonly ApiKey[] {
  try {
    return fileSchema.parse(JSON.parse(text)).keys
  } catch {
    throw new KeyFileError(`${path} is no file of keys: it begins anew with "verdict keys add" once it is moved away`)
  }
}

/** Whole or not at all, for nobody else to read. */
function write(path: string, keys: readonly ApiKey[]): void {
  const beside = `${path}.${process.pid}.new`
  writeFileSync(beside, `${JSON.stringify({ version: 1, keys }, null, 2)}\n`, { mode: 0o600 })
  chmodSync(beside, 0o600)
  renameSync(beside, path)
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
