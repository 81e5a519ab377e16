/** Views, the field for text, sort, and what is filtered by: all of it as addresses. */
import { useEffect, useRef } from 'preact/hooks'
import { Icon } from '../icons.tsx'
import { navigate } from '../route.ts'
import {
  conditionsOf,
  firstPage,
  having,
  isSystemView,
  listHref,
  SORT_NAMES,
  SPANS,
  SYSTEM_VIEWS,
  toggled,
  typedInto,
} from './list-query.ts'

/** After the last key; then the list follows what is typed. */
const TYPING_MS = 300

interface Props {
  readonly params: URLSearchParams
}

export function SystemViews({ params }: Props) {
  return (
    <nav class="views" aria-label="Views">
      {SYSTEM_VIEWS.map((view) => (
        <a
          key={view.name}
          href={listHref(new URLSearchParams(view.query))}
          title={view.title}
          aria-current={isSystemView(params, view) ? 'page' : undefined}
        >
          {view.name}
        </a>
      ))}
    </nav>
  )
}

/** Where the field is found, for the key that leads to it. */
export const SEARCH_FIELD = 'search-operations'

export function SearchField({ params }: Props) {
  const field = useRef<HTMLInputElement>(null)
  const typing = useRef<ReturnType<typeof setTimeout>>(undefined)
  const text = params.get('text') ?? ''
  useEffect(() => {
    // What somebody is typing is not overwritten by the address that it has just made.
    if (field.current !== null && document.activeElement !== field.current) field.current.value = text
  }, [text])
  useEffect(() => () => clearTimeout(typing.current), [])
  const follow = (typed: string, isDone: boolean) => {
    clearTimeout(typing.current)
    const next = isDone ? typedInto(params, typed) : having(params, 'text', typed.trim())
    if (isDone && field.current !== null) field.current.value = next.get('text') ?? ''
    // One step back for a whole word, not for each letter.
    if (next.toString() !== params.toString()) navigate(listHref(next), { replace: !isDone && text !== '' })
  }
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault()
        follow(field.current?.value ?? '', true)
      }}
    >
      <Icon name="search" />
      <label class="visually-hidden" for={SEARCH_FIELD}>
        Find operations by the beginning of their id or name
      </label>
      <input
        ref={field}
        id={SEARCH_FIELD}
        class="field"
        type="search"
        autocomplete="off"
        spellcheck={false}
        placeholder="Id or name, owner:acme, label:team=billing"
        defaultValue={text}
        onInput={({ currentTarget: { value } }) => {
          clearTimeout(typing.current)
          // What has a colon is a condition that is not whole before Enter.
          if (!/\w:/.test(value)) typing.current = setTimeout(() => follow(value, false), TYPING_MS)
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return
          event.preventDefault()
          event.currentTarget.value = ''
          follow('', true)
          event.currentTarget.blur()
        }}
      />
    </form>
  )
}

export function SortChoice({ params }: Props) {
  const sort = params.get('sort') ?? 'newest_activity'
  return (
    <label class="choice">
      <span>Sort</span>
      <select
        class="field"
        value={sort}
        onChange={({ currentTarget: { value } }) =>
          navigate(listHref(having(params, 'sort', value === 'newest_activity' ? undefined : value)))
        }
      >
        {Object.entries(SORT_NAMES).map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}

export function EndedChoice({ params }: Props) {
  const ended = params.get('ended') ?? ''
  return (
    <label class="choice">
      <span>Ended</span>
      <select
        class="field"
        value={ended}
        onChange={({ currentTarget: { value } }) => navigate(listHref(having(params, 'ended', value)))}
      >
        <option value="">at any time, or not</option>
        {Object.entries(SPANS).map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
        {ended !== '' && !Object.hasOwn(SPANS, ended) && <option value={ended}>{ended}</option>}
      </select>
    </label>
  )
}

/** What leaves rows out, each with the way to be without it. */
export function Conditions({ params }: Props) {
  const conditions = conditionsOf(params)
  if (conditions.length === 0) return null
  const sort = params.get('sort')
  return (
    <ul class="conditions" aria-label="Filtered by">
      {conditions.map(([name, value]) => (
        <li key={`${name}=${value}`}>
          <a
            class="condition"
            href={listHref(toggled(params, name, value))}
            aria-label={`Without ${name} ${value}`}
            title="Remove this condition"
          >
            <span class="muted">{name}</span> {value}
            <Icon name="close" />
          </a>
        </li>
      ))}
      <li>
        <a class="condition" href={listHref(having(firstPage(new URLSearchParams()), 'sort', sort ?? undefined))}>
          Clear all
        </a>
      </li>
    </ul>
  )
}
