/** Custom verbs: each is one command of the authority, which checks the body and decides. */
import type { z } from 'zod'
import type { CommandResult } from '../authority/command-answer.ts'
import { COMMAND_SCHEMAS, type CommandType } from '../authority/commands.ts'
import { commandAnswerSchema } from '../wire/command-wire.ts'
import { onBehalfOfSchema } from '../wire/sender-wire.ts'
import { OPERATION_VERBS, OWNER_VERBS } from '../wire/verbs.ts'
import { commandOf, replyOf, sendCommand } from './commands.ts'
import type { Endpoint, Reply } from './endpoint.ts'
import { ownerOf } from './operation-address.ts'

const SUMMARIES: Readonly<Record<keyof typeof OPERATION_VERBS | `owner-${keyof typeof OWNER_VERBS}`, string>> = {
  claim: 'Take it to work on: the answer has the lease',
  'provisioning-failed': 'It could not be started',
  abort: 'It is not wanted any more, before it was started',
  'peer-ready': 'The peer that it waits for is ready',
  progress: 'Tell how far it is',
  heartbeat: 'Tell that its worker lives; the answer says whether to stop',
  'start-phase': 'A phase begins',
  'complete-phase': 'A phase is done',
  'fail-phase': 'A phase failed; it may be started again',
  complete: 'It is done, with its result',
  fail: 'It failed, for good',
  retry: 'This attempt failed; there is to be another',
  cancel: 'Ask it to stop',
  'force-cancel': 'It is cancelled: told by its worker with the lease, or by an operator without',
  retire: 'Ask it to wind down',
  'mark-retired': 'It has wound down',
  reconcile: 'Speak a verdict over what does not speak for itself',
  rollback: 'Take back a registration that nobody knows of',
  'owner-open': 'Open the owner with limits of its own',
  'owner-change-limits': 'Change the limits of the owner',
  'owner-terminate': 'End every active operation of the owner, at once',
  'owner-retire': 'End every active operation, and accept nothing new',
}

export const VERB_ENDPOINTS: readonly Endpoint[] = [
  ...Object.entries(OPERATION_VERBS).map(
    ([verb, type]): Endpoint => ({
      method: 'POST',
      path: `/operations/{id}:${verb}`,
      scope: 'owner',
      id: `${camel(verb)}Operation`,
      tag: 'Commands',
      summary: SUMMARIES[verb as keyof typeof OPERATION_VERBS],
      right: 'work',
      body: bodyOf(type),
      answers: { 200: { description: 'It is so, on disk.', schema: commandAnswerSchema } },
      refusals: [
        'not_found',
        'illegal_transition',
        'already_terminal',
        'stale_lease',
        'lease_required',
        'command_id_reused',
        'ambiguous_operation',
        'not_served',
        'read_model_behind',
      ],
      handle: (call, host) => {
        const { requestId, params } = call
        const command = commandOf(type, call.body, params.id ?? '')
        const replied = (result: CommandResult): Reply => {
          if (result.type === 'refused' && result.rejection.code === 'not_found') host.owners.forget(params.id ?? '')
          return replyOf(result, requestId, () => 200)
        }
        const owner = ownerOf(call, host, 'read')
        return owner instanceof Promise
          ? owner.then((registry) => sendCommand(call, host, registry, command)).then(replied)
          : sendCommand(call, host, owner, command).then(replied)
      },
    }),
  ),
  ...Object.entries(OWNER_VERBS).map(
    ([verb, type]): Endpoint => ({
      method: 'POST',
      path: `:${verb}`,
      scope: 'owner',
      id: `${camel(verb)}Owner`,
      tag: 'Owners',
      summary: SUMMARIES[`owner-${verb as keyof typeof OWNER_VERBS}`],
      right: verb === 'open' ? 'work' : 'operate',
      body: bodyOf(type),
      answers: { 200: { description: 'It is so, on disk.', schema: commandAnswerSchema } },
      refusals: ['owner_retired', 'registry_already_open', 'command_id_reused'],
      handle: (call, host) =>
        sendCommand(call, host, call.registry, commandOf(type, call.body)).then((result) =>
          replyOf(result, call.requestId, () => 200),
        ),
    }),
  ),
]

/** The command without what the address says. */
function bodyOf(type: CommandType): z.ZodType {
  const schema: z.ZodObject = COMMAND_SCHEMAS[type]
  const said = Object.fromEntries(['type', 'id'].filter((name) => name in schema.shape).map((name) => [name, true]))
  return schema
    .omit(said as { readonly type: true })
    .extend({ onBehalfOf: onBehalfOfSchema })
    .meta({ id: type })
}

function camel(verb: string): string {
  return verb.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
