import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Edit, PersistentMap } from '../../src/authority/persistent-map.ts'
import { PersistentQueue } from '../../src/authority/persistent-queue.ts'

/** Numbers whose hash is the same: the map hashes an integer to its low 32 bits, mixed with its high ones. */
const COLLIDING = [5, 2 ** 32 + 4, 2 * 2 ** 32 + 7, 3 * 2 ** 32 + 6]

type Key = string | number

/** Numbers in clusters, numbers of one hash, texts; each several times. */
const WALK: readonly Key[] = Array.from({ length: 420 }, (_, i) => {
  const place = (i * 37) % 101
  if (i % 10 === 0) return COLLIDING[(i / 10) % COLLIDING.length] as number
  return i % 3 === 0 ? `key-${place % 40}` : (place % 60) * (i % 4 === 0 ? 32 : 1)
})
type Change = readonly ['set', Key, number] | readonly ['delete', Key]

const key: fc.Arbitrary<Key> = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc.constantFrom(...COLLIDING),
  fc.constantFrom('a', 'b', '', '5', 'toString', '__proto__'),
  fc.string({ maxLength: 3 }),
)
const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.oneof(fc.tuple(fc.constant('set' as const), key, fc.integer()), fc.tuple(fc.constant('delete' as const), key)),
  { maxLength: 400, size: 'max' },
)

function changed(map: PersistentMap<Key, number>, [what, at, value]: Change, edit?: Edit): PersistentMap<Key, number> {
  return what === 'set' ? map.set(at, value as number, edit) : map.delete(at, edit)
}

function changeNative(map: Map<Key, number>, [what, at, value]: Change): void {
  if (what === 'set') map.set(at, value as number)
  else map.delete(at)
}

const sorted = (entries: Iterable<readonly [Key, number]>) =>
  [...entries].map(([at, value]) => [typeof at, String(at), value].join(' ')).sort()

describe('a persistent map', () => {
  test('holds what a native one holds, after any changes', () => {
    fc.assert(
      fc.property(changes, (steps) => {
        let map = PersistentMap.empty<Key, number>()
        const native = new Map<Key, number>()
        for (const step of steps) {
          map = changed(map, step)
          changeNative(native, step)
        }
        expect(map.size).toBe(native.size)
        expect(sorted(map)).toEqual(sorted(native))
        for (const [at, value] of native) expect(map.get(at)).toBe(value)
        for (const [, at] of steps) expect(map.has(at)).toBe(native.has(at))
      }),
      { numRuns: 300 },
    )
  })

  test('never changes a version that was given out, also when an edit goes on from it', () => {
    fc.assert(
      fc.property(changes, changes, changes, (first, second, third) => {
        const one = new Edit()
        const before = first.reduce((map, step) => changed(map, step, one), PersistentMap.empty<Key, number>())
        const entries = sorted(before)
        const other = new Edit()
        const after = second.reduce((map, step) => changed(map, step, other), before)
        const entriesAfter = sorted(after)
        third.reduce((map, step) => changed(map, step), after)
        third.reduce((map, step) => changed(map, step, new Edit()), before)
        expect(sorted(before)).toEqual(entries)
        expect(sorted(after)).toEqual(entriesAfter)
      }),
      { numRuns: 200 },
    )
  })

  test('is what it was at each step of a long walk, with an edit and without', () => {
    for (const edit of [undefined, new Edit()]) {
      let map = PersistentMap.empty<Key, number>()
      const native = new Map<Key, number>()
      for (const [i, key] of WALK.entries()) {
        const before = map
        const kept = edit === undefined ? sorted(before) : []
        const step: Change = i % 7 < 4 ? ['set', key, i] : ['delete', key]
        map = changed(map, step, edit)
        changeNative(native, step)
        expect([map.size, map.get(key), map.has(key)]).toEqual([native.size, native.get(key), native.has(key)])
        if (edit === undefined) expect(sorted(before)).toEqual(kept)
        expect(map.delete('nobody')).toBe(map)
      }
      expect(sorted(map)).toEqual(sorted(native))
      for (const key of WALK) map = map.delete(key, edit)
      expect([map.size, [...map]]).toEqual([0, []])
      expect(map).toBe(PersistentMap.empty())
    }
  })

  test('keeps keys of one hash apart', () => {
    const map = COLLIDING.reduce((held, number) => held.set(number, -number), PersistentMap.empty<number, number>())
    expect(COLLIDING.map((number) => map.get(number))).toEqual(COLLIDING.map((number) => -number))
    const fewer = map.delete(COLLIDING[1] as number).delete(COLLIDING[0] as number)
    expect([...fewer.values()].sort()).toEqual([-(COLLIDING[2] as number), -(COLLIDING[3] as number)].sort())
    expect(fewer.delete(1)).toBe(fewer)
  })

  test('of hundred thousand entries finds each, and is empty again when all are gone', () => {
    const edit = new Edit()
    let map = PersistentMap.empty<string, number>()
    for (let i = 0; i < 100_000; i++) map = map.set(`operation-${i}`, i, edit)
    expect(map.size).toBe(100_000)
    for (let i = 0; i < 100_000; i += 997) expect(map.get(`operation-${i}`)).toBe(i)
    for (let i = 0; i < 100_000; i++) map = map.delete(`operation-${i}`, edit)
    expect(map).toBe(PersistentMap.empty())
  })
})

describe('a persistent queue', () => {
  test('is what it was at each step of a long walk', () => {
    let queue = PersistentQueue.empty<number>()
    const native: number[] = []
    for (let i = 0; i < 300; i++) {
      const [before, kept] = [queue, [...queue]]
      if (i % 5 < 3) {
        queue = queue.push(i)
        native.push(i)
      } else {
        queue = queue.shift()
        native.shift()
      }
      expect([[...queue], queue.size, queue.peek()]).toEqual([native, native.length, native[0]])
      expect([...before]).toEqual(kept)
      expect(queue.at(queue.next)).toBeUndefined()
      expect(queue.at(queue.first - 1)).toBeUndefined()
      expect([...queue.from(queue.first + 2)]).toEqual(native.slice(2))
      expect([...queue.from(0)]).toEqual(native)
    }
    while (queue.size > 0) queue = queue.shift()
    expect([queue.shift(), queue.peek()]).toEqual([queue, undefined])
    // What was forgotten is not reached by its place, though its chunk may still be there.
    const shifted = native.reduce(
      (all) => all.shift(),
      native.reduce((all, item) => all.push(item), queue),
    )
    expect([shifted.size, shifted.at(shifted.first - 1)]).toEqual([0, undefined])
  })

  const moves = fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.integer() }, { weight: 2, arbitrary: fc.constant('shift' as const) }),
    {
      maxLength: 500,
      size: 'max',
    },
  )

  test('holds what an array holds, and every item keeps its place', () => {
    fc.assert(
      fc.property(moves, (steps) => {
        let queue = PersistentQueue.empty<number>()
        const native: number[] = []
        let gone = 0
        for (const step of steps) {
          if (step === 'shift') {
            queue = queue.shift()
            if (native.length > 0) gone++
            native.shift()
          } else {
            queue = queue.push(step)
            native.push(step)
          }
        }
        expect([...queue]).toEqual(native)
        expect([queue.size, queue.first, queue.next]).toEqual([native.length, gone, gone + native.length])
        expect(queue.peek()).toBe(native[0])
        for (const [i, item] of native.entries()) expect(queue.at(gone + i)).toBe(item)
        expect([queue.at(gone - 1), queue.at(queue.next)]).toEqual([undefined, undefined])
        expect([...queue.from(gone + 3)]).toEqual(native.slice(3))
      }),
      { numRuns: 200 },
    )
  })

  test('never changes a version that was given out', () => {
    fc.assert(
      fc.property(moves, moves, (first, second) => {
        const move = (queue: PersistentQueue<number>, step: number | 'shift', edit: Edit) =>
          step === 'shift' ? queue.shift(edit) : queue.push(step, edit)
        const one = new Edit()
        const before = first.reduce((queue, step) => move(queue, step, one), PersistentQueue.empty<number>())
        const items = [...before]
        const other = new Edit()
        second.reduce((queue, step) => move(queue, step, other), before)
        expect([...before]).toEqual(items)
      }),
      { numRuns: 200 },
    )
  })
})
