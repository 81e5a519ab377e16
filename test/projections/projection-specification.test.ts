import { describe, expect, test } from 'vitest'
import type { Projection, ProjectionTable } from '../../projections/projection.ts'
import { projectionSpecification } from '../../projections/projection-specification.ts'
import { specification } from '../../src/authority/specification.ts'

interface Failures {
  readonly kind: string
  readonly failed: number
}

/** Kinds by how often their operations failed; whose kind it is, is looked up in a table of its own. */
function failuresBy(changes: Partial<ProjectionTable<Failures>> = {}) {
  const kinds: ProjectionTable<{ readonly stream: string; readonly number: number; readonly kind: string }> = {
    name: 'kinds',
    columns: [
      { name: 'stream', type: 'text' },
      { name: 'number', type: 'integer' },
      { name: 'kind', type: 'text' },
    ],
    key: ['stream', 'number'],
    indexes: [],
    write: ({ stream, number, kind }) => [stream, number, kind],
    read: ([stream, number, kind]) => ({ stream: String(stream), number: Number(number), kind: String(kind) }),
    targets: ({ event, stream, revision }) => (event.type === 'OperationRegistered' ? [[stream, revision]] : []),
    evolve: (_row, { event, stream, revision }) =>
      event.type === 'OperationRegistered' ? { stream, number: revision, kind: event.facts.kind } : undefined,
  }
  const failures: ProjectionTable<Failures> = {
    name: 'failures',
    columns: [
      { name: 'kind', type: 'text' },
      { name: 'failed', type: 'integer' },
    ],
    key: ['kind'],
    indexes: [],
    write: ({ kind, failed }) => [kind, failed],
    read: ([kind, failed]) => ({ kind: String(kind), failed: Number(failed) }),
    targets: ({ event, stream }, before) => {
      if (event.type !== 'OperationFailed') return []
      return [[before.row(kinds, [stream, event.facts.number])?.kind ?? '?']]
    },
    evolve: (row, _event, _before, [kind]) => ({ kind: String(kind), failed: (row?.failed ?? 0) + 1 }),
    ...changes,
  }
  const projection: Projection = { name: 'failures', version: 1, tables: [kinds, failures], unknownEvents: 'skip' }
  return { projection, failures }
}

const PAST = specification().given(
  { type: 'RegisterOperation', id: 'a', kind: 'export' },
  { type: 'RegisterOperation', id: 'b', kind: 'export' },
  { type: 'FailOperation', id: 'a', error: { message: 'no' } },
  { type: 'FailOperation', id: 'b', error: { message: 'no' } },
).history

describe('a specification of a projection', () => {
  test('gives the rows that events of several owners leave', () => {
    const { projection, failures } = failuresBy()
    const given = projectionSpecification(projection).given('acme', PAST)
    expect(given.rows(failures)).toEqual([{ kind: 'export', failed: 2 }])
    expect(given.given('other', PAST).rows(failures)).toEqual([{ kind: 'export', failed: 4 }])
    expect(projectionSpecification(projection).rows(failures)).toEqual([])
  })

  test.each([
    [
      'a `read` that loses what `evolve` needs',
      { read: ([kind]: readonly unknown[]) => ({ kind: String(kind), failed: 0 }) },
    ],
    [
      'an `evolve` that changes its row in place',
      {
        evolve: (row: Failures | undefined, _event: unknown, _before: unknown, [kind]: readonly unknown[]) => {
          if (row === undefined)
            return { kind: String(kind), failed: 1 }
            // Kept rows see it, rows that are read back do not: it is taken for unchanged and not written.
          ;(row as { failed: number }).failed += 1
          return row
        },
      },
    ],
  ])('finds %s', (_what, change) => {
    const { projection, failures } = failuresBy(change)
    const given = projectionSpecification(projection).given('acme', PAST)
    expect(() => given.rows(failures)).toThrow("rows of 'failures' depend on when they are written")
  })

  test('finds an event that a projection can not make sense of', () => {
    const { projection, failures } = failuresBy({
      evolve: () => {
        throw new Error('what is this?')
      },
    })
    const given = projectionSpecification(projection).given('acme', PAST)
    expect(() => given.rows(failures)).toThrow(
      "'failures' can't go on at revision 3 of 'registry-default/acme': what is this?",
    )
  })
})
