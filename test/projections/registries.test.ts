import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ProjectedEvent } from '../../projections/projection.ts'
import { REGISTRIES, type RegistryRow } from '../../projections/registries.ts'
import {
  openWaitsAsked,
  type RegistriesQuestion,
  registriesAsked,
  registryAsked,
  waitsAsked,
} from '../../projections/registry-questions.ts'
import { DEFAULT_LIMITS, type LifecycleEvent } from '../../src/authority/events.ts'
import { fold } from '../../src/authority/evolve.ts'
import { type ListedRegistry, REGISTRY_SORTS, type RegistrySort } from '../../src/authority/monitoring.ts'
import type { RegistryFilter } from '../../src/authority/monitoring-filters.ts'
import { EMPTY_REGISTRY } from '../../src/authority/registry.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { type Followed, followed, projected } from './support/followed.ts'
import { registered } from './support/tally.ts'

const STREAM = 'registry-default/a'
/** More than any of these files has: pages that never end are shown as such. */
const ROWS_MAX = 100

function list(file: Followed, question: RegistriesQuestion = {}) {
  return file.ask((session) => registriesAsked(session, question))
}

/** Every page, one after the other. */
function pages(file: Followed, question: RegistriesQuestion): readonly ListedRegistry[] {
  const found: ListedRegistry[] = []
  let pageToken: string | undefined
  do {
    const page = list(file, { ...question, ...(pageToken === undefined ? {} : { pageToken }) })
    found.push(...page.registries)
    pageToken = page.nextPageToken
  } while (pageToken !== undefined && found.length < ROWS_MAX)
  return found
}

describe('the summary of a registry', () => {
  test('D8: is what its fold says, after each event of any history', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), fc.integer({ min: 1, max: 9 }), (given, sent, seed, step) => {
        const { history } = historyOf(given, sent, seed)
        using file = followed(REGISTRIES, { batch: step })
        const events = projected(history)
        for (let i = 0; i < events.length; i += step) {
          file.project(events.slice(i, i + step))
          const state = fold(EMPTY_REGISTRY, history.slice(0, i + step))
          expect(file.ask((session) => registryAsked(session, STREAM))).toEqual({
            workspace: 'default',
            owner: 'a',
            registryId: state.registryId,
            openedAt: history[0]?.metadata.at,
            newestAt: state.newestAt,
            revision: state.revision,
            active: state.activeCount,
            retained: state.retained.size,
            waits: state.waits.size,
            watermark: state.sequence,
            limits: state.limits,
            ...(state.retired === undefined ? {} : { retired: state.retired }),
          })
          const waits = [...state.waits.values()].sort((one, other) => one.revision - other.revision)
          expect(file.ask((session) => waitsAsked(session, STREAM))).toEqual(
            waits.map(({ waitId, mode, members, reached, beganAt, deadlineAt }) => ({
              waitId,
              mode,
              members: members.length,
              missing: members.length - reached.size,
              beganAt,
              deadlineAt,
            })),
          )
          expect(file.ask(openWaitsAsked)).toBe(waits.length)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('keeps apart two waits that had the same id one after the other', () => {
    using file = followed(REGISTRIES)
    file.project([
      opened(1),
      registered(2, 'export'),
      registered(3, 'export'),
      follow(4, began('w', 'all', [2, 3])),
      follow(5, { type: 'WaitCancelled', facts: { waitId: 'w' }, content: {} }),
      follow(6, began('w', 'all', [3])),
      follow(7, completed(2, 1)),
    ])
    expect(file.ask((session) => waitsAsked(session, STREAM))).toEqual([
      { waitId: 'w', mode: 'all', members: 1, missing: 1, runId: 'run', beganAt: 6, deadlineAt: 9 },
    ])
    file.project([follow(8, completed(3, 2))])
    expect(file.ask((session) => registryAsked(session, STREAM))).toMatchObject({ waits: 0, retained: 2, watermark: 2 })
  })

  test('counts a wait for any until its first member ends, and one for all until its last', () => {
    using file = followed(REGISTRIES)
    const open = () => file.ask((session) => waitsAsked(session, STREAM)).map(({ waitId }) => waitId)
    file.project([
      opened(1),
      ...[2, 3, 4].map((number) => registered(number, 'export')),
      follow(5, began('any', 'any', [2, 3])),
      follow(6, began('all', 'all', [2, 3, 4])),
    ])
    expect(open()).toEqual(['any', 'all'])
    file.project([follow(7, completed(2, 1))])
    expect(open()).toEqual(['all'])
    const terminated: LifecycleEvent = {
      type: 'OwnerTerminated',
      facts: { numbers: [3, 1], firstSequence: 2 },
      content: { reason: 'over' },
    }
    file.project([follow(8, terminated)])
    expect(open()).toEqual([])
    expect(file.ask((session) => registryAsked(session, STREAM))).toMatchObject({ active: 0, waits: 0, watermark: 3 })
  })

  test('is undefined for an owner that never had one', () => {
    using file = followed(REGISTRIES)
    expect(file.ask((session) => registryAsked(session, STREAM))).toBeUndefined()
    expect(file.ask(openWaitsAsked)).toBe(0)
  })

  test.each<[string, readonly ProjectedEvent[]]>([
    ['that does not begin with its opening', [registered(1, 'export')]],
    ['in which one ends that was not there', [opened(1), follow(2, ends(7))]],
    ['in which a wait ends that was not there', [opened(1), follow(2, expired('w'))]],
  ])('is not made of a history %s', (_what, history) => {
    using file = followed(REGISTRIES)
    expect(() => file.project(history)).toThrow(`'registries' can't go on at revision ${history.length}`)
  })
})

describe('the registries of all owners', () => {
  const filters: fc.Arbitrary<RegistryFilter> = fc.record(
    {
      workspaces: fc.constantFrom(['w0'], ['w1', 'w2']),
      owners: fc.constantFrom(['o-1'], ['o-2', 'o-13', 'nobody']),
      text: fc.constantFrom('o-1', 'o', 'x'),
      active: fc.boolean(),
      waiting: fc.boolean(),
      retired: fc.boolean(),
    },
    { requiredKeys: [] },
  )

  test('D8: any filters together leave what they say, in any sort, page by page', () => {
    using file = followed(REGISTRIES, { batch: 1_000, keptRowsMax: 1_000 })
    file.project(manyOwners(40))
    const all = pages(file, { pageSize: 1_000 })
    expect(all).toHaveLength(40)
    fc.assert(
      fc.property(filters, fc.constantFrom(...REGISTRY_SORTS), fc.integer({ min: 1, max: 9 }), (filter, sort, size) => {
        const found = pages(file, { filter, sort, pageSize: size })
        expect(found).toEqual(
          inOrder(
            sort,
            all.filter((one) => holds(filter, one)).filter((one) => isAmong(sort, one)),
          ),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('D8: what moves while somebody reads pages is told, never shown twice, and nothing else is left out', () => {
    using file = followed(REGISTRIES)
    const owners = manyOwners(9)
    file.project(owners)
    const [{ owner: oldest } = { owner: '' }] = pages(file, {}).slice(-1)
    const first = list(file, { pageSize: 4 })
    const again = owners.find((event) => event.owner === oldest) as ProjectedEvent
    const limitsChanged: LifecycleEvent = {
      type: 'RegistryLimitsChanged',
      facts: { limits: DEFAULT_LIMITS },
      content: {},
    }
    file.project([{ ...again, position: 1_000n, revision: 900, event: limitsChanged, metadata: at(1_000) }])
    const second = list(file, { pageSize: 4, pageToken: first.nextPageToken ?? '' })
    expect(second.newer).toBe(1)
    expect(second.nextPageToken).toBeUndefined()
    const seen = [...first.registries, ...second.registries].map(({ owner }) => owner)
    expect(seen).toHaveLength(8)
    expect(new Set([...seen, oldest]).size).toBe(9)
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['filter', { filter: { kinds: ['a'] } }, 'filter: Unrecognized key: "kinds"'],
    ['empty list', { filter: { owners: [] } }, 'filter owners: Too small'],
    ['text', { filter: { text: 'x'.repeat(129) } }, 'filter text: Too big'],
    ['page', { pageSize: 0 }, 'a page has 1 to 1000 registries, got 0'],
    ['sort', { sort: 'constructor' }, 'sort: expected one of newest_activity, most_active, most_waits, owner'],
    ['token', { pageToken: 'abc' }, 'the page token is no page token'],
  ])('are not asked for by a silly %s', (_what, question, message) => {
    using file = followed(REGISTRIES)
    expect(() => list(file, question as RegistriesQuestion)).toThrow(message)
  })

  test.each(
    REGISTRY_SORTS.flatMap((sort) =>
      [{}, { active: true }, { workspaces: ['w0'] }, { workspaces: ['w0', 'w1'] }].map(
        (filter) => [sort, filter] as const,
      ),
    ),
  )('D8: are read along an index, sorting nothing: %s of %o', (sort, filter) => {
    using file = followed(REGISTRIES)
    file.project([opened(1)])
    const plans = file.ask((session) => {
      const found: string[] = []
      registriesAsked(
        {
          ...session,
          all: (sql, parameters) => {
            found.push(
              ...session.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, parameters).map((row) => row.detail),
            )
            return session.all(sql, parameters)
          },
        },
        { sort, filter },
      )
      return found
    })
    expect(plans).toHaveLength(1)
    expect(plans[0]).toMatch(/^(SCAN|SEARCH) r USING INDEX registries\.\w+\.1/)
  })
})

const at = (time: number) => ({ ...registered(1, '').metadata, at: time })

function began(waitId: string, mode: 'all' | 'any', numbers: number[]): LifecycleEvent {
  return { type: 'WaitBegan', facts: { waitId, mode, numbers, runId: 'run', deadlineAt: 9 }, content: {} }
}

function completed(number: number, sequence: number): LifecycleEvent {
  return { type: 'OperationCompleted', facts: { id: `id-${number}`, number, sequence }, content: { result: 1 } }
}

function ends(number: number): LifecycleEvent {
  return { type: 'OperationAborted', facts: { id: `id-${number}`, number, sequence: 1 }, content: {} }
}

function expired(waitId: string): LifecycleEvent {
  return { type: 'WaitExpired', facts: { waitId }, content: {} }
}

function follow(position: number, event: LifecycleEvent): ProjectedEvent {
  return { ...registered(position, ''), event }
}

function opened(position: number): ProjectedEvent {
  const facts = { registryId: `r${position}`, limits: DEFAULT_LIMITS }
  return follow(position, { type: 'RegistryOpened', facts, content: { digestKey: '0'.repeat(64) } })
}

/** Owners o-0, o-1, ... of three workspaces: some with operations under way, some with waits, some retired, times out of order. */
function manyOwners(owners: number): readonly ProjectedEvent[] {
  const events: ProjectedEvent[] = []
  for (let i = 0; i < owners; i++) {
    const add = (event: LifecycleEvent) => {
      const position = events.length + 1
      const place = { stream: `registry-w${i % 3}/o-${i}`, workspace: `w${i % 3}`, owner: `o-${i}` }
      events.push({ ...follow(position, event), ...place, metadata: at((i * 7) % 11) })
    }
    add(opened(events.length + 1).event)
    const numbers: number[] = []
    for (let n = 0; n < i % 4; n++) {
      numbers.push(events.length + 1)
      add(registered(1, 'export').event)
    }
    if (numbers.length > 1)
      add({ type: 'WaitBegan', facts: { waitId: 'w', mode: 'any', numbers, deadlineAt: 9 }, content: {} })
    if (i % 5 === 0) add({ type: 'OwnerRetired', facts: {}, content: { reason: 'gone' } })
  }
  return events
}

function holds(filter: RegistryFilter, { workspace, owner, active, waits, retired }: ListedRegistry): boolean {
  const is = (wanted: boolean | undefined, actual: boolean) => wanted === undefined || wanted === actual
  return (
    (filter.workspaces?.includes(workspace) ?? true) &&
    (filter.owners?.includes(owner) ?? true) &&
    owner.startsWith(filter.text ?? '') &&
    is(filter.active, active > 0) &&
    is(filter.waiting, waits > 0) &&
    is(filter.retired, retired !== undefined)
  )
}

function isAmong(sort: RegistrySort, { active, waits }: ListedRegistry): boolean {
  if (sort === 'most_active') return active > 0
  return sort !== 'most_waits' || waits > 0
}

function inOrder(sort: RegistrySort, registries: readonly ListedRegistry[]): readonly ListedRegistry[] {
  // Owners are opened in the order of their numbers.
  const place = ({ owner }: ListedRegistry) => Number(owner.slice(2))
  const descending = (of: (one: ListedRegistry) => number) =>
    registries.toSorted((one, other) => of(other) - of(one) || place(other) - place(one))
  if (sort === 'newest_activity') return descending(({ newestAt }) => newestAt)
  if (sort === 'most_active') return descending(({ active }) => active)
  if (sort === 'most_waits') return descending(({ waits }: Pick<RegistryRow, 'waits'>) => waits)
  return registries.toSorted((one, other) => (one.owner < other.owner ? -1 : 1))
}
