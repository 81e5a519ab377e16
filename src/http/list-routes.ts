/** What monitors ask: lists, counts, facets, owners, stories, rates; over all that the caller may read, or over one owner. */
import { z } from 'zod'
import type { FilterQuestion, OperationsQuestion, OwnersQuestion, RatesQuestion } from '../authority/monitoring.ts'
import {
  asOfOnWire,
  countAnswerSchema,
  entryOnWire,
  facetsSchema,
  operationsPageSchema,
  ownersPageSchema,
  ratesSchema,
  storySchema,
} from '../wire/monitoring-wire.ts'
import { answeredOrThrow, unknownWorkspace } from './commands.ts'
import { type Call, type Endpoint, ok, type Reply } from './endpoint.ts'
import type { Host } from './host.ts'
import {
  COUNT_NOTE,
  freshnessQuery,
  operationFilterQuery,
  operationSortQuery,
  ownerFilterQuery,
  ownerSortQuery,
  pageQuery,
  ratesQuery,
  splitQuery,
} from './list-queries.ts'
import { notFound, ownerOf } from './operation-address.ts'
import { wholeNumber } from './query-values.ts'
import { workspacesOf } from './roles.ts'

const REFUSALS = ['invalid_command', 'bad_page_token', 'read_model_behind', 'not_served'] as const

type List = Pick<Endpoint, 'path' | 'id' | 'summary' | 'answers' | 'handle'> & {
  readonly query: Record<string, z.ZodType>
}

/** Twice: over all owners, with conditions on them, and over the one of the address. */
function overOwners({ query, id, summary, ...list }: List): readonly Endpoint[] {
  const endpoint = { method: 'GET', tag: 'Lists', right: 'read', refusals: REFUSALS, description: COUNT_NOTE } as const
  return [
    {
      ...endpoint,
      ...list,
      id,
      summary,
      scope: 'server',
      query: z.strictObject({ ...ownerFilterQuery, ...query }),
    },
    {
      ...endpoint,
      ...list,
      id: `${id}OfOwner`,
      summary: `${summary}, of one owner`,
      scope: 'one_owner',
      query: z.strictObject(query),
    },
  ]
}

export const LIST_ENDPOINTS: readonly Endpoint[] = [
  ...overOwners({
    path: '/operations',
    id: 'listOperations',
    summary: 'Operations, page by page',
    query: { ...operationFilterQuery, ...operationSortQuery, ...pageQuery, ...freshnessQuery },
    answers: { 200: { description: 'A page, and how to get the next.', schema: operationsPageSchema } },
    handle: async (call, { door }) => {
      const question = questionOf(call) as OperationsQuestion // checked by who answers
      return ok(asOfOnWire(answeredOrThrow(await door.monitoring.operations(question, call.gone))))
    },
  }),
  ...overOwners({
    path: '/operations:count',
    id: 'countOperations',
    summary: 'How many operations a filter leaves',
    query: { ...operationFilterQuery, ...freshnessQuery },
    answers: { 200: { description: 'The count.', schema: countAnswerSchema } },
    handle: async (call, { door }) =>
      ok(asOfOnWire(answeredOrThrow(await door.monitoring.count(questionOf(call) as FilterQuestion, call.gone)))),
  }),
  ...overOwners({
    path: '/operations:facets',
    id: 'getFacets',
    summary: 'How operations are spread over statuses, kinds, freshness and more',
    query: { ...operationFilterQuery, ...freshnessQuery },
    answers: { 200: { description: 'Counts by facet.', schema: facetsSchema } },
    handle: async (call, { door }) =>
      ok(asOfOnWire(answeredOrThrow(await door.monitoring.facets(questionOf(call) as FilterQuestion, call.gone)))),
  }),
  {
    method: 'GET',
    path: '/owners',
    scope: 'server',
    id: 'listOwners',
    tag: 'Lists',
    summary: 'Owners with what is active, retained and waited for, page by page',
    right: 'read',
    query: z.strictObject({ ...ownerFilterQuery, ...ownerSortQuery, ...pageQuery, ...freshnessQuery }),
    answers: { 200: { description: 'A page, and how to get the next.', schema: ownersPageSchema } },
    refusals: REFUSALS,
    handle: async (call, { door }) =>
      ok(asOfOnWire(answeredOrThrow(await door.monitoring.owners(questionOf(call) as OwnersQuestion, call.gone)))),
  },
  {
    method: 'GET',
    path: '/rates',
    scope: 'server',
    id: 'getRates',
    tag: 'Lists',
    summary: 'How much happened, by kind and step of time',
    right: 'read',
    query: ratesQuery,
    answers: { 200: { description: 'Points with something in them.', schema: ratesSchema } },
    refusals: REFUSALS,
    handle: async (call, { door }) => {
      const asked = call.query as RatesQuestion // as its schema gave it
      const workspaces = theirs(call, asked.workspaces)
      const question = workspaces === undefined ? asked : { ...asked, workspaces }
      return ok(asOfOnWire(answeredOrThrow(await door.monitoring.rates(question, call.gone))))
    },
  },
  {
    method: 'GET',
    path: '/operations/{id}/story',
    scope: 'owner',
    id: 'getStory',
    tag: 'Lists',
    summary: 'What became of an operation, event by event, page by page; also long after it left the lists',
    right: 'read',
    query: z.strictObject({
      number: wholeNumber.optional(),
      after: wholeNumber.optional(),
      limit: wholeNumber.optional(),
      ...freshnessQuery,
    }),
    answers: { 200: { description: 'Oldest event first.', schema: storySchema } },
    refusals: ['not_found', 'ambiguous_operation', ...REFUSALS],
    handle: story,
  },
]

async function story(call: Call, host: Host): Promise<Reply> {
  const id = call.params.id ?? ''
  const registry = await ownerOf(call, host, 'read')
  const told = answeredOrThrow(
    await host.door.monitoring.story(
      { ...registry, id, ...splitQuery(call.query).filter, ...splitQuery(call.query).rest },
      call.gone,
    ),
  )
  if (told === undefined) throw notFound(id)
  return ok({ ...asOfOnWire(told), entries: told.entries.map(entryOnWire) })
}

/** The question within what its caller may read: nothing else is there for them. */
function questionOf(call: Call): Readonly<Record<string, unknown>> {
  const { filter, rest } = splitQuery(call.query)
  if (call.isOwnerNamed) {
    const { workspace, owner } = call.registry
    return { ...rest, filter: { ...filter, workspaces: [workspace], owners: [owner] } }
  }
  const workspaces = theirs(call, filter.workspaces as RatesQuestion['workspaces']) // by its schema
  return { ...rest, filter: workspaces === undefined ? filter : { ...filter, workspaces } }
}

/** Of the workspaces that are asked for, those that the caller may read; undefined for all there are. Throws RequestRefused. */
function theirs({ principal }: Call, asked: RatesQuestion['workspaces']): string[] | undefined {
  const readable = workspacesOf(principal, 'read')
  if (readable === undefined) return asked
  const left = asked === undefined ? [...readable] : asked.filter((workspace) => readable.includes(workspace))
  if (left.length === 0) throw unknownWorkspace({ workspace: asked?.[0] ?? 'default' })
  return left
}
