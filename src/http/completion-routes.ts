/** What has ended, in order: the completion feed, its named cursors, and the collection of what is retained. */
import { z } from 'zod'
import type { CompletionPage } from '../authority/questions.ts'
import { answerOnWire } from '../wire/command-wire.ts'
import { onBehalfOfSchema } from '../wire/sender-wire.ts'
import { collectedSchema, completionsSchema, cursorSchema, moveCursorSchema } from '../wire/wait-wire.ts'
import { answeredOrThrow } from './commands.ts'
import { type Call, type Endpoint, ok } from './endpoint.ts'
import type { Host } from './host.ts'
import { wholeNumber } from './query-values.ts'
import { bodyAs } from './request-body.ts'

const collectSchema = z.strictObject({ onBehalfOf: onBehalfOfSchema })

export const COMPLETION_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/completions',
    scope: 'owner',
    id: 'getCompletions',
    tag: 'Completions',
    summary: 'What ended after a sequence; with `Prefer: wait`, as soon as something did',
    right: 'read',
    isWaiting: true,
    query: z.strictObject({ after: wholeNumber.default(0), limit: wholeNumber.optional() }),
    answers: {
      200: { description: 'Entries and watermark of the same moment, or a gap.', schema: completionsSchema },
    },
    refusals: ['cursor_ahead'],
    handle: async (call, host) => {
      const { after, limit } = call.query as { readonly after: number; readonly limit?: number }
      const request = { after, ...(limit === undefined ? {} : { limit }) }
      const page = await host.polls.during(call, (signal) => pageOf(call, host, request, signal))
      return ok(completionsOnWire(page, after))
    },
  },
  {
    method: 'GET',
    path: '/cursors/{name}',
    scope: 'owner',
    id: 'getCursor',
    tag: 'Completions',
    summary: 'How far a named consumer has read; 0 for one that is not known',
    right: 'read',
    answers: { 200: { description: 'The sequence of the last entry seen.', schema: cursorSchema } },
    handle: async (call, host) => ok({ sequence: await host.door.cursor(call.registry, call.params.name ?? '') }),
  },
  {
    method: 'PUT',
    path: '/cursors/{name}',
    scope: 'owner',
    id: 'moveCursor',
    tag: 'Completions',
    summary: 'Move it forward; a lower value leaves it where it is',
    right: 'work',
    body: moveCursorSchema,
    answers: { 200: { description: 'The sequence that counts now.', schema: cursorSchema } },
    refusals: ['cursor_ahead', 'too_many_cursors'],
    handle: async (call, host) => {
      const { sequence } = bodyAs(moveCursorSchema, call.body)
      return ok(answeredOrThrow(await host.door.moveCursor(call.registry, call.params.name ?? '', sequence)))
    },
  },
  {
    method: 'POST',
    path: ':collect',
    scope: 'owner',
    id: 'collectCompleted',
    tag: 'Completions',
    summary: 'Take all that has ended and is retained, once; a lost answer is asked for again with the same key',
    right: 'operate',
    body: collectSchema.meta({ id: 'CollectCompleted' }),
    answers: { 200: { description: 'In completion order.', schema: collectedSchema } },
    refusals: ['command_id_reused'],
    handle: async (call, host) => {
      bodyAs(collectSchema, call.body)
      const { operations, answer } = answeredOrThrow(await host.door.collect(call.registry, call.sender))
      return ok({ ...answerOnWire(answer), operations })
    },
  },
]

/** Waiting ends with the page as it is. */
async function pageOf(
  { registry }: Call,
  { door }: Host,
  request: { readonly after: number; readonly limit?: number },
  signal: AbortSignal | undefined,
): Promise<CompletionPage> {
  try {
    const wait = signal === undefined ? {} : { wait: true, signal }
    return answeredOrThrow(await door.completions(registry, { ...request, ...wait }))
  } catch (error) {
    if (signal?.aborted !== true) throw error
    return answeredOrThrow(await door.completions(registry, request))
  }
}

function completionsOnWire(page: CompletionPage, after: number): CompletionPage & { readonly nextAfter: number } {
  if (page.type === 'gap') return { ...page, nextAfter: page.droppedThrough }
  return { ...page, nextAfter: page.entries.at(-1)?.sequence ?? after }
}
