/** The API described, from the same values that it is made of (OpenAPI 3.1). */
import { z } from 'zod'
import { PROBLEM_MEDIA_TYPE, problemSchema } from '../wire/problem.ts'
import { isCommand as asksForCommand, type Endpoint } from './endpoint.ts'
import { ERROR_KINDS } from './error-responses.ts'
import { type Address, addressesOf } from './routing.ts'
import { SESSION_COOKIE } from './session-cookie.ts'

export type JsonSchema = { readonly [name: string]: unknown }

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>>; readonly [name: string]: unknown }
  readonly [name: string]: unknown
}

export interface DescribedOperation {
  readonly operationId: string
  readonly responses: Readonly<Record<string, DescribedResponse>>
  readonly [name: string]: unknown
}

export interface DescribedResponse {
  readonly description: string
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>
}

export interface OpenApiFacts {
  readonly version: string
  readonly waitSecondsMax: number
}

/** What every request may meet. */
const ALWAYS = [
  'invalid_command',
  'unauthenticated',
  'forbidden',
  'rate_limited',
  'internal_error',
  'shutting_down',
] as const
const OF_BODIES = ['malformed_request', 'body_too_large', 'unsupported_media_type'] as const
const OF_COMMANDS = ['outcome_unknown', 'store_unavailable', 'overloaded'] as const

export function openApiOf(endpoints: readonly Endpoint[], facts: OpenApiFacts): OpenApiDocument {
  const schemas: Record<string, JsonSchema> = {}
  const described: Record<string, Record<string, DescribedOperation>> = {}
  const schemaOf = (schema: z.ZodType, io: 'input' | 'output') => collected(schema, io, schemas)
  for (const address of endpoints.flatMap(addressesOf)) {
    const methods = described[address.path] ?? {}
    described[address.path] = methods
    methods[address.endpoint.method.toLowerCase()] = operationOf(address, schemaOf)
  }
  const tags = [...new Set(endpoints.map(({ tag }) => tag))].map((name) => ({ name, description: TAGS[name] ?? name }))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Verdict',
      version: facts.version,
      summary: 'What was started, whether it still lives, and how it ended',
      description: descriptionOf(facts),
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This server' }],
    security: [{ bearer: [] }, { session: [] }],
    tags,
    paths: described,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key (`verdict keys add`) or a JSON Web Token.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: SESSION_COOKIE,
          description:
            'Of a browser (`POST /v1/session`); over TLS with `__Host-` before its name. What changes anything has to come from a page of this server.',
        },
      },
    },
  }
}

const TAGS: Readonly<Record<string, string>> = {
  Operations: 'Registered, looked at, waited for',
  Commands: 'What becomes of an operation',
  Workers: 'For those who hold a lease',
  Waits: 'For several operations at once',
  Completions: 'What ended, in order',
  Events: 'What happens, as it stands in the log',
  Owners: 'All operations of one owner of one workspace',
  Lists: 'What monitors ask: lists, counts, stories',
  Reconciler: 'Who ends what does not speak for itself, and how far it goes',
  Admin: 'What operators did and were denied, and which keys there were',
  Server: 'How the server stands',
  Session: 'For people at a browser',
}

function descriptionOf({ waitSecondsMax }: OpenApiFacts): string {
  return [
    'Every address under `/v1/workspaces/{workspace}/owners/{owner}` also works behind `/v1` alone: then the owner is `?workspace=` and',
    '`?owner=`, or whoever has the operation, or `default`.',
    '',
    '`Idempotency-Key` names a command: the same key and the same body have one effect and one answer, also after a restart.',
    'What headers do not carry as it is goes into one as a Display String (RFC 9651), `%"caf%c3%a9"`; so for `Correlation-Id` and `Causation-Id`,',
    'which are stored with every event of a command, as `traceparent` is.',
    `\`Prefer: wait=N\` waits up to N seconds (at most ${waitSecondsMax}) where an endpoint says so; on expiry the answer is what is so.`,
    'Positions and other 64-bit numbers are decimal strings. Answers may gain fields, and statuses; requests with unknown fields are refused.',
  ].join('\n')
}

function operationOf(
  { endpoint, path, isOwnerNamed }: Address,
  schemaOf: (schema: z.ZodType, io: 'input' | 'output') => JsonSchema,
): DescribedOperation {
  const { id, summary, description, tag, query, body, isWaiting, answers, refusals = [], scope, stream } = endpoint
  const isCommand = asksForCommand(endpoint)
  const codes = [...refusals, ...ALWAYS, ...(body === undefined ? [] : OF_BODIES), ...(isCommand ? OF_COMMANDS : [])]
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => parameter('path', name, { type: 'string' }))
  const ownerAsked = scope !== 'server' && !isOwnerNamed
  const inQuery = [
    ...(ownerAsked ? ['workspace', 'owner'].map((name) => parameter('query', name, { type: 'string' }, false)) : []),
    ...(query === undefined ? [] : queryParameters(query)),
  ]
  const inHeader = [
    ...(isCommand
      ? [parameter('header', 'Idempotency-Key', { type: 'string', maxLength: 512 }, false, 'The id of the command.')]
      : []),
    ...(isWaiting
      ? [parameter('header', 'Prefer', { type: 'string', examples: ['wait=30'] }, false, 'wait=N, in seconds.')]
      : []),
  ]
  return {
    operationId: isOwnerNamed || scope === 'server' ? id : `${id}Short`,
    summary,
    description: [description, `Refusals: ${[...new Set(codes)].sort().join(', ')}.`].filter(Boolean).join('\n\n'),
    tags: [tag],
    ...(endpoint.access === 'anybody' ? { security: [] } : {}),
    parameters: [...inPath, ...inQuery, ...inHeader],
    ...(body === undefined
      ? {}
      : { requestBody: { required: false, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, { description: told, schema }]) => [
          status,
          {
            description: told,
            content: {
              'application/json': { schema: schemaOf(schema, 'output') },
              ...(stream === undefined ? {} : { 'text/event-stream': { schema: { type: 'string' } } }),
            },
          },
        ]),
      ),
      ...problemResponses(codes, schemaOf(problemSchema, 'output')),
    },
  }
}

/** One response for each status that a refusal may have. */
function problemResponses(codes: readonly string[], schema: JsonSchema): Record<string, DescribedResponse> {
  const byStatus = new Map<number, Set<string>>()
  for (const code of codes) {
    const status = ERROR_KINDS[code]?.status ?? 500
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code))
  }
  const told = [...byStatus].map(([status, some]): [string, DescribedResponse] => [
    String(status),
    { description: [...some].sort().join(', '), content: { [PROBLEM_MEDIA_TYPE]: { schema } } },
  ])
  const others = { description: 'Any other refusal.', content: { [PROBLEM_MEDIA_TYPE]: { schema } } }
  return { ...Object.fromEntries(told), default: others }
}

function parameter(
  place: 'path' | 'query' | 'header',
  name: string,
  schema: JsonSchema,
  required = true,
  description?: string,
) {
  return { name, in: place, required, ...(description === undefined ? {} : { description }), schema }
}

function queryParameters(query: z.ZodObject) {
  return Object.entries(query.shape).map(([name, schema]) => {
    const { description, ...rest } = bare(z.toJSONSchema(schema as z.ZodType, { io: 'input', unrepresentable: 'any' }))
    const isRequired = !(schema as z.ZodType).safeParse(undefined).success
    return parameter('query', name, rest, isRequired, typeof description === 'string' ? description : undefined)
  })
}

/** A schema by reference where it has an id, with all that it refers to among the components. */
function collected(schema: z.ZodType, io: 'input' | 'output', schemas: Record<string, JsonSchema>): JsonSchema {
  const whole = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonSchema & {
    readonly $defs?: Record<string, JsonSchema>
  }
  const { $defs = {}, ...root } = whole
  for (const [name, one] of Object.entries($defs)) schemas[name] = bare(referring(one))
  const id = schema.meta()?.id
  if (id === undefined) return bare(referring(root))
  if (!('$ref' in root)) schemas[id] = bare(referring(root))
  return { $ref: `#/components/schemas/${id}` }
}

function referring(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) // the same JSON, by other paths
}

function bare({ $schema: _dialect, id: _name, ...schema }: JsonSchema): JsonSchema {
  return schema
}
