/** Waits for several operations: begun once, asked for as often as one likes, from any node. */
import { z } from 'zod'
import type { WaitView } from '../authority/wait-view.ts'
import { commandAnswerSchema } from '../wire/command-wire.ts'
import { onBehalfOfSchema } from '../wire/sender-wire.ts'
import { beginWaitSchema, waitViewSchema } from '../wire/wait-wire.ts'
import { answeredOrThrow, commandOf, replyOf, sendCommand } from './commands.ts'
import { type Call, type Endpoint, ok, type Reply } from './endpoint.ts'
import type { Host } from './host.ts'
import { bodyAs } from './request-body.ts'

export const WAIT_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'POST',
    path: '/waits',
    scope: 'owner',
    id: 'beginWait',
    tag: 'Waits',
    summary: 'Wait for all of some operations, or for the first; with `Prefer: wait`, answered when it has ended',
    description:
      'The same wait id and the same operations attach to the wait that goes on, or are answered by the one that ended. A lost connection cancels nothing.',
    right: 'work',
    isWaiting: true,
    body: beginWaitSchema,
    answers: {
      200: { description: 'It has ended.', schema: waitViewSchema },
      201: { description: 'It goes on: come back with its id.', schema: waitViewSchema },
    },
    refusals: ['not_found', 'duplicate_wait_operation', 'wait_already_active', 'wait_id_conflict'],
    handle: begun,
  },
  {
    method: 'GET',
    path: '/waits/{waitId}',
    scope: 'owner',
    id: 'getWait',
    tag: 'Waits',
    summary: 'How a wait stands; with `Prefer: wait`, as soon as it has ended',
    right: 'read',
    isWaiting: true,
    answers: { 200: { description: 'Without `ending`, it goes on.', schema: waitViewSchema } },
    refusals: ['not_found'],
    handle: async (call, host) => ok(await standingOf(call, host, call.params.waitId ?? '')),
  },
  {
    method: 'POST',
    path: '/waits/{waitId}:cancel',
    scope: 'owner',
    id: 'cancelWait',
    tag: 'Waits',
    summary: 'Wait no longer',
    right: 'work',
    body: z.strictObject({ onBehalfOf: onBehalfOfSchema }).meta({ id: 'CancelWait' }),
    answers: { 200: { description: 'It is forgotten.', schema: commandAnswerSchema } },
    refusals: ['wait_not_active'],
    handle: async (call, host) => {
      const command = { ...commandOf('CancelWait', call.body), waitId: call.params.waitId ?? '' }
      return replyOf(await sendCommand(call, host, call.registry, command), call.requestId, () => 200)
    },
  },
]

async function begun(call: Call, host: Host): Promise<Reply> {
  const { mode, ...rest } = bodyAs(beginWaitSchema, call.body)
  const command = { ...rest, type: mode === 'all' ? 'BeginWaitAll' : 'BeginWaitAny' }
  const result = await sendCommand(call, host, call.registry, command)
  if (result.type === 'refused') return replyOf(result, call.requestId, () => 200)
  const { wait } = result.answer
  if (wait === undefined) throw new Error(`${command.type} was answered without its wait`)
  const view = await standingOf(call, host, wait)
  return { status: view.ending === undefined ? 201 : 200, body: view }
}

async function standingOf(call: Call, { door, polls }: Host, wait: string | WaitView) {
  return answeredOrThrow(await polls.during(call, (signal) => door.waitStanding(call.registry, wait, signal)))
}
