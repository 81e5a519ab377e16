/**
 * Every address that the API describes, with bodies, query strings, headers and paths that were mutated: over real HTTP, each is answered as
 * described or refused by name; the server goes on, and what it wrote is sound.
 */
import fc from 'fast-check'
import { API_ENDPOINTS } from '../../../src/http/endpoints.ts'
import { type DescribedOperation, type JsonSchema, openApiOf } from '../../../src/http/openapi.ts'
import { edited } from './edits.ts'
import { fuzzTarget } from './fuzz-target.ts'
import { type FuzzedServer, fuzzedServer, HOST, JSON_TYPE } from './fuzzed-server.ts'
import { hostileNumber, hostileValue, hostileWord } from './hostile-values.ts'
import { bytesOf, type RequestParts } from './http-exchange.ts'
import { knownWord, valuesOf } from './schema-values.ts'

const DOCUMENT = openApiOf(API_ENDPOINTS, { version: '0', waitSecondsMax: 60 })

export const bodiesTarget = fuzzTarget<RequestParts>({
  name: 'bodies',
  about: 'bodies, query strings, headers and paths of every route, over HTTP',
  runs: 250,
  async open() {
    const server = await fuzzedServer({ settings: { questionTimeoutMs: 100 } })
    for (const registry of ['', '?workspace=w&owner=a']) {
      for (const id of ['a', 'b', 'c', 'd']) {
        await server.said('POST', `/v1/operations${registry}`, { id, kind: 'k', claim: id < 'c', labels: { p: 'q' } })
      }
    }
    await untilServed(server, ['/v1/operations', '/v1/owners', '/v1/operations/a/story', RATES])
    return {
      inputs: requests,
      check: async (request) => void (await server.ask(request)),
      checkLeft: server.checkLeft,
      shown: (request) => JSON.stringify(bytesOf(request).toString('latin1')),
      close: server.close,
    }
  },
})

const RATES = '/v1/rates?fromAt=0&untilAt=1&step=hour'
const BUILT_WITHIN_MS = 30_000

/** A node builds its read models when it is first asked. */
async function untilServed(server: FuzzedServer, targets: readonly string[]): Promise<void> {
  const giveUpAt = performance.now() + BUILT_WITHIN_MS
  for (const target of targets) {
    for (let status = 0; status !== 200; ) {
      if (performance.now() > giveUpAt) throw new Error(`${target} is still answered ${status}`)
      status = (await server.ask({ method: 'GET', target, headers: [HOST] }))?.status ?? 0
    }
  }
}

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
}

const hostileText = fc.oneof(hostileWord, hostileNumber)
/** Mostly what is there. */
const PATH_WORDS: Readonly<Record<string, readonly string[]>> = {
  workspace: ['default', 'w'],
  owner: ['default', 'a'],
  id: ['a', 'b', 'c', 'd'],
}

function pathWord(name: string): fc.Arbitrary<string> {
  const words = PATH_WORDS[name]
  const likely = words === undefined ? knownWord : fc.constantFrom(...words)
  return fc.oneof({ weight: 10, arbitrary: likely }, { weight: 1, arbitrary: hostileWord })
}

const QUERY_FLAGS = /^(attention|active|reconciled|contradicted|withFacets|withLag|waiting|retired|held)$/
const QUERY_NUMBERS = /From$|Until$|^(limit|pageSize|number|atLeast|fromAt|untilAt|leaseEpoch|attemptAtLeast)$/
const QUERY_WORDS: Readonly<Record<string, readonly string[]>> = {
  label: ['p=q', 'p=', 'p=q=r', 'x=y'],
  statuses: ['running', 'completed'],
  freshness: ['fresh', 'late'],
  resultClasses: ['running', 'failed'],
  problemClasses: ['none'],
  reasonCodes: ['run.timed_out'],
  sort: ['newest_activity', 'owner'],
  step: ['minute', 'hour'],
  after: ['now', '0', '3'],
  types: ['OperationRegistered', 'OperationRegistered,OperationStarted', ','],
}
/** Whoever asks for what is not there yet waits as long as he likes: not here. */
const TIMEOUTS = ['0', '1', '100', '600001', '-1', 'x'] as const

function queryValue(name: string): fc.Arbitrary<string> {
  if (name === 'timeoutMs') return fc.constantFrom(...TIMEOUTS)
  return fc.oneof({ weight: 5, arbitrary: likelyValue(name) }, { weight: 1, arbitrary: hostileText })
}

function likelyValue(name: string): fc.Arbitrary<string> {
  const words = QUERY_WORDS[name] ?? PATH_WORDS[name]
  if (words !== undefined) return fc.constantFrom(...words)
  if (QUERY_FLAGS.test(name)) return fc.constantFrom('true', 'false')
  return QUERY_NUMBERS.test(name) ? fc.nat({ max: 40 }).map(String) : knownWord
}

const HEADERS = [
  'idempotency-key',
  'prefer',
  'traceparent',
  'correlation-id',
  'causation-id',
  'content-type',
  'cookie',
  'last-event-id',
  'origin',
  'authorization',
  'x-forwarded-proto',
] as const
const HEADER_VALUES = ['wait=0', '%"caf%c3%a9"', 'application/json', 'k1', 'k2', 'https'] as const
const header = fc.tuple(
  fc.constantFrom(...HEADERS),
  fc.oneof(hostileWord, fc.constantFrom(...HEADER_VALUES)).map(headerText),
)

const described = Object.entries(DOCUMENT.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => requestOf(method.toUpperCase(), path, operation)),
)
/** Beside the API: what is served to browsers, to whoever measures, and to whoever looks whether it lives. */
const OTHERS = ['/', '/livez', '/readyz?verbose', '/metrics', '/openapi.json', '/docs', '/login', '/assets/x.js', '/v1']
const others = fc.constantFrom(...OTHERS).map((target): RequestParts => ({ method: 'GET', target, headers: [HOST] }))

const requests: fc.Arbitrary<RequestParts> = fc
  .tuple(
    fc.oneof({ weight: 40, arbitrary: fc.oneof(...described) }, { weight: 1, arbitrary: others }),
    // An answer to HEAD has no body, whatever it says of its length.
    fc.constantFrom(...Array<undefined>(80), 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    fc.option(hostileWord.map(pathText), { freq: 1, nil: '' }),
  )
  .map(([request, method = request.method, behind]) => ({ ...request, method, target: `${request.target}${behind}` }))

function requestOf(method: string, path: string, operation: DescribedOperation): fc.Arbitrary<RequestParts> {
  const parameters = operation.parameters as readonly Parameter[]
  const segments = parameters.filter((one) => one.in === 'path').map(({ name }) => [name, pathWord(name)] as const)
  const asked = parameters.filter((one) => one.in === 'query').map(({ name }) => name)
  return fc
    .record({
      params: fc.record(Object.fromEntries(segments)),
      query: nowAndThen(3, fc.array(pairOf(asked), { maxLength: 3 }), []),
      headers: nowAndThen(1, fc.array(header, { maxLength: 2 }), []),
      body: bodyOf(operation),
    })
    .map(({ params, query, headers, body }) => {
      const target = path.replace(/\{(\w+)\}/g, (_all, name) => encoded(String(params[name])))
      const pairs = query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
      return {
        method,
        target: pairs.length === 0 ? target : `${target}?${pairs.join('&')}`,
        headers: [HOST, ...(body === undefined ? [] : [JSON_TYPE]), ...headers],
        body: body === undefined ? undefined : Buffer.from(body),
      }
    })
}

function pairOf(asked: readonly string[]): fc.Arbitrary<readonly [string, string]> {
  const stray = fc.tuple(hostileWord, hostileText)
  if (asked.length === 0) return stray
  const known = fc.constantFrom(...asked).chain((name) => fc.tuple(fc.constant(name), queryValue(name)))
  return fc.oneof({ weight: 30, arbitrary: known }, { weight: 1, arbitrary: stray })
}

/** In so many of five. */
function nowAndThen<T>(times: number, arbitrary: fc.Arbitrary<T>, otherwise: T): fc.Arbitrary<T> {
  return fc.oneof({ weight: times, arbitrary }, { weight: 5 - times, arbitrary: fc.constant(otherwise) })
}

function bodyOf({ requestBody }: DescribedOperation): fc.Arbitrary<string | undefined> {
  const described = requestBody as { readonly content: Record<string, { readonly schema: JsonSchema }> } | undefined
  const schema = described?.content['application/json']?.schema
  if (schema === undefined) return nowAndThen<string | undefined>(1, hostileValue.map(jsonText), undefined)
  const { schemas } = DOCUMENT.components
  const good = valuesOf(schema, schemas, false).map(jsonText)
  const bad = valuesOf(schema, schemas, true).map(jsonText)
  return fc.oneof(
    { weight: 4, arbitrary: good },
    { weight: 3, arbitrary: edited(good, 'json') },
    { weight: 2, arbitrary: bad },
    { weight: 1, arbitrary: edited(bad, 'json') },
  )
}

function jsonText(value: unknown): string {
  return JSON.stringify(value)
}

/** A lone surrogate has no percent-encoding: it is sent as a byte that is no UTF-8. */
function encoded(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : text.replace(/[^\w]/g, '%ed')
}

/** What a path and a header may hold, so that the request reaches a route. */
function pathText(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '')
}

function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e\xa0-\xff]/g, '').trim()
}
