/** Whose operation a short address means: `/v1/operations/{id}` names no owner. */
import type { RegistryAddress } from '../authority/questions.ts'
import type { Call } from './endpoint.ts'
import { RequestRefused } from './error-responses.ts'
import type { Host } from './host.ts'
import { EVERY_WORKSPACE, type Principal, type Right, standing, workspacesOf } from './roles.ts'

/**
 * The owner of the operation that a call names: the one in the address; else the default one where it has such an operation;
 * else whoever has it, found in the index. At once where nothing has to be looked up. Throws RequestRefused `not_found`, and
 * `ambiguous_operation` for several, or rejects with it.
 */
export function ownerOf(call: Call, host: Host, right: Right): Promise<RegistryAddress> | RegistryAddress {
  if (call.isOwnerNamed) return call.registry
  const id = call.params.id ?? ''
  const { principal } = call
  const known = host.owners.get(id)
  if (known !== undefined && standing(principal, known.workspace, 'read') !== 'unknown') {
    return entitled(call, known, id, right)
  }
  return foundOwner(call, host, id, right)
}

async function foundOwner(call: Call, host: Host, id: string, right: Right): Promise<RegistryAddress> {
  const { principal, registry } = call
  const isTheirs = standing(principal, registry.workspace, 'read') !== 'unknown'
  if (isTheirs && (await host.door.snapshot(registry, id)) !== undefined) return entitled(call, registry, id, right)
  const found = await host.locate(id, workspacesOf(principal, 'read'))
  const [only, another] = found
  if (only === undefined) throw notFound(id)
  if (another !== undefined) {
    const owners = found.map(({ workspace, owner }) => `${workspace}/${owner}`)
    throw new RequestRefused(
      'ambiguous_operation',
      `operation ${id} exists for ${owners.join(', ')}: name one of them, in the path or as ?workspace= and ?owner=`,
      { operationId: id, owners },
    )
  }
  host.owners.set(id, only)
  return entitled(call, only, id, right)
}

function entitled({ principal }: Call, registry: RegistryAddress, id: string, right: Right): RegistryAddress {
  const allowed = standing(principal, registry.workspace, right)
  if (allowed === 'entitled') return registry
  if (allowed === 'unknown') throw notFound(id)
  throw forbidden(principal.name, right, registry.workspace)
}

export function notFound(id: string): RequestRefused {
  return new RequestRefused('not_found', `there is no operation ${id}`, { operationId: id })
}

export function forbidden(name: string, right: Right, workspace: string): RequestRefused {
  return new RequestRefused(
    'forbidden',
    `${name} has no role in workspace ${workspace} that may ${right}`,
    { right },
    { right, workspace },
  )
}

/** For what is about no owner and no workspace. */
export function assertEverywhere(principal: Principal, right: Right): void {
  if (workspacesOf(principal, right) !== undefined) throw forbidden(principal.name, right, EVERY_WORKSPACE)
}
