/**
 * A client without the SDK: fetch, and each command under an idempotency key of its own, asked again until somebody answers it.
 * Some are sent twice at once, some are asked again when they were answered long ago.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Outcome } from '../../../src/authority/operation.ts'
import type { WireAnswer } from '../../../src/wire/command-wire.ts'
import { endingText } from '../../nodes/support/observations.ts'
import type { CrashingServer } from './crashing-server.ts'
import type { Told } from './told.ts'

export interface ClientParts {
  readonly name: string
  readonly server: CrashingServer
  readonly told: Told
  readonly random: () => number
  /** No new work after that; what was begun is finished. */
  readonly stopping: AbortSignal
  /** Nothing at all after that. */
  readonly gone: AbortSignal
}

export const OWNERS = ['amber', 'birch', 'cedar', 'dune', 'elm', 'fern']
export const WORKSPACE = 'crash'

const TWICE = 0.15
const ASKED_AGAIN = 0.2
const AGAIN_MS_MAX = 60
const REQUEST_MS_MAX = 20_000
const WAIT_SECONDS = 10

export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export class PlainClient {
  readonly #parts: ClientParts
  #made = 0

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  /** Ends when it was told to stop and has finished. Rejects only when all is given up. */
  async work(): Promise<void> {
    const { stopping } = this.#parts
    while (!stopping.aborted) {
      const owner = this.#one(OWNERS)
      if (this.#parts.random() < ASKED_AGAIN) await this.#askAgain()
      if (this.#parts.random() < 0.3) await this.#several(owner)
      else await this.#oneLife(owner)
    }
  }

  /** The same request until somebody answers it. Rejects when all is given up. */
  async request(path: string, body?: object, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const { server, told, gone, random } = this.#parts
    for (;;) {
      gone.throwIfAborted()
      const reply = server.url === undefined ? undefined : await this.#tried(`${server.url}${path}`, body, headers)
      const isPassing = reply === undefined || reply.body.retryable === true
      if (!isPassing) return reply
      told.retried++
      await delay(random() * AGAIN_MS_MAX, undefined, { signal: gone })
    }
  }

  async #tried(url: string, body: object | undefined, headers: Readonly<Record<string, string>>) {
    try {
      const response = await fetch(url, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any([this.#parts.gone, AbortSignal.timeout(REQUEST_MS_MAX)]),
      })
      const text = await response.text()
      return { status: response.status, body: JSON.parse(text) as Reply['body'] }
    } catch {
      return undefined
    }
  }

  /** Registered, worked on, ended, and one who waits for that; then a word too late. */
  async #oneLife(owner: string): Promise<void> {
    const { random } = this.#parts
    const id = `${this.#parts.name}-${this.#made++}`
    const registered = await this.#command(owner, `/operations`, 'r', id, { kind: 'crash', id, claim: true })
    const { leaseEpoch } = registered.body
    const watching = random() < 0.5 ? this.#watch(owner, id) : undefined
    const lease = { leaseEpoch }
    if (random() < 0.3) await this.#command(owner, `/operations/${id}:cancel`, 'x', id, { reason: `${id} stop` })
    const ends: readonly (readonly [verb: string, body: object])[] = [
      ['complete', { ...lease, result: { by: id } }],
      ['fail', { ...lease, error: { message: `${id} failed` } }],
      ['force-cancel', { ...lease, reason: `${id} cancelled` }],
    ]
    const end = this.#one(ends)
    await this.#command(owner, `/operations/${id}:${end[0]}`, 'e', id, end[1])
    if (random() < 0.3) {
      const late = this.#one(ends)
      await this.#command(owner, `/operations/${id}:${late[0]}`, 'l', id, late[1])
    }
    await watching
  }

  /** Several at once, and a wait for all of them that is come back to. */
  async #several(owner: string): Promise<void> {
    const ids = Array.from({ length: 3 }, () => `${this.#parts.name}-${this.#made++}`)
    const epochs = await Promise.all(
      ids.map(async (id) => {
        const { body } = await this.#command(owner, '/operations', 'r', id, { kind: 'crash', id, claim: true })
        return body.leaseEpoch
      }),
    )
    const waitId = `${ids[0]}-wait`
    const waiting = this.#wait(owner, waitId, ids)
    await Promise.all(
      ids.map((id, i) =>
        this.#command(owner, `/operations/${id}:complete`, 'e', id, { leaseEpoch: epochs[i], result: { by: id } }),
      ),
    )
    await waiting
  }

  async #wait(owner: string, waitId: string, ids: readonly string[]): Promise<void> {
    const headers = { prefer: `wait=${WAIT_SECONDS}`, 'idempotency-key': waitId }
    const begin = { mode: 'all', ids, waitId, deadlineAt: Date.now() + 3_600_000 }
    for (;;) {
      const { status, body } = await this.request(placeOf(owner, '/waits'), begin, headers)
      if (status >= 300) return void this.#parts.told.faults.push(`${waitId} was refused: ${JSON.stringify(body)}`)
      if (body.ending === undefined) continue
      for (const member of body.members as readonly { readonly id: string; readonly outcome: Outcome }[]) {
        this.#ended(owner, member.id, member.outcome, 'wait')
      }
      return
    }
  }

  async #watch(owner: string, id: string): Promise<void> {
    const path = placeOf(owner, `/operations/${id}/outcome`)
    for (;;) {
      const { status, body } = await this.request(path, undefined, { prefer: `wait=${WAIT_SECONDS}` })
      if (status !== 200) return void this.#parts.told.faults.push(`a watcher of ${id}: ${JSON.stringify(body)}`)
      if (body.outcome === undefined) continue
      return this.#ended(owner, id, body.outcome as Outcome, 'watcher')
    }
  }

  #ended(owner: string, id: string, outcome: Outcome, by: 'watcher' | 'wait'): void {
    this.#parts.told.ends.push({ owner, id, ending: endingText(outcome), by })
  }

  async #command(owner: string, place: string, step: string, id: string, body: object): Promise<Reply> {
    const { random } = this.#parts
    const send = () => this.#sendOnce(owner, placeOf(owner, place), `${id}-${step}`, body)
    const [reply] = await Promise.all(random() < TWICE ? [send(), send()] : [send()])
    return reply
  }

  readonly #old: (readonly [owner: string, place: string, commandId: string, body: object])[] = []

  async #sendOnce(owner: string, place: string, commandId: string, body: object): Promise<Reply> {
    const { told } = this.#parts
    const reply = await this.request(place, body, { 'idempotency-key': commandId })
    if (reply.status < 300) {
      const { id, number, leaseEpoch, sequence, outcome, changed, joined, revision, position } =
        reply.body as WireAnswer
      const text = JSON.stringify({ id, number, leaseEpoch, sequence, outcome, changed, joined, revision })
      told.answer(commandId, { owner, type: place, text, revision, position: BigInt(position), changed })
      if (changed) this.#old.push([owner, place, commandId, body])
    } else told.refusal(commandId, String(reply.body.code))
    return reply
  }

  /** What was acknowledged long ago, by a server that is dead by now. */
  async #askAgain(): Promise<void> {
    const old = this.#old.at(Math.floor(this.#parts.random() * this.#old.length))
    if (old !== undefined) await this.#sendOnce(...old)
  }

  #one<T>(all: readonly T[]): T {
    return all[Math.floor(this.#parts.random() * all.length)] as T // never empty
  }
}

function placeOf(owner: string, rest: string): string {
  return `/v1/workspaces/${WORKSPACE}/owners/${owner}${rest}`
}
