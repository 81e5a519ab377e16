/** Callers with keys of their own: a server that knows them, and the headers by which each is known. */
import path from 'node:path'
import { addKey } from '../../../src/http/api-keys.ts'
import type { Role } from '../../../src/http/roles.ts'
import type { ServeOptions } from '../../../src/serve.ts'
import { freshFolder } from '../../client/support/opened-verdict.ts'
import { type Asked, type Served, served } from './served.ts'

export interface ServedToCallers extends Served {
  /** What a caller adds to a request. */
  as(caller: string): Required<Pick<Asked, 'headers'>>
  readonly keysFile: string
}

export type Callers = Readonly<Record<string, Readonly<Record<string, readonly Role[]>>>>

/** By name: workspaces, and the roles that the caller has in each. */
export async function servedTo(callers: Callers, options: ServeOptions = {}): Promise<ServedToCallers> {
  const keysFile = path.join(freshFolder(), 'keys.json')
  const headers = new Map<string, Readonly<Record<string, string>>>()
  for (const [name, workspaces] of Object.entries(callers)) {
    const grants = Object.entries(workspaces).map(([workspace, roles]) => ({ workspace, roles }))
    headers.set(name, { authorization: `Bearer ${addKey(keysFile, { name, grants, now: 0 }).text}` })
  }
  const server = await served({ ...options, authentication: { keys: keysFile } })
  const as = (caller: string) => {
    const known = headers.get(caller)
    if (known === undefined) throw new Error(`there is no caller ${caller}`)
    return { headers: known }
  }
  return { ...server, as, keysFile }
}
