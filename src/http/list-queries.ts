/** Filters of lists as query strings write them: lists by repetition, ranges by two names, labels as name=value. */
import { z } from 'zod'
import { REASON_CODES } from '../authority/events.ts'
import {
  COUNT_MAX,
  OPERATION_SORTS,
  PAGE_SIZE,
  PAGE_SIZE_MAX,
  RATE_STEPS_MS,
  type RateStep,
  REGISTRY_SORTS,
} from '../authority/monitoring.ts'
import { FRESHNESSES, PROBLEM_CLASSES } from '../authority/monitoring-filters.ts'
import { PRESENT_STATUSES, RESULT_CLASSES } from '../authority/status.ts'
import { wholeNumber } from './query-values.ts'

/** One, or several by repetition. */
function some<T extends z.ZodType>(value: T) {
  return z.preprocess((given) => (typeof given === 'string' ? [given] : given), z.array(value))
}

const text = z.string()
const flag = z.enum(['true', 'false']).transform((said) => said === 'true')

export const freshnessQuery = {
  atLeast: z
    .string()
    .regex(/^[0-9]{1,19}$/, 'expected a position')
    .transform(BigInt)
    .optional()
    .meta({ description: 'A position that the answer is to show, as a command was answered it.' }),
  timeoutMs: wholeNumber.optional().meta({ description: 'How long that is waited for.' }),
  withLag: flag.optional().meta({ description: 'Tell how far the rows lie behind the log.' }),
}

export const pageQuery = {
  pageSize: wholeNumber.optional().meta({ description: `Default ${PAGE_SIZE}, at most ${PAGE_SIZE_MAX}.` }),
  pageToken: text.optional().meta({ description: 'The nextPageToken of the page before; of the same question.' }),
}

export const ownerFilterQuery = { workspaces: some(text).optional(), owners: some(text).optional() }

export const operationFilterQuery = {
  kinds: some(text).optional(),
  statuses: some(z.enum(PRESENT_STATUSES)).optional(),
  resultClasses: some(z.enum(RESULT_CLASSES)).optional(),
  reasonCodes: some(z.enum(REASON_CODES)).optional(),
  freshness: some(z.enum(FRESHNESSES)).optional(),
  problemClasses: some(z.enum(PROBLEM_CLASSES)).optional(),
  attention: flag.optional().meta({ description: 'Likely stale: somebody should look now.' }),
  active: flag.optional(),
  reconciled: flag.optional(),
  contradicted: flag.optional(),
  // A label of that name is refused wherever it is given: in a record it would be lost, and the rest would be asked for.
  label: some(text.regex(/^(?!__proto__=)[^=]+=/, 'expected name=value'))
    .refine(haveOneValueEach, 'expected one value for each name')
    .optional()
    .meta({ description: 'name=value; each must be there.' }),
  key: text.optional(),
  ids: some(text).optional(),
  text: text.optional().meta({ description: 'The beginning of the id, or of the name whatever its case.' }),
  retryOf: text.optional(),
  attemptAtLeast: wholeNumber.optional(),
  ...Object.fromEntries(
    ['registered', 'started', 'ended', 'activity'].flatMap((name) => [
      [`${name}From`, wholeNumber.optional().meta({ description: 'Epoch ms, inclusive.' })],
      [`${name}Until`, wholeNumber.optional().meta({ description: 'Epoch ms, exclusive.' })],
    ]),
  ),
}

export const operationSortQuery = { sort: z.enum(OPERATION_SORTS).optional(), withFacets: flag.optional() }
export const ownerSortQuery = {
  sort: z.enum(REGISTRY_SORTS).optional(),
  text: text.optional().meta({ description: 'The beginning of the owner.' }),
  active: flag.optional(),
  waiting: flag.optional(),
  retired: flag.optional(),
}
export const ratesQuery = z.strictObject({
  workspaces: some(text).optional().meta({ description: 'Summed; all that the caller may read where none is named.' }),
  kinds: some(text).optional(),
  fromAt: wholeNumber,
  untilAt: wholeNumber,
  step: z.enum(Object.keys(RATE_STEPS_MS) as [RateStep, ...RateStep[]]), // there is one at least
  ...freshnessQuery,
})

export const COUNT_NOTE = `Counting stops at ${COUNT_MAX}.`

const RANGES = ['registered', 'started', 'ended', 'activity'] as const
const OTHERS: ReadonlySet<string> = new Set([
  ...Object.keys(freshnessQuery),
  ...Object.keys(pageQuery),
  'sort',
  'withFacets',
])

export interface SplitQuery {
  /** As the vocabulary of monitors has it; checked by who answers. */
  readonly filter: Readonly<Record<string, unknown>>
  readonly rest: Readonly<Record<string, unknown>>
}

/** What is about rows, and what about the page. */
export function splitQuery(query: Readonly<Record<string, unknown>>): SplitQuery {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const rest = Object.fromEntries(given.filter(([name]) => OTHERS.has(name)))
  const filter = Object.fromEntries(given.filter(([name]) => !OTHERS.has(name)))
  const { label, ...conditions } = filter
  for (const name of RANGES) {
    const { [`${name}From`]: from, [`${name}Until`]: until } = conditions
    delete conditions[`${name}From`]
    delete conditions[`${name}Until`]
    if (from !== undefined || until !== undefined) {
      conditions[name] = { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) }
    }
  }
  if (label === undefined) return { filter: conditions, rest }
  // Strings with an equals sign, by their schema.
  const labels = (label as readonly string[]).map(labelIn)
  return { filter: { ...conditions, labels: Object.fromEntries(labels) }, rest }
}

/** A value may have further equals signs. */
function labelIn(pair: string): readonly [name: string, value: string] {
  const sign = pair.indexOf('=')
  return [pair.slice(0, sign), pair.slice(sign + 1)]
}

/** No operation has two values of one label: whoever asks for both may mean either, and would be shown nothing, or one of them. */
function haveOneValueEach(pairs: readonly string[]): boolean {
  return new Set(pairs.map((pair) => labelIn(pair)[0])).size === new Set(pairs).size
}
