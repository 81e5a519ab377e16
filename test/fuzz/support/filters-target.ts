/**
 * The filter language of lists: whatever a query string says, the rows are those that a plain reading of it leaves of all rows, page by page,
 * or it is refused in a sentence.
 */
import fc from 'fast-check'
import { type ListedOperation, OPERATION_SORTS, type OperationSort } from '../../../src/authority/monitoring.ts'
import { FRESHNESSES, type OperationFilter, PROBLEM_CLASSES } from '../../../src/authority/monitoring-filters.ts'
import { PRESENT_STATUSES, RESULT_CLASSES } from '../../../src/authority/status.ts'
import { holds, inOrder, isAmong, sortValue } from '../../projections/support/filter-meaning.ts'
import { edited } from './edits.ts'
import { fuzzTarget, mustHold } from './fuzz-target.ts'
import { type FuzzedServer, fuzzedServer, HOST } from './fuzzed-server.ts'
import { hostileWord } from './hostile-values.ts'

/** What names, ids, keys and labels may well be, and what filters are asked for. */
const WORDS = [
  'a',
  'A',
  'ab',
  'ab%',
  'a_',
  '%',
  '_',
  "'",
  "a' OR '1'='1",
  '"',
  '\\',
  '[a]',
  '*',
  'é',
  'É',
  'İ',
  'ß',
  'ΟΔΟΣ',
  '\u{10ffff}',
  'a\u{10ffff}',
  'a\u{10ffff}\u{10ffff}b',
  '\ufffd',
  '\u{1f680}',
  '__proto__',
  'constructor',
  '0',
  '01',
  '1e3',
  'null',
  'default',
] as const

interface FilterInput {
  /** Behind the question mark. */
  readonly query: string
  /** Nothing in it is anything but a condition: it is answered. */
  readonly isPlain: boolean
  readonly pageSize: number
}

export const filtersTarget = fuzzTarget<FilterInput>({
  name: 'filters',
  about: 'query strings of lists, against a plain reading of them',
  runs: 250,
  async open() {
    const server = await fuzzedServer()
    await fill(server)
    const all = await pagesOf(server, '', 1_000)
    return {
      inputs,
      check: (input) => checked(server, all, input),
      checkLeft: server.checkLeft,
      close: server.close,
    }
  },
})

/** One operation for each word, in several ways of standing. */
async function fill(server: FuzzedServer): Promise<void> {
  for (const [i, word] of WORDS.entries()) {
    const other = WORDS[(i * 7 + 3) % WORDS.length] ?? 'a'
    const owner = i % 3 === 0 ? word : 'o'
    const body = {
      id: word,
      kind: i % 4 === 0 ? word : 'k',
      name: other,
      key: other,
      labels: { [word === '__proto__' ? 'proto' : word]: other, l: i % 2 === 0 ? 'x' : 'x=y' },
      // None gets late while it is asked about.
      policy: i % 5 === 0 ? 'none' : { staleAfter: '1d' },
      claim: i % 2 === 0,
    }
    const place = `?workspace=w&owner=${encodeURIComponent(owner)}`
    const { id, leaseEpoch } = (await server.said('POST', `/v1/operations${place}`, body)) as {
      id: string
      leaseEpoch?: number
    }
    const address = `/v1/operations/${encodeURIComponent(id)}`
    if (leaseEpoch === undefined) {
      if (i % 7 === 1) await server.said('POST', `${address}:force-cancel${place}`, {})
    } else if (i % 4 === 0) {
      await server.said('POST', `${address}:complete${place}`, { leaseEpoch })
    } else if (i % 6 === 2) {
      await server.said('POST', `${address}:fail${place}`, { leaseEpoch, error: { message: word } })
    }
  }
}

type Pair = readonly [name: string, value: string]

const word = fc.constantFrom(...WORDS)
const time = fc.constantFrom('0', '1', '1500000000000', '9000000000000', '999999999999999')
const flag = fc.constantFrom('true', 'false')
const condition: fc.Arbitrary<readonly Pair[]> = fc.oneof(
  ...['kinds', 'owners', 'ids'].map((name) => several(name, fc.oneof(word, fc.constantFrom('k', 'o')))),
  several('workspaces', fc.constantFrom('w', 'w', 'default', '%')),
  several('statuses', fc.constantFrom(...PRESENT_STATUSES)),
  several('resultClasses', fc.constantFrom(...RESULT_CLASSES)),
  several('freshness', fc.constantFrom(...FRESHNESSES)),
  several('problemClasses', fc.constantFrom(...PROBLEM_CLASSES)),
  several(
    'label',
    fc
      .tuple(fc.oneof(word, fc.constant('l')), fc.oneof(word, fc.constantFrom('x', 'x=y')))
      .map(([name, value]) => `${name}=${value}`),
  ),
  ...['key', 'text', 'retryOf'].map((name) => one(name, word)),
  ...['attention', 'active', 'reconciled', 'contradicted'].map((name) => one(name, flag)),
  ...['registeredFrom', 'startedFrom', 'endedFrom', 'activityFrom', 'registeredUntil', 'endedUntil'].map((name) =>
    one(name, time),
  ),
  one('attemptAtLeast', fc.constantFrom('1', '2')),
  one('sort', fc.constantFrom(...OPERATION_SORTS)),
)

function one(name: string, value: fc.Arbitrary<string>): fc.Arbitrary<readonly Pair[]> {
  return value.map((text) => [[name, text]])
}

function several(name: string, value: fc.Arbitrary<string>): fc.Arbitrary<readonly Pair[]> {
  return fc.array(value, { minLength: 1, maxLength: 3 }).map((texts) => texts.map((text) => [name, text]))
}

const conditions = fc
  .uniqueArray(condition, { maxLength: 4, selector: (pairs) => pairs[0]?.[0] })
  .map((some) => some.flat())
const queryOf = (pairs: readonly Pair[]) =>
  pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
const plain = conditions.filter(isAnswered).map(queryOf)
const hostile = fc
  .tuple(conditions, fc.tuple(condition, hostileWord))
  .map(([pairs, [[first], value]]) => queryOf([...pairs, [first?.[0] ?? '', value.toWellFormed()]]))

const inputs: fc.Arbitrary<FilterInput> = fc.oneof(
  { weight: 3, arbitrary: inputOf(plain, true) },
  { weight: 1, arbitrary: inputOf(hostile, false) },
  {
    weight: 1,
    arbitrary: inputOf(
      edited(plain).map((text) => text.replace(/[^\x21-\x7e]/g, '')),
      false,
    ),
  },
)

function inputOf(query: fc.Arbitrary<string>, isPlain: boolean): fc.Arbitrary<FilterInput> {
  return fc.record({ query, isPlain: fc.constant(isPlain), pageSize: fc.constantFrom(4, 10, 50) })
}

/** A range that ends before it begins is refused, and so are two values of one label, and a label that there can't be. */
function isAnswered(pairs: readonly Pair[]): boolean {
  const told = new Map(pairs)
  const labels = new Set(pairs.filter(([name]) => name === 'label').map(([, value]) => value))
  if ([...labels].some((label) => label.startsWith('__proto__='))) return false
  if (new Set([...labels].map((label) => label.split('=', 1)[0])).size < labels.size) return false
  return ['registered', 'ended'].every((name) => {
    const [from, until] = [told.get(`${name}From`), told.get(`${name}Until`)]
    return from === undefined || until === undefined || Number(from) < Number(until)
  })
}

async function checked(
  server: FuzzedServer,
  all: readonly ListedOperation[],
  { query, isPlain, pageSize }: FilterInput,
): Promise<void> {
  const answer = await server.ask({ method: 'GET', target: `/v1/operations?${query}`, headers: [HOST] })
  const status = answer?.status ?? 0
  mustHold(
    status === 200 || (!isPlain && (status === 400 || status === 431)),
    () => `${query} was answered ${status}: ${answer?.text}`,
  )
  // What is no UTF-8 is no text, and what is asked about pages and freshness is no filter.
  if (status !== 200 || !isUtf8(query) || ABOUT_PAGES.test(query)) return
  const pairs = [...new URLSearchParams(query)]
  const sort = (pairs.findLast(([name]) => name === 'sort')?.[1] ?? 'newest_activity') as OperationSort // it was taken
  const left = all.filter((view) => isLeft(pairs, view))
  const expected = left.filter((view) => isAmong(sort, view))
  const found = await pagesOf(server, query, pageSize)
  mustHold(
    idsOf(found) === idsOf(expected),
    () => `${query} gives\n  ${idsOf(found)}\n  and means\n  ${idsOf(expected)}`,
  )
  const order = JSON.stringify(found.map((view) => sortValue(sort, view)))
  mustHold(order === JSON.stringify(inOrder(sort, expected)), () => `${query} gives them in the order ${order}`)
  const counting = pairs.filter(([name]) => name !== 'sort')
  const counted = (await server.said('GET', `/v1/operations:count?${new URLSearchParams(counting)}`)) as {
    readonly count: number
  }
  mustHold(counted.count === left.length, () => `${query} counts ${counted.count}, and leaves ${left.length}`)
}

const ABOUT_PAGES = /(^|&)(pageSize|pageToken|atLeast|timeoutMs|withLag|withFacets)=/

function isUtf8(query: string): boolean {
  try {
    decodeURIComponent(query)
    return true
  } catch {
    return false
  }
}

const idsOf = (views: readonly ListedOperation[]) => JSON.stringify(views.map(({ id }) => id).sort())

/** Every page, one after the other. */
async function pagesOf(server: FuzzedServer, query: string, pageSize: number): Promise<readonly ListedOperation[]> {
  const found: ListedOperation[] = []
  let token: string | undefined
  do {
    const more = token === undefined ? '' : `&pageToken=${token}`
    const page = (await server.said('GET', `/v1/operations?${query}&pageSize=${pageSize}${more}`)) as {
      readonly operations: readonly ListedOperation[]
      readonly nextPageToken?: string
    }
    found.push(...page.operations)
    token = page.nextPageToken
  } while (token !== undefined)
  return found
}

const LISTS = [
  'workspaces',
  'owners',
  'kinds',
  'statuses',
  'resultClasses',
  'reasonCodes',
  'freshness',
  'problemClasses',
  'ids',
] as const
const TEXTS = ['key', 'text', 'retryOf'] as const
const FLAGS = ['attention', 'active', 'reconciled', 'contradicted'] as const
const RANGES = ['registered', 'started', 'ended', 'activity'] as const

/** The query string read as its documentation has it. */
function isLeft(pairs: readonly Pair[], view: ListedOperation): boolean {
  const last = (name: string) => pairs.findLast(([given]) => given === name)?.[1]
  const each = (name: string) => pairs.filter(([given]) => given === name).map(([, value]) => value)
  const filter: Record<string, unknown> = {}
  for (const name of LISTS) if (each(name).length > 0) filter[name] = each(name)
  for (const name of TEXTS) filter[name] = last(name)
  for (const name of FLAGS) filter[name] = last(name) === undefined ? undefined : last(name) === 'true'
  for (const name of RANGES) {
    const [from, until] = [last(`${name}From`), last(`${name}Until`)]
    if (from === undefined && until === undefined) continue
    filter[name] = {
      ...(from === undefined ? {} : { from: Number(from) }),
      ...(until === undefined ? {} : { until: Number(until) }),
    }
  }
  const attempts = last('attemptAtLeast')
  if (attempts !== undefined) filter.attemptAtLeast = Number(attempts)
  const { retryOf } = filter
  const isRetry = retryOf === undefined || view.retryOf?.id === retryOf
  const isLabelled = each('label').every((pair) => {
    const sign = pair.indexOf('=')
    return view.labels[pair.slice(0, sign)] === pair.slice(sign + 1)
  })
  return isRetry && isLabelled && holds(filter as OperationFilter, view) // made of what was taken as one
}
