/**
 * How what the filter leaves is spread, and links that narrow or widen it. Counts are of the rows' own position. Of a facet that is
 * filtered by, the other values have no count: what they would leave is not in the answer.
 */
import type { Count, Facets } from '../../authority/monitoring.ts'
import { FRESHNESS_LOOKS, STATUS_LOOKS, type Tone } from '../badges.tsx'
import { Icon, type IconName } from '../icons.tsx'
import { listHref, toggled } from './list-query.ts'

interface Group {
  readonly name: string
  /** Of the filter. */
  readonly filter: string
  readonly of: keyof Facets
  /** Always shown, in this order; others as they are met, the most frequent first. */
  readonly values: readonly string[]
  readonly look?: (value: string) => { readonly word: string; readonly icon: IconName; readonly tone: Tone } | undefined
  readonly word?: (value: string) => string
}

const PROBLEM_WORDS: Readonly<Record<string, string>> = {
  active_attention: 'look now',
  terminal_follow_up: 'follow up',
  none: 'nothing to do',
}

const GROUPS: readonly Group[] = [
  {
    name: 'Status',
    filter: 'statuses',
    of: 'statuses',
    values: Object.keys(STATUS_LOOKS),
    look: (value) => lookIn(STATUS_LOOKS, value),
  },
  {
    name: 'Freshness',
    filter: 'freshness',
    of: 'freshness',
    values: Object.keys(FRESHNESS_LOOKS),
    look: (value) => lookIn(FRESHNESS_LOOKS, value),
  },
  { name: 'Kind', filter: 'kinds', of: 'kinds', values: [] },
  {
    name: 'To do',
    filter: 'problemClasses',
    of: 'problemClasses',
    values: Object.keys(PROBLEM_WORDS),
    word: (value) => PROBLEM_WORDS[value] ?? value,
  },
  { name: 'Reason', filter: 'reasonCodes', of: 'reasonCodes', values: [] },
]

/** Of a facet whose values are not known beforehand. */
const VALUES_MAX = 15

function lookIn<Look>(looks: Readonly<Record<string, Look>>, value: string): Look | undefined {
  return Object.hasOwn(looks, value) ? looks[value] : undefined
}

export function FacetGroups({
  params,
  facets,
}: {
  readonly params: URLSearchParams
  readonly facets: Facets | undefined
}) {
  return (
    <>
      {GROUPS.map((group) => (
        <FacetGroup key={group.name} group={group} params={params} counts={facets?.[group.of] ?? {}} />
      ))}
    </>
  )
}

interface Props {
  readonly group: Group
  readonly params: URLSearchParams
  readonly counts: Readonly<Record<string, Count>>
}

function FacetGroup({ group, params, counts }: Props) {
  const { name, filter, values } = group
  const chosen = params.getAll(filter)
  const met = Object.keys(counts)
    .filter((value) => !values.includes(value) && !chosen.includes(value))
    .toSorted((one, other) => (counts[other]?.count ?? 0) - (counts[one]?.count ?? 0) || (one < other ? -1 : 1))
  const shown = [...values, ...chosen.filter((value) => !values.includes(value)), ...met].slice(
    0,
    Math.max(VALUES_MAX, values.length + chosen.length),
  )
  if (shown.length === 0) return null
  return (
    <section class="facet" aria-label={name}>
      <h3>{name}</h3>
      <ul>
        {shown.map((value) => {
          const isChosen = chosen.includes(value)
          const isCounted = chosen.length === 0 || isChosen
          return (
            <li key={value}>
              <FacetLink
                {...{ group, params, value, isChosen }}
                count={isCounted ? counts[value] : undefined}
                isCounted={isCounted}
              />
            </li>
          )
        })}
      </ul>
    </section>
  )
}

interface LinkProps {
  readonly group: Group
  readonly params: URLSearchParams
  readonly value: string
  readonly isChosen: boolean
  readonly isCounted: boolean
  readonly count: Count | undefined
}

function FacetLink({ group: { filter, look, word }, params, value, isChosen, isCounted, count }: LinkProps) {
  const looks = look?.(value)
  const isEmpty = isCounted && (count?.count ?? 0) === 0
  return (
    <a
      class={`facet-link${isChosen ? ' is-chosen' : ''}${isEmpty ? ' is-empty' : ''}`}
      href={listHref(toggled(params, filter, value))}
      aria-current={isChosen ? 'true' : undefined}
      title={value}
    >
      {looks && <Icon name={looks.icon} class={`tone-${looks.tone} toned`} />}
      <span class="facet-value">{looks?.word ?? word?.(value) ?? value}</span>
      {isCounted && <span class="facet-count">{countText(count)}</span>}
      {isChosen && <Icon name="close" />}
    </a>
  )
}

/** '10,000+' where counting stopped. */
export function countText(count: Count | undefined): string {
  if (count === undefined) return '0'
  return `${count.count.toLocaleString('en')}${count.isExact ? '' : '+'}`
}
