/**
 * Whoever is given a stream was entitled when it began. This looks again every now and then: a key that was revoked, a token or a
 * session that is over, roles that changed, end the stream; a client that may still ask comes back.
 */
import type { AskingRequest, Authentication } from './authentication.ts'
import type { HttpSettings } from './host.ts'
import type { Principal } from './roles.ts'

export interface EntitlementParts {
  readonly request: AskingRequest
  readonly principal: Principal
  readonly authentication: Authentication
  readonly settings: Pick<HttpSettings, 'httpStreamPingMs'>
  readonly draining: AbortSignal
}

export class StandingEntitlement {
  readonly #ended = new AbortController()
  readonly #parts: EntitlementParts
  readonly #known: string
  readonly #timer: ReturnType<typeof setInterval>
  readonly #end = () => this.#ended.abort()

  constructor(parts: EntitlementParts) {
    this.#parts = parts
    this.#known = JSON.stringify(parts.principal)
    const { draining, settings } = parts
    if (draining.aborted) this.#end()
    draining.addEventListener('abort', this.#end, { once: true })
    this.#timer = setInterval(() => void this.#look(), settings.httpStreamPingMs)
  }

  /** Aborts when the server ends or the entitlement does. */
  get over(): AbortSignal {
    return this.#ended.signal
  }

  release(): void {
    clearInterval(this.#timer)
    this.#parts.draining.removeEventListener('abort', this.#end)
  }

  async #look(): Promise<void> {
    const { authentication, request } = this.#parts
    try {
      const principal = await authentication.authenticate(request)
      if (JSON.stringify(principal) !== this.#known) this.#end()
    } catch {
      this.#end()
    }
  }
}
