/** Operations: registered, looked at, waited for. */
import { z } from 'zod'
import type { CommandResult } from '../authority/command-answer.ts'
import { COMMAND_SCHEMAS } from '../authority/commands.ts'
import { leaseStanding } from '../authority/lease-standing.ts'
import { resultClassOf } from '../authority/status.ts'
import type { LeaseCause } from '../client/door.ts'
import { commandAnswerSchema } from '../wire/command-wire.ts'
import { entryOnWire } from '../wire/monitoring-wire.ts'
import { endedSchema, historySchema, leaseSchema, operationSchema } from '../wire/operation-wire.ts'
import { spokenPolicySchema } from '../wire/policy-wire.ts'
import { onBehalfOfSchema } from '../wire/sender-wire.ts'
import { answeredOrThrow, commandOf, replyOf, sendCommand } from './commands.ts'
import { type Call, type Endpoint, ok, type Reply } from './endpoint.ts'
import { RequestRefused } from './error-responses.ts'
import type { Host } from './host.ts'
import { notFound, ownerOf } from './operation-address.ts'
import { outcomeNow } from './operation-outcome.ts'
import { wholeNumber } from './query-values.ts'

const register = COMMAND_SCHEMAS.RegisterOperation.omit({ type: true }).extend({
  claim: z.union([z.boolean(), COMMAND_SCHEMAS.RegisterOperation.shape.claim.unwrap()]).optional(),
  policy: spokenPolicySchema.optional(),
  onBehalfOf: onBehalfOfSchema,
})

/** Where the read models are not far enough to say that it is nowhere, nobody says so. */
const NOT_HERE = ['not_found', 'ambiguous_operation', 'not_served', 'read_model_behind'] as const

export const OPERATION_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'POST',
    path: '/operations',
    scope: 'owner',
    id: 'registerOperation',
    tag: 'Operations',
    summary: 'Register an operation, and begin it at once where `claim` is given',
    right: 'work',
    body: register.meta({ id: 'RegisterOperation' }),
    answers: {
      201: { description: 'It is registered, on disk.', schema: commandAnswerSchema },
      200: {
        description: 'An active operation of the same key was joined; nothing was claimed.',
        schema: commandAnswerSchema,
      },
    },
    refusals: [
      'already_registered',
      'max_concurrent_exceeded',
      'owner_retired',
      'policy_violation',
      'command_id_reused',
    ],
    handle: registered,
  },
  {
    method: 'GET',
    path: '/operations/{id}',
    scope: 'owner',
    id: 'getOperation',
    tag: 'Operations',
    summary: 'An operation as it is; with `Prefer: wait`, as soon as it has ended',
    description:
      'One that its owner let go is told without its payloads, from the read models; its outcome stands apart.',
    right: 'read',
    isWaiting: true,
    query: z.strictObject({
      held: z
        .literal('true')
        .optional()
        .meta({ description: 'Only while its owner holds it, whatever read models know.' }),
    }),
    answers: { 200: { description: 'Active or retained.', schema: operationSchema } },
    refusals: NOT_HERE,
    handle: async (call, host) => {
      const id = idIn(call)
      const registry = await ownerOf(call, host, 'read')
      const now = await host.door.snapshot(registry, id)
      if (now === undefined && call.query.held !== undefined) throw notFound(id)
      if (now === undefined) return ok(await letGo(host, registry, id))
      if (call.waitMs === 0 || now.outcome !== undefined) return ok(now)
      const ended = await host.polls.during(call, (signal) => endedOrAborted(host, registry, id, signal))
      const then = await host.door.snapshot(registry, id)
      if (then?.number === now.number || ended === undefined) return ok(then ?? now)
      // Let go by its owner in the meantime: what was known of it, with how it ended.
      return ok({ ...now, ...ended, resultClass: resultClassOf(ended.status), judgement: { freshness: 'terminal' } })
    },
  },
  {
    method: 'GET',
    path: '/operations/{id}/outcome',
    scope: 'owner',
    id: 'getOutcome',
    tag: 'Operations',
    summary: 'How an operation ended, also long after its owner let it go; without `outcome`, it goes on',
    right: 'read',
    isWaiting: true,
    answers: { 200: { description: 'The outcome, or the status of what goes on.', schema: endedSchema } },
    refusals: NOT_HERE,
    handle: async (call, host) => {
      const id = idIn(call)
      const registry = await ownerOf(call, host, 'read')
      const ended = await host.polls.during(call, (signal) => endedOrAborted(host, registry, id, signal))
      if (ended !== undefined) return ok({ id, ...ended })
      const now = await host.door.snapshot(registry, id)
      if (now !== undefined)
        return ok({ id, status: now.status, ...(now.outcome === undefined ? {} : { outcome: now.outcome }) })
      throw notFound(id)
    },
  },
  {
    method: 'GET',
    path: '/operations/{id}/history',
    scope: 'owner',
    id: 'getHistory',
    tag: 'Operations',
    summary: 'The events of an operation, from the log',
    right: 'read',
    answers: { 200: { description: 'Oldest first.', schema: historySchema } },
    refusals: NOT_HERE,
    handle: async (call, host) => {
      const id = idIn(call)
      const registry = await ownerOf(call, host, 'read')
      const events = await host.door.history(registry, id)
      if (events.length === 0) throw notFound(id)
      return ok({ events: events.map(entryOnWire) })
    },
  },
  {
    method: 'GET',
    path: '/operations/{id}/lease',
    scope: 'owner',
    id: 'getLease',
    tag: 'Workers',
    summary: 'Whether the holder of a lease is to stop; with `Prefer: wait`, as soon as it is',
    right: 'read',
    isWaiting: true,
    query: z.strictObject({ leaseEpoch: wholeNumber }),
    answers: { 200: { description: 'With a cause, stop.', schema: leaseSchema } },
    handle: async (call, host) => {
      const registry = await ownerOf(call, host, 'read')
      const lease = { id: idIn(call), leaseEpoch: call.query.leaseEpoch as number }
      const cause = await host.polls.during(call, (signal) => causeOf(host, registry, lease, signal))
      return ok(cause === undefined ? {} : { cause })
    },
  },
]

function registered(call: Call, host: Host): Promise<Reply> {
  const given = commandOf('RegisterOperation', call.body)
  // `"claim": true` is what people write; the authority knows an object, or nothing.
  const claiming = given.claim === true ? { claim: {} } : given.claim === false ? { claim: undefined } : undefined
  const command = claiming === undefined ? given : { ...given, ...claiming }
  return sendCommand(call, host, call.registry, command).then((result) => registeredReply(call, host, result))
}

function registeredReply(call: Call, host: Host, result: CommandResult): Reply {
  const { registry, requestId } = call
  const reply = replyOf(result, requestId, ({ joined, changed }) => (joined === true || !changed ? 200 : 201))
  if (result.type === 'refused' || result.answer.operationId === undefined) return reply
  const { operationId } = result.answer
  if (!call.isOwnerNamed) host.owners.set(operationId, registry)
  const [workspace, owner, id] = [registry.workspace, registry.owner, operationId].map(encodeURIComponent)
  const location = `/v1/workspaces/${workspace}/owners/${owner}/operations/${id}`
  return { ...reply, headers: { ...reply.headers, location } }
}

/** What its owner does not hold any more, as lists still show it: without payloads. Throws RequestRefused `not_found`. */
async function letGo({ door }: Host, { workspace, owner }: Call['registry'], id: string) {
  const filter = { workspaces: [workspace], owners: [owner], ids: [id] }
  const asked = await door.monitoring.operations({ filter, pageSize: 1 })
  // What can be no name is nobody's.
  if (asked.type === 'refused' && asked.rejection.code === 'invalid_command') throw notFound(id)
  const [operation] = answeredOrThrow(asked).operations
  if (operation === undefined) throw notFound(id)
  return operation
}

/** The outcome, as soon as there is one; undefined when waiting is over before. Throws RequestRefused. */
async function endedOrAborted(host: Host, registry: Call['registry'], id: string, signal: AbortSignal | undefined) {
  const over = signal ?? AbortSignal.abort()
  try {
    if (over.aborted) {
      const { outcome, status } = await outcomeNow(host, registry, id)
      return outcome === undefined ? undefined : { outcome, status }
    }
    return answeredOrThrow(await host.door.outcome(registry, id, over))
  } catch (error) {
    if (over.aborted && !(error instanceof RequestRefused)) return undefined
    throw error
  }
}

async function causeOf(
  { door }: Host,
  registry: Call['registry'],
  lease: { readonly id: string; readonly leaseEpoch: number },
  signal: AbortSignal | undefined,
): Promise<LeaseCause | undefined> {
  const standing = leaseStanding(await door.snapshot(registry, lease.id), lease.leaseEpoch)
  if (standing !== 'held') return standing
  if (signal === undefined || signal.aborted) return undefined
  return new Promise((resolve) => {
    const over = () => settle(undefined)
    const stop = door.onLease(registry, lease, (cause) => settle(cause))
    const settle = (cause: LeaseCause | undefined) => {
      signal.removeEventListener('abort', over)
      stop()
      resolve(cause)
    }
    signal.addEventListener('abort', over, { once: true })
  })
}

function idIn({ params }: Call): string {
  return params.id ?? ''
}
