/** One operation looked at closely: what is ahead of it, its life in time; and the machine that all of them live by. */
import { z } from 'zod'
import type { CommandType } from '../authority/commands.ts'
import { MACHINE_DESCRIPTION } from '../authority/machine-description.ts'
import type { OperatorAction } from '../authority/outlook.ts'
import { machineSchema, outlookSchema, timelineSchema } from '../wire/life-wire.ts'
import { type Call, type Endpoint, ok } from './endpoint.ts'
import { notFound, ownerOf } from './operation-address.ts'
import { wholeNumber } from './query-values.ts'
import { rightOfCommand, rolesWith, standing } from './roles.ts'

const query = z.strictObject({
  number: wholeNumber.optional().meta({ description: 'Of an earlier life of the id. Default: the newest.' }),
})

export const LIFE_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/operations/{id}/outlook',
    scope: 'owner',
    id: 'getOutlook',
    tag: 'Operations',
    summary: 'What is ahead of an operation: policy in force, deadlines, waits, and what may be done with it now',
    right: 'read',
    query,
    answers: { 200: { description: 'As of now.', schema: outlookSchema } },
    refusals: ['not_found', 'ambiguous_operation'],
    handle: async (call, host) => {
      const registry = await ownerOf(call, host, 'read')
      const outlook = await host.door.outlook(registry, call.params.id ?? '', numberIn(call))
      if (outlook === undefined) throw notFound(call.params.id ?? '')
      const actions = outlook.actions.map((offered) => {
        const right = RIGHTS[offered.action]
        const isEntitled = standing(call.principal, registry.workspace, right) === 'entitled'
        return { ...offered, isEntitled, roles: rolesWith(right) }
      })
      return ok({ ...outlook, actions })
    },
  },
  {
    method: 'GET',
    path: '/operations/{id}/timeline',
    scope: 'owner',
    id: 'getTimeline',
    tag: 'Operations',
    summary: 'An operation in time: queue, attempts, phases, and where nothing was heard of it',
    right: 'read',
    query,
    answers: { 200: { description: 'From its registration to its end, or to now.', schema: timelineSchema } },
    refusals: ['not_found', 'ambiguous_operation'],
    handle: async (call, host) => {
      const registry = await ownerOf(call, host, 'read')
      const timeline = await host.door.timeline(registry, call.params.id ?? '', numberIn(call))
      if (timeline === undefined) throw notFound(call.params.id ?? '')
      return ok(timeline)
    },
  },
  {
    method: 'GET',
    path: '/machine',
    scope: 'server',
    id: 'getMachine',
    tag: 'Operations',
    summary: 'The states of an operation and the moves between them, for those who draw it',
    right: 'read',
    answers: { 200: { description: 'Of this release.', schema: machineSchema } },
    handle: async () => ok(MACHINE_DESCRIPTION),
  },
]

const COMMANDS: Readonly<Record<OperatorAction, CommandType>> = {
  cancel: 'RequestCancel',
  'force-cancel': 'CancelOperation',
  reconcile: 'ReconcileOperation',
  retry: 'RegisterOperation',
}
/** As whoever holds no lease sends them. */
const RIGHTS = Object.fromEntries(
  Object.entries(COMMANDS).map(([action, type]) => [action, rightOfCommand(type, {})]),
) as Readonly<Record<OperatorAction, ReturnType<typeof rightOfCommand>>> // the same names

function numberIn({ query: { number } }: Call): number | undefined {
  return number as number | undefined // by its schema
}
