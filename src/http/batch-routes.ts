/** Many commands in one request, each with its own result, in order: what an SDK that sends thousands a second travels by. */
import { z } from 'zod'
import { COMMAND_SCHEMAS } from '../authority/commands.ts'
import { type BatchAnswer, type BatchEntry, batchAnswerSchema, batchEntrySchema } from '../wire/command-wire.ts'
import { answeredOf, sendCommand } from './commands.ts'
import { type Call, type Endpoint, ok } from './endpoint.ts'
import { errorResponse, RequestRefused, refusalOf } from './error-responses.ts'
import type { Host } from './host.ts'
import { bodyAs } from './request-body.ts'
import { traceOf } from './request-call.ts'

const batchSchema = z.strictObject({ commands: z.array(batchEntrySchema).min(1) }).meta({ id: 'Batch' })

const BATCH_PATH = '/commands:batch'

export const BATCH_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'POST',
    path: BATCH_PATH,
    scope: 'owner',
    id: 'sendCommands',
    tag: 'Commands',
    summary: 'Send many commands in one request; each has its own answer or refusal, in order',
    description: 'Commands of one owner are decided in the order given. None waits for another one to be answered.',
    right: 'read',
    body: batchSchema,
    answers: { 200: { description: 'One result for each command.', schema: batchAnswerSchema } },
    refusals: ['content_too_large'],
    handle: async (call, host) => {
      const { commands } = bodyAs(batchSchema, call.body)
      const limit = host.settings.httpBatchCommandsMax
      if (commands.length > limit) {
        const { problem, status } = errorResponse(
          {
            code: 'content_too_large',
            message: `a batch has at most ${limit} commands, got ${commands.length}`,
            facts: { limit },
          },
          call.requestId,
        )
        return { status, body: problem }
      }
      // Sent in one turn: they share decisions and appends.
      const results = await Promise.all(commands.map((entry) => resultOf(entry, call, host)))
      return ok({ results })
    },
  },
]

async function resultOf(entry: BatchEntry, call: Call, host: Host): Promise<BatchAnswer['results'][number]> {
  const { command, workspace = call.registry.workspace, owner = call.registry.owner } = entry
  try {
    const parts = { principal: call.principal, sender: senderOf(entry, call.sender) }
    const result = await sendCommand(parts, host, { workspace, owner }, command)
    const answered = answeredOf(result)
    if ('answer' in answered) return { type: 'answered', answer: answered.body }
    return { type: 'refused', problem: errorResponse(answered.rejection, call.requestId, answered.place).problem }
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    if (error instanceof RequestRefused && error.lacking !== undefined) {
      const { type } = command
      const action = typeof type === 'string' && Object.hasOwn(COMMAND_SCHEMAS, type) ? type : 'command'
      host.denials.note({ ...error.lacking, actor: call.principal.name, action, path: BATCH_PATH })
    }
    return { type: 'refused', problem: errorResponse(refusal, call.requestId).problem }
  }
}

/** What is said of a command, else of the request; but the key of the request is that of no single command. */
function senderOf(
  { commandId, correlationId, causationId, traceparent, onBehalfOf }: BatchEntry,
  ofAll: Call['sender'],
) {
  return {
    commandId,
    actor: ofAll.actor,
    correlationId: correlationId ?? ofAll.correlationId,
    causationId: causationId ?? ofAll.causationId,
    traceparent: traceOf(traceparent).traceparent ?? ofAll.traceparent,
    onBehalfOf: onBehalfOf ?? ofAll.onBehalfOf,
  } as Call['sender'] // What is undefined is as if it were left out, and all have one shape, which engines copy fastest.
}
