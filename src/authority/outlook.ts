/**
 * What is ahead of an operation: the numbers that judge it and where they come from, its deadlines, who waits for it, and what
 * an operator may do with it now. What may be done is asked of `decide` itself, as if it were sent; nothing is stored.
 */
import type { Command, CommandOf, StampedCommand } from './commands.ts'
import { type Deadline, deadlinesOf, earliestDeadline } from './deadlines.ts'
import { decide } from './decide.ts'
import { type KindDefinitions, resolveKind } from './kinds.ts'
import { DEFAULT_POLICY, type Policy } from './lifecycle-policy.ts'
import type { Contradiction, Operation } from './operation.ts'
import type { RegistryAddress } from './questions.ts'
import type { RegistryState } from './registry.ts'
import type { RejectionCode } from './rejections.ts'
import type { PresentStatus } from './status.ts'
import { type WaitView, waitView } from './wait-view.ts'

/** `default` and `kind`: as its kind has it today; `operation`: otherwise, since its registration said so, or its kind then. */
export type PolicyOrigin = 'default' | 'kind' | 'operation'

/** What an operator may want of an operation; `retry` is a new operation that names it. */
export const OPERATOR_ACTIONS = ['cancel', 'force-cancel', 'reconcile', 'retry'] as const
export type OperatorAction = (typeof OPERATOR_ACTIONS)[number]

export interface OfferedAction {
  readonly action: OperatorAction
  /** Whether it would be accepted now. */
  readonly isLegal: boolean
  /** Why not. */
  readonly refusal?: { readonly code: RejectionCode; readonly message: string }
}

/** A verdict as it may be spoken now: the body of `:reconcile`. */
export type PreparedVerdict = Pick<CommandOf<'ReconcileOperation'>, 'evidence' | 'reasonCode' | 'disposition'>

/** What the reconciler does with operations of this kind, as this node knows. */
export interface ReconcilerIntent {
  readonly mode: 'enforce' | 'observe' | 'off'
  /** The breaker of the kind is open: so many seem dead at once that nobody is judged. */
  readonly isHeld: boolean
  /** No reconciler runs in this process. */
  readonly isAway: boolean
}

export interface OperationOutlook extends RegistryAddress {
  readonly id: string
  readonly number: number
  readonly status: PresentStatus
  readonly attempt: number
  /** Null: nobody judges it. */
  readonly policy: Policy | null
  /** By the path of each number. */
  readonly origins: Readonly<Record<string, PolicyOrigin>>
  /** Of all rules that apply now, the grace for what could not be heard not included. */
  readonly deadlines: readonly Deadline[]
  /** The one that counts; absent where nothing threatens. */
  readonly earliest?: Deadline
  readonly graceMs: number
  readonly reconciler: ReconcilerIntent
  /** Waits that go on and miss it. */
  readonly waits: readonly WaitView[]
  readonly contradictions: readonly Contradiction[]
  readonly actions: readonly OfferedAction[]
  readonly verdict?: PreparedVerdict
}

export interface OutlookParts {
  readonly operation: Operation
  readonly state: RegistryState
  readonly kinds: KindDefinitions
  readonly now: number
  readonly graceMs: number
  readonly reconciler: ReconcilerIntent
  readonly verdict: PreparedVerdict | undefined
}

/** Pure. */
export function outlookOf(address: RegistryAddress, parts: OutlookParts): OperationOutlook {
  const { operation, state, kinds, graceMs, reconciler, verdict } = parts
  const { id, number, status, attempt, policy, waits, contradictions } = operation
  const earliest = earliestDeadline(operation)
  return {
    workspace: address.workspace,
    owner: address.owner,
    id,
    number,
    status,
    attempt,
    policy,
    origins: policy === null ? {} : originsOf(policy, kinds, operation.kind),
    deadlines: deadlinesOf(operation),
    ...(earliest === undefined ? {} : { earliest }),
    graceMs,
    reconciler,
    waits: waits.flatMap((waitId) => {
      const wait = state.waits.get(waitId)
      return wait === undefined ? [] : [waitView(wait)]
    }),
    contradictions,
    actions: OPERATOR_ACTIONS.map((action) => offered(action, parts)),
    ...(verdict === undefined ? {} : { verdict }),
  }
}

function offered(action: OperatorAction, { operation, state, now, verdict }: OutlookParts): OfferedAction {
  const { id, number, kind, kindFacts, policy } = operation
  const tried = (command: Command, resolved: StampedCommand['resolved'] = {}): OfferedAction => {
    // No such command was ever sent, so that none is remembered under its id.
    const decision = decide(state, { command, commandId: '', digest: '', at: Math.floor(now), resolved })
    if (decision.type !== 'rejected') return { action, isLegal: true }
    const { code, message } = decision.rejection
    return { action, isLegal: false, refusal: { code, message } }
  }
  const newest = (state.operations.get(id) ?? state.tombstones.get(id))?.number
  if (newest !== undefined && newest !== number && action !== 'retry') {
    return refused(action, 'not_found', `the id ${id} names another operation (#${newest}) by now`)
  }
  switch (action) {
    case 'cancel':
      if (operation.cancel !== undefined) {
        return refused(action, 'already_requested', `a cancel of operation ${id} is asked for already`)
      }
      return tried({ type: 'RequestCancel', id })
    case 'force-cancel':
      return tried({ type: 'CancelOperation', id })
    case 'reconcile':
      if (verdict !== undefined) return tried({ type: 'ReconcileOperation', id, ...verdict })
      return refused(
        action,
        operation.outcome === undefined ? 'evidence_outdated' : 'already_terminal',
        operation.outcome === undefined
          ? `no deadline of operation ${id} has passed: there is nothing to judge it by`
          : `operation ${id} has ended`,
      )
    case 'retry':
      if (operation.outcome === undefined) {
        return refused(action, 'illegal_transition', `operation ${id} goes on: there is nothing to try again`)
      }
      return tried({ type: 'RegisterOperation', kind, retryOf: { id, number } }, { operationId: '', kindFacts, policy })
    default:
      return action satisfies never
  }
}

function refused(action: OperatorAction, code: RejectionCode, message: string): OfferedAction {
  return { action, isLegal: false, refusal: { code, message } }
}

function originsOf(policy: Policy, kinds: KindDefinitions, kind: string): Readonly<Record<string, PolicyOrigin>> {
  const ofKind = numbersOf(resolveKind(kinds, kind, undefined).policy)
  const byDefault = numbersOf(DEFAULT_POLICY)
  return Object.fromEntries(
    [...numbersOf(policy)].map(([path, value]) => {
      if (value !== ofKind.get(path)) return [path, 'operation']
      return [path, value === byDefault.get(path) ? 'default' : 'kind']
    }),
  )
}

/** Every number and word of a policy, by its path. */
function numbersOf(policy: Policy | null): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>()
  const add = (prefix: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      found.set(prefix, value)
      return
    }
    for (const [name, inner] of Object.entries(value)) add(prefix === '' ? name : `${prefix}.${name}`, inner)
  }
  if (policy !== null) add('', policy)
  return found
}
