import type { Principal } from './roles.ts'

/** Who shows this token; undefined for one that is not its own, or that is not good (any more). */
export type Credential = (token: string) => Promise<Principal | undefined> | Principal | undefined

/** By whichever of these knows it. */
export function anyOf(credentials: readonly Credential[]): Credential {
  return async (token) => {
    for (const credential of credentials) {
      const principal = await credential(token)
      if (principal !== undefined) return principal
    }
    return undefined
  }
}
