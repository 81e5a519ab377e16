/** Whether a caller has a right in a workspace. */
import type { RegistryAddress } from '../authority/questions.ts'
import { unknownWorkspace } from './commands.ts'
import { forbidden } from './operation-address.ts'
import { type Principal, type Right, standing } from './roles.ts'

/** Throws RequestRefused `forbidden`, and `not_found` for a workspace in which nothing is theirs. */
export function assertEntitled(principal: Principal, registry: RegistryAddress, right: Right): void {
  const allowed = standing(principal, registry.workspace, right)
  if (allowed === 'unknown') throw unknownWorkspace(registry, right)
  if (allowed === 'forbidden') throw forbidden(principal.name, right, registry.workspace)
}
