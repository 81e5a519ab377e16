/** Who looks at this page, and what they may do. The key itself is never kept: it becomes a cookie that no script reads. */
import { signal } from '@preact/signals'
import type { WireSession } from '../wire/session-wire.ts'
import { get, post, remove } from './api.ts'

const PLACE = '/v1/session'
/** A grant for every workspace. */
const EVERY = '*'

/** Undefined until the server has said so. */
export const session = signal<WireSession | undefined>(undefined)

/** Throws as `get` does. */
export async function askSession(): Promise<WireSession> {
  session.value = await get<WireSession>(PLACE)
  return session.value
}

/** Throws ApiProblem `unauthenticated` for a key that is not good here. */
export async function signIn(apiKey: string): Promise<void> {
  session.value = await post<WireSession>(PLACE, { apiKey })
}

export async function signOut(): Promise<void> {
  session.value = await remove<WireSession>(PLACE)
}

export type Right = 'read' | 'work' | 'operate' | 'audit' | 'administer'

/** In this workspace, or in every one where none is named. The server decides in any case: this is for what is offered. */
export function may(right: Right, workspace: string = EVERY): boolean {
  const rights = session.value?.rights ?? {}
  return [EVERY, workspace].some((one) => rights[one]?.includes(right))
}
