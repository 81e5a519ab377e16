import { describe, expect, test } from 'vitest'
import type { Operation } from '../../src/authority/operation.ts'
import { lifeAfter, livesTouchedBy } from '../../src/authority/operation-life.ts'
import { type Specification, specification } from '../../src/authority/specification.ts'
import { ACCEPTED } from './support/accepted-commands.ts'

/** Folded from its own events alone. */
function lifeOf(number: number, { history }: Specification): Operation | undefined {
  return history
    .filter((recorded) => livesTouchedBy(recorded).includes(number))
    .reduce<Operation | undefined>((before, recorded) => lifeAfter(before, recorded, number), undefined)
}

/** What only its registry knows: waits are no part of a life. */
function withoutWaits(operation: Operation | undefined): Partial<Operation> | undefined {
  if (operation === undefined) return undefined
  const { waits: _waits, waitedFor: _waitedFor, ...rest } = operation
  return rest
}

describe('a life folded alone', () => {
  test.each(Object.entries(ACCEPTED))('B3: is what the registry holds: %s', (_what, [before, command]) => {
    const { next } = before.when(command)
    const held = next.state.operations.get('a')
    if (held === undefined) expect(next.state.tombstones.get('a')?.status).toBe(lifeOf(1, next)?.status)
    else expect(withoutWaits(lifeOf(1, next))).toStrictEqual(withoutWaits(held))
  })

  const three = ['a', 'b', 'c'].reduce<Specification>(
    (before, id) => before.given({ type: 'RegisterOperation', id, kind: 'k' }),
    specification(),
  )

  test('B3: has its own sequence where many ended at once, and its own sign where many were heard', () => {
    const ended = three.given(
      {
        type: 'RecordSigns',
        signs: [
          [2, 1_000_007],
          [3, 1_000_009],
        ],
      },
      { type: 'TerminateOwner', reason: 'over' },
    )
    for (const number of [1, 2, 3]) {
      const held = [...ended.state.operations.values()].find((one) => one.number === number)
      expect(lifeOf(number, ended)).toStrictEqual(held)
    }
    expect(ended.history.map(livesTouchedBy)).toEqual([[], [1], [2], [3], [2, 3], [1, 2, 3]])
  })

  test('A22: the newest time of a registry is the newest that was stored, whatever the clock says', () => {
    expect(three.after(-500).given({ type: 'CancelOperation', id: 'a' }).state.newestAt).toBe(1_000_000)
    expect(three.after(500).given({ type: 'CancelOperation', id: 'a' }).state.newestAt).toBe(1_000_500)
  })
})
