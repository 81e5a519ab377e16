/** Who may do what, by role and workspace. The one table; every route and every command of a batch is held against it. */
import type { Command, CommandType } from '../authority/commands.ts'

export const ROLES = ['viewer', 'service', 'operator', 'auditor', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** `read` the state; `work` as services and workers do; `operate` on what others run; `audit` the admin stream; `administer`. */
export type Right = 'read' | 'work' | 'operate' | 'audit' | 'administer'

const RIGHTS: Readonly<Record<Role, ReadonlySet<Right>>> = {
  viewer: new Set(['read']),
  service: new Set(['read', 'work']),
  operator: new Set(['read', 'work', 'operate']),
  auditor: new Set(['read', 'audit']),
  admin: new Set(['read', 'work', 'operate', 'audit', 'administer']),
}

/** What these roles may do together. */
export function rightsOf(roles: readonly Role[]): readonly Right[] {
  return [...new Set(roles.flatMap((role) => [...RIGHTS[role]]))]
}

/** The roles that have a right. */
export function rolesWith(right: Right): readonly Role[] {
  return ROLES.filter((role) => RIGHTS[role].has(right))
}

export const EVERY_WORKSPACE = '*'

export interface Grant {
  /** Or `*`. */
  readonly workspace: string
  readonly roles: readonly Role[]
}

/** Who acts: stored as `actor` with every event. */
export interface Principal {
  readonly name: string
  readonly grants: readonly Grant[]
}

/** `unknown`: nothing in this workspace is theirs, so that it looks as if it were not there. */
export function standing(principal: Principal, workspace: string, right: Right): 'entitled' | 'forbidden' | 'unknown' {
  let isKnown = false
  for (const grant of principal.grants) {
    if (grant.workspace !== workspace && grant.workspace !== EVERY_WORKSPACE) continue
    isKnown = true
    if (grant.roles.some((role) => RIGHTS[role].has(right))) return 'entitled'
  }
  return isKnown ? 'forbidden' : 'unknown'
}

/** Workspaces in which a principal has a right; undefined for all of them. */
export function workspacesOf(principal: Principal, right: Right): readonly string[] | undefined {
  const having = principal.grants.filter(({ roles }) => roles.some((role) => RIGHTS[role].has(right)))
  if (having.some(({ workspace }) => workspace === EVERY_WORKSPACE)) return undefined
  return [...new Set(having.map(({ workspace }) => workspace))]
}

const OPERATORS_COMMANDS: ReadonlySet<CommandType> = new Set([
  'ChangeLimits',
  'TerminateOwner',
  'RetireOwner',
  'CollectCompleted',
  'RaiseAttention',
  'ClearAttention',
])

/**
 * The right that a command takes. Ending what somebody else runs takes an operator: a cancel without its lease, a failure told
 * as operator, a verdict without a witness.
 */
export function rightOfCommand(type: CommandType, given: Readonly<Record<string, unknown>>): Right {
  if (OPERATORS_COMMANDS.has(type)) return 'operate'
  // Not yet checked: whatever does not fit is refused by the authority.
  const command = given as Partial<Extract<Command, { readonly type: 'ReconcileOperation' }>> & { asOperator?: unknown }
  if (type === 'CancelOperation') return command.leaseEpoch === undefined ? 'operate' : 'work'
  if (type === 'FailOperation') return command.asOperator === undefined ? 'work' : 'operate'
  if (type === 'ReconcileOperation') return command.evidence?.witness === undefined ? 'operate' : 'work'
  return 'work'
}
