/** The outcomes of many operations in one request: as they stand, or each as soon as there is one, in a stream. */
import type { OutcomeTold, RegistryAddress } from '../authority/questions.ts'
import {
  OUTCOMES_OPEN,
  type OutcomesAsked,
  outcomesAskedSchema,
  outcomesSchema,
  type WireOutcomesOpen,
  type WireOutcomeTold,
} from '../wire/outcome-wire.ts'
import { type Call, type Endpoint, ok, type StreamConnection } from './endpoint.ts'
import { assertEntitled } from './entitlement.ts'
import { errorResponse, RequestRefused, refusalOf } from './error-responses.ts'
import { frameOf, pingMsMax, STREAM_HEADERS } from './event-streams.ts'
import type { Host } from './host.ts'
import { ownerOf } from './operation-address.ts'
import { outcomeNow } from './operation-outcome.ts'
import { OutcomeStream } from './outcome-stream.ts'
import { bodyAs } from './request-body.ts'

export const OUTCOME_ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'POST',
    path: '/operations:outcomes',
    scope: 'server',
    id: 'getOutcomes',
    tag: 'Operations',
    summary: 'How many operations ended, in one request; as they stand, or each as soon as it ends',
    description:
      'Operations of any owner and workspace, each answered as `getOutcome` answers it: one that is refused spoils no other. As ' +
      '`application/json` all at once, as they stand. As `text/event-stream` a message for each that has ended or can not be told, under ' +
      'its place in the list, in the order in which they end; it lasts as long as `Prefer: wait` says, or as a wait may, and ends when all ' +
      'are told. Named events are no outcomes: `open` (all that go on are watched; `waitMs`, and `pingMs`, at least so often ' +
      'something is written), `closing` and `slow` (ask for the others again).',
    right: 'read',
    isQuestion: true,
    isWaiting: true,
    body: outcomesAskedSchema,
    answers: { 200: { description: 'One for each operation.', schema: outcomesSchema } },
    refusals: ['content_too_large', 'too_many_streams', 'too_many_outcomes'],
    handle: async (call, host) => {
      const operations = operationsIn(call, host)
      return ok({ outcomes: await Promise.all(operations.map((asked, index) => standingOf(asked, index, call, host))) })
    },
    stream,
  },
]

type Asked = OutcomesAsked['operations'][number]

function operationsIn({ body }: Call, { settings }: Host): readonly Asked[] {
  const { operations } = bodyAs(outcomesAskedSchema, body)
  const limit = settings.httpOutcomesMax
  if (operations.length <= limit) return operations
  const message = `outcomes of at most ${limit} operations are told in one request, got ${operations.length}`
  throw new RequestRefused('content_too_large', message, { limit })
}

async function standingOf(asked: Asked, index: number, call: Call, host: Host): Promise<WireOutcomeTold> {
  try {
    const { workspace, owner } = await registryOf(asked, call, host)
    const { status, outcome } = await outcomeNow(host, { workspace, owner }, asked.id)
    const told = { index, workspace, owner, id: asked.id, status }
    return outcome === undefined ? { type: 'active', ...told } : { type: 'ended', ...told, outcome }
  } catch (error) {
    return refused(error, asked, index, call, host)
  }
}

async function stream(call: Call, host: Host, connection: StreamConnection): Promise<void> {
  const operations = operationsIn(call, host)
  const { streams, outcomes, settings } = host
  if (streams.isFull) throw new RequestRefused('too_many_streams', 'as many streams are open as this server has')
  if (!outcomes.hasRoomFor(operations.length)) {
    const limit = settings.httpOutcomesWaitedMax
    const message = `the outcomes of ${outcomes.open} operations are waited for, and of at most ${limit} may be`
    throw new RequestRefused('too_many_outcomes', message, { limit })
  }
  await streams.during(() => outcomes.during(operations.length, () => streamed(operations, call, host, connection)))
}

/** Ends when nothing more is written. */
async function streamed(
  operations: readonly Asked[],
  call: Call,
  host: Host,
  { begin, over }: StreamConnection,
): Promise<void> {
  const { httpStreamPingMs: pingMs, httpStreamSlowMs: slowMs, httpWaitSecondsMax } = host.settings
  const waitMs = call.headers.prefer === undefined ? 1_000 * httpWaitSecondsMax : call.waitMs
  const left = new AbortController()
  const ended = Promise.withResolvers<void>()
  const told = new OutcomeStream(begin(STREAM_HEADERS), operations.length, { pingMs, slowMs }, ended.resolve)
  const close = () => told.close()
  over.addEventListener('abort', close, { once: true })
  const timer = waitMs > 0 ? setTimeout(close, waitMs) : undefined
  // The head, however long watching takes: whoever asked knows that it is heard.
  told.say(RETRY)
  const tell: Tell = (one) => told.tell(one)
  const opened = watchAll(operations, { call, host, tell, signal: left.signal }).then(() => {
    const open: WireOutcomesOpen = { waitMs, pingMs: pingMsMax(pingMs) }
    told.say(frameOf({ event: OUTCOMES_OPEN, data: JSON.stringify(open) }))
    if (waitMs === 0) close()
  })
  try {
    await Promise.race([ended.promise, opened.then(() => ended.promise)])
  } finally {
    clearTimeout(timer)
    over.removeEventListener('abort', close)
    left.abort(OVER)
  }
}

type Tell = (told: WireOutcomeTold) => void

interface Watching {
  readonly call: Call
  readonly host: Host
  readonly tell: Tell
  readonly signal: AbortSignal
}

interface Owned {
  readonly registry: RegistryAddress
  readonly places: number[]
}

/** Ends when all that is known was told and everything else is watched. */
async function watchAll(operations: readonly Asked[], watching: Watching): Promise<void> {
  const owners = new Map<string, Owned>()
  const watched: Promise<void>[] = []
  for (const [index, asked] of operations.entries()) {
    const registry = registryNamed(asked, watching.call)
    if (registry === undefined) {
      watched.push(watchFound(asked, index, operations, watching))
      continue
    }
    const key = JSON.stringify([registry.workspace, registry.owner])
    const known = owners.get(key)
    if (known === undefined) owners.set(key, { registry, places: [index] })
    else known.places.push(index)
  }
  for (const owned of owners.values()) watched.push(watch(owned, operations, watching))
  await Promise.all(watched)
}

/** Of an operation that is asked for without its owner. */
async function watchFound(
  asked: Asked,
  index: number,
  operations: readonly Asked[],
  watching: Watching,
): Promise<void> {
  const { call, host, tell } = watching
  try {
    await watch({ registry: await registryOf(asked, call, host), places: [index] }, operations, watching)
  } catch (error) {
    tell(refused(error, asked, index, call, host))
  }
}

/** What is told of each is what `getOutcome` answers. */
async function watch(
  { registry, places }: Owned,
  operations: readonly Asked[],
  { call, host, tell, signal }: Watching,
): Promise<void> {
  const { workspace, owner } = registry
  const idAt = (index: number) => (operations[index] as Asked).id // places are of this list
  const ids = places.map(idAt)
  const untold = new Set(places)
  const told = (place: number, answer: OutcomeTold) => {
    const index = places[place] as number
    if (!untold.delete(index)) return
    const id = idAt(index)
    if (answer.type === 'answered') tell({ type: 'ended', index, workspace, owner, id, ...answer.answer })
    else if (answer.type === 'refused') tell(refusedBy(answer.rejection, id, index, call))
    else tell(refused(answer.error, { id }, index, call, host))
  }
  try {
    assertEntitled(call.principal, registry, 'read')
    await host.door.watchOutcomes(registry, ids, told, signal)
  } catch (error) {
    for (const index of untold) tell(refused(error, { id: idAt(index) }, index, call, host))
    untold.clear()
  }
}

/** Whose it is, by somebody who may read it. Throws RequestRefused. */
async function registryOf(asked: Asked, call: Call, host: Host): Promise<RegistryAddress> {
  const registry = registryNamed(asked, call)
  if (registry === undefined) return ownerOf({ ...call, isOwnerNamed: false, params: { id: asked.id } }, host, 'read')
  assertEntitled(call.principal, registry, 'read')
  return registry
}

/** As `?workspace=` and `?owner=` name one; half a character, which no address can have, is the one that stands for what can't be told. */
function registryNamed({ workspace, owner }: Asked, { registry }: Call): RegistryAddress | undefined {
  if (workspace === undefined && owner === undefined) return undefined
  return {
    workspace: (workspace ?? registry.workspace).toWellFormed(),
    owner: (owner ?? registry.owner).toWellFormed(),
  }
}

/** Whatever was thrown; a defect of ours is told as one, and logged. */
function refused(error: unknown, { id }: Pick<Asked, 'id'>, index: number, call: Call, host: Host): WireOutcomeTold {
  const refusal = refusalOf(error)
  if (refusal === undefined) host.log.error({ requestId: call.requestId, err: error }, 'an outcome could not be told')
  return refusedBy(refusal ?? { code: '', message: '', facts: {} }, id, index, call)
}

function refusedBy(
  refusal: Parameters<typeof errorResponse>[0],
  id: string,
  index: number,
  { requestId }: Call,
): WireOutcomeTold {
  return { type: 'refused', index, id, problem: errorResponse(refusal, requestId).problem }
}

/** Made once: a reason that is made for each costs more than the rest of a stream. */
const OVER = new Error('the stream of outcomes is over')
const RETRY = 'retry: 1000\n\n'
