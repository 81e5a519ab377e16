/** What callers of a server are and were, on record in `admin`: keys that came, changed and went, and what somebody had no right to. */
import type { RecordedLogEvent } from '../event-store/log-events.ts'
import type { AdminEntry, AdminStream } from './admin-stream.ts'

export interface KeyToRecord {
  readonly id: string
  readonly name: string
  readonly grants: readonly { readonly workspace: string; readonly roles: readonly string[] }[]
  /** Epoch ms. */
  readonly createdAt: number
  readonly createdBy?: string | undefined
  readonly revokedAt?: number | undefined
  readonly revokedBy?: string | undefined
}

export interface DeniedAction {
  readonly actor: string
  readonly action: string
  readonly right: string
  readonly attempts: number
  readonly fromAt: number
  readonly workspace: string
  readonly path: string
}

interface KnownKey {
  readonly name: string
  readonly grants: string
  readonly isGood: boolean
}

/** Events of one append. */
const AT_ONCE_MAX = 100
/** Who changes keys without saying who he is. */
const UNKNOWN_ACTOR = 'verdict'

export class AdminRecord {
  readonly #admin: AdminStream
  readonly #known = new Map<string, KnownKey>()
  /** The keys that were there when this process looked before. */
  #before: ReadonlySet<string> = new Set()

  constructor(admin: AdminStream) {
    this.#admin = admin
    admin.follow((recorded) => this.#fold(recorded))
  }

  /** Puts on record in what these keys differ from those that are. Twice is once. Throws NotRecorded, LogError and CodecError. */
  async keys(keys: readonly KeyToRecord[]): Promise<void> {
    const here = new Set(keys.map(({ id }) => id))
    for (let isMore = true; isMore; ) {
      await this.#admin.write(() => {
        const entries = [...keys.flatMap((key) => this.#changesOf(key)), ...this.#gone(here)]
        isMore = entries.length > AT_ONCE_MAX
        return entries.slice(0, AT_ONCE_MAX)
      })
    }
    this.#before = here
  }

  /** Throws NotRecorded, LogError and CodecError. */
  async denied({ actor, action, right, attempts, fromAt, workspace, path }: DeniedAction): Promise<void> {
    const facts = { action, right, attempts, fromAt }
    const event = { type: 'OperatorActionDenied', facts, content: { workspace, path } } as const
    await this.#admin.write(() => [{ event, commandType: 'DenyOperatorAction', actor }])
  }

  #changesOf(key: KeyToRecord): readonly AdminEntry[] {
    const { id: keyId, name, createdAt, createdBy = UNKNOWN_ACTOR, revokedAt, revokedBy = UNKNOWN_ACTOR } = key
    const grants = key.grants.map(({ workspace, roles }) => ({ workspace, roles: [...roles] }))
    const known = this.#known.get(keyId)
    const entries: AdminEntry[] = []
    if (known === undefined || (!known.isGood && revokedAt === undefined)) {
      const event = { type: 'ApiKeyCreated', facts: { keyId, grants, createdAt }, content: { name } } as const
      entries.push({ event, commandType: 'CreateApiKey', actor: createdBy })
    } else if (known.isGood && known.grants !== JSON.stringify(grants)) {
      const event = { type: 'ApiKeyGrantsChanged', facts: { keyId, grants }, content: { name } } as const
      entries.push({ event, commandType: 'ChangeApiKeyGrants', actor: UNKNOWN_ACTOR })
    }
    if (revokedAt !== undefined && known?.isGood !== false) {
      const event = { type: 'ApiKeyRevoked', facts: { keyId, revokedAt }, content: { name } } as const
      entries.push({ event, commandType: 'RevokeApiKey', actor: revokedBy })
    }
    return entries
  }

  /** What this process saw there before, and somebody took out. */
  #gone(here: ReadonlySet<string>): readonly AdminEntry[] {
    return [...this.#before].flatMap((keyId) => {
      const known = this.#known.get(keyId)
      if (here.has(keyId) || known === undefined || !known.isGood) return []
      const event = { type: 'ApiKeyRevoked', facts: { keyId }, content: { name: known.name } } as const
      return [{ event, commandType: 'RevokeApiKey', actor: UNKNOWN_ACTOR }]
    })
  }

  #fold({ event }: RecordedLogEvent): void {
    switch (event.type) {
      case 'ApiKeyCreated':
      case 'ApiKeyGrantsChanged': {
        const { facts, content } = event
        this.#known.set(facts.keyId, { name: content.name, grants: JSON.stringify(facts.grants), isGood: true })
        return
      }
      case 'ApiKeyRevoked': {
        const known = this.#known.get(event.facts.keyId)
        if (known !== undefined) this.#known.set(event.facts.keyId, { ...known, isGood: false })
        return
      }
      default:
        return
    }
  }
}
