/**
 * JSON Web Tokens of somebody trusted: signature, issuer, audience and time are checked, with the keys of a JWKS. What the
 * holder may do stands in one claim: an object of workspaces and roles.
 */
import { readFileSync } from 'node:fs'
import { createLocalJWKSet, createRemoteJWKSet, type JSONWebKeySet, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { z } from 'zod'
import type { Credential } from './credential.ts'
import { nameText } from './principal-names.ts'
import { ROLES } from './roles.ts'

export const tokenOptionsSchema = z.strictObject({
  /** A file, or an https address that is asked again as its keys change. */
  jwks: z.string().min(1),
  issuer: z.string().min(1),
  audience: z.string().min(1),
  /** The claim with the roles: `{ "workspace": ["service"] }`; `*` is every workspace. */
  rolesClaim: z.string().min(1).default('verdict_roles'),
})
export type TokenOptions = Readonly<z.input<typeof tokenOptionsSchema>>

/** Signed with a key that is published. `none` and shared secrets are not among them. */
const ALGORITHMS = ['EdDSA', 'ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const CLOCK_TOLERANCE_S = 5

const rolesSchema = z.record(z.string().min(1), z.array(z.enum(ROLES)).min(1))

/** Throws for options that make no sense and for a file that is no JWKS. */
export function jsonWebTokens(options: TokenOptions): Credential {
  const { jwks, issuer, audience, rolesClaim } = tokenOptionsSchema.parse(options)
  const keys = keysOf(jwks)
  return async (token) => {
    // Two dots: what is anything else is no token, and need not be looked at.
    if (token.split('.').length !== 3) return undefined
    try {
      const checks = { issuer, audience, algorithms: ALGORITHMS, clockTolerance: CLOCK_TOLERANCE_S }
      const { payload } = await jwtVerify(token, keys, { ...checks, requiredClaims: ['exp', 'sub'] })
      const name = nameText.safeParse(payload.sub)
      const roles = rolesSchema.safeParse(payload[rolesClaim])
      if (!name.success || !roles.success) return undefined
      const grants = Object.entries(roles.data).map(([workspace, held]) => ({ workspace, roles: held }))
      return { name: name.data, grants }
    } catch {
      // Whatever is wrong with it: who shows it is told nothing but that it is not good here.
      return undefined
    }
  }
}

function keysOf(jwks: string): JWTVerifyGetKey {
  if (/^https?:\/\//i.test(jwks)) return createRemoteJWKSet(new URL(jwks))
  return createLocalJWKSet(JSON.parse(readFileSync(jwks, 'utf8')) as JSONWebKeySet) // jose checks what it is
}
