/**
 * The reconciler of this node: how it stands, and what operators tell it. It is one for all workspaces, so that looking at it
 * takes the right in every one of them, and so does telling it anything; a pass may be had over the workspaces that one operates.
 */
import { EVERY_KIND, type OrderedBy } from '../shell/reconciler-orders.ts'
import {
  nameSchema,
  passReportSchema,
  reconcilerSchema,
  releaseSchema,
  runSchema,
  setModeSchema,
} from '../wire/reconciler-wire.ts'
import { type Call, type Endpoint, ok } from './endpoint.ts'
import { RequestRefused } from './error-responses.ts'
import { assertEverywhere, forbidden } from './operation-address.ts'
import { bodyAs } from './request-body.ts'
import { EVERY_WORKSPACE, type Principal, workspacesOf } from './roles.ts'

const common = { scope: 'server', tag: 'Reconciler' } as const

export const RECONCILER_ENDPOINTS: readonly Endpoint[] = [
  {
    ...common,
    method: 'GET',
    path: '/reconciler',
    id: 'getReconciler',
    summary: 'How the reconciler stands: its last pass, the modes in force, what its breakers hold',
    right: 'read',
    answers: { 200: { description: 'Of this node, by what is on record by now.', schema: reconcilerSchema } },
    refusals: ['store_unavailable'],
    handle: async ({ principal }, { reconciler }) => {
      assertEverywhere(principal, 'read')
      return ok(await reconciler.standing())
    },
  },
  {
    ...common,
    method: 'POST',
    path: '/reconciler:set-mode',
    id: 'setReconcilerMode',
    summary: 'How far the reconciler goes with a kind from now on, on every node of the log',
    description: 'Stands in the log, with who said it and why, before it is answered.',
    right: 'operate',
    body: setModeSchema,
    answers: { 200: { description: 'How it stands then.', schema: reconcilerSchema } },
    refusals: ['command_id_reused'],
    handle: async (call, { reconciler }) => {
      assertEverywhere(call.principal, 'operate')
      const { kind = EVERY_KIND, ...order } = bodyAs(setModeSchema, call.body)
      await reconciler.setMode(kind, order.mode, orderedBy(call, order.reason))
      return ok(await reconciler.standing())
    },
  },
  {
    ...common,
    method: 'POST',
    path: '/reconciler:release',
    id: 'releaseReconcilerBreaker',
    summary: 'Let the breaker go: what seems dead by now may be reconciled, by every node of the log',
    description:
      'Stands in the log, with who said it and why, before it is answered. Whoever falls silent later is weighed anew.',
    right: 'operate',
    body: releaseSchema,
    answers: { 200: { description: 'How it stands then.', schema: reconcilerSchema } },
    refusals: ['command_id_reused'],
    handle: async (call, { reconciler }) => {
      assertEverywhere(call.principal, 'operate')
      const { kind = EVERY_KIND, ...order } = bodyAs(releaseSchema, call.body)
      await reconciler.release(kind, orderedBy(call, order.reason))
      return ok(await reconciler.standing())
    },
  },
  {
    ...common,
    method: 'POST',
    path: '/reconciler:run',
    id: 'runReconciler',
    summary: 'One pass now, within a scope; asked again at once, it finds nothing to do',
    description: 'Goes by the modes and breakers in force, as every pass does.',
    right: 'operate',
    body: runSchema,
    answers: { 200: { description: 'What it found and did.', schema: passReportSchema } },
    handle: async ({ principal, body }, { reconciler }) => {
      const request = bodyAs(runSchema, body)
      return ok(await reconciler.run({ ...request, ...operatedBy(principal, request.workspaces) }, principal.name))
    },
  },
]

/** Those that were named, all of which the caller operates; else all that he does. */
function operatedBy(principal: Principal, named: readonly string[] | undefined): { readonly workspaces?: string[] } {
  const operated = workspacesOf(principal, 'operate')
  if (operated === undefined) return {}
  if (operated.length === 0) throw forbidden(principal.name, 'operate', EVERY_WORKSPACE)
  const stray = named?.find((workspace) => !operated.includes(workspace))
  if (stray !== undefined) throw forbidden(principal.name, 'operate', stray)
  return { workspaces: [...(named ?? operated)] }
}

function orderedBy({ sender }: Call, because: string): OrderedBy {
  const { commandId, actor, onBehalfOf } = sender
  for (const [path, value] of Object.entries({ commandId, onBehalfOf })) {
    const checked = nameSchema.optional().safeParse(value)
    if (checked.success) continue
    const expected = checked.error.issues[0]?.message ?? 'another one'
    throw new RequestRefused('invalid_command', `${path}: ${expected}`, { path, expected })
  }
  return { commandId, actor, onBehalfOf, reason: because }
}
