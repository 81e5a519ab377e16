/**
 * An endpoint of the API: address, right, shapes and what it does, in one value. From the same values come the routes of the
 * server, the OpenAPI description, and the list that the hostile suite walks through.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { z } from 'zod'
import type { RegistryAddress } from '../authority/questions.ts'
import type { SendOptions } from '../client/door.ts'
import type { ErrorCode } from './error-responses.ts'
import type { Host } from './host.ts'
import type { Principal, Right } from './roles.ts'

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /**
   * Behind `/v1` and, where it is about one owner, behind `/v1/workspaces/{workspace}/owners/{owner}` as well. A custom verb
   * stands behind the last parameter: `/operations/{id}:claim`.
   */
  readonly path: string
  /** About one owner, under both addresses or only under the one that names it; or about the server as a whole. */
  readonly scope: 'owner' | 'one_owner' | 'server'
  readonly id: string
  readonly summary: string
  readonly description?: string
  readonly tag: string
  /** Taken in the workspace of the address; commands are weighed one by one. */
  readonly right: Right
  /** Answers also whoever does not say who he is; it asks by itself, and its caller is nobody. Its path has no parameters. */
  readonly access?: 'anybody'
  readonly query?: z.ZodObject
  /** As it is described; where the authority checks it, only there. */
  readonly body?: z.ZodType
  /** Asks with a body, and changes nothing. */
  readonly isQuestion?: true
  /** `Prefer: wait=N` is understood. */
  readonly isWaiting?: true
  readonly answers: Readonly<Record<number, { readonly description: string; readonly schema: z.ZodType }>>
  /** Beside those that every endpoint may give. */
  readonly refusals?: readonly ErrorCode[]
  /** At once where nothing has to be waited for. Throws RequestRefused, or rejects with it. */
  readonly handle: (call: Call, host: Host) => Promise<Reply> | Reply
  /** What whoever accepts `text/event-stream` is given instead, for as long as they like. */
  readonly stream?: (call: Call, host: Host, connection: StreamConnection) => Promise<void>
}

/** A response that is written piece by piece. */
export interface StreamConnection {
  /** The header `Last-Event-ID`: where a stream is gone on from. */
  readonly lastEventId: string | undefined
  /** Takes the response out of the server's hands; its head is written. */
  readonly begin: (headers: Readonly<Record<string, string>>) => ServerResponse
  /** Aborts when the server ends, or its client may not ask any more. */
  readonly over: AbortSignal
}

export interface Reply {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that was understood and is entitled to ask. */
export interface Call {
  readonly principal: Principal
  /** Of the address; the default one where the short form names none. */
  readonly registry: RegistryAddress
  /** False for a short address that does not say whose operation is meant. */
  readonly isOwnerNamed: boolean
  /** Decoded parameters of the path. */
  readonly params: Readonly<Record<string, string>>
  /** As the endpoint's schema gave it. */
  readonly query: Readonly<Record<string, unknown>>
  /** Parsed JSON; an empty object where none was sent. */
  readonly body: unknown
  /** Who sent it and under which id: for the door. */
  readonly sender: SendOptions & { readonly commandId: string }
  /** For what is about the connection and the browser behind it; everything else is in the fields above. */
  readonly headers: IncomingHttpHeaders
  /** Names the request in logs and problems. */
  readonly requestId: string
  /** How long the caller prefers to wait, within the cap; 0 for not at all. */
  readonly waitMs: number
  /** Aborts when the connection is gone. */
  readonly gone: AbortSignal
}

/** Changes something under a command id; reads do not, nor does what is about a session. */
export function isCommand({ method, access, isQuestion }: Endpoint): boolean {
  return method !== 'GET' && access === undefined && isQuestion === undefined
}

export function ok(body: unknown, headers?: Readonly<Record<string, string>>): Reply {
  return headers === undefined ? { status: 200, body } : { status: 200, body, headers }
}
