/** Live events: as a feed of pages that may be waited for, or as a stream, from any place in the log. */
import { z } from 'zod'
import type { EventsRequest } from '../authority/questions.ts'
import type { Rejection } from '../authority/rejections.ts'
import type { LiveEntry } from '../subscriptions/live-entry.ts'
import type { EventBatch } from '../subscriptions/live-events.ts'
import { eventsPageSchema } from '../wire/event-wire.ts'
import { unknownWorkspace } from './commands.ts'
import { type Call, type Endpoint, ok, type Reply, type StreamConnection } from './endpoint.ts'
import { RequestRefused } from './error-responses.ts'
import { EventStream, frameOf, STREAM_HEADERS } from './event-streams.ts'
import type { Host } from './host.ts'
import { wholeNumber } from './query-values.ts'
import { standing, workspacesOf } from './roles.ts'

const PAGE_EVENTS = 500
const PAGE_EVENTS_MAX = 1_000
/** Pages of the log that one request looks through for what its filter wants. */
const BATCHES_LOOKED_AT_MAX = 64

const query = z.strictObject({
  after: z
    .string()
    .optional()
    .meta({ description: 'The cursor of the last event that was seen; `now` for what comes.' }),
  workspace: z.string().optional(),
  owner: z.string().optional(),
  kind: z.string().optional(),
  operation: z.string().optional().meta({ description: 'Id of an operation.' }),
  types: z.string().optional().meta({ description: 'Types of events, with commas between them.' }),
  limit: wholeNumber.optional().meta({ description: `Of a page: default ${PAGE_EVENTS}, at most ${PAGE_EVENTS_MAX}.` }),
})

export const EVENT_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/events',
    scope: 'server',
    id: 'getEvents',
    tag: 'Events',
    summary: 'What happened behind a place in the log, each event once and in order; as a page, or as a stream',
    description:
      'As `application/json` a page, with `Prefer: wait` as soon as there is something. As `text/event-stream` history, then live: ' +
      '`id` is the cursor, data the event; `Last-Event-ID` goes before `after`. Named events tell what is none of the log: ' +
      '`resync` (the place is gone: look afresh; it goes on from the end), `slow` and `closing` (come back).',
    right: 'read',
    isWaiting: true,
    query,
    answers: { 200: { description: 'Events, or a resync.', schema: eventsPageSchema } },
    refusals: ['invalid_command', 'too_many_streams'],
    handle: page,
    stream,
  },
]

interface Asked {
  readonly request: EventsRequest
  readonly workspaces: ReadonlySet<string> | undefined
  readonly limit: number
}

/** Throws RequestRefused for a workspace in which nothing is theirs. */
function askedIn({ query: given, principal }: Call): Asked {
  const { limit = PAGE_EVENTS, types, ...rest } = given as z.infer<typeof query>
  const { workspace } = rest
  if (workspace !== undefined && standing(principal, workspace, 'read') !== 'entitled') {
    throw unknownWorkspace({ workspace })
  }
  const named = Object.entries({ ...rest, types: types === '' ? [] : types?.split(',') }).filter(
    ([, value]) => value !== undefined,
  )
  const readable = workspacesOf(principal, 'read')
  return {
    request: Object.fromEntries(named),
    workspaces: readable === undefined ? undefined : new Set(readable),
    limit: Math.min(Math.max(limit, 1), PAGE_EVENTS_MAX),
  }
}

async function page(call: Call, host: Host): Promise<Reply> {
  const asked = askedIn(call)
  return host.polls.during(call, (signal) => pageOf(host, asked, signal))
}

/** Waiting ends with an empty page, which has got as far as it says. */
async function pageOf({ events }: Host, { request, workspaces, limit }: Asked, over?: AbortSignal): Promise<Reply> {
  const left = new AbortController()
  let last: EventBatch | undefined
  // Not before it has got somewhere.
  const leave = () => {
    if (last !== undefined) left.abort()
  }
  over?.addEventListener('abort', leave, { once: true })
  try {
    let looked = 0
    for await (const batch of events.batches(request, left.signal, workspaces)) {
      if (batch.type === 'refused') throw refusedBy(batch)
      if (batch.type === 'resync') return ok({ type: 'resync', reason: batch.reason, nextAfter: batch.cursor })
      last = batch
      if (batch.entries.length > 0 || ++looked === BATCHES_LOOKED_AT_MAX) break
      if (over === undefined ? batch.isCaughtUp : over.aborted) break
    }
  } finally {
    left.abort()
    over?.removeEventListener('abort', leave)
  }
  if (last === undefined) throw new RequestRefused('shutting_down', 'the log was closed while its events were read')
  return pageReply(last, limit)
}

/** Made of the texts that all readers share. */
function pageReply({ entries, cursor, isCaughtUp }: EventBatch, limit: number): Reply {
  const given = entries.slice(0, limit)
  const isCut = given.length < entries.length
  const nextAfter = isCut ? (given.at(-1) as LiveEntry).cursor : cursor
  const texts = given.map(({ text }) => text).join(',')
  const body = `{"type":"events","events":[${texts}],"isCaughtUp":${isCaughtUp && !isCut},"nextAfter":${JSON.stringify(nextAfter)}}`
  return ok(body, { 'content-type': 'application/json; charset=utf-8' })
}

async function stream(call: Call, host: Host, { lastEventId, over, begin }: StreamConnection): Promise<void> {
  const { request, workspaces } = askedIn(call)
  const { streams, settings } = host
  if (streams.isFull) throw new RequestRefused('too_many_streams', 'as many streams are open as this server has')
  const left = new AbortController()
  const leave = () => left.abort()
  over.addEventListener('abort', leave, { once: true })
  try {
    await streams.during(async () => {
      const after = lastEventId === undefined || lastEventId === '' ? request.after : lastEventId
      let wanted: EventsRequest = after === undefined ? request : { ...request, after }
      let response: EventStream | undefined
      while (!left.signal.aborted) {
        let resync: string | undefined
        for await (const batch of host.events.batches(wanted, left.signal, workspaces)) {
          if (batch.type === 'refused') throw refusedBy(batch)
          if (response === undefined) {
            const raw = begin({ ...STREAM_HEADERS, ...ENDING })
            raw.once('close', leave)
            response = new EventStream(raw, { pingMs: settings.httpStreamPingMs, slowMs: settings.httpStreamSlowMs })
            // Something at once: whoever stands between knows that it is one, and the client that it is heard.
            await response.write(`retry: ${RETRY_MS}\n\n`)
          }
          if (batch.type === 'resync') {
            resync = batch.cursor
            const data = JSON.stringify({ reason: batch.reason, cursor: batch.cursor })
            await response.write(frameOf({ event: 'resync', data }))
            break
          }
          const slowAt = await writeAll(response, batch.entries)
          if (slowAt !== undefined)
            return response.end(frameOf({ event: 'slow', data: JSON.stringify({ after: slowAt }) }))
        }
        if (resync === undefined) break
        wanted = { ...request, after: resync }
      }
      response?.end(frameOf({ event: 'closing', data: '{}' }))
    })
  } finally {
    over.removeEventListener('abort', leave)
  }
}

/** The cursor of the last one that was written, where the client does not take more. */
async function writeAll(stream: EventStream, entries: readonly LiveEntry[]): Promise<string | undefined> {
  for (const entry of entries) {
    if (!(await stream.write(frameOfEntry(entry)))) return entry.cursor
  }
  return undefined
}

/** Written once for all streams. */
const frames = new WeakMap<LiveEntry, string>()

function frameOfEntry(entry: LiveEntry): string {
  const known = frames.get(entry)
  if (known !== undefined) return known
  const frame = frameOf({ id: entry.cursor, data: entry.text })
  frames.set(entry, frame)
  return frame
}

function refusedBy({ rejection: { code, message, facts } }: { readonly rejection: Rejection }): RequestRefused {
  return new RequestRefused(code, message, facts)
}

/** When a stream ends its connection does: nothing else is asked on it. */
const ENDING = { connection: 'close' }
const RETRY_MS = 1_000
